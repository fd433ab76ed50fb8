//! The target of each connection: easy enough to hear from every rig, hard enough not to drown.
//!
//! A pool's difficulty is a stranger's number, and so is a miner's suggestion. Only what a
//! connection delivers decides how easy its target may be; both numbers are work, in hashes, of one
//! message.

use hashlease_primitives::{HashRate, UnixMillis};
use std::time::Duration;

/// Wished time between two messages of a connection, seconds: six a minute.
const WISHED: u128 = 10;
/// Most messages a second, unless the settlement target itself brings more.
const MOST: u128 = 10;
/// Shares after which the rate is measured anew.
const ENOUGH: u32 = 12;
/// Time after which it is measured from fewer.
const LONG: Duration = Duration::from_secs(120);
/// Silence after which a connection that never delivered is taken for a slower one.
const SILENCE: Duration = Duration::from_secs(10);
/// How much slower, each time.
const SLOWER: u128 = 16;
/// The smallest rig is taken for no slower than this part of the lease's rate, as a power of two.
const SMALLEST_LOG2: u32 = 20;
/// A burst is no shorter than this: shares may have waited on the way.
const BURST: Duration = Duration::from_millis(100);

/// The work of one message: the easiest of the settlement weight, the pool's work and what brings
/// six messages a minute, but none that brings more than ten a second, unless the settlement weight
/// itself does. `rate` is the connection's, hashes per second.
#[must_use]
pub(crate) fn assigned_work(settlement: u128, pool: Option<u128>, rate: u128) -> u128 {
    let wished = rate.saturating_mul(WISHED);
    let least = rate.checked_div(MOST).unwrap_or_default().max(1);
    pool.map_or(wished, |pool| pool.min(wished)).max(least).min(settlement)
}

/// What is known of a connection's hash rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vardiff {
    rate: u128,
    floor: u128,
    measured: bool,
    since: UnixMillis,
    work: u128,
    shares: u32,
}

impl Vardiff {
    /// Of a new connection: taken for the whole lease until it shows otherwise.
    #[must_use]
    pub(crate) fn new(lease: HashRate, now: UnixMillis) -> Self {
        let rate = lease.per_second().max(1);
        let floor = rate.wrapping_shr(SMALLEST_LOG2).max(1);
        Self { rate, floor, measured: false, since: now, work: 0, shares: 0 }
    }

    /// The rate, hashes per second.
    #[must_use]
    pub(crate) const fn rate(&self) -> u128 {
        self.rate
    }

    /// Whether it was measured, not guessed.
    #[must_use]
    pub(crate) const fn is_measured(&self) -> bool {
        self.measured
    }

    /// Counts a good share of a job that was told with this work. Returns whether the rate changed.
    pub(crate) fn share(&mut self, work: u128, now: UnixMillis) -> bool {
        self.work = self.work.saturating_add(work);
        self.shares = self.shares.saturating_add(1);
        self.look(now)
    }

    /// Looks at what came since the last measurement. Returns whether the rate changed.
    pub(crate) fn look(&mut self, now: UnixMillis) -> bool {
        let elapsed = self.since.until(now);
        if self.shares >= ENOUGH || (self.shares > 0 && elapsed >= LONG) {
            let millis = elapsed.max(BURST).as_millis();
            let rate = self.work.saturating_mul(1_000).checked_div(millis).unwrap_or(self.rate);
            self.measured = true;
            return self.begin(rate, now);
        }
        if self.shares == 0 && self.measured && elapsed >= LONG {
            // at six messages a minute, as many as are enough were due
            let slower = self.rate.checked_div(u128::from(ENOUGH)).unwrap_or_default();
            return self.begin(slower, now);
        }
        if self.shares == 0 && !self.measured && elapsed >= SILENCE {
            let slower = self.rate.checked_div(SLOWER).unwrap_or_default();
            return self.begin(slower, now);
        }
        false
    }

    /// Forgets what came since the last measurement: the miner had no work meanwhile.
    pub(crate) fn pause(&mut self, now: UnixMillis) {
        (self.since, self.work, self.shares) = (now, 0, 0);
    }

    /// Begins a measurement. Chance alone makes no difference of a factor of two.
    fn begin(&mut self, rate: u128, now: UnixMillis) -> bool {
        self.pause(now);
        let rate = rate.max(self.floor);
        let differs = rate >= self.rate.saturating_mul(2) || rate.saturating_mul(2) <= self.rate;
        if differs {
            self.rate = rate;
        }
        differs
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    /// 1 EH/s: the largest lease. Its share is worth about 3.6 s of it.
    const EXA: u64 = 1_000_000_000_000_000_000;
    const SETTLEMENT: u128 = 1 << 61;

    fn at(millis: u64) -> UnixMillis {
        UnixMillis::new(1_000_000_000 + millis)
    }

    /// Messages of a rig in each of `seconds` seconds, without chance, and the work of the last one.
    fn run(
        vardiff: &mut Vardiff,
        rate: u128,
        (settlement, pool): (u128, Option<u128>),
        seconds: std::ops::Range<u64>,
    ) -> (Vec<u64>, u128) {
        let (mut counts, mut done) = (Vec::new(), 0u128);
        for second in seconds {
            let mut count = 0;
            for step in 0..1_000 {
                let work = assigned_work(settlement, pool, vardiff.rate());
                done += rate / 1_000;
                while done >= work {
                    done -= work;
                    count += 1;
                    vardiff.share(work, at(second * 1_000 + step));
                    if assigned_work(settlement, pool, vardiff.rate()) != work {
                        done = 0;
                        break;
                    }
                }
            }
            vardiff.look(at(second * 1_000 + 999));
            counts.push(count);
        }
        (counts, assigned_work(settlement, pool, vardiff.rate()))
    }

    #[test]
    fn the_smallest_rig_in_the_largest_lease_is_heard_about_six_times_a_minute() {
        let mut vardiff = Vardiff::new(HashRate::new(EXA), at(0));
        let rig = 1_000_000_000_000;
        let (begin, _) = run(&mut vardiff, rig, (SETTLEMENT, None), 0..120);
        assert!(begin.iter().sum::<u64>() > 0, "before a watchdog restarts it");
        let (counts, work) = run(&mut vardiff, rig, (SETTLEMENT, None), 120..1_320);
        let a_minute = counts.iter().sum::<u64>() / 20;
        assert!((3..=12).contains(&a_minute), "{a_minute}");
        assert!(work < SETTLEMENT >> 15);
    }

    #[test]
    fn the_largest_rig_sends_at_most_ten_a_second_whatever_its_pool_asks_for() {
        for pool in [None, Some(1), Some(1 << 40)] {
            let mut vardiff = Vardiff::new(HashRate::new(EXA), at(0));
            let (counts, work) = run(&mut vardiff, u128::from(EXA), (SETTLEMENT, pool), 0..60);
            assert!(counts.iter().all(|count| *count <= 12), "{pool:?}: {counts:?}");
            assert!(work <= SETTLEMENT);
        }
    }

    #[test]
    fn a_pool_gets_its_shares_where_they_are_not_too_many() {
        // a message a second
        let pool = u128::from(EXA);
        assert_eq!(assigned_work(SETTLEMENT, Some(pool), u128::from(EXA)), pool);
        // a harder pool changes nothing: what counts is sent anyway
        assert_eq!(assigned_work(SETTLEMENT, Some(u128::MAX), u128::from(EXA)), SETTLEMENT);
        // the settlement target alone may bring more than ten a second
        assert_eq!(assigned_work(64, Some(1), 1_000_000), 64);
    }

    #[test]
    fn a_rig_that_was_taken_for_a_small_one_floods_for_a_moment_only() {
        let mut vardiff = Vardiff::new(HashRate::new(EXA), at(0));
        for second in 0..600 {
            vardiff.look(at(second * 1_000));
        }
        assert_eq!(vardiff.rate(), u128::from(EXA) >> SMALLEST_LOG2, "never taken for less");
        let (counts, _) = run(&mut vardiff, u128::from(EXA), (SETTLEMENT, Some(1)), 600..610);
        assert!(counts.iter().skip(1).all(|count| *count <= 20), "{counts:?}");
    }

    #[test]
    fn neither_chance_nor_a_pause_changes_a_target() {
        let mut vardiff = Vardiff::new(HashRate::new(1_000_000), at(0));
        let mut now = 0;
        for _ in 0..ENOUGH {
            now += 1_000;
            vardiff.share(1_000_000, at(now));
        }
        assert_eq!((vardiff.rate(), vardiff.is_measured()), (1_000_000, true));
        for _ in 0..ENOUGH {
            now += 700;
            assert!(!vardiff.share(1_000_000, at(now)), "a factor of 1.4 is chance");
        }
        // no work for an hour
        vardiff.pause(at(now + 3_600_000));
        assert!(!vardiff.look(at(now + 3_601_000)));
        assert_eq!(vardiff.rate(), 1_000_000);
        // a clock that is set back measures nothing
        assert!(!vardiff.share(1, at(0)));
    }

    #[test]
    fn a_rig_that_slows_down_is_heard_again() {
        let mut vardiff = Vardiff::new(HashRate::new(1_000_000), at(0));
        let lease = (1 << 22, None);
        run(&mut vardiff, 1_000_000, lease, 0..60);
        let (_, work) = run(&mut vardiff, 1_000, lease, 60..900);
        assert!((5_000..=20_000).contains(&work), "{work}");
    }
}
