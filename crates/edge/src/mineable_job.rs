//! A job that can be mined.

use crate::{
    job_form::{FormError, JobForm},
    lock::lock,
};
use alloy_primitives::B256;
use hashlease_primitives::{Target, UnixSeconds};
use hashlease_share::{NotUsable, VerifiedJob};
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// Shares per job that count nowhere and are remembered as seen.
const MAX_UNCOUNTED: usize = 65_536;

/// What miners must change when it changes: the block that they work on, and the layout of
/// extranonce and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Face {
    /// The previous block.
    pub(crate) block: B256,
    /// Length of the tail, and version mask.
    pub(crate) layout: (u8, u32),
}

/// A job that can be mined.
#[derive(Debug)]
pub(crate) struct MineableJob {
    /// The signed job, verified.
    pub(crate) verified: Arc<VerifiedJob>,
    /// The fields that depend on its kind.
    pub(crate) form: JobForm,
    usable: Result<(), NotUsable>,
    pool_target: Mutex<Option<Target>>,
    uncounted: Mutex<HashSet<B256>>,
    shown: AtomicBool,
    lost: AtomicBool,
}

impl MineableJob {
    /// A job and the target by which the pool judges its shares; none while only members brought
    /// it.
    ///
    /// # Errors
    /// [`FormError`]: miners can't be given the job.
    pub(crate) fn of(verified: VerifiedJob, pool_target: Option<Target>) -> Result<Self, FormError> {
        let form = JobForm::of(verified.job())?;
        Ok(Self {
            usable: verified.check_usable(),
            verified: Arc::new(verified),
            form,
            pool_target: Mutex::new(pool_target),
            uncounted: Mutex::new(HashSet::new()),
            shown: AtomicBool::new(false),
            lost: AtomicBool::new(false),
        })
    }

    /// Sequence in the lease.
    #[must_use]
    pub(crate) fn sequence(&self) -> u64 {
        self.verified.job().sequence()
    }

    /// First and last second of its window.
    #[must_use]
    pub(crate) fn window(&self) -> (UnixSeconds, UnixSeconds) {
        let job = self.verified.job();
        (job.not_before(), job.not_after())
    }

    /// Whether its window contains `now`.
    #[must_use]
    pub(crate) fn is_open(&self, now: UnixSeconds) -> bool {
        let (from, to) = self.window();
        (from..=to).contains(&now)
    }

    /// Whether a stock device can use it, so that it is due.
    pub(crate) const fn usable(&self) -> Result<(), NotUsable> {
        self.usable
    }

    /// Whether a miner survives it: firmware may fail at a coinbase that it can't hold.
    #[must_use]
    pub(crate) const fn is_harmless(&self) -> bool {
        !matches!(self.usable, Err(NotUsable::Coinbase { .. }))
    }

    /// What miners must change when it changes.
    #[must_use]
    pub(crate) const fn face(&self) -> Face {
        let JobForm::Header(form) = &self.form;
        let layout = (form.job.tail_length, form.job.version_mask);
        Face { block: form.job.prev_hash, layout }
    }

    /// The target by which the pool judges its shares, if it is known.
    #[must_use]
    pub(crate) fn pool_target(&self) -> Option<Target> {
        *lock(&self.pool_target)
    }

    /// Notes the pool's target of a job that a member may have brought first.
    pub(crate) fn set_pool_target(&self, target: Target) {
        *lock(&self.pool_target) = Some(target);
    }

    /// Whether this is the first share of the job to be shown to the members.
    pub(crate) fn begin_to_show(&self) -> bool {
        !self.shown.swap(true, Ordering::Relaxed)
    }

    /// Its work is another lease's.
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Whether its work is another lease's.
    #[must_use]
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Remembers a share that is worth nothing to the lease. `false` when seen before. Once the
    /// memory is full, further shares are not remembered: the pool finds its own duplicates.
    pub(crate) fn note_uncounted(&self, key: B256) -> bool {
        let mut seen = lock(&self.uncounted);
        seen.len() >= MAX_UNCOUNTED || seen.insert(key)
    }
}
