//! A member's own figures of a lease, counted from the jobs and roots that it has.

use crate::{
    standing::{Standing, standing},
    store::StoredRoot,
    taken_jobs::TakenJobs,
    view::LeaseView,
};
use alloy_primitives::B256;
use hashlease_committee::{EpochView, StatementView};
use hashlease_primitives::{Lease, Statement, Terms, UnixMillis, UnixSeconds, Work};
use std::collections::BTreeMap;

/// Most epochs that one answer shows: the newest ones.
const MOST_SHOWN: u32 = 256;

/// Jobs and roots of one lease.
#[derive(Debug)]
pub(crate) struct LeaseFigures {
    pub(crate) jobs: TakenJobs,
    roots: BTreeMap<u32, StoredRoot>,
    contested: BTreeMap<u32, u64>,
    sums: Sums,
}

/// What the epochs up to one come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum {
    pub(crate) evidence: B256,
    pub(crate) work: Work,
    /// Work without the shares that other leases claim as well.
    pub(crate) uncontested: Work,
    pub(crate) pending: bool,
    /// The last millisecond at which no passing time has changed it.
    until: UnixMillis,
}

/// Sums that were computed once and hold until a root or the time changes them, so that no request
/// costs more because a lease has many epochs.
#[derive(Debug, Default)]
struct Sums {
    // what they depend on besides: end, window and threshold
    of: (UnixSeconds, u32, usize),
    by_epoch: Vec<Sum>,
}

/// Whether the lease can no longer be credited, so that its jobs have no use.
pub(crate) fn is_over(lease: &Lease, now: UnixMillis) -> bool {
    lease.settled || now.seconds() > lease.settle_after()
}

impl LeaseFigures {
    pub(crate) fn new(jobs: TakenJobs) -> Self {
        Self { jobs, roots: BTreeMap::new(), contested: BTreeMap::new(), sums: Sums::default() }
    }

    pub(crate) fn root(&self, epoch: u32) -> Option<&StoredRoot> {
        self.roots.get(&epoch)
    }

    /// Numbers of the epochs that have a root.
    pub(crate) fn rooted(&self) -> impl Iterator<Item = u32> {
        self.roots.keys().copied()
    }

    pub(crate) fn set_root(&mut self, epoch: u32, root: StoredRoot) {
        self.roots.insert(epoch, root);
        self.sums.forget_from(epoch);
    }

    /// So many more shares of the epoch are contested.
    pub(crate) fn contest(&mut self, epoch: u32, more: u64) {
        let contested = self.contested.entry(epoch).or_default();
        *contested = contested.saturating_add(more);
        self.sums.forget_from(epoch);
    }

    /// How an epoch stands.
    pub(crate) fn standing(&self, view: &LeaseView, epoch: u32, now: UnixMillis) -> Standing {
        let contested = self.contested.get(&epoch).copied().unwrap_or_default();
        standing(view, epoch, self.roots.get(&epoch), contested, now)
    }

    /// The sum of the epochs up to `epoch`, that one included.
    pub(crate) fn sum(&mut self, view: &LeaseView, epoch: u32, now: UnixMillis) -> Sum {
        let Lease { terms: Terms { end, .. }, window, .. } = &view.lease;
        let of = (*end, *window, view.threshold);
        if self.sums.of != of {
            self.sums = Sums { of, by_epoch: Vec::new() };
        }
        self.sums.forget_expired(now);
        let last = usize::try_from(epoch).unwrap_or(usize::MAX);
        loop {
            if let Some(sum) = self.sums.by_epoch.get(last) {
                return *sum;
            }
            // a lease has fewer than 2^32 epochs
            let next = u32::try_from(self.sums.by_epoch.len()).unwrap_or(u32::MAX);
            let standing = self.standing(view, next, now);
            self.sums.add(&standing);
        }
    }

    /// Cumulative figures up to the end of `epoch`.
    pub(crate) fn statement(&mut self, view: &LeaseView, epoch: u32, now: UnixMillis) -> (Statement, Sum) {
        let (lease, terms) = (&view.lease, &view.lease.terms);
        let as_of = terms.epoch_end(epoch);
        let sum = self.sum(view, epoch, now);
        let roots_due = lease.roots_due();
        let deadline_over = now > roots_due.millis();
        let half_over = now > roots_due.plus(lease.half_window()).millis();
        let last = as_of == terms.end && deadline_over && (!sum.pending || half_over);
        let due = self.jobs.due(terms, as_of);
        let Sum { evidence, work, .. } = sum;
        (Statement { lease: terms.id, as_of, work, due, evidence, last }, sum)
    }

    /// [`LeaseFigures::statement`] with the newest of its epochs.
    pub(crate) fn view(&mut self, view: &LeaseView, epoch: u32, now: UnixMillis) -> StatementView {
        let (statement, sum) = self.statement(view, epoch, now);
        let epochs = self.shown(view, epoch, now).collect();
        StatementView { statement, pending: sum.pending, epochs }
    }

    /// The newest epochs up to `epoch`.
    pub(crate) fn shown(
        &self,
        view: &LeaseView,
        epoch: u32,
        now: UnixMillis,
    ) -> impl Iterator<Item = EpochView> {
        let first = epoch.saturating_add(1).saturating_sub(MOST_SHOWN);
        (first..=epoch).map(move |epoch| {
            let Standing { state, commitment, work, left_out, contested, .. } =
                self.standing(view, epoch, now);
            EpochView {
                epoch,
                count: commitment.count,
                left_out,
                contested,
                work: work.to_string(),
                root: commitment.root,
                state,
            }
        })
    }
}

impl Sums {
    fn forget_from(&mut self, epoch: u32) {
        self.by_epoch.truncate(usize::try_from(epoch).unwrap_or(usize::MAX));
    }

    /// Forgets what the time has changed since: the moments only get earlier from sum to sum.
    fn forget_expired(&mut self, now: UnixMillis) {
        let valid = self.by_epoch.partition_point(|sum| now <= sum.until);
        self.by_epoch.truncate(valid);
    }

    fn add(&mut self, standing: &Standing) {
        let before = self.by_epoch.last().copied().unwrap_or(Sum {
            evidence: B256::ZERO,
            work: Work::ZERO,
            uncontested: Work::ZERO,
            pending: false,
            until: UnixMillis::new(u64::MAX),
        });
        self.by_epoch.push(Sum {
            evidence: standing.commitment.chain(&before.evidence),
            work: before.work.saturating_add(standing.work),
            uncontested: before.uncontested.saturating_add(standing.uncontested),
            pending: before.pending || standing.is_pending(),
            until: before.until.min(standing.until),
        });
    }
}
