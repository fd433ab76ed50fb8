//! A member's own figures of a lease, counted from the jobs and roots that it has.

use crate::{
    standing::{Standing, standing},
    store::StoredRoot,
    taken_jobs::TakenJobs,
    view::LeaseView,
};
use alloy_primitives::B256;
use hashlease_committee::{EpochView, LostJob, StatementView};
use hashlease_primitives::{Lease, Statement, Terms, UnixMillis, UnixSeconds, Work};
use std::collections::{BTreeMap, BTreeSet};

/// Most epochs that one answer shows: the newest ones.
const MOST_SHOWN: u32 = 256;

/// Jobs and roots of one lease.
#[derive(Debug)]
pub(crate) struct LeaseFigures {
    pub(crate) jobs: TakenJobs,
    roots: BTreeMap<u32, StoredRoot>,
    contested: BTreeMap<u32, u64>,
    // by sequence
    lost: BTreeMap<u64, LostJob>,
    // sequences of jobs whose work another lease claims as well
    disputed: BTreeSet<u64>,
    sums: Sums,
}

/// What the epochs up to one come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum {
    pub(crate) evidence: B256,
    pub(crate) work: Work,
    /// Work without the shares that other leases claim as well.
    pub(crate) uncontested: Work,
    /// Work that other leases were first to show: the pool of the lease got it, so it is not due, and
    /// it is not paid.
    pub(crate) left_out: Work,
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
        Self {
            jobs,
            roots: BTreeMap::new(),
            contested: BTreeMap::new(),
            lost: BTreeMap::new(),
            disputed: BTreeSet::new(),
            sums: Sums::default(),
        }
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

    /// Another lease has a job's work: no second of the job is due from then on, and none of its
    /// shares counts.
    pub(crate) fn lose_job(&mut self, job: LostJob) {
        if self.lost.insert(job.sequence, job).is_none()
            && let TakenJobs::Open(log) = &mut self.jobs
        {
            log.lose(job.sequence, job.at);
        }
    }

    /// The jobs that the lease lost.
    pub(crate) fn lost(&self) -> impl DoubleEndedIterator<Item = LostJob> {
        self.lost.values().copied()
    }

    /// Another lease claims a job's work as well.
    pub(crate) fn dispute_job(&mut self, sequence: u64) {
        self.disputed.insert(sequence);
    }

    /// Sequences of the jobs that the lease lost, and of those that are disputed.
    pub(crate) fn claims(&self) -> (BTreeSet<u64>, BTreeSet<u64>) {
        (self.lost.keys().copied().collect(), self.disputed.clone())
    }

    /// Keeps no more of the jobs than their due seconds.
    pub(crate) fn drop_jobs(&mut self, due: &[(UnixSeconds, u64)]) {
        self.jobs = TakenJobs::dropped(due);
        self.lost.clear();
        self.disputed.clear();
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
        let Sum { evidence, work, left_out, .. } = sum;
        let due = self.jobs.due(terms, as_of).saturating_sub(left_out);
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
            left_out: Work::ZERO,
            pending: false,
            until: UnixMillis::new(u64::MAX),
        });
        self.by_epoch.push(Sum {
            evidence: standing.commitment.chain(&before.evidence),
            work: before.work.saturating_add(standing.work),
            uncontested: before.uncontested.saturating_add(standing.uncontested),
            left_out: before.left_out.saturating_add(standing.left_out_work),
            pending: before.pending || standing.is_pending(),
            until: before.until.min(standing.until),
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::Outcome;
    use hashlease_fixtures::{lease, terms, weight};
    use hashlease_primitives::{Commitment, EpochId, EpochRoot, HashRate, SignedEpochRoot};

    /// The lease's pool got that work, so its provider owes nothing for it.
    #[test]
    fn shares_that_another_lease_showed_first_are_neither_paid_nor_due() {
        let terms = Terms { rate: HashRate::new(2), weight: weight(3), ..terms(1_000, 100, 100) };
        let view = LeaseView {
            lease: Lease { window: 1_000, ..lease(terms.clone()) },
            seats: vec![],
            threshold: 1,
            node_keys: BTreeMap::new(),
        };
        let commitment = Commitment { root: B256::repeat_byte(1), count: 20 };
        let root = EpochRoot { id: EpochId::new(terms.id, 0), commitment, evidence: String::new() };
        let stored = StoredRoot {
            outcome: Outcome::Verified(commitment),
            left_out: 5,
            ..StoredRoot::new(UnixMillis::new(1_100_000), SignedEpochRoot { root, signature: [0; 65] })
        };
        let mut figures = LeaseFigures::new(TakenJobs::dropped(&[(UnixSeconds::new(1_000), 100)]));
        figures.set_root(0, stored);
        let (statement, _) = figures.statement(&view, 0, UnixMillis::new(1_110_000));
        assert_eq!((statement.work, statement.due), (Work::new(15 * 8), Work::new(200 - 5 * 8)));
    }
}
