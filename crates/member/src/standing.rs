//! How an epoch stands: from its root, what members showed of it, and the time, to what counts.

use crate::{
    store::{Outcome, StoredComplaint, StoredRoot},
    view::LeaseView,
};
use hashlease_committee::EpochState;
use hashlease_primitives::{Commitment, Lease, Terms, UnixMillis, UnixSeconds, Work};

/// What an epoch contributes.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) state: EpochState,
    /// Root and count that stand in the evidence chain; empty ones unless the epoch counts.
    pub(crate) commitment: Commitment,
    pub(crate) work: Work,
    /// Work without the shares that other leases claim as well.
    pub(crate) uncontested: Work,
    pub(crate) left_out: u64,
    /// What these shares are worth.
    pub(crate) left_out_work: Work,
    pub(crate) contested: u64,
    /// The last millisecond before passing time may change it.
    pub(crate) until: UnixMillis,
}

impl Standing {
    /// Whether nothing is decided yet.
    pub(crate) const fn is_pending(&self) -> bool {
        matches!(self.state, EpochState::Awaited | EpochState::Pending | EpochState::Unconfirmed)
    }
}

/// Whether a root received at `received` is in time.
pub(crate) fn in_time(terms: &Terms, epoch: u32, received: UnixMillis) -> bool {
    received <= terms.root_deadline(epoch).millis()
}

/// The last second in which members show each other that they had an epoch's root in time.
pub(crate) fn shown_until(lease: &Lease, epoch: u32) -> UnixSeconds {
    lease.terms.root_deadline(epoch).plus(lease.half_window())
}

/// Whether enough members had the root in time, this one included.
pub(crate) fn is_confirmed(view: &LeaseView, epoch: u32, root: &StoredRoot) -> bool {
    let own = usize::from(in_time(&view.lease.terms, epoch, root.received));
    root.receipts.len().saturating_add(own) >= view.threshold
}

/// How an epoch stands at `now`; `contested` of its shares are claimed by other leases as well.
pub(crate) fn standing(
    view: &LeaseView,
    epoch: u32,
    root: Option<&StoredRoot>,
    contested: u64,
    now: UnixMillis,
) -> Standing {
    let terms = &view.lease.terms;
    let (state, until) = state(view, epoch, root, now);
    let mut standing = Standing {
        state,
        commitment: Commitment::default(),
        work: Work::ZERO,
        uncontested: Work::ZERO,
        left_out: 0,
        left_out_work: Work::ZERO,
        contested: 0,
        until,
    };
    if let (EpochState::Verified, Some(root)) = (&standing.state, root) {
        let commitment = root.commitment();
        let own = commitment.count.saturating_sub(root.left_out);
        let work = |count| terms.weight.times(count).min(terms.epoch_cap());
        standing.commitment = commitment;
        standing.work = work(own);
        standing.uncontested = work(own.saturating_sub(contested));
        standing.left_out = root.left_out;
        standing.left_out_work = work(root.left_out);
        standing.contested = contested;
    }
    standing
}

fn state(
    view: &LeaseView,
    epoch: u32,
    root: Option<&StoredRoot>,
    now: UnixMillis,
) -> (EpochState, UnixMillis) {
    let for_good = UnixMillis::new(u64::MAX);
    let deadline = view.lease.terms.root_deadline(epoch).millis();
    let Some(root) = root else {
        let is_over = now > deadline;
        return if is_over { (EpochState::Missing, for_good) } else { (EpochState::Awaited, deadline) };
    };
    if let Some(rival) = &root.rival {
        let roots = [root.commitment(), rival.root.commitment];
        return (EpochState::TwoRoots { roots }, for_good);
    }
    let mut until = for_good;
    let mut unconfirmed = None;
    if !is_confirmed(view, epoch, root) {
        let shown = shown_until(&view.lease, epoch).millis();
        if now > shown || !in_time(&view.lease.terms, epoch, root.received) {
            return (EpochState::Late, for_good);
        }
        until = shown;
        unconfirmed = Some(EpochState::Unconfirmed);
    }
    let state = match &root.outcome {
        Outcome::Refused(StoredComplaint { code, message }) => {
            EpochState::Refused { code: code.clone(), reason: message.clone() }
        }
        Outcome::Unfetched(StoredComplaint { code, message }) => {
            EpochState::NotFetched { code: code.clone(), reason: message.clone() }
        }
        Outcome::Pending => unconfirmed.unwrap_or(EpochState::Pending),
        Outcome::Verified(_) => unconfirmed.unwrap_or(EpochState::Verified),
    };
    (state, until)
}
