//! A lease that miners mine for: its jobs, and the link to its gateway.

use crate::{job_form::JobForm, stale_jobs::Staleness};
use alloy_primitives::B256;
use hashlease_primitives::{Lease, LeaseId, SharedClock, Target, Terms, UnixSeconds};
use hashlease_share::VerifiedJob;
use hashlease_stratum::client::UpstreamHandle;
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::watch;

/// How far ahead of its start a lease is connected, seconds.
pub(crate) const CONNECT_AHEAD: u64 = 60;
/// Jobs kept per lease; the oldest go first.
const MAX_JOBS: usize = 1_024;
/// Shares per job that met only the pool's target and are remembered as seen.
const MAX_UNCOUNTED: usize = 65_536;

/// A job that can be mined.
#[derive(Debug)]
pub(crate) struct MineableJob {
    /// The signed job, verified.
    pub(crate) verified: Arc<VerifiedJob>,
    /// The fields that depend on its kind.
    pub(crate) form: JobForm,
    /// The pool's target when the job arrived; none while only members serve the jobs.
    pub(crate) pool_target: Option<Target>,
    /// Whether it arrived with a new block.
    pub(crate) clean: bool,
    staleness: Staleness,
    uncounted: Mutex<HashSet<B256>>,
}

impl MineableJob {
    pub(crate) fn new(
        verified: VerifiedJob,
        form: JobForm,
        pool_target: Option<Target>,
        clean: bool,
    ) -> Self {
        Self {
            verified: Arc::new(verified),
            form,
            pool_target,
            clean,
            staleness: Staleness::default(),
            uncounted: Mutex::new(HashSet::new()),
        }
    }

    /// Sequence in the lease.
    #[must_use]
    pub(crate) fn sequence(&self) -> u64 {
        self.verified.job().sequence()
    }

    /// Whether a new block superseded it and the grace is over.
    #[must_use]
    pub(crate) fn is_stale(&self) -> bool {
        self.staleness.is_stale()
    }

    /// Remembers a share that is worth nothing to the lease but may be to the pool. `false` when
    /// seen before. Once the memory is full, further shares are not remembered: the pool finds its
    /// own duplicates.
    pub(crate) fn note_uncounted(&self, key: B256) -> bool {
        let mut seen = lock(&self.uncounted);
        seen.len() >= MAX_UNCOUNTED || seen.insert(key)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // every change under these locks is one step
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A lease that miners mine for.
#[derive(Debug)]
pub(crate) struct MinedLease {
    terms: watch::Sender<Lease>,
    jobs: Mutex<BTreeMap<u64, Arc<MineableJob>>>,
    newest: watch::Sender<Option<Arc<MineableJob>>>,
    link: Mutex<Option<UpstreamHandle>>,
    link_state: Mutex<String>,
    clock: SharedClock,
}

impl MinedLease {
    pub(crate) fn new(lease: Lease, clock: SharedClock) -> Self {
        Self {
            terms: watch::Sender::new(lease),
            jobs: Mutex::default(),
            newest: watch::Sender::new(None),
            link: Mutex::default(),
            link_state: Mutex::new("starting".into()),
            clock,
        }
    }

    /// The second that it is now.
    pub(crate) fn now(&self) -> UnixSeconds {
        self.clock.seconds()
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
        lock(&self.jobs).get(&sequence).cloned()
    }

    /// Whether a clean job arrived after this sequence.
    #[must_use]
    pub(crate) fn clean_since(&self, sequence: u64) -> bool {
        lock(&self.jobs).range(sequence.saturating_add(1)..).any(|(_, job)| job.clean)
    }

    /// Follows the newest job.
    #[must_use]
    pub(crate) fn jobs(&self) -> watch::Receiver<Option<Arc<MineableJob>>> {
        self.newest.subscribe()
    }

    /// Whether there is a job whose window is open.
    #[must_use]
    pub(crate) fn has_job(&self) -> bool {
        let now = self.now();
        self.newest.borrow().as_ref().is_some_and(|job| job.verified.job().not_after() >= now)
    }

    /// Adds a verified, journalled job. A job older than the newest is kept for its shares but not
    /// handed out.
    pub(crate) fn add_job(&self, job: MineableJob) {
        let job = Arc::new(job);
        let now = self.now();
        let mut jobs = lock(&self.jobs);
        if job.clean {
            let at = Instant::now();
            for (_, older) in jobs.range(..job.sequence()) {
                older.staleness.supersede(at);
            }
        }
        jobs.insert(job.sequence(), Arc::clone(&job));
        // shares of a job whose window ended long ago break the local rules
        jobs.retain(|_, job| job.verified.job().not_after().plus(60) >= now);
        while jobs.len() > MAX_JOBS {
            jobs.pop_first();
        }
        drop(jobs);
        self.newest.send_if_modified(|newest| {
            let newer = newest.as_ref().is_none_or(|known| known.sequence() < job.sequence());
            if newer {
                *newest = Some(job);
            }
            newer
        });
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
