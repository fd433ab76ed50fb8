//! The time that wall clock, monotonic clock and chain agree on, for steps that can't be undone.
//!
//! An epoch is closed for good. A wall clock that is ahead for a moment (a machine that starts
//! before its time is set, a wrong battery clock) would close all epochs up to its time, and the
//! work that follows would be lost. The chain alone doesn't do either: it may stand still, and its
//! endpoint is a stranger.

use crate::{
    UnixMillis, UnixSeconds,
    clock::{CLOCK_TOLERANCE, Clock, SharedClock},
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long the chain shows nothing new, and the wall clock isn't set, before the wall clock counts
/// alone.
pub const CHAIN_PATIENCE: Duration = Duration::from_secs(120);
const TOLERANCE: Duration = Duration::from_secs(CLOCK_TOLERANCE);

/// Why the time is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
pub enum ClockDoubt {
    /// No block was seen since the start.
    #[error("the wall clock shows {wall}, and no block of the chain was seen yet that confirms it")]
    NoBlock { wall: UnixSeconds },
    /// The wall clock is ahead of what the chain shows.
    #[error(
        "the wall clock shows {wall}, the chain {chain}: set the clock, or use an endpoint that is up to date"
    )]
    Ahead { wall: UnixSeconds, chain: UnixSeconds },
}

impl ClockDoubt {
    /// What the wall clock shows.
    #[must_use]
    pub const fn wall(self) -> UnixSeconds {
        let (Self::NoBlock { wall } | Self::Ahead { wall, .. }) = self;
        wall
    }

    /// The latest time that is not in doubt; `None` if there is none.
    const fn latest(self) -> Option<UnixSeconds> {
        match self {
            Self::NoBlock { .. } => None,
            Self::Ahead { chain, .. } => Some(chain.plus(CLOCK_TOLERANCE)),
        }
    }
}

/// What was seen of the clocks and the chain. Monotonic times count from any fixed moment.
#[derive(Clone, Copy, Debug)]
pub struct AgreedTime {
    /// A time that had passed, by a block, and when it was seen.
    passed: Option<(UnixMillis, Duration)>,
    /// The newest block's time, and when it was first seen; at first the start.
    newest: (UnixSeconds, Duration),
    /// Where the wall clock stood when it was last set, and when that was seen.
    set: (UnixMillis, Duration),
}

impl AgreedTime {
    /// Nothing but a wall clock was seen yet.
    #[must_use]
    pub const fn new(wall: UnixMillis, monotonic: Duration) -> Self {
        Self { passed: None, newest: (UnixSeconds::new(0), monotonic), set: (wall, monotonic) }
    }

    /// Takes the time of the newest block.
    pub fn see_block(&mut self, time: UnixSeconds, monotonic: Duration) {
        if time > self.newest.0 {
            self.newest = (time, monotonic);
        }
        if self.passed_by(monotonic).is_none_or(|passed| passed < time.millis()) {
            self.passed = Some((time.millis(), monotonic));
        }
    }

    /// The time that had passed at the least, if the chain tells the truth.
    fn passed_by(&self, monotonic: Duration) -> Option<UnixMillis> {
        self.passed.map(|(time, seen)| time.plus(monotonic.saturating_sub(seen)))
    }

    /// The time by the wall clock, if nothing speaks against it: it is at most [`CLOCK_TOLERANCE`]
    /// ahead of the newest block and what passed since by the monotonic clock. A wall clock that
    /// was not set for [`CHAIN_PATIENCE`] counts alone while the chain shows nothing new for as
    /// long. A wall clock that is behind only waits.
    ///
    /// # Errors
    /// [`ClockDoubt`].
    pub fn read(&mut self, wall: UnixMillis, monotonic: Duration) -> Result<UnixMillis, ClockDoubt> {
        let (time, seen) = self.set;
        let expected = time.plus(monotonic.saturating_sub(seen));
        if expected.until(wall).max(wall.until(expected)) > TOLERANCE {
            self.set = (wall, monotonic);
        }
        let since = |moment: Duration| monotonic.saturating_sub(moment);
        if since(self.newest.1) >= CHAIN_PATIENCE && since(self.set.1) >= CHAIN_PATIENCE {
            return Ok(wall);
        }
        match self.passed_by(monotonic) {
            None => Err(ClockDoubt::NoBlock { wall: wall.seconds() }),
            Some(passed) if wall > passed.plus(TOLERANCE) => {
                Err(ClockDoubt::Ahead { wall: wall.seconds(), chain: passed.seconds() })
            }
            Some(_) => Ok(wall),
        }
    }
}

/// A wall clock that the chain bounds.
#[derive(Debug)]
pub struct AgreedClock {
    wall: SharedClock,
    started: Instant,
    time: Mutex<AgreedTime>,
}

impl AgreedClock {
    /// Over a wall clock. Something must show it the chain's blocks.
    #[must_use]
    pub fn new(wall: SharedClock) -> Self {
        let time = Mutex::new(AgreedTime::new(wall.now(), Duration::ZERO));
        Self { wall, started: Instant::now(), time }
    }

    fn time(&self) -> MutexGuard<'_, AgreedTime> {
        // each change is a single step
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the time of the newest block.
    pub fn see_block(&self, time: UnixSeconds) {
        self.time().see_block(time, self.started.elapsed());
    }

    /// The time for a step that can't be undone.
    ///
    /// # Errors
    /// [`ClockDoubt`]: the step must wait.
    pub fn agreed(&self) -> Result<UnixMillis, ClockDoubt> {
        self.time().read(self.wall.now(), self.started.elapsed())
    }
}

impl Clock for AgreedClock {
    /// The wall clock's time, but never ahead of the chain by more than [`CLOCK_TOLERANCE`] as long
    /// as that is in doubt.
    fn now(&self) -> UnixMillis {
        match self.agreed() {
            Ok(time) => time,
            Err(doubt) => {
                let wall = self.wall.now();
                doubt.latest().map_or(wall, |latest| wall.min(latest.millis()))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    const NOON: u64 = 1_700_000_000;

    fn wall(seconds: u64) -> UnixMillis {
        UnixSeconds::new(NOON + seconds).millis()
    }

    fn after(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn block(time: &mut AgreedTime, at: u64, monotonic: u64) {
        time.see_block(UnixSeconds::new(NOON + at), after(monotonic));
    }

    #[test]
    fn a_clock_that_is_ahead_for_a_moment_after_the_start_is_not_believed() {
        let mut time = AgreedTime::new(wall(3_600), after(0));
        assert!(matches!(time.read(wall(3_600), after(0)), Err(ClockDoubt::NoBlock { .. })));
        block(&mut time, 0, 1);
        assert!(matches!(time.read(wall(3_602), after(2)), Err(ClockDoubt::Ahead { .. })));
        assert_eq!(time.read(wall(5), after(5)), Ok(wall(5)));
    }

    #[test]
    fn a_clock_that_stays_ahead_is_not_believed_while_the_chain_goes_on() {
        let mut time = AgreedTime::new(wall(3_600), after(0));
        for second in (0..7_200).step_by(12) {
            block(&mut time, second, second);
            assert!(time.read(wall(3_600 + second), after(second)).is_err(), "{second}");
        }
    }

    #[test]
    fn a_chain_that_stands_still_stops_nothing() {
        let mut time = AgreedTime::new(wall(0), after(0));
        block(&mut time, 0, 0);
        for second in 0..7_200 {
            assert_eq!(time.read(wall(second), after(second)), Ok(wall(second)));
            // the same block again is no news
            block(&mut time, 0, second);
        }
        // nor is the clock believed that is set ahead meanwhile, for as long as nobody can tell
        assert!(time.read(wall(10_800), after(7_200)).is_err());
        assert_eq!(time.read(wall(7_201), after(7_201)), Ok(wall(7_201)));
    }

    #[test]
    fn a_start_while_the_chain_stands_still_waits_for_patience_only() {
        let mut time = AgreedTime::new(wall(3_600), after(0));
        for second in 0..120 {
            block(&mut time, 0, second);
            assert!(time.read(wall(3_600 + second), after(second)).is_err());
        }
        assert!(time.read(wall(3_721), after(121)).is_ok());
        let mut blind = AgreedTime::new(wall(0), after(0));
        assert!(blind.read(wall(119), after(119)).is_err());
        assert!(blind.read(wall(120), after(120)).is_ok());
        // a clock that was just set must hold first
        assert!(blind.read(wall(3_600), after(121)).is_err());
        assert!(blind.read(wall(3_720), after(241)).is_ok());
    }

    #[test]
    fn a_machine_that_slept_goes_on_once_the_chain_shows_it() {
        let mut time = AgreedTime::new(wall(0), after(0));
        block(&mut time, 0, 0);
        assert!(time.read(wall(60), after(60)).is_ok());
        // an hour that the monotonic clock did not see
        assert!(time.read(wall(3_665), after(65)).is_err());
        block(&mut time, 3_660, 66);
        assert_eq!(time.read(wall(3_666), after(66)), Ok(wall(3_666)));
    }

    #[test]
    fn a_clock_that_is_set_back_or_behind_only_waits() {
        let mut time = AgreedTime::new(wall(3_600), after(0));
        block(&mut time, 3_600, 0);
        assert_eq!(time.read(wall(0), after(1)), Ok(wall(0)));
        block(&mut time, 90_000, 2);
        assert_eq!(
            time.read(wall(3_603), after(3)),
            Ok(wall(3_603)),
            "a block from the future proves nothing"
        );
    }

    #[test]
    fn an_older_block_of_a_replica_that_lags_changes_nothing() {
        let mut time = AgreedTime::new(wall(1_000), after(0));
        block(&mut time, 1_000, 0);
        block(&mut time, 400, 10);
        assert!(time.read(wall(1_060), after(20)).is_ok());
        assert!(time.read(wall(1_100), after(20)).is_err());
    }

    #[derive(Debug)]
    struct Fixed(UnixMillis);

    impl Clock for Fixed {
        fn now(&self) -> UnixMillis {
            self.0
        }
    }

    #[test]
    fn the_clock_runs_no_further_ahead_of_the_chain_than_all_roles_tolerate() {
        let clock = AgreedClock::new(std::sync::Arc::new(Fixed(wall(3_600))));
        assert_eq!(clock.now(), wall(3_600), "without a block there is no bound");
        clock.see_block(UnixSeconds::new(NOON));
        assert!(clock.now() >= wall(60) && clock.now() < wall(3_000));
        clock.see_block(UnixSeconds::new(NOON + 3_599));
        assert_eq!(clock.agreed(), Ok(wall(3_600)));
    }
}
