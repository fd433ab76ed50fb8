//! Jobs over the same work.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used, missing_docs)]

use alloy_primitives::{B256, Bytes};
use hashlease_fixtures::{ethash_job, header_job, terms, verified};
use hashlease_primitives::{Algorithm, HeaderJob, LeaseId, Terms, UnixSeconds};
use hashlease_share::{HeaderShare, Share, VerifiedJob};
use proptest::prelude::*;

const START: u64 = 1_000_000;

fn lease(id: u64) -> Terms {
    Terms { id: LeaseId(id), ..terms(START, 7_200, 3_600) }
}

/// A job over a template: a coinbase whose bytes from `from` on are free, `tail` of them.
fn over(
    id: u64,
    template: &[u8],
    from: usize,
    tail: usize,
    change: impl FnOnce(&mut HeaderJob),
) -> VerifiedJob {
    let terms = lease(id);
    let mut job = HeaderJob {
        coinbase_prefix: Bytes::copy_from_slice(&template[..from]),
        tail_length: tail.try_into().unwrap(),
        coinbase_suffix: Bytes::copy_from_slice(&template[from + tail..]),
        ..header_job(&terms, 1, START..=START + 90)
    };
    change(&mut job);
    verified(&terms, job)
}

fn both_ways(one: &VerifiedJob, two: &VerifiedJob) -> bool {
    let overlaps = one.overlaps(two);
    assert_eq!(overlaps, two.overlaps(one));
    overlaps
}

#[test]
fn jobs_overlap_when_one_header_can_satisfy_both() {
    let template = [7; 100];
    let job = over(1, &template, 40, 8, |_| ());
    let other = |change: fn(&mut HeaderJob)| over(2, &template, 40, 8, change);
    assert!(both_ways(&job, &other(|_| ())));
    assert!(both_ways(&job, &over(2, &template, 36, 20, |_| ())), "a wider claim");
    assert!(both_ways(&job, &over(2, &template, 80, 4, |_| ())), "free parts that do not touch");
    assert!(both_ways(&job, &other(|job| job.version ^= 0x2000)), "a bit that miners choose");
    assert!(both_ways(&job, &other(|job| job.not_before = UnixSeconds::new(START + 90))), "one second");
    type Change = fn(&mut HeaderJob);
    let differs: [(&str, Change); 7] = [
        ("block", |job| job.prev_hash = B256::ZERO),
        ("target", |job| job.n_bits ^= 1),
        ("branch", |job| job.branch.push(B256::ZERO)),
        ("version", |job| job.version ^= 1),
        ("payout", |job| job.coinbase_suffix = vec![8; 52].into()),
        ("length", |job| job.coinbase_suffix = vec![7; 53].into()),
        ("time", |job| {
            job.not_before = UnixSeconds::new(START + 91);
            job.not_after = UnixSeconds::new(START + 99);
        }),
    ];
    for (name, change) in differs {
        assert!(!both_ways(&job, &other(change)), "{name}");
    }
    let scrypt = Terms { algorithm: Algorithm::Scrypt, ..lease(2) };
    let same = HeaderJob { lease: scrypt.id, ..job.job().header().unwrap().clone() };
    let scrypt = verified(&scrypt, same);
    assert!(!both_ways(&job, &scrypt), "another kind of work");
}

#[test]
fn ethash_jobs_overlap_when_one_nonce_can_satisfy_both() {
    let of = |id, prefix: &[u8], seal, epoch: u64| {
        let terms = Terms { algorithm: Algorithm::Etchash, ..lease(id) };
        let from = START + epoch * 3_600;
        let mut job = ethash_job(&terms, 1, from..=from + 40);
        job.nonce_prefix = Bytes::copy_from_slice(prefix);
        job.seal_hash = B256::repeat_byte(seal);
        verified(&terms, job)
    };
    let job = of(1, &[1, 2], 9, 0);
    assert!(both_ways(&job, &of(2, &[1, 2], 9, 0)));
    assert!(both_ways(&job, &of(2, &[1, 2, 0], 9, 0)), "the third byte is the epoch's");
    assert!(!both_ways(&job, &of(2, &[1, 2, 1], 9, 0)));
    assert!(!both_ways(&job, &of(2, &[1, 3], 9, 0)));
    assert!(!both_ways(&job, &of(2, &[1, 2], 8, 0)));
    assert!(!both_ways(&job, &of(2, &[1, 2], 9, 1)), "another epoch's byte");
    // the shorter prefix's epoch byte stands where the longer one has a byte of its own
    assert!(both_ways(&of(1, &[5], 9, 1), &of(2, &[5, 1], 9, 0)));
    assert!(!both_ways(&of(1, &[5], 9, 0), &of(2, &[5, 1], 9, 0)));
}

prop_compose! {
    /// A coinbase, and where two jobs leave it free.
    fn two_claims()(
        template in prop::collection::vec(0u8..2, 70..100),
        flips in prop::collection::vec(0usize..70, 0..3),
        from in 4usize..30, tail in 2usize..=32, other_from in 4usize..30, other_tail in 2usize..=32,
        chosen in prop::array::uniform32(0u8..2),
    ) -> (Vec<u8>, Vec<u8>, (usize, usize), (usize, usize), [u8; 32]) {
        let mut other = template.clone();
        for flip in flips {
            other[flip] ^= 1;
        }
        (template, other, (from, tail), (other_from, other_tail), chosen)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// A share read as one of the other job is the same header, and there is one only if the jobs
    /// overlap. If they do, some choice of the free bytes makes one.
    #[test]
    fn a_share_of_both_is_one_header(claims in two_claims()) {
        let (template, other, (from, tail), (other_from, other_tail), chosen) = claims;
        let one = over(1, &template, from, tail, |_| ());
        let two = over(2, &other, other_from, other_tail, |_| ());
        let share = |tail: &[u8]| HeaderShare {
            tail: tail.iter().copied().collect(),
            ntime: u32::try_from(START).unwrap() + 5,
            nonce: 7,
            version: 0x2000_0000,
        };
        let read = |tail: &[u8]| {
            let opened = one.open(&share(tail).into(), one.terms().end).unwrap();
            two.same_header(&one, &opened).map(|same| (opened, same))
        };
        // any tail, and the one that the other job's fixed bytes ask for
        let asked = &other[from..from + tail];
        for tail in [&chosen[..tail], asked] {
            if let Some((opened, same)) = read(tail) {
                prop_assert!(both_ways(&one, &two));
                let again = two.open(&same, two.terms().end).unwrap();
                prop_assert_eq!((again.key(), again.header()), (opened.key(), opened.header()));
                let back = one.same_header(&two, &again);
                prop_assert_eq!(back.as_ref(), Some(&Share::from(share(tail))));
            }
        }
        prop_assert_eq!(read(asked).is_some(), both_ways(&one, &two));
    }
}
