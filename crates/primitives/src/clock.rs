//! The wall clock, handed in: rules take a time, roles take a [`Clock`], and nothing asks the system by itself. So a
//! test or a simulation decides what time it is.

use crate::{UnixMillis, UnixSeconds};
use std::{
    fmt::Debug,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Tells the wall-clock time. It may be stepped, so two readings need not be in order.
pub trait Clock: Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> UnixMillis;

    /// The second that it is now.
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
    /// The machine's clock, to be handed to a role.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        // a clock that is set before 1970 reads as 1970
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis::new(0).plus(since)
    }
}
