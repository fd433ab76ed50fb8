//! Which seconds are due for a stream of jobs.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs
)]

use alloy_primitives::B256;
use hashlease_fixtures::{ethash_job, header_job, terms, verified};
use hashlease_primitives::{Algorithm, CLOCK_TOLERANCE, HashRate, HeaderJob, Terms, UnixMillis, UnixSeconds};
use hashlease_share::{
    ArrivalRefusal, DueLog, JobBudget, Logged, MAX_EPOCH_JOB_BYTES, MAX_EPOCH_JOBS, MAX_SEQUENCE, NotUsable,
    check_arrival, most_jobs,
};
use proptest::prelude::*;

/// First second of the lease.
const START: u64 = 1_000_000;

/// A lease of two hours with epochs of one hour: an interval of 30 s, so 22 jobs a minute at most.
fn lease() -> Terms {
    terms(START, 7_200, 3_600)
}

/// A job that came at `at` milliseconds after the lease's start and stands for `window` seconds.
#[derive(Clone, Copy, Debug)]
struct Came {
    at: u64,
    window: u64,
    tip: u8,
    tail: u8,
}

impl Came {
    const fn new(at: u64, window: u64) -> Self {
        Self { at: at * 1_000, window, tip: 0, tail: 8 }
    }

    fn job(self, terms: &Terms, sequence: u64) -> HeaderJob {
        let from = START + self.at / 1_000;
        let to = (from + self.window).min(START + u64::from(terms.duration) - 1);
        HeaderJob {
            prev_hash: B256::repeat_byte(self.tip),
            tail_length: self.tail,
            ..header_job(terms, sequence, from.min(to)..=to)
        }
    }

    fn received(self) -> UnixMillis {
        UnixMillis::new(START * 1_000 + self.at)
    }
}

/// Logs jobs with sequences from 1 on.
fn log(terms: &Terms, jobs: &[Came]) -> (DueLog, Vec<Logged>) {
    let mut log = DueLog::new(terms);
    let logged = (1..)
        .zip(jobs)
        .map(|(sequence, came)| log.log(&verified(terms, came.job(terms, sequence)), came.received()));
    let logged = logged.collect();
    (log, logged)
}

/// Due seconds in `[from, to)`, counted from the lease's start.
fn due(log: &DueLog, from: u64, to: u64) -> u64 {
    log.seconds(UnixSeconds::new(START + from), UnixSeconds::new(START + to))
}

#[test]
fn a_job_is_due_from_its_arrival_to_the_end_of_its_window() {
    let terms = lease();
    let mut log = DueLog::new(&terms);
    let job = verified(&terms, header_job(&terms, 1, START + 10..=START + 40));
    assert_eq!(log.log(&job, UnixMillis::new((START + 20) * 1_000 + 1)), Logged::Due);
    assert_eq!((due(&log, 0, 7_200), due(&log, 0, 21), due(&log, 21, 41)), (20, 0, 20), "21 to 40 inclusive");
    assert_eq!(log.log(&job, UnixMillis::new((START + 10) * 1_000)), Logged::Known);
    assert_eq!(due(&log, 0, 7_200), 20, "its first arrival counts");
    assert_eq!(log.due(UnixSeconds::new(START + 3_600)).hashes(), 20, "one hash per second");
    let late = verified(&terms, header_job(&terms, 2, START + 10..=START + 40));
    log.log(&late, UnixMillis::new((START + 41) * 1_000));
    assert_eq!(due(&log, 0, 7_200), 20, "a window that has ended adds nothing");
}

#[test]
fn a_signer_that_keeps_the_interval_makes_nearly_everything_due() {
    // a new block every ten minutes costs three seconds, and one more for the second it came in
    let jobs: Vec<Came> = (0..240).map(|i| Came { tip: (i / 20) as u8, ..Came::new(i * 30, 90) }).collect();
    let (log, logged) = log(&lease(), &jobs);
    assert!(logged.iter().all(|logged| *logged == Logged::Due));
    assert_eq!(due(&log, 0, 7_200), 7_200 - 11 * 3);
}

#[test]
fn a_new_block_and_a_new_layout_cost_the_time_that_miners_lose() {
    let first = Came::new(0, 600);
    let tip = Came { at: 100_500, tip: 1, ..Came::new(0, 400) };
    let (seen, _) = log(&lease(), &[first, tip]);
    assert_eq!(due(&seen, 0, 300), 296, "seconds 100 to 103");
    let (seen, _) = log(&lease(), &[first, Came { tail: 5, ..Came::new(100, 400) }]);
    assert_eq!(due(&seen, 0, 300), 240);
    let (seen, _) = log(&lease(), &[first, Came { tail: 5, tip: 1, ..Came::new(100, 400) }]);
    assert_eq!(due(&seen, 0, 300), 237, "both");
    // what is lost adds up
    let tips: Vec<Came> = (0..6).map(|i| Came { tip: i, at: 100_000 + u64::from(i), ..first }).collect();
    let (seen, _) = log(&lease(), &tips);
    assert_eq!(due(&seen, 0, 200), 84, "100 to 115.001 is lost");
    let masked = |terms: &Terms, sequence| HeaderJob {
        version_mask: 0x1e00_0000,
        ..Came::new(100, 400).job(terms, sequence)
    };
    let terms = lease();
    let mut mask = DueLog::new(&terms);
    mask.log(&verified(&terms, first.job(&terms, 1)), first.received());
    mask.log(&verified(&terms, masked(&terms, 2)), Came::new(100, 0).received());
    assert_eq!(due(&mask, 0, 300), 240);
}

#[test]
fn ethash_devices_lose_a_second_by_a_new_seal_hash() {
    let terms = Terms { algorithm: Algorithm::Ethash, ..lease() };
    let mut log = DueLog::new(&terms);
    for (sequence, at) in [(1, 0), (2, 20)] {
        let mut job = ethash_job(&terms, sequence, START + at..=START + at + 40);
        job.seal_hash = B256::repeat_byte(sequence as u8);
        assert_eq!(log.log(&verified(&terms, job), UnixMillis::new((START + at) * 1_000)), Logged::Due);
    }
    assert_eq!(due(&log, 0, 100), 60);
}

#[test]
fn miners_that_went_elsewhere_need_time_to_come_back() {
    let (seen, _) = log(&lease(), &[Came::new(0, 99), Came::new(220, 99)]);
    assert_eq!(due(&seen, 0, 7_200), 200, "120 s without a job are within a miner's patience");
    let (seen, _) = log(&lease(), &[Came::new(0, 99), Came::new(221, 399)]);
    assert_eq!(due(&seen, 0, 7_200), 100 + 100, "not due before 521");
    let (seen, _) = log(&lease(), &[Came::new(121, 399)]);
    assert_eq!(due(&seen, 0, 7_200), 100, "counted from the lease's start");
    // a job that no stock device can use keeps nobody
    let (seen, _) =
        log(&lease(), &[Came::new(0, 99), Came { tail: 3, ..Came::new(150, 99) }, Came::new(400, 99)]);
    assert_eq!(due(&seen, 0, 7_200), 100);
}

#[test]
fn nothing_is_due_for_a_minute_after_more_jobs_than_miners_keep_up_with() {
    let terms = lease();
    assert_eq!(most_jobs(&terms), 22);
    let flood = |count: u64| (0..count).map(|i| Came { at: 100_000 + i, ..Came::new(0, 90) });
    let jobs: Vec<Came> = flood(22).chain([Came::new(160, 90)]).collect();
    let (seen, logged) = log(&terms, &jobs);
    assert!(logged.iter().all(|logged| *logged == Logged::Due));
    assert_eq!(due(&seen, 0, 7_200), 151);
    let jobs: Vec<Came> = flood(23).chain([Came::new(161, 90)]).collect();
    let (seen, logged) = log(&terms, &jobs);
    assert_eq!((logged[22], logged[23]), (Logged::OverPace, Logged::Due));
    assert_eq!((due(&seen, 0, 161), due(&seen, 161, 7_200)), (0, 91), "none from 100 to 160");
    // the flood goes on, and so does the pause
    let jobs: Vec<Came> = (0..600).map(|i| Came { at: i * 1_000, ..Came::new(0, 90) }).collect();
    let (seen, _) = log(&terms, &jobs);
    assert_eq!(due(&seen, 0, 7_200), 22, "until the twenty-third");
}

#[test]
fn nothing_is_due_for_a_minute_after_more_changes_than_miners_keep_up_with() {
    let tips = |count: u8| -> Vec<Came> {
        (0..count).map(|i| Came { tip: i, ..Came::new(u64::from(i) * 8, 90) }).collect()
    };
    let (seen, logged) = log(&lease(), &tips(7));
    assert!(logged.iter().all(|logged| *logged == Logged::Due), "six changes");
    assert_eq!(due(&seen, 0, 48), 48 - 5 * 3);
    let (_, logged) = log(&lease(), &tips(8));
    assert_eq!(logged[7], Logged::OverPace, "a seventh change within a minute");
}

#[test]
fn two_jobs_under_one_sequence_are_not_due_once_both_are_seen() {
    let terms = lease();
    let mut log = DueLog::new(&terms);
    let job = |sequence, window, at| verified(&terms, Came::new(at, window).job(&terms, sequence));
    let at = |second: u64| UnixMillis::new((START + second) * 1_000);
    assert_eq!(log.log(&job(5, 90, 0), at(0)), Logged::Due);
    assert_eq!(log.log(&job(6, 40, 0), at(0)), Logged::Due);
    let other = job(5, 89, 10);
    assert_eq!(log.log(&other, at(10)), Logged::SequenceReused);
    assert_eq!(due(&log, 0, 7_200), 41, "seconds before and those of the other job stay");
    assert_eq!(log.log(&other, at(12)), Logged::SequenceReused, "a third one changes nothing");
    assert_eq!(due(&log, 0, 7_200), 41);
    assert_eq!(log.log(&job(5, 90, 0), at(13)), Logged::Known);
}

#[test]
fn a_job_that_another_lease_took_is_not_due_from_then_on() {
    let (mut seen, _) = log(&lease(), &[Came::new(0, 90), Came::new(0, 40)]);
    seen.take_away(1, UnixMillis::new((START + 20) * 1_000 + 700));
    assert_eq!((due(&seen, 0, 20), due(&seen, 20, 7_200)), (20, 21), "the other job offers 0 to 40");
    seen.take_away(2, UnixMillis::new((START + 30) * 1_000));
    seen.take_away(3, UnixMillis::new((START + 30) * 1_000));
    assert_eq!(due(&seen, 0, 7_200), 30);
}

#[test]
fn what_was_noted_counts_again_when_the_log_is_read_again() {
    let terms = lease();
    let jobs: Vec<Came> = (0..40).map(|i| Came { at: i * 700 + 300, ..Came::new(0, 90) }).collect();
    let (seen, logged) = log(&terms, &jobs);
    let mut again = DueLog::new(&terms);
    for ((sequence, came), logged) in (1..).zip(&jobs).zip(logged) {
        match logged {
            Logged::OverPace => again.note(came.received()),
            _ => {
                assert_eq!(again.log(&verified(&terms, came.job(&terms, sequence)), came.received()), logged)
            }
        }
    }
    for from in 0..200 {
        assert_eq!(due(&again, from, from + 1), due(&seen, from, from + 1), "second {from}");
    }
}

#[test]
fn a_clock_that_went_back_stood_still() {
    let (seen, logged) = log(&lease(), &[Came::new(100, 90), Came { tip: 1, ..Came::new(50, 140) }]);
    assert_eq!(logged, [Logged::Due, Logged::Due]);
    assert_eq!(due(&seen, 0, 200), 88, "the new block came at 100: 103 to 190 are due");
}

#[test]
fn an_epoch_has_room_for_as_many_jobs_as_its_evidence() {
    let terms = lease();
    let mut budget = JobBudget::new(&terms);
    let job = |window, prefix| {
        verified(
            &terms,
            HeaderJob { coinbase_prefix: vec![1; prefix].into(), ..Came::new(3_590, window).job(&terms, 1) },
        )
    };
    let (short, both, long) = (job(5, 50), job(20, 50), job(5, 4_000));
    budget.take(&both).unwrap();
    for _ in 1..MAX_EPOCH_JOBS {
        budget.take(&short).unwrap();
    }
    let full = budget.take(&short).unwrap_err();
    assert_eq!((full.epoch, full.jobs), (0, MAX_EPOCH_JOBS));
    assert_eq!(budget.take(&both), Err(full), "its window touches the full epoch as well");
    let next = verified(&terms, Came::new(3_600, 5).job(&terms, 1));
    budget.take(&next).unwrap();

    let mut budget = JobBudget::new(&terms);
    let taken = std::iter::repeat_with(|| budget.take(&long)).take_while(Result::is_ok).count();
    let full = budget.take(&long).unwrap_err();
    assert!(full.bytes <= MAX_EPOCH_JOB_BYTES && full.bytes + 4_300 > MAX_EPOCH_JOB_BYTES, "{full}");
    assert_eq!(full.jobs, taken);
}

#[test]
fn a_job_is_taken_while_its_window_contains_now_give_or_take_a_minute() {
    let terms = lease();
    let taken = |job: HeaderJob, now: u64| check_arrival(&job.into(), UnixSeconds::new(now));
    let job = || header_job(&terms, 1, START + 100..=START + 200);
    for now in [START + 100 - CLOCK_TOLERANCE, START + 150, START + 200 + CLOCK_TOLERANCE] {
        assert_eq!(taken(job(), now), Ok(()));
    }
    for now in [START + 99 - CLOCK_TOLERANCE, START + 201 + CLOCK_TOLERANCE] {
        assert!(matches!(taken(job(), now), Err(ArrivalRefusal::OffClock { distance: 61, .. })), "{now}");
    }
    let sequence = MAX_SEQUENCE + 1;
    assert_eq!(taken(HeaderJob { sequence: MAX_SEQUENCE, ..job() }, START + 150), Ok(()));
    assert_eq!(
        taken(HeaderJob { sequence, ..job() }, START + 150),
        Err(ArrivalRefusal::Sequence { sequence })
    );
}

#[test]
fn a_stock_device_can_use_what_firmware_holds_and_has_room() {
    let terms = Terms { rate: HashRate::new(200_000_000_000_000), ..lease() };
    let of = |terms: &Terms, change: fn(&mut HeaderJob)| {
        let mut job = header_job(terms, 1, START..=START + 90);
        change(&mut job);
        verified(terms, job).check_usable()
    };
    assert_eq!(of(&terms, |_| ()), Ok(()));
    assert_eq!(of(&terms, |job| job.coinbase_prefix = vec![1; 636].into()), Ok(()));
    assert_eq!(
        of(&terms, |job| job.coinbase_prefix = vec![1; 637].into()),
        Err(NotUsable::Coinbase { length: 701 })
    );
    assert_eq!(of(&terms, |job| job.tail_length = 3), Err(NotUsable::Tail { length: 3 }));
    assert_eq!(of(&lease(), |job| job.version_mask = 0x001e_0000), Ok(()), "four bits");
    assert_eq!(
        of(&terms, |job| job.version_mask = 0x000e_1fe0),
        Err(NotUsable::VersionBits { mask: 0x000e_1fe0, bits: 3 }),
        "firmware rolls no lower bit"
    );
    assert_eq!(
        of(&terms, |job| job.version = 0x2080_0000),
        Err(NotUsable::VersionInMask { version: 0x2080_0000, mask: 0x1fff_e000 })
    );
    // two bytes of extranonce and four version bits: 2^52 hashes, 22 s at 200 TH/s
    let narrow: fn(&mut HeaderJob) = |job| job.version_mask = 0x001e_0000;
    let long = |rate: u64| Terms { rate: HashRate::new(rate), ..lease() };
    assert_eq!(of(&long((1 << 52) / 90), narrow), Ok(()));
    assert!(matches!(of(&long((1 << 52) / 90 + 1), narrow), Err(NotUsable::Space { window: 90, .. })));
    // no device is faster than 2^50 H/s, whatever the lease promises
    assert_eq!(of(&long(u64::MAX), |_| ()), Ok(()));
    let scrypt = Terms { algorithm: Algorithm::Scrypt, ..long(1 << 40) };
    assert_eq!(of(&scrypt, |job| job.version_mask = 0), Ok(()), "2^48 last 4096 s at 2^36 H/s");
}

#[test]
fn ethash_jobs_are_short_and_leave_nonces() {
    let terms = Terms { algorithm: Algorithm::Ethash, rate: HashRate::new(1 << 32), ..lease() };
    let of = |window: u64, prefix: usize, terms: &Terms| {
        let mut job = ethash_job(terms, 1, START..=START + window);
        job.nonce_prefix = vec![7; prefix].into();
        verified(terms, job).check_usable()
    };
    assert_eq!(of(45, 1, &terms), Ok(()));
    assert_eq!(of(46, 1, &terms), Err(NotUsable::Window { window: 46 }));
    assert_eq!(of(32, 2, &terms), Ok(()), "2^40 nonces, 2^39 needed");
    assert!(matches!(of(32, 3, &terms), Err(NotUsable::Space { .. })));
}

/// One second at a time, as the rule is written.
fn counted_by_the_second(terms: &Terms, jobs: &[Came], seconds: usize) -> Vec<bool> {
    let mut row = vec![false; seconds];
    let mut lost = vec![false; seconds];
    let (mut idle, mut open, mut before) = (0, 0, None);
    let (mut times, mut changes) = (Vec::<u64>::new(), Vec::<u64>::new());
    let mut newest = 0;
    for came in jobs {
        newest = newest.max(came.at);
        let at = newest;
        let face = (came.tip, came.tail);
        let changed = before.is_some_and(|before| before != face);
        times.push(at);
        if changed {
            changes.push(at);
        }
        let recent = |times: &[u64]| times.iter().filter(|time| at < **time + 60_000).count();
        if recent(&times) > most_jobs(terms) || recent(&changes) > 6 {
            lose(&mut lost, at, at.div_ceil(1_000) * 1_000 + 60_000);
            continue;
        }
        let mut more = 0;
        if let Some((tip, tail)) = before {
            more += if tip == came.tip { 0 } else { 3_000 };
            more += if tail == came.tail { 0 } else { 60_000 };
        }
        let job = came.job(terms, 1);
        let usable = came.tail >= 4;
        if usable && at > open * 1_000 + 120_000 {
            more += 300_000;
        }
        if more > 0 {
            idle = at.max(idle) + more;
            lose(&mut lost, at, idle);
        }
        before = Some(face);
        if usable {
            let (from, to) = (job.not_before.get() - START, job.not_after.get() - START);
            for second in from.max(at.div_ceil(1_000))..=to {
                if let Some(second) = row.get_mut(second as usize) {
                    *second = true;
                }
            }
            open = open.max(to + 1);
        }
    }
    row.iter().zip(lost).map(|(offered, lost)| *offered && !lost).collect()
}

fn lose(lost: &mut [bool], from: u64, to: u64) {
    for second in from / 1_000..to.div_ceil(1_000) {
        if let Some(second) = lost.get_mut(second as usize) {
            *second = true;
        }
    }
}

fn streams() -> impl Strategy<Value = Vec<Came>> {
    let came = (0u64..40_000, 0u64..120, 0u8..3, prop::sample::select(vec![3u8, 4, 8, 8, 8, 8]), 0u8..10);
    prop::collection::vec(came, 1..60).prop_map(|gaps| {
        let mut at = 0;
        let steps = gaps.into_iter().map(|(gap, window, tip, tail, pace)| {
            // some jobs come at once, some after a long pause
            at += match pace {
                0 => gap * 8,
                1..=4 => gap / 40,
                _ => gap,
            };
            Came { at, window, tip, tail }
        });
        steps.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn due_seconds_are_those_of_the_rule_as_written(jobs in streams()) {
        let terms = lease();
        let jobs: Vec<Came> = jobs.into_iter().filter(|came| came.at < 7_199_000).collect();
        let (seen, _) = log(&terms, &jobs);
        let row = counted_by_the_second(&terms, &jobs, 7_200);
        for (second, expected) in row.iter().enumerate() {
            prop_assert_eq!(due(&seen, second as u64, second as u64 + 1), u64::from(*expected), "second {}", second);
        }
    }
}
