//! A lease that miners mine for: its jobs, and the link to its gateway.

use crate::{
    lease_counts::LeaseCounts, lock::lock, mineable_job::MineableJob, open_jobs::OpenJobs, shows::Shows,
};
use hashlease_primitives::{Lease, LeaseId, SharedClock, SignedJob, Target, Terms, UnixMillis, UnixSeconds};
use hashlease_share::{EpochFull, JobBudget, VerifiedJob};
use hashlease_stratum::client::UpstreamHandle;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::{broadcast, watch};

/// How far ahead of its start a lease is connected, seconds.
pub(crate) const CONNECT_AHEAD: u64 = 60;
/// Jobs that wait to be handed on to a member.
const TO_MEMBERS: usize = 64;

/// A lease that miners mine for.
#[derive(Debug)]
pub(crate) struct MinedLease {
    terms: watch::Sender<Lease>,
    jobs: Mutex<OpenJobs>,
    budget: Mutex<JobBudget>,
    current: watch::Sender<Option<Arc<MineableJob>>>,
    to_members: broadcast::Sender<SignedJob>,
    /// Shares that members should see.
    pub(crate) shows: Shows,
    link: Mutex<Option<UpstreamHandle>>,
    link_state: Mutex<String>,
    /// Why the last job was not taken.
    job_refusal: Mutex<Option<String>>,
    /// What happened to its shares.
    pub(crate) counts: LeaseCounts,
    clock: SharedClock,
}

impl MinedLease {
    pub(crate) fn new(lease: Lease, clock: SharedClock) -> Self {
        Self {
            jobs: Mutex::new(OpenJobs::new(&lease.terms)),
            budget: Mutex::new(JobBudget::new(&lease.terms)),
            terms: watch::Sender::new(lease),
            current: watch::Sender::new(None),
            to_members: broadcast::Sender::new(TO_MEMBERS),
            shows: Shows::default(),
            link: Mutex::default(),
            link_state: Mutex::new("starting".into()),
            job_refusal: Mutex::default(),
            counts: LeaseCounts::default(),
            clock,
        }
    }

    /// The second that it is now.
    pub(crate) fn now(&self) -> UnixSeconds {
        self.clock.seconds()
    }

    /// The millisecond that it is now.
    pub(crate) fn now_millis(&self) -> UnixMillis {
        self.clock.now()
    }

    /// The lease's id.
    #[must_use]
    pub(crate) fn id(&self) -> LeaseId {
        self.terms.borrow().terms.id
    }

    /// The lease's terms.
    #[must_use]
    pub(crate) fn terms(&self) -> Terms {
        self.terms.borrow().terms.clone()
    }

    /// Whether the lease runs, or is about to start.
    #[must_use]
    pub(crate) fn needs_jobs(&self) -> bool {
        let (terms, now) = (self.terms(), self.now());
        now.plus(CONNECT_AHEAD) >= terms.start && now < terms.end
    }

    pub(crate) fn refresh(&self, lease: Lease) {
        self.terms.send_if_modified(|known| {
            let changed = *known != lease;
            *known = lease;
            changed
        });
    }

    /// A job by its sequence.
    #[must_use]
    pub(crate) fn job(&self, sequence: u64) -> Option<Arc<MineableJob>> {
        lock(&self.jobs).get(sequence).cloned()
    }

    /// Whether miners left the job's block longer ago than shares still count.
    #[must_use]
    pub(crate) fn is_stale(&self, job: &MineableJob) -> bool {
        lock(&self.jobs).is_stale(job, self.clock.now())
    }

    /// Follows the job that miners get.
    #[must_use]
    pub(crate) fn jobs(&self) -> watch::Receiver<Option<Arc<MineableJob>>> {
        self.current.subscribe()
    }

    /// The job that miners get now.
    #[must_use]
    pub(crate) fn current_job(&self) -> Option<Arc<MineableJob>> {
        let mut jobs = lock(&self.jobs);
        self.choose(&mut jobs);
        jobs.current().cloned()
    }

    fn choose(&self, jobs: &mut OpenJobs) {
        if jobs.look(self.clock.now()) {
            // under the lock, so that no older choice overtakes a newer one
            self.current.send_replace(jobs.current().cloned());
        }
    }

    /// Counts a job in its epochs.
    ///
    /// # Errors
    /// [`EpochFull`]: an epoch's evidence holds no more.
    pub(crate) fn count_job(&self, job: &VerifiedJob) -> Result<(), EpochFull> {
        lock(&self.budget).take(job)
    }

    /// Adds a verified, journalled job, and hands it out if it is the best one.
    pub(crate) fn add_job(&self, job: MineableJob) {
        *lock(&self.job_refusal) = None;
        let mut jobs = lock(&self.jobs);
        jobs.add(Arc::new(job));
        self.choose(&mut jobs);
    }

    /// Another lease has a job's work: miners get another job.
    pub(crate) fn lose_job(&self, job: &MineableJob) {
        job.lose();
        let mut jobs = lock(&self.jobs);
        jobs.look_again();
        self.choose(&mut jobs);
    }

    /// Notes why a job was not taken, for people.
    pub(crate) fn note_job_refusal(&self, reason: impl Into<String>) {
        *lock(&self.job_refusal) = Some(reason.into());
    }

    /// Why miners have no job, in words; none if they have one.
    #[must_use]
    pub(crate) fn why_no_job(&self) -> Option<String> {
        if self.current_job().is_some() {
            return None;
        }
        if let Some(refusal) = lock(&self.job_refusal).clone() {
            return Some(format!("the last job was not taken: {refusal}"));
        }
        let (now, jobs) = (self.now(), lock(&self.jobs));
        let Some(newest) = jobs.newest() else { return Some("no job has arrived".into()) };
        Some(match (newest.usable(), jobs.next_opening(now)) {
            (_, Some(opens)) => format!("the next job opens in {} s", opens.since(now)),
            (Err(reason), None) if newest.is_open(now) => {
                format!("the newest job is given to nobody: {reason}")
            }
            _ => format!("the window of the last job ended {} s ago", now.since(newest.window().1)),
        })
    }

    /// Hands a job on to the members; those that are too slow miss it.
    pub(crate) fn tell_members(&self, signed: &SignedJob) {
        // nobody listens where the lease has no members
        let _ = self.to_members.send(signed.clone());
    }

    /// Follows the jobs that members should have.
    pub(crate) fn jobs_for_members(&self) -> broadcast::Receiver<SignedJob> {
        self.to_members.subscribe()
    }

    /// Notes the pool's target for a known job.
    pub(crate) fn set_pool_target(&self, sequence: u64, target: Target) {
        if let Some(job) = self.job(sequence) {
            job.set_pool_target(target);
        }
    }

    pub(crate) fn set_link(&self, link: Option<UpstreamHandle>) {
        *lock(&self.link) = link;
    }

    pub(crate) fn link(&self) -> Option<UpstreamHandle> {
        lock(&self.link).clone()
    }

    pub(crate) fn set_link_state(&self, state: impl Into<String>) {
        *lock(&self.link_state) = state.into();
    }

    /// State of the link to the gateway, in words.
    #[must_use]
    pub(crate) fn link_state(&self) -> String {
        lock(&self.link_state).clone()
    }
}

/// All leases that miners mine for.
pub(crate) type MinedLeases = BTreeMap<LeaseId, Arc<MinedLease>>;
