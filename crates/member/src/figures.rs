//! A member's own figures of a lease, counted from the jobs and roots that it has.

use crate::{
    due::DueCounter,
    store::{Outcome, StoredComplaint, StoredRoot},
};
use alloy_primitives::B256;
use hashlease_committee::{EpochState, EpochView, StatementView};
use hashlease_primitives::{Commitment, Lease, SignedJob, Statement, Terms, UnixMillis, UnixSeconds, Work};
use std::collections::BTreeMap;

/// Jobs and roots of one lease.
#[derive(Debug, Default)]
pub(crate) struct LeaseFigures {
    pub(crate) jobs: BTreeMap<u64, (UnixMillis, SignedJob)>,
    pub(crate) roots: BTreeMap<u32, StoredRoot>,
    due: DueCounter,
    // first second of a window → number of jobs with it
    window_starts: BTreeMap<UnixSeconds, u64>,
}

/// The limit on an epoch's jobs is at least this, however short the epoch is.
const MIN_JOB_LIMIT: u64 = 600;

/// Limit on an epoch's jobs at a member: one per second, more than any job signer needs.
pub(crate) fn job_limit(terms: &Terms) -> u64 {
    u64::from(terms.epoch_length).max(MIN_JOB_LIMIT)
}

/// Whether the lease can no longer be credited, so that its jobs have no use.
pub(crate) fn is_over(lease: &Lease, now: UnixMillis) -> bool {
    lease.settled || now.seconds() > lease.settle_after()
}

/// Whether a root received at `received` is in time.
pub(crate) fn in_time(terms: &Terms, epoch: u32, received: UnixMillis) -> bool {
    received <= terms.root_deadline(epoch).millis()
}

impl LeaseFigures {
    /// Adds a verified job. It counts from the first whole second after its arrival.
    pub(crate) fn add_job(&mut self, received: UnixMillis, signed: SignedJob) {
        let job = &signed.job;
        self.due.insert_job(job.not_before(), job.not_after(), received.seconds_rounded_up());
        let jobs = self.window_starts.entry(job.not_before()).or_default();
        *jobs = jobs.saturating_add(1);
        self.jobs.insert(job.sequence(), (received, signed));
    }

    /// Number of jobs whose windows start in `[from, to)`.
    pub(crate) fn jobs_within(&self, from: UnixSeconds, to: UnixSeconds) -> u64 {
        self.window_starts.range(from..to).map(|(_, count)| *count).fold(0, u64::saturating_add)
    }

    /// Due seconds of each epoch: the only part of the jobs that still counts once the lease is
    /// over.
    pub(crate) fn due_by_epoch(&self, terms: &Terms) -> Vec<(UnixSeconds, u64)> {
        let epochs = (0..terms.epochs()).map(|epoch| (terms.epoch_start(epoch), terms.epoch_end(epoch)));
        epochs
            .map(|(from, to)| (from, self.due.seconds(from, to)))
            .filter(|(_, seconds)| *seconds > 0)
            .collect()
    }

    /// Drops the jobs and keeps their due seconds.
    pub(crate) fn drop_jobs(&mut self, due: Vec<(UnixSeconds, u64)>) {
        self.jobs.clear();
        self.window_starts.clear();
        self.due = DueCounter::default();
        self.add_due(due);
    }

    /// Adds the due seconds of dropped jobs: each a start and a number of seconds.
    pub(crate) fn add_due(&mut self, due: Vec<(UnixSeconds, u64)>) {
        for (from, seconds) in due {
            self.due.insert(from, from.plus(seconds));
        }
    }

    /// The state of an epoch, and the root and count that count for it.
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
            Outcome::Refused(StoredComplaint { code, message }) => {
                (EpochState::Refused { code: code.clone(), reason: message.clone() }, empty)
            }
            Outcome::Unfetched(StoredComplaint { code, message }) => {
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
