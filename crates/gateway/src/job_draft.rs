//! What is signed of a pool's job: a pure function of the pool's words, the lease and the clock.

use alloy_primitives::{B256, Bytes};
use hashlease_primitives::{CLOCK_TOLERANCE, HeaderJob, HeaderTimeError, Job, Terms, UnixSeconds};
use hashlease_share::{EvidenceReason, MAX_JOB_WINDOW, MAX_TAIL, MIN_TAIL, VERSION_BITS, check_unsigned};
use hashlease_stratum::Notify;

/// Extranonce and version bits of a pool session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extranonce {
    /// The pool's part.
    pub extranonce1: Vec<u8>,
    /// Length of ours, bytes.
    pub extranonce2_size: usize,
    /// Version bits that the pool lets miners roll.
    pub version_mask: u32,
}

/// Why nothing is signed of a pool's job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
pub enum NotSigned {
    /// The coinbase carries a witness: its hash is not the transaction id.
    #[error("pool sends a coinbase with a witness: Stratum expects it without one")]
    Witness,
    /// The clock rule: the pool's time is ahead. It is never moved.
    #[error(
        "pool's time {ntime} is {ahead} s ahead of our clock's {now}: expected at most {CLOCK_TOLERANCE} s"
    )]
    Ahead { ntime: UnixSeconds, now: UnixSeconds, ahead: u64 },
    /// The window would end after the last time that a header can have.
    #[error("job window: {0}")]
    HeaderTime(#[from] HeaderTimeError),
    /// Not inside the lease.
    #[error("the lease is not running at {0}")]
    NotRunning(UnixSeconds),
    /// The free part of the extranonce is too short or too long.
    #[error(
        "pool's extranonce2 of {0} bytes: expected {MIN_TAIL} to {MAX_TAIL}, so that miners can be told apart"
    )]
    Tail(usize),
    /// A rule on jobs is broken.
    #[error("job would not count: {0}")]
    Rule(#[from] EvidenceReason),
}

/// What miners must change when it changes, as `due` counts changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Face {
    pub(crate) tip: B256,
    tail: u8,
    mask: u32,
}

/// A job to be signed: it keeps every rule and lacks only its sequence and signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobDraft(HeaderJob);

impl JobDraft {
    /// The job that is signed at `now` of a pool's latest one.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn of(
        terms: &Terms,
        notify: &Notify,
        session: &Extranonce,
        now: UnixSeconds,
    ) -> Result<Self, NotSigned> {
        if let [_, _, _, _, 0, 1, ..] = notify.coinb1.as_slice() {
            return Err(NotSigned::Witness);
        }
        let ntime = UnixSeconds::from(notify.ntime);
        let ahead = ntime.since(now);
        if ahead > CLOCK_TOLERANCE {
            return Err(NotSigned::Ahead { ntime, now, ahead });
        }
        let size = session.extranonce2_size;
        let tail_length = match u8::try_from(size) {
            Ok(length) if (MIN_TAIL..=MAX_TAIL).contains(&size) => length,
            _ => return Err(NotSigned::Tail(size)),
        };
        let not_before = ntime.max(now).max(terms.start);
        // three intervals, so that one lost job leaves no gap
        let window = terms.job_interval().saturating_mul(3).clamp(10, MAX_JOB_WINDOW);
        let last = terms.end.minus(1);
        if not_before > last || not_before.since(now) > CLOCK_TOLERANCE {
            return Err(NotSigned::NotRunning(now));
        }
        let not_after = not_before.plus(window).min(last);
        u32::try_from(not_after)?;
        let job = Job::Header(HeaderJob {
            lease: terms.id,
            sequence: 0,
            prev_hash: notify.prev_hash,
            n_bits: notify.n_bits,
            version: notify.version,
            // firmware replaces, sets or flips bits: without those of the version all do the same
            version_mask: session.version_mask & VERSION_BITS & !notify.version,
            not_before,
            not_after,
            coinbase_prefix: Bytes::from([notify.coinb1.as_slice(), &session.extranonce1].concat()),
            tail_length,
            coinbase_suffix: Bytes::from(notify.coinb2.clone()),
            branch: notify.branch.clone(),
        });
        check_unsigned(terms, &job)?;
        match job {
            Job::Header(job) => Ok(Self(job)),
            Job::Ethash(_) => Err(EvidenceReason::JobKind(terms.algorithm).into()),
        }
    }

    /// Whether the pool's own time lies behind the clock by more than the clock rule allows. Its jobs
    /// are signed nevertheless, with our time, and the renter is told.
    #[must_use]
    pub fn lag(notify: &Notify, received: UnixSeconds) -> Option<u64> {
        let behind = received.since(UnixSeconds::from(notify.ntime));
        (behind > CLOCK_TOLERANCE).then_some(behind)
    }

    pub(crate) const fn face(&self) -> Face {
        Face { tip: self.0.prev_hash, tail: self.0.tail_length, mask: self.0.version_mask }
    }

    /// The layout that its miners are told: that of the pool, with the mask that is signed.
    pub(crate) fn layout(&self, session: &Extranonce) -> Extranonce {
        Extranonce { version_mask: self.0.version_mask, ..session.clone() }
    }

    pub(crate) fn into_job(self, sequence: u64) -> Job {
        Job::Header(HeaderJob { sequence, ..self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashlease_fixtures::terms;
    use hashlease_stratum::BIP320_MASK;

    fn notify() -> Notify {
        Notify {
            job_id: "a".into(),
            prev_hash: B256::repeat_byte(1),
            coinb1: vec![2, 0, 0, 0, 1, 9],
            coinb2: vec![3; 30],
            branch: vec![],
            version: 0x2000_0000,
            n_bits: 0x1d00_ffff,
            ntime: 1_005,
            clean_jobs: true,
        }
    }

    fn session() -> Extranonce {
        Extranonce { extranonce1: vec![7; 4], extranonce2_size: 8, version_mask: BIP320_MASK }
    }

    /// For a lease of 60 s from second 1,000 on.
    fn draft(notify: &Notify, session: &Extranonce, now: u64) -> Result<HeaderJob, NotSigned> {
        JobDraft::of(&terms(1_000, 60, 20), notify, session, UnixSeconds::new(now)).map(|draft| draft.0)
    }

    fn window(job: &HeaderJob) -> (u64, u64) {
        (job.not_before.get(), job.not_after.get())
    }

    #[test]
    fn windows_lie_inside_the_lease_and_never_before_the_pools_time() {
        let early = draft(&notify(), &session(), 990).unwrap();
        assert_eq!(window(&early), (1_005, 1_015));
        assert!(early.coinbase_prefix.ends_with(&[7; 4]));
        assert_eq!(window(&draft(&notify(), &session(), 1_055).unwrap()), (1_055, 1_059));
        assert_eq!(draft(&notify(), &session(), 1_060), Err(NotSigned::NotRunning(UnixSeconds::new(1_060))));
        let long_ago = Notify { ntime: 5, ..notify() };
        assert_eq!(
            draft(&long_ago, &session(), 939),
            Err(NotSigned::NotRunning(UnixSeconds::new(939))),
            "the window would open later than the clock rule allows"
        );
        assert_eq!(window(&draft(&long_ago, &session(), 940).unwrap()), (1_000, 1_010));
    }

    #[test]
    fn a_pools_time_that_others_refuse_is_not_signed_and_never_moved() {
        let ahead = |seconds: u32| draft(&Notify { ntime: 1_010 + seconds, ..notify() }, &session(), 1_010);
        assert_eq!(window(&draft(&Notify { ntime: 1_050, ..notify() }, &session(), 990).unwrap()).0, 1_050);
        for seconds in [61, 305, 7_200] {
            let expected = NotSigned::Ahead {
                ntime: UnixSeconds::new(1_010 + u64::from(seconds)),
                now: UnixSeconds::new(1_010),
                ahead: u64::from(seconds),
            };
            assert_eq!(ahead(seconds), Err(expected));
        }
        let at = |seconds: u64| JobDraft::lag(&notify(), UnixSeconds::new(1_005 + seconds));
        assert_eq!((at(60), at(61)), (None, Some(61)), "a pool's lag is told");
    }

    #[test]
    fn bits_of_the_jobs_own_version_are_left_out_of_the_mask() {
        let mask = |version, granted| {
            let notify = Notify { version, ..notify() };
            let session = Extranonce { version_mask: granted, ..session() };
            let job = draft(&notify, &session, 1_010).unwrap();
            assert_eq!(job.version & job.version_mask, 0);
            assert_eq!(job.version, version, "the version stays the pool's");
            job.version_mask
        };
        assert_eq!(mask(0x2000_0000, BIP320_MASK), BIP320_MASK);
        assert_eq!(mask(0x2080_0000, BIP320_MASK), BIP320_MASK & !0x0080_0000);
        assert_eq!(mask(0x3fff_e000, BIP320_MASK), 0);
        assert_eq!(mask(0x2000_0000, u32::MAX), 0x1fff_ffe0, "no bits beyond those that may ever be rolled");
    }

    #[test]
    fn a_job_that_breaks_a_rule_is_not_signed() {
        for size in [0, 1, 33, 64] {
            let session = Extranonce { extranonce2_size: size, ..session() };
            assert_eq!(draft(&notify(), &session, 1_010), Err(NotSigned::Tail(size)));
        }
        let witness = Notify { coinb1: vec![2, 0, 0, 0, 0, 1, 1], ..notify() };
        assert_eq!(draft(&witness, &session(), 1_010), Err(NotSigned::Witness));
        // 6 and 4 bytes before, 8 of the miner
        let longest = Notify { coinb2: vec![3; 4_096 - 18], ..notify() };
        assert!(draft(&longest, &session(), 1_010).is_ok());
        for coinb2 in [4_096 - 17, 64 - 18] {
            let refused = draft(&Notify { coinb2: vec![3; coinb2], ..notify() }, &session(), 1_010);
            assert!(matches!(refused, Err(NotSigned::Rule(EvidenceReason::JobCoinbase { .. }))));
        }
        let deep = Notify { branch: vec![B256::ZERO; 17], ..notify() };
        assert!(matches!(
            draft(&deep, &session(), 1_010),
            Err(NotSigned::Rule(EvidenceReason::JobBranch { .. }))
        ));
        let beyond = Terms {
            start: UnixSeconds::new(1 << 32),
            end: UnixSeconds::new((1 << 32) + 60),
            ..terms(1_000, 60, 20)
        };
        let late = JobDraft::of(&beyond, &notify(), &session(), UnixSeconds::new(1 << 32));
        assert!(matches!(late, Err(NotSigned::HeaderTime(_))), "{late:?}");
    }
}
