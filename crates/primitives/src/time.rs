//! Points in time. Seconds and milliseconds are types of their own, so that neither passes for the
//! other.

use serde::{Deserialize, Serialize};
use std::{
    fmt,
    ops::{Add, AddAssign, Sub, SubAssign},
    time::Duration,
};

/// Seconds since 1970-01-01T00:00:00Z, as block timestamps and header times count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(u64);

/// Milliseconds since 1970-01-01T00:00:00Z, as receipts count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(u64);

impl UnixSeconds {
    /// The largest one: no time is after it.
    pub const MAX: Self = Self(u64::MAX);

    /// The second with this number.
    #[must_use]
    pub const fn new(seconds: u64) -> Self {
        Self(seconds)
    }

    /// The number of the second.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// This many seconds later, at most [`UnixSeconds::MAX`].
    #[must_use]
    pub const fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// This many seconds earlier, at least the first second of 1970.
    #[must_use]
    pub const fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// Seconds from `earlier` to this second; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The first millisecond of this second.
    #[must_use]
    pub const fn millis(self) -> UnixMillis {
        UnixMillis(self.0.saturating_mul(1_000))
    }
}

impl UnixMillis {
    /// The millisecond with this number.
    #[must_use]
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// The number of the millisecond.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The second that this millisecond lies in.
    #[must_use]
    pub const fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0 / 1_000)
    }

    /// The first whole second that does not begin before this millisecond.
    #[must_use]
    pub const fn seconds_rounded_up(self) -> UnixSeconds {
        UnixSeconds(self.0.div_ceil(1_000))
    }

    /// Later by this duration, rounded down to a millisecond.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        // a duration of more than 2^64 ms ends after every representable time
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long it is until `later`; zero when that has passed.
    #[must_use]
    pub const fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

/// [`UnixSeconds::plus`].
impl Add<u64> for UnixSeconds {
    type Output = Self;

    fn add(self, seconds: u64) -> Self {
        self.plus(seconds)
    }
}

/// [`UnixSeconds::minus`].
impl Sub<u64> for UnixSeconds {
    type Output = Self;

    fn sub(self, seconds: u64) -> Self {
        self.minus(seconds)
    }
}

/// [`UnixSeconds::plus`].
impl AddAssign<u64> for UnixSeconds {
    fn add_assign(&mut self, seconds: u64) {
        *self = self.plus(seconds);
    }
}

/// [`UnixSeconds::minus`].
impl SubAssign<u64> for UnixSeconds {
    fn sub_assign(&mut self, seconds: u64) {
        *self = self.minus(seconds);
    }
}

/// A header's time.
impl From<u32> for UnixSeconds {
    fn from(ntime: u32) -> Self {
        Self(u64::from(ntime))
    }
}

/// A header's time; an error after 2106.
/// A second that no block header can hold: its time has 32 bits, which end in 2106.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time {0}: expected a header time of 32 bits")]
pub struct HeaderTimeError(pub UnixSeconds);

impl TryFrom<UnixSeconds> for u32 {
    type Error = HeaderTimeError;

    fn try_from(time: UnixSeconds) -> Result<Self, HeaderTimeError> {
        Self::try_from(time.0).map_err(|_| HeaderTimeError(time))
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_round_to_seconds_either_way() {
        let seconds = |millis| {
            let at = UnixMillis::new(millis);
            (at.seconds().get(), at.seconds_rounded_up().get())
        };
        assert_eq!([0, 1, 999, 1_000, 1_001].map(seconds), [(0, 0), (0, 1), (0, 1), (1, 1), (1, 2)]);
        assert_eq!(UnixSeconds::new(7).millis(), UnixMillis::new(7_000));
    }

    #[test]
    fn no_difference_is_negative_and_no_sum_wraps() {
        let (early, late) = (UnixSeconds::new(3), UnixSeconds::new(8));
        assert_eq!((late.since(early), early.since(late)), (5, 0));
        assert_eq!(UnixSeconds::MAX.plus(1), UnixSeconds::MAX);
        assert_eq!(early.minus(4), UnixSeconds::new(0));
        assert_eq!(UnixMillis::new(5).until(UnixMillis::new(9)), Duration::from_millis(4));
        assert_eq!(UnixMillis::new(9).until(UnixMillis::new(5)), Duration::ZERO);
    }
}
