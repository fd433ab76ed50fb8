//! The wall clock, as a parameter: rules take a time and roles take a [`Clock`], so tests and
//! simulations set the time.

use crate::{UnixMillis, UnixSeconds};
use std::{
    fmt::Debug,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// How far two roles' clocks may differ, seconds: the same for all of them. None takes a job that
/// another refuses because its clock differs by less than that.
pub const CLOCK_TOLERANCE: u64 = 60;

/// Tells the wall-clock time. The clock may be set, so a later reading can be smaller.
pub trait Clock: Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> UnixMillis;

    /// The current second.
    fn seconds(&self) -> UnixSeconds {
        self.now().seconds()
    }
}

/// A clock that the parts of a role share.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The machine's clock, to be passed to a role.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        // a clock set before 1970 reads as 1970, a time at which no lease runs
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis::new(0).plus(since)
    }
}
