//! Whatever is due, a stock miner behind a node could have mined.
//!
//! A SIMULATED node and a SIMULATED miner, a tenth of a second at a time, under streams of jobs that
//! a hostile signer could send. Both are told what members log, and nothing more.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs
)]

use alloy_primitives::B256;
use hashlease_fixtures::{header_job, terms, verified};
use hashlease_primitives::{HeaderJob, Terms, UnixMillis, UnixSeconds};
use hashlease_share::{DueLog, JobPace, MIN_STOCK_TAIL};
use proptest::prelude::*;

/// First second of the lease.
const START: u64 = 1_000_000;
/// Seconds of the lease.
const LENGTH: u64 = 3_600;
/// A tick, milliseconds.
const TICK: u64 = 100;
/// Rounding to whole seconds never adds up to more, seconds.
const ROUNDING: u64 = 1;

/// What a miner needs, milliseconds.
#[derive(Clone, Copy)]
struct Miner {
    /// From one previous block to the next.
    restart: u64,
    /// To reconnect.
    reconnect: u64,
    /// To come back from another pool.
    fail_over: u64,
}

impl Miner {
    const fn restarting_in(restart: u64) -> Self {
        Self { restart, reconnect: 20_000, fail_over: 300_000 }
    }
}

/// A job: when it came (milliseconds of the lease), its window (seconds of the lease), what it is
/// over.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Came {
    at: u64,
    from: u64,
    to: u64,
    tip: u16,
    tail: u8,
}

impl Came {
    /// At a second, for `window` seconds.
    const fn new(second: u64, window: u64, tip: u16, tail: u8) -> Self {
        Self::at(second * 1_000, window, tip, tail)
    }

    const fn at(at: u64, window: u64, tip: u16, tail: u8) -> Self {
        Self { at, from: at / 1_000, to: at / 1_000 + window, tip, tail }
    }

    const fn is_open(&self, now: u64) -> bool {
        self.from * 1_000 <= now && now < (self.to + 1) * 1_000
    }
}

fn lease() -> Terms {
    terms(START, LENGTH as u32, LENGTH as u32)
}

/// Due seconds of the whole lease.
fn due(jobs: &[Came]) -> u64 {
    let terms = lease();
    let mut log = DueLog::new(&terms);
    for (sequence, came) in (1..).zip(jobs) {
        let to = came.to.min(LENGTH - 1);
        let job = HeaderJob {
            prev_hash: B256::left_padding_from(&came.tip.to_be_bytes()),
            tail_length: came.tail,
            ..header_job(&terms, sequence, START + came.from..=START + to)
        };
        log.log(&verified(&terms, job), UnixMillis::new(START * 1_000 + came.at));
    }
    log.seconds(UnixSeconds::new(START), UnixSeconds::new(START + LENGTH))
}

/// A node with one miner. It stays with an open job unless a later one costs the miner nothing, or
/// is over a new block and stands at least as long.
struct Node {
    miner: Miner,
    pace: JobPace,
    jobs: Vec<Came>,
    mined: Option<Came>,
    off_until: u64,
    last_open: u64,
    before: Option<(u16, u8)>,
}

impl Node {
    fn new(miner: Miner) -> Self {
        let pace = JobPace::new(&lease());
        Self { miner, pace, jobs: Vec::new(), mined: None, off_until: 0, last_open: 0, before: None }
    }

    fn take(&mut self, came: Came) {
        let face = (came.tip, came.tail);
        let is_change = self.before.is_some_and(|before| before != face);
        if !self.pace.add(UnixMillis::new(came.at), is_change) {
            return;
        }
        self.before = Some(face);
        if came.tail >= MIN_STOCK_TAIL {
            self.jobs.push(came);
        }
    }

    /// Chooses what to mine at `now`, and says whether the miner hashes.
    fn tick(&mut self, now: u64) -> bool {
        self.jobs.retain(|job| now < (job.to + 1) * 1_000);
        let open: Vec<Came> = self.jobs.iter().copied().filter(|job| job.is_open(now)).collect();
        let is_away = now > self.last_open + 120_000;
        if let Some(next) = choose(self.mined.filter(|mined| mined.is_open(now)), self.mined, &open) {
            let costs = match self.mined {
                _ if is_away => self.miner.fail_over,
                Some(mined) if mined.tail != next.tail => self.miner.reconnect,
                Some(mined) if mined.tip != next.tip => self.miner.restart,
                _ => 0,
            };
            if costs > 0 {
                self.off_until = now.max(self.off_until) + costs;
            }
            self.mined = Some(next);
        }
        let is_open = self.mined.is_some_and(|mined| mined.is_open(now));
        if is_open {
            self.last_open = now;
        }
        is_open && now >= self.off_until
    }
}

/// The job to change to, if any.
fn choose(open_now: Option<Came>, last: Option<Came>, open: &[Came]) -> Option<Came> {
    let fits = |job: &&Came| last.is_none_or(|last| last.tail == job.tail);
    let Some(mined) = open_now else {
        // the one that stands longest, best without a reconnection
        let longest = |jobs: &mut dyn Iterator<Item = &Came>| jobs.max_by_key(|job| job.to).copied();
        return longest(&mut open.iter().filter(fits)).or_else(|| longest(&mut open.iter()));
    };
    open.iter()
        .filter(fits)
        .rfind(|job| job.to >= mined.to && **job != mined)
        .copied()
        .filter(|job| job.at >= mined.at)
}

/// Seconds, rounded up, in which the miner hashed.
fn mined(jobs: &[Came], miner: Miner) -> u64 {
    let mut node = Node::new(miner);
    let mut next = jobs.iter().peekable();
    let mut ticks = 0;
    for now in (0..LENGTH * 1_000).step_by(TICK as usize) {
        while let Some(came) = next.next_if(|came| came.at <= now) {
            node.take(*came);
        }
        ticks += u64::from(node.tick(now));
    }
    (ticks * TICK).div_ceil(1_000)
}

fn assert_minable(name: &str, jobs: &[Came]) {
    let due = due(jobs);
    for restart in [1_000, 3_000] {
        let mined = mined(jobs, Miner::restarting_in(restart));
        assert!(
            due <= mined + ROUNDING,
            "{name}: {due} s are due, {mined} s were mined at {restart} ms a restart"
        );
    }
    let mined = mined(jobs, Miner::restarting_in(4_000));
    // a miner that needs a second more than the rule allows loses it at six new blocks a minute, a
    // tenth of its time; a twentieth is within the tolerance of a slash
    let slashed = due.saturating_sub(mined + due / 20);
    assert!(slashed <= LENGTH * 6 / 100, "{name}: {due} s, {mined} s at 4 s a restart");
}

#[test]
fn streams_that_look_honest_are_minable() {
    let honest: Vec<Came> = (0..120).map(|i| Came::new(30 * i, 90, (i / 20) as u16, 8)).collect();
    assert!(due(&honest) > LENGTH * 99 / 100, "and they are due");
    assert_minable("honest", &honest);
    let short: Vec<Came> = (0..1_289).map(|i| Came::at(i * 2_790, 1, 0, 8)).collect();
    assert_minable("windows of a second", &short);
    let gaps: Vec<Came> =
        (0..3_600).filter(|s| s % 305 < 282).step_by(9).map(|s| Came::new(s, 10, 0, 8)).collect();
    assert_minable("gaps of 21 s", &gaps);
    let long: Vec<Came> =
        (0..3_600).filter(|s| s % 300 < 170).step_by(9).map(|s| Came::new(s, 10, 0, 8)).collect();
    assert_minable("gaps of 125 s", &long);
}

#[test]
fn streams_that_take_time_from_miners_are_not_due() {
    let faces: Vec<Came> =
        (0..240).map(|i| Came::new(15 * i, 90, 0, if i % 2 == 0 { 8 } else { 5 })).collect();
    assert_minable("two sizes by turns", &faces);
    let tips = |gap: u64, window: u64| {
        (0..(3_600_000 / gap).min(400)).map(|i| Came::at(i * gap, window, i as u16, 8)).collect::<Vec<_>>()
    };
    for (gap, window) in
        [(10_001, 30), (10_001, 4), (10_001, 9), (12_000, 1), (5_454, 30), (2_727, 30), (100, 30)]
    {
        assert_minable(&format!("a new block each {gap} ms for {window} s"), &tips(gap, window));
    }
    // one long job, and short ones over new blocks that would pull miners away and back
    let pulled: Vec<Came> = (0..360)
        .map(|i| if i % 55 == 0 { Came::new(i * 10, 599, 0, 8) } else { Came::new(i * 10, 1, i as u16, 8) })
        .collect();
    assert_minable("short new blocks beside a long job", &pulled);
    let clean = [
        (0..600).map(|i| Came::new(i, 90, 0, 8)).collect::<Vec<_>>(),
        (0..200).map(|i| Came::at(i * 10, 600, 0, 8)).collect(),
        (0..120).map(|i| Came::new(30 * i, 90, 0, [2, 3, 4, 5, 8][i as usize % 5])).collect(),
    ];
    for jobs in clean {
        assert_minable("floods", &jobs);
    }
}

fn streams() -> impl Strategy<Value = Vec<Came>> {
    let windows = prop::sample::select(vec![0u64, 1, 4, 10, 30, 90, 90, 600]);
    let ahead = prop::sample::select(vec![0u64, 0, 0, 0, 5, 60]);
    let tails = prop::sample::select(vec![8u8, 8, 8, 8, 8, 8, 8, 8, 4, 5, 3]);
    let gaps =
        prop_oneof![4 => 0u64..30_000, 2 => 0u64..3_000, 1 => 9_000u64..11_000, 1 => 100_000u64..200_000];
    let came = (gaps, windows, ahead, tails, prop::bool::weighted(0.3));
    prop::collection::vec(came, 1..400).prop_map(|steps| {
        let (mut at, mut tip) = (0, 0);
        let mut jobs = Vec::new();
        for (gap, window, ahead, tail, is_new) in steps {
            at += gap;
            tip += u16::from(is_new);
            let from = at / 1_000 + ahead;
            if from + window >= LENGTH {
                break;
            }
            jobs.push(Came { at, from, to: from + window, tip, tail });
        }
        jobs
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_due_was_minable(jobs in streams()) {
        assert_minable("random", &jobs);
    }
}
