//! Whose work it is when jobs of several leases are over the same work.
//!
//! A piece of work belongs to the lease for which a share of it was first shown. Jobs over the same
//! work are all taken, and due, until a share decides: it takes away each job of another lease that
//! it satisfies, those that are signed later as well. A job of which its own lease has shown a share
//! first stays with that lease. Words own nothing: a signer that copies another lease's job, or its
//! shares, comes second.

use crate::{OpenedShare, VerifiedJob};
use alloy_primitives::{B256, keccak256};
use hashlease_primitives::{Job, LeaseId, UnixSeconds};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Shares that are remembered of one lease within one template: a job that is signed later is
/// compared with each.
const MOST_SHOWN: usize = 4;

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

/// How a job stands against the jobs of other leases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// No other lease's job is over the same work, so far.
    #[default]
    Free,
    /// Another lease's job is over the same work.
    Disputed,
    /// Another lease has shown a share that satisfies this job: none of this job's shares counts.
    Lost(LeaseId),
}

/// The open jobs of all leases, by what they are over, and how they stand against each other.
#[derive(Clone, Debug, Default)]
pub struct Ownership {
    templates: HashMap<B256, Template>,
    // for dropping them: last second of the window → templates
    ends: BTreeMap<UnixSeconds, Vec<B256>>,
    holds: BTreeMap<(LeaseId, u64), Hold>,
    // jobs of which their own lease has shown a share first
    shown: BTreeSet<(LeaseId, u64)>,
}

/// Jobs over one block and branch, or one seal hash, and the first shares of them that were shown.
#[derive(Clone, Debug, Default)]
struct Template {
    jobs: Vec<Arc<VerifiedJob>>,
    shares: Vec<(Arc<VerifiedJob>, OpenedShare)>,
}

impl Ownership {
    /// Adds a job that was taken. Returns how it stands, and the jobs of other leases that are
    /// disputed from now on.
    ///
    /// Leases of one provider and one signer dispute nothing.
    pub fn add(&mut self, job: Arc<VerifiedJob>) -> (Hold, Vec<(LeaseId, u64)>) {
        let (template, place) = (template(job.job()), place(&job));
        self.ends.entry(job.job().not_after()).or_default().push(template);
        let known = self.templates.entry(template).or_default();
        let mut hold = self.holds.get(&place).copied().unwrap_or_default();
        let mut disputed = Vec::new();
        for other in known.jobs.iter().filter(|other| are_strangers(other, &job) && other.overlaps(&job)) {
            let other = self::place(other);
            hold = hold.max(Hold::Disputed);
            let theirs = self.holds.entry(other).or_default();
            if *theirs == Hold::Free {
                *theirs = Hold::Disputed;
                disputed.push(other);
            }
        }
        let first =
            known.shares.iter().find(|(of, share)| are_strangers(of, &job) && satisfies(share, of, &job));
        if let (Some((of, _)), false) = (first, matches!(hold, Hold::Lost(_))) {
            hold = Hold::Lost(of.terms().id);
        }
        if hold != Hold::Free {
            self.holds.insert(place, hold);
        }
        known.jobs.push(job);
        (hold, disputed)
    }

    /// A share that meets its own lease's settlement target was shown: it takes away each job of
    /// another lease that its header satisfies, if its hash meets that lease's target as well.
    /// Returns the jobs that it takes; each is returned once.
    ///
    /// A share of a job that was taken away itself takes nothing.
    pub fn show(&mut self, job: &Arc<VerifiedJob>, share: &OpenedShare) -> Vec<TakenJob> {
        if self.taker(job.job()).is_some() || !share.meets(job.terms().weight.target()) {
            return Vec::new();
        }
        let by = job.terms().id;
        let Some(known) = self.templates.get_mut(&template(job.job())) else { return Vec::new() };
        let mut taken = Vec::new();
        for other in known.jobs.iter().filter(|other| are_strangers(other, job)) {
            let (lease, sequence) = place(other);
            let hold = self.holds.get(&(lease, sequence)).copied().unwrap_or_default();
            if matches!(hold, Hold::Lost(_)) || self.shown.contains(&(lease, sequence)) {
                continue;
            }
            if satisfies(share, job, other) {
                taken.push(TakenJob { lease, sequence, by });
                self.holds.insert((lease, sequence), Hold::Lost(by));
            }
        }
        self.shown.insert(place(job));
        if known.shares.iter().filter(|(of, _)| of.terms().id == by).count() < MOST_SHOWN {
            known.shares.push((Arc::clone(job), share.clone()));
        }
        taken
    }

    /// How a job stands.
    #[must_use]
    pub fn hold(&self, lease: LeaseId, sequence: u64) -> Hold {
        self.holds.get(&(lease, sequence)).copied().unwrap_or_default()
    }

    /// The lease that took a job, if one did.
    #[must_use]
    pub fn taker(&self, job: &Job) -> Option<LeaseId> {
        match self.hold(job.lease(), job.sequence()) {
            Hold::Lost(by) => Some(by),
            Hold::Free | Hold::Disputed => None,
        }
    }

    /// Notes how a job stood, when it is read again.
    pub fn restore(&mut self, lease: LeaseId, sequence: u64, hold: Hold) {
        self.holds.insert((lease, sequence), hold);
    }

    /// Forgets jobs whose windows ended before `now`. How they stood is kept until
    /// [`Ownership::drop_lease`].
    pub fn drop_ended(&mut self, now: UnixSeconds) {
        let open = self.ends.split_off(&now);
        for template in std::mem::replace(&mut self.ends, open).into_values().flatten() {
            let Some(known) = self.templates.get_mut(&template) else { continue };
            known.jobs.retain(|job| job.job().not_after() >= now);
            if known.jobs.is_empty() {
                self.templates.remove(&template);
            }
        }
    }

    /// Forgets a lease that is over.
    pub fn drop_lease(&mut self, lease: LeaseId) {
        let jobs = (lease, 0)..=(lease, u64::MAX);
        for job in self.holds.range(jobs.clone()).map(|(job, _)| *job).collect::<Vec<_>>() {
            self.holds.remove(&job);
        }
        for job in self.shown.range(jobs).copied().collect::<Vec<_>>() {
            self.shown.remove(&job);
        }
        for known in self.templates.values_mut() {
            known.jobs.retain(|job| job.terms().id != lease);
            known.shares.retain(|(job, _)| job.terms().id != lease);
        }
    }
}

fn place(job: &VerifiedJob) -> (LeaseId, u64) {
    (job.terms().id, job.job().sequence())
}

/// Whether two jobs are of leases that have neither the lease nor provider and signer in common.
fn are_strangers(one: &VerifiedJob, two: &VerifiedJob) -> bool {
    let (one, two) = (one.terms(), two.terms());
    one.id != two.id && (one.provider != two.provider || one.job_signer != two.job_signer)
}

/// Whether a share of the job `of` is good for `job` as well.
fn satisfies(share: &OpenedShare, of: &VerifiedJob, job: &VerifiedJob) -> bool {
    share.meets(job.terms().weight.target()) && is_share_of(job, of, share)
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
