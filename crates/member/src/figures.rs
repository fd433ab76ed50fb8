//! What a member counts of a lease, from the jobs and roots that it has.

use crate::{
    due::DueCounter,
    store::{Complaint, Outcome, StoredRoot},
};
use alloy_primitives::B256;
use hashlease_committee::{EpochState, EpochView, StatementView};
use hashlease_primitives::{Commitment, Lease, SignedJob, Statement, Terms, UnixMillis, UnixSeconds, Work};
use std::collections::BTreeMap;

/// Jobs and roots of one lease.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) jobs: BTreeMap<u64, (UnixMillis, SignedJob)>,
    pub(crate) roots: BTreeMap<u32, StoredRoot>,
    due: DueCounter,
    // first second → jobs whose window begins with it
    begins: BTreeMap<UnixSeconds, u64>,
}

/// Jobs of an epoch that a member keeps at least, however short it is.
const LEAST_JOBS: u64 = 600;

/// Jobs of an epoch that a member keeps: one a second, which no job signer needs.
pub(crate) fn most_jobs(terms: &Terms) -> u64 {
    u64::from(terms.epoch_length).max(LEAST_JOBS)
}

/// Whether nothing can come of the lease's jobs any more.
pub(crate) fn over(lease: &Lease, now: UnixMillis) -> bool {
    lease.settled || now.seconds() > lease.settle_after()
}

/// Whether a root that came at `received` came in time.
pub(crate) fn in_time(terms: &Terms, epoch: u32, received: UnixMillis) -> bool {
    received <= terms.root_deadline(epoch).millis()
}

impl Figures {
    /// Takes a verified job. It counts from the first whole second after it came and was served on.
    pub(crate) fn add_job(&mut self, received: UnixMillis, signed: SignedJob) {
        let job = &signed.job;
        self.due.insert_job(job.not_before(), job.not_after(), received.seconds_rounded_up());
        let begins = self.begins.entry(job.not_before()).or_default();
        *begins = begins.saturating_add(1);
        self.jobs.insert(job.sequence(), (received, signed));
    }

    /// Jobs whose windows begin in `[from, to)`.
    pub(crate) fn jobs_within(&self, from: UnixSeconds, to: UnixSeconds) -> u64 {
        self.begins.range(from..to).map(|(_, count)| *count).fold(0, u64::saturating_add)
    }

    /// Seconds of each epoch in which jobs were on the table: all that counts of them once the lease is over.
    pub(crate) fn due_by_epoch(&self, terms: &Terms) -> Vec<(UnixSeconds, u64)> {
        let epochs = (0..terms.epochs()).map(|epoch| (terms.epoch_start(epoch), terms.epoch_end(epoch)));
        epochs
            .map(|(from, to)| (from, self.due.seconds(from, to)))
            .filter(|(_, seconds)| *seconds > 0)
            .collect()
    }

    /// Lets the jobs go, and keeps what they made due.
    pub(crate) fn drop_jobs(&mut self, due: Vec<(UnixSeconds, u64)>) {
        self.jobs.clear();
        self.begins.clear();
        self.due = DueCounter::default();
        self.add_due(due);
    }

    /// Adds what jobs made due that were let go: so many seconds from each of these moments on.
    pub(crate) fn add_due(&mut self, due: Vec<(UnixSeconds, u64)>) {
        for (from, seconds) in due {
            self.due.insert(from, from.plus(seconds));
        }
    }

    /// The state of an epoch and what of it counts.
    fn epoch(&self, terms: &Terms, epoch: u32, now: UnixMillis) -> (EpochState, Commitment) {
        let empty = Commitment::default();
        let Some(stored) = self.roots.get(&epoch) else {
            let over = now > terms.root_deadline(epoch).millis();
            return (if over { EpochState::Missing } else { EpochState::Awaited }, empty);
        };
        if !stored.vouched && !in_time(terms, epoch, stored.received) {
            return (EpochState::Late, empty);
        }
        match &stored.outcome {
            Outcome::Pending => (EpochState::Pending, empty),
            Outcome::Verified(commitment) => (EpochState::Verified, *commitment),
            Outcome::Refused(Complaint { code, message }) => {
                (EpochState::Refused { code: code.clone(), reason: message.clone() }, empty)
            }
            Outcome::Unfetched(Complaint { code, message }) => {
                (EpochState::NotFetched { code: code.clone(), reason: message.clone() }, empty)
            }
        }
    }

    /// Cumulative figures up to the end of `epoch`.
    pub(crate) fn statement(&self, lease: &Lease, epoch: u32, now: UnixMillis) -> StatementView {
        let terms = &lease.terms;
        let as_of = terms.epoch_end(epoch);
        let (mut work, mut evidence, mut epochs) = (Work::ZERO, B256::ZERO, Vec::new());
        for epoch in 0..=epoch {
            let (state, commitment) = self.epoch(terms, epoch, now);
            let epoch_work = terms.weight.times(commitment.count).min(terms.epoch_cap());
            work = work.saturating_add(epoch_work);
            evidence = commitment.chain(&evidence);
            epochs.push(EpochView {
                epoch,
                count: commitment.count,
                work: epoch_work.to_string(),
                root: commitment.root,
                state,
            });
        }
        let pending =
            epochs.iter().any(|epoch| matches!(epoch.state, EpochState::Awaited | EpochState::Pending));
        let half_window = terms.end.plus(u64::from(lease.window / 2)).millis();
        let deadline_over = now > terms.root_deadline(epoch).millis();
        let last = as_of == terms.end && deadline_over && (!pending || now >= half_window);
        let statement =
            Statement { lease: terms.id, as_of, work, due: self.due.due(terms, as_of), evidence, last };
        StatementView { statement, pending, epochs }
    }
}
