//! How many jobs an epoch's evidence holds, at most.

use crate::{VerifiedJob, wire};
use hashlease_primitives::{Terms, UnixSeconds};
use std::collections::BTreeMap;

/// The most jobs of one epoch.
pub const MAX_EPOCH_JOBS: usize = 1 << 15;
/// The most bytes of one epoch's jobs, as an evidence file holds them: 64 MiB together with the
/// file's head.
pub const MAX_EPOCH_JOB_BYTES: usize = (64 << 20) - (1 << 10);

/// An epoch holds as many jobs as its evidence can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "epoch {epoch} has {jobs} jobs of {bytes} bytes: expected at most {MAX_EPOCH_JOBS} of {MAX_EPOCH_JOB_BYTES}"
)]
#[allow(missing_docs, reason = "the message explains the fields")]
pub struct EpochFull {
    pub epoch: u32,
    pub jobs: usize,
    pub bytes: usize,
}

impl EpochFull {
    /// The stable kebab-case name.
    pub const CODE: &str = "epoch-full";
}

/// Jobs and bytes of each epoch of a lease. Gateways sign no more, nodes mine no more, and members
/// count no more as due.
#[derive(Clone, Debug)]
pub struct JobBudget {
    terms: Terms,
    // epoch → jobs, bytes
    used: BTreeMap<u32, (usize, usize)>,
}

impl JobBudget {
    /// For a lease's jobs.
    #[must_use]
    pub fn new(terms: &Terms) -> Self {
        Self { terms: terms.as_rented(), used: BTreeMap::new() }
    }

    /// Counts a job in each epoch that its window touches.
    ///
    /// # Errors
    /// [`EpochFull`]; the job is then not counted.
    pub fn take(&mut self, job: &VerifiedJob) -> Result<(), EpochFull> {
        let length = length(job);
        let epochs = self.epochs(job.job().not_before(), job.job().not_after());
        for epoch in epochs.clone() {
            let (jobs, bytes) = self.used.get(&epoch).copied().unwrap_or_default();
            if jobs >= MAX_EPOCH_JOBS || bytes.saturating_add(length) > MAX_EPOCH_JOB_BYTES {
                return Err(EpochFull { epoch, jobs, bytes });
            }
        }
        for epoch in epochs {
            let (jobs, bytes) = self.used.entry(epoch).or_default();
            *jobs = jobs.saturating_add(1);
            *bytes = bytes.saturating_add(length);
        }
        Ok(())
    }

    /// The epochs that a window touches: by the job rules it lies inside the lease.
    fn epochs(&self, not_before: UnixSeconds, not_after: UnixSeconds) -> std::ops::RangeInclusive<u32> {
        match (self.terms.epoch_of(not_before), self.terms.epoch_of(not_after)) {
            (Ok(first), Ok(last)) => first..=last,
            // no job of this lease
            _ => std::ops::RangeInclusive::new(1, 0),
        }
    }
}

fn length(job: &VerifiedJob) -> usize {
    let mut bytes = Vec::new();
    match wire::put_job(&mut bytes, job.signed()) {
        Ok(()) => bytes.len(),
        // a job that can't be written is in no evidence
        Err(_) => 0,
    }
}
