//! Which lease has the work of which open job, and how many shares were shown of it.

use crate::request_refusal::RequestRefusal;
use hashlease_committee::LostJob;
use hashlease_primitives::{LeaseId, UnixMillis};
use hashlease_share::{Hold, OpenedShare, Ownership, TakenJob, VerifiedJob};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Shares that are taken of one job. The first one decides; the others are for jobs that the first
/// does not satisfy.
const MOST_SHARES: u8 = 4;
/// Which lease has the work of which open job.
#[derive(Debug, Default)]
pub(crate) struct Owners(Mutex<Shown>);

#[derive(Debug, Default)]
struct Shown {
    ownership: Ownership,
    // shares that were taken of each job
    taken: BTreeMap<(LeaseId, u64), u8>,
}

impl Owners {
    fn lock(&self) -> MutexGuard<'_, Shown> {
        // never poisoned: nothing panics under this lock
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads again how a lease's jobs stood.
    pub(crate) fn restore(&self, lease: LeaseId, lost: &[LostJob], disputed: &[u64]) {
        let ownership = &mut self.lock().ownership;
        for sequence in disputed {
            ownership.restore(lease, *sequence, Hold::Disputed);
        }
        for job in lost {
            ownership.restore(lease, job.sequence, Hold::Lost(job.by));
        }
    }

    /// Adds a job that is durable. Returns how it stands, and the jobs of other leases that are
    /// disputed from now on.
    pub(crate) fn add(&self, job: Arc<VerifiedJob>, now: UnixMillis) -> (Hold, Vec<(LeaseId, u64)>) {
        let ownership = &mut self.lock().ownership;
        ownership.drop_ended(now.seconds());
        ownership.add(job)
    }

    /// Forgets a lease that is over.
    pub(crate) fn drop_lease(&self, lease: LeaseId) {
        let mut shown = self.lock();
        shown.ownership.drop_lease(lease);
        shown.taken.retain(|(of, _), _| *of != lease);
    }

    /// Whether one more share of a job may be taken. Only good ones count, so that a stranger's bad
    /// ones keep none away.
    pub(crate) fn has_place(&self, lease: LeaseId, sequence: u64) -> Result<(), RequestRefusal> {
        let shown = self.lock();
        if let Hold::Lost(by) = shown.ownership.hold(lease, sequence) {
            return Err(RequestRefusal::WorkOfAnotherLease(by));
        }
        match shown.taken.get(&(lease, sequence)) {
            Some(taken) if *taken >= MOST_SHARES => {
                Err(RequestRefusal::TooManyShares { sequence, most: MOST_SHARES })
            }
            _ => Ok(()),
        }
    }

    /// Shows a share. Returns the jobs of other leases that it takes away.
    pub(crate) fn show(
        &self,
        job: &Arc<VerifiedJob>,
        share: &OpenedShare,
    ) -> Result<Vec<TakenJob>, RequestRefusal> {
        let mut shown = self.lock();
        if let Some(by) = shown.ownership.taker(job.job()) {
            return Err(RequestRefusal::WorkOfAnotherLease(by));
        }
        let taken = shown.taken.entry((job.terms().id, job.job().sequence())).or_default();
        *taken = taken.saturating_add(1);
        Ok(shown.ownership.show(job, share))
    }
}
