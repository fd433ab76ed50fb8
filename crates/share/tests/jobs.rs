//! The limits of a valid job, and how a job reads a miner's submit.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::terms;
use hashlease_fixtures::sign;
use hashlease_primitives::{Algorithm, EthashJob, HeaderJob, Job, UnixSeconds};
use hashlease_share::{
    EvidenceReason, HeaderShare, MAX_JOB_WINDOW, MAX_TAIL, MIN_TAIL, SubmittedHeader, VerifiedJob,
};
use proptest::prelude::*;

const TIME: u64 = 1_700_000_000;
/// The first second above the range of a `uint40`.
const TOO_LATE: u64 = 1 << 40;

fn header_job() -> HeaderJob {
    let terms = terms(Algorithm::Sha256d, 0, TIME, 0);
    HeaderJob { version: 0x2000_6000, ..hashlease_fixtures::header_job(&terms, 1, TIME..=TIME + 100) }
}

fn ethash_job() -> EthashJob {
    let terms = terms(Algorithm::Ethash, 0, TIME, 0);
    EthashJob {
        nonce_prefix: vec![1, 2].into(),
        ..hashlease_fixtures::ethash_job(&terms, 1, TIME..=TIME + 100)
    }
}

fn refused(algorithm: Algorithm, time: u64, job: impl Into<Job>) -> Option<EvidenceReason> {
    let terms = terms(algorithm, 1, time, 0);
    VerifiedJob::verify(&terms, sign(&terms, job)).err()
}

/// A signature covers times as `uint40`, so two jobs with later times would share one signature.
#[test]
fn a_job_later_than_its_signature_can_cover_is_refused() {
    let header = |from, to| HeaderJob { not_before: from, not_after: to, ..header_job() };
    let ethash = |from, to| EthashJob { not_before: from, not_after: to, ..ethash_job() };
    let domain = terms(Algorithm::Sha256d, 1, TIME, 0).domain;
    let digest = |job: HeaderJob| Job::from(job).digest(&domain);
    let last = TOO_LATE - 1;
    assert_ne!(
        digest(header(UnixSeconds::new(last - 9), UnixSeconds::new(last))),
        digest(header(UnixSeconds::new(last - 9), UnixSeconds::new(last - 1)))
    );
    assert_eq!(
        digest(header(UnixSeconds::new(last - 9), UnixSeconds::new(last))),
        digest(header(UnixSeconds::new(last - 9), UnixSeconds::new(last + 1))),
        "otherwise the rule has no effect"
    );

    assert_eq!(
        refused(Algorithm::Sha256d, TOO_LATE, header(UnixSeconds::new(last - 9), UnixSeconds::new(last))),
        None
    );
    assert_eq!(
        refused(Algorithm::Ethash, TOO_LATE, ethash(UnixSeconds::new(last - 9), UnixSeconds::new(last))),
        None
    );
    let far = u64::MAX - MAX_JOB_WINDOW;
    for (from, to) in [(last, TOO_LATE), (TOO_LATE, TOO_LATE), (TOO_LATE, TOO_LATE + 60), (far, u64::MAX)] {
        let window = Some(EvidenceReason::JobWindow {
            not_before: UnixSeconds::new(from),
            not_after: UnixSeconds::new(to),
            max: MAX_JOB_WINDOW,
        });
        assert_eq!(
            refused(Algorithm::Sha256d, TOO_LATE, header(UnixSeconds::new(from), UnixSeconds::new(to))),
            window
        );
        assert_eq!(
            refused(Algorithm::Ethash, TOO_LATE, ethash(UnixSeconds::new(from), UnixSeconds::new(to))),
            window
        );
    }
    assert_eq!(
        refused(Algorithm::Sha256d, TOO_LATE, header(UnixSeconds::new(last), UnixSeconds::new(TOO_LATE)))
            .unwrap()
            .to_string(),
        "job window 1099511627775 to 1099511627776: expected 0 to 600 seconds, before 2^40"
    );
}

#[test]
fn a_tail_too_short_or_too_long_is_told_as_the_jobs() {
    let with = |tail_length: u8| refused(Algorithm::Scrypt, TIME, HeaderJob { tail_length, ..header_job() });
    assert_eq!((with(2), with(32)), (None, None));
    assert_eq!(with(1).unwrap(), EvidenceReason::JobTail { length: 1, min: MIN_TAIL, max: MAX_TAIL });
    let reason = with(40).unwrap();
    assert_eq!(reason, EvidenceReason::JobTail { length: 40, min: MIN_TAIL, max: MAX_TAIL });
    assert_eq!(
        (reason.code(), reason.to_string().as_str()),
        ("job-tail", "job tail of 40 bytes: expected 2 to 32")
    );
}

#[test]
fn a_mask_is_told_with_the_bits_that_it_may_have() {
    let with =
        |version_mask: u32| refused(Algorithm::Sha256d, TIME, HeaderJob { version_mask, ..header_job() });
    assert_eq!((with(0), with(0x1fff_ffe0)), (None, None));
    let reason = with(0x3fff_e000).unwrap();
    assert_eq!(
        (reason.code(), reason.to_string().as_str()),
        ("job-version-mask", "job version mask 3fffe000: expected bits of 1fffffe0 only")
    );
}

/// A cancellation makes no job bad that was signed before it.
#[test]
fn a_job_is_judged_by_the_lease_as_rented() {
    let mut cancelled = terms(Algorithm::Sha256d, 1, TIME, 0);
    cancelled.end = cancelled.start + 600;
    assert!(TIME >= cancelled.end.get());
    assert!(VerifiedJob::verify(&cancelled, sign(&cancelled, header_job())).is_ok());
    let last = cancelled.as_rented().end - 1;
    let to_the_last = HeaderJob { not_before: last - 9, not_after: last, ..header_job() };
    assert!(VerifiedJob::verify(&cancelled, sign(&cancelled, to_the_last.clone())).is_ok());
    let beyond = HeaderJob { not_after: last + 1, ..to_the_last };
    let reason = VerifiedJob::verify(&cancelled, sign(&cancelled, beyond)).unwrap_err();
    assert_eq!(
        reason,
        EvidenceReason::JobOutsideLease {
            not_before: last - 9,
            not_after: last + 1,
            start: cancelled.start,
            end: last + 1
        }
    );
}

fn chosen(tail: &[u8], version_bits: Option<u32>) -> SubmittedHeader<'_> {
    SubmittedHeader { tail, ntime: 1, nonce: 2, version_bits }
}

fn version(mask: u32, bits: Option<u32>) -> Result<u32, EvidenceReason> {
    HeaderShare::submitted(&header_job(), mask, chosen(&[0; 4], bits)).map(|share| share.version)
}

#[test]
fn submitted_bits_replace_those_of_the_job() {
    let mask = header_job().version_mask;
    assert_eq!(version(mask, None), Ok(0x2000_6000), "a miner that rolls no bits");
    assert_eq!(version(mask, Some(0x6000)), Ok(0x2000_6000));
    assert_eq!(
        version(mask, Some(0)),
        Ok(0x2000_0000),
        "replaced, not or-ed: a miner may clear a bit of the job"
    );
    assert_eq!(version(mask, Some(mask)), Ok(0x3fff_e000));
    assert_eq!(version(0, None), Ok(0x2000_6000));
    assert_eq!(version(0, Some(0)), Ok(0x2000_6000));
    // a miner whose mask is smaller than the job's: the other bits stay the job's
    assert_eq!(version(0x2000, None), Ok(0x2000_6000));
    assert_eq!(version(0x2000, Some(0)), Ok(0x2000_4000));
    assert_eq!(version(0x2000, Some(0x2000)), Ok(0x2000_6000));
}

#[test]
fn submitted_bits_outside_the_mask_are_refused() {
    let job = header_job();
    for (mask, bits, version_meant) in [
        (job.version_mask, 0x2000_6000, 0x0000_6000),
        (job.version_mask, 1, 0x2000_6001),
        (0x2000, 0x4000, 0x2000_2000),
        (0, 0x2000, 0x2000_4000),
        (0, u32::MAX, !0x2000_6000),
    ] {
        let reason = EvidenceReason::VersionOutsideMask { version: version_meant, job: job.version, mask };
        assert_eq!(version(mask, Some(bits)), Err(reason), "{bits:08x} {mask:08x}");
    }
}

#[test]
fn a_submitted_tail_is_as_long_as_the_job_says() {
    for length in [0, 3, 5, 32, 33, 1_000] {
        let refused = HeaderShare::submitted(&header_job(), 0, chosen(&vec![7; length], None));
        assert_eq!(refused, Err(EvidenceReason::ExtranonceLength { expected: 4, actual: length }));
    }
    let share = HeaderShare::submitted(&header_job(), 0, chosen(&[7; 4], None)).unwrap();
    assert_eq!((share.tail.as_slice(), share.ntime, share.nonce), ([7; 4].as_slice(), 1, 2));
}

proptest! {
    /// Bit by bit: the miner sets the bits inside the mask, the job all others, and every accepted
    /// version satisfies the evidence rule.
    #[test]
    fn submitted_versions_follow_bip_310(job: u32, granted: u32, told: u32, bits: u32, rolls: bool) {
        let mask = granted & told;
        let signed = HeaderJob { version: job, version_mask: granted, ..header_job() };
        let share = HeaderShare::submitted(&signed, mask, chosen(&[0; 4], rolls.then_some(bits & mask))).unwrap();
        for bit in 0..32 {
            let of = |word: u32| word >> bit & 1;
            let expected = if rolls && of(mask) == 1 { of(bits) } else { of(job) };
            prop_assert_eq!(of(share.version), expected);
        }
        prop_assert_eq!((share.version ^ job) & !granted, 0);
        let all = HeaderShare::submitted(&signed, mask, chosen(&[0; 4], Some(bits)));
        prop_assert_eq!(all.is_ok(), bits & !mask == 0);
    }
}
