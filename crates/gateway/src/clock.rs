//! The gateway's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Since the Unix epoch.
fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Unix seconds.
pub(crate) fn unix_seconds() -> u64 {
    unix().as_secs()
}

/// How long it is until a time in Unix seconds; zero when it has come.
pub(crate) fn until(seconds: u64) -> Duration {
    Duration::from_secs(seconds).saturating_sub(unix())
}
