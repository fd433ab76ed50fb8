//! Whose work it is when jobs of several leases are over the same work.
//!
//! A piece of work belongs to the lease for which a share of it was first shown. Jobs over the same
//! work are all taken, and due, until a share decides. Words own nothing: a signer that copies
//! another lease's job, or its shares, comes second.

use crate::{OpenedShare, VerifiedJob};
use alloy_primitives::{B256, keccak256};
use hashlease_primitives::{Job, LeaseId, UnixSeconds};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// A job that another lease took: its work was first shown there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenJob {
    /// The lease that lost it.
    pub lease: LeaseId,
    /// The job's sequence in that lease.
    pub sequence: u64,
    /// The lease that showed the work first.
    pub by: LeaseId,
}

/// The open jobs of all leases, by what they are over, and which of them another lease took.
#[derive(Clone, Debug, Default)]
pub struct Ownership {
    // jobs over one block and branch, or one seal hash
    templates: HashMap<B256, Vec<Arc<VerifiedJob>>>,
    // for dropping them: last second of the window → templates
    ends: BTreeMap<UnixSeconds, Vec<B256>>,
    taken: HashMap<(LeaseId, u64), LeaseId>,
}

impl Ownership {
    /// Adds a job that was taken.
    pub fn add(&mut self, job: Arc<VerifiedJob>) {
        let template = template(job.job());
        self.ends.entry(job.job().not_after()).or_default().push(template);
        self.templates.entry(template).or_default().push(job);
    }

    /// A share that meets its own lease's settlement target was shown: it takes away each job of
    /// another lease that its header satisfies, if its hash meets that lease's target as well.
    /// Returns the jobs that it takes; each is returned once.
    ///
    /// A share of a job that was taken away itself takes nothing. Leases of one provider and one
    /// signer take no jobs from each other.
    pub fn show(&mut self, job: &VerifiedJob, share: &OpenedShare) -> Vec<TakenJob> {
        if self.taker(job.job()).is_some() || !share.meets(job.terms().weight.target()) {
            return Vec::new();
        }
        let (mine, by) = (job.terms(), job.terms().id);
        let mut taken = Vec::new();
        for other in self.templates.get(&template(job.job())).into_iter().flatten() {
            let theirs = other.terms();
            let is_one_house = mine.provider == theirs.provider && mine.job_signer == theirs.job_signer;
            let place = (theirs.id, other.job().sequence());
            if theirs.id == by || is_one_house || self.taken.contains_key(&place) {
                continue;
            }
            if share.meets(theirs.weight.target()) && is_share_of(other, job, share) {
                taken.push(TakenJob { lease: place.0, sequence: place.1, by });
            }
        }
        self.taken.extend(taken.iter().map(|job| ((job.lease, job.sequence), job.by)));
        taken
    }

    /// The lease that took a job, if one did.
    #[must_use]
    pub fn taker(&self, job: &Job) -> Option<LeaseId> {
        self.taken.get(&(job.lease(), job.sequence())).copied()
    }

    /// Forgets jobs whose windows ended before `now`. Which jobs were taken is kept until
    /// [`Ownership::drop_lease`].
    pub fn drop_ended(&mut self, now: UnixSeconds) {
        let open = self.ends.split_off(&now);
        for template in std::mem::replace(&mut self.ends, open).into_values().flatten() {
            if let Some(jobs) = self.templates.get_mut(&template) {
                jobs.retain(|job| job.job().not_after() >= now);
                if jobs.is_empty() {
                    self.templates.remove(&template);
                }
            }
        }
    }

    /// Forgets a lease that is over.
    pub fn drop_lease(&mut self, lease: LeaseId) {
        self.taken.retain(|(of, _), _| *of != lease);
        for jobs in self.templates.values_mut() {
            jobs.retain(|job| job.job().lease() != lease);
        }
    }
}

/// Whether an opened share of `of` keeps every rule of `job` but the target.
fn is_share_of(job: &VerifiedJob, of: &VerifiedJob, share: &OpenedShare) -> bool {
    let same = job.same_header(of, share);
    same.is_some_and(|same| job.open(&same, job.terms().end).is_ok_and(|again| again.key() == share.key()))
}

/// What jobs over the same work have in common.
fn template(job: &Job) -> B256 {
    match job {
        Job::Header(job) => {
            let hashes = std::iter::once(&job.prev_hash).chain(&job.branch);
            keccak256(hashes.flat_map(|hash| hash.0).collect::<Vec<u8>>())
        }
        Job::Ethash(job) => job.seal_hash,
    }
}
