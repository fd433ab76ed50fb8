//! When a job is stale: a clean job supersedes every older one, and after a grace their shares are
//! refused.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long shares of a job still count after a new block superseded it, as pools usually allow.
pub(crate) const STALE_GRACE: Duration = Duration::from_secs(3);

/// Whether and when a new block superseded a job.
#[derive(Debug, Default)]
pub(crate) struct Staleness(Mutex<Option<Instant>>);

impl Staleness {
    /// Notes that a clean job came at `at`. The first one counts.
    pub(crate) fn supersede(&self, at: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(at);
    }

    /// Whether the job was superseded and the grace is over.
    pub(crate) fn is_stale(&self) -> bool {
        let superseded = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        superseded.is_some_and(|at| at.elapsed() > STALE_GRACE)
    }
}
