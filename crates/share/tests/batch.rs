//! Many shares together get the same verdicts as each share alone, and both are those of the plain
//! rules.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use alloy_primitives::{B256, U256};
use common::terms;
use hashlease_fixtures::{header_job, header_share, job_signer, key, sign_with, verified, weight};
use hashlease_primitives::{Algorithm, Domain, HeaderJob, LeaseId, Terms, UnixSeconds};
use hashlease_share::{EvidenceReason, HeaderShare, Share, VerifiedJob, open_many};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

const TIME: u64 = 1_700_000_000;

/// The share's key, header, hash and epoch, and the job that it counts for, if it counts; or the
/// refusal's code.
type Verdict = Result<([u8; 32], [u8; 80], U256, u32, Option<u64>), &'static str>;

fn sha256d(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(bytes)).into()
}

/// The rules in the order of the design, with hashes of other crates.
fn plainly(terms: &Terms, job: &HeaderJob, share: &HeaderShare) -> Verdict {
    if share.tail.len() != usize::from(job.tail_length) {
        return Err("extranonce-length");
    }
    if share.version & !job.version_mask != job.version & !job.version_mask {
        return Err("version-outside-mask");
    }
    let ntime = u64::from(share.ntime);
    if ntime < job.not_before.get() {
        return Err("ntime-too-early");
    }
    if ntime > job.not_after.get() {
        return Err("ntime-too-late");
    }
    if ntime < terms.start.get() || ntime >= terms.end.get() {
        return Err("outside-epoch");
    }
    let coinbase = [job.coinbase_prefix.as_ref(), &share.tail, &job.coinbase_suffix].concat();
    let root = job.branch.iter().fold(sha256d(&coinbase), |left, right| sha256d(&[left, right.0].concat()));
    let header = [
        share.version.to_le_bytes().as_slice(),
        job.prev_hash.as_slice(),
        &root,
        &share.ntime.to_le_bytes(),
        &job.n_bits.to_le_bytes(),
        &share.nonce.to_le_bytes(),
    ]
    .concat();
    let header: [u8; 80] = header.try_into().unwrap();
    let mut proof = sha256d(&header);
    if terms.algorithm == Algorithm::Scrypt {
        let params = scrypt::Params::new(10, 1, 1).unwrap();
        scrypt::scrypt(&header, &header, &params, &mut proof).unwrap();
    }
    let epoch = u32::try_from((ntime - terms.start.get()) / u64::from(terms.epoch_length)).unwrap();
    let hash = U256::from_le_bytes(proof);
    // at most 2^256 / weight - 1: the weight is the number of hashes that the share is worth
    let counts = hash.checked_mul(U256::from(terms.weight.work().hashes())).is_some();
    Ok((sha256d(&header), header, hash, epoch, counts.then_some(job.sequence)))
}

fn opened(opened: Result<hashlease_share::OpenedShare, hashlease_share::EvidenceReason>) -> Verdict {
    let opened = opened.map_err(|reason| reason.code())?;
    let (key, header, hash, epoch) =
        (opened.key().0, *opened.header().unwrap(), opened.hash(), opened.epoch());
    let counted = opened.settle().ok();
    assert!(counted.as_ref().is_none_or(|share| (share.key().0, share.epoch()) == (key, epoch)));
    Ok((key, header, hash, epoch, counted.map(|share| share.job())))
}

/// The masks of BIP 320 (16 bits) and BIP 323 (24 bits), no bits, and a single bit.
fn mask() -> impl Strategy<Value = u32> {
    prop::sample::select(vec![0x1fff_e000, 0x1fff_ffe0, 0, 0x20])
}

fn job() -> impl Strategy<Value = HeaderJob> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..120);
    let branch = prop::collection::vec(any::<[u8; 32]>().prop_map(B256::new), 0..4);
    (bytes(), bytes(), branch, 2u8..9, any::<[u8; 32]>(), any::<u32>(), mask()).prop_filter_map(
        "64 bytes of coinbase",
        |(prefix, suffix, branch, tail_length, prev_hash, version, version_mask)| {
            (prefix.len() + suffix.len() + usize::from(tail_length) != 64).then(|| HeaderJob {
                prev_hash: B256::new(prev_hash),
                version,
                version_mask,
                coinbase_prefix: prefix.into(),
                tail_length,
                coinbase_suffix: suffix.into(),
                branch,
                ..usual_job(1, 1)
            })
        },
    )
}

/// Shares of these jobs; most follow the rules.
fn shares(jobs: Vec<HeaderJob>) -> impl Strategy<Value = (Vec<HeaderJob>, Vec<(usize, HeaderShare)>)> {
    let one = (0..jobs.len(), any::<[u8; 8]>(), any::<[u32; 2]>(), 0u8..12, 0u32..101);
    let all = prop::collection::vec(one, 0..60);
    all.prop_map(move |all| {
        let share = |(at, tail, [bits, nonce], fault, second): (usize, [u8; 8], [u32; 2], u8, u32)| {
            let job: &HeaderJob = &jobs[at];
            let mut tail = tail[..usize::from(job.tail_length)].to_vec();
            let mut ntime = TIME as u32 + second;
            let mut version = job.version ^ (bits & job.version_mask);
            match fault {
                0 => tail.push(0),
                1 => version = bits,
                2 => ntime = TIME as u32 - 1,
                3 => ntime = TIME as u32 + 101,
                _ => {}
            }
            (at, HeaderShare { tail: tail.as_slice().try_into().unwrap(), ntime, nonce, version })
        };
        let shares = all.into_iter().map(share).collect();
        (jobs.clone(), shares)
    })
}

fn check(terms: &Terms, jobs: &[HeaderJob], shares: &[(usize, HeaderShare)]) {
    let numbered = |(sequence, job): (u64, &HeaderJob)| HeaderJob { sequence, ..job.clone() };
    let jobs: Vec<HeaderJob> = (7..).zip(jobs).map(numbered).collect();
    let verified: Vec<VerifiedJob> = jobs.iter().map(|job| verified(terms, job.clone())).collect();
    let submitted: Vec<(usize, Share)> =
        shares.iter().map(|(at, share)| (*at, share.clone().into())).collect();
    let mut many = vec![None; shares.len()];
    open_many(terms.end, submitted.iter().map(|(at, share)| (&verified[*at], share)), |i, verdict| {
        assert!(many[i].replace(opened(verdict)).is_none(), "one verdict per share");
    });
    for (((at, share), (_, whole)), many) in shares.iter().zip(&submitted).zip(many) {
        let expected = plainly(terms, &jobs[*at], share);
        assert_eq!(opened(verified[*at].open(whole, terms.end)), expected);
        assert_eq!(many, Some(expected));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sha256d_shares((jobs, shares) in prop::collection::vec(job(), 1..5).prop_flat_map(shares)) {
        check(&terms(Algorithm::Sha256d, 1, TIME, 3), &jobs, &shares);
    }

    #[test]
    fn shares_around_the_end_of_a_lease((jobs, shares) in prop::collection::vec(job(), 1..3).prop_flat_map(shares)) {
        let whole = terms(Algorithm::Sha256d, 1, TIME, 0);
        check(&Terms { start: UnixSeconds::new(TIME), ..whole.clone() }, &jobs, &shares);
        check(&Terms { end: UnixSeconds::new(TIME + 60), ..whole }, &jobs, &shares);
    }
}

proptest! {
    // an scrypt hash takes a hundred times as long
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn scrypt_shares((jobs, shares) in prop::collection::vec(job(), 1..4).prop_flat_map(shares)) {
        check(&terms(Algorithm::Scrypt, 1, TIME, 3), &jobs, &shares);
    }
}

fn usual_job(lease: u64, sequence: u64) -> HeaderJob {
    let terms = Terms { id: LeaseId(lease), ..terms(Algorithm::Sha256d, 0, TIME, 0) };
    header_job(&terms, sequence, TIME..=TIME + 100)
}

fn usual_share(nonce: u32) -> HeaderShare {
    let tail = nonce.to_be_bytes().as_slice().try_into().unwrap();
    HeaderShare { tail, ..header_share(&usual_job(1, 1), nonce) }
}

/// More shares than are hashed together at a time.
#[test]
fn a_thousand_shares() {
    let terms = terms(Algorithm::Sha256d, 4, TIME, 0);
    let shares: Vec<_> = (0..1_000).map(|nonce| (0, usual_share(nonce))).collect();
    check(&terms, &[usual_job(1, 1)], &shares);
}

/// The terms of one lease do not affect the shares of another lease in the same batch: neither its
/// algorithm, weight, epochs and chain nor its signer.
#[test]
fn each_share_is_judged_by_the_terms_of_its_job() {
    let lease =
        |id: u64, algorithm, log2, epoch| Terms { id: LeaseId(id), ..terms(algorithm, log2, TIME, epoch) };
    let other = key(8);
    let elsewhere = Domain { chain_id: 1, ..terms(Algorithm::Sha256d, 0, TIME, 0).domain };
    let leases = [
        lease(1, Algorithm::Sha256d, 0, 0),
        lease(2, Algorithm::Scrypt, 0, 1),
        lease(3, Algorithm::Sha256d, 95, 2),
        Terms { job_signer: other.address(), domain: elsewhere, ..lease(4, Algorithm::Sha256d, 3, 3) },
        lease(5, Algorithm::Scrypt, 2, 4),
    ];
    let end = leases.iter().map(|terms| terms.end).min().unwrap();
    let jobs: Vec<VerifiedJob> = leases
        .iter()
        .map(|terms| {
            let job = usual_job(terms.id.0, terms.id.0 + 10);
            let key = if terms.job_signer == other.address() { &other } else { job_signer() };
            VerifiedJob::verify(terms, sign_with(key, &terms.domain, job)).unwrap()
        })
        .collect();
    let shares: Vec<Share> = (0..40).map(|nonce| usual_share(nonce).into()).collect();
    let mut seen = 0;
    open_many(
        end,
        shares.iter().enumerate().map(|(at, share)| (&jobs[at % jobs.len()], share)),
        |at, verdict| {
            let (terms, job) = (&leases[at % leases.len()], &jobs[at % leases.len()]);
            let share = shares[at].header().unwrap();
            let expected = plainly(terms, job.job().header().unwrap(), share);
            let verdict = verdict.unwrap();
            assert_eq!(opened(Ok(verdict.clone())), expected);
            assert_eq!(opened(job.open(&shares[at], end)), expected);
            match verdict.settle() {
                Ok(counted) => {
                    assert_eq!((counted.lease(), counted.job()), (terms.id, terms.id.0 + 10));
                    assert_eq!(counted.work(), terms.weight.work());
                    assert!(terms.weight.target().is_met_by(counted.hash()));
                }
                Err(reason) => {
                    assert_eq!(reason, EvidenceReason::AboveTarget);
                    assert!(!terms.weight.target().is_met_by(expected.unwrap().2));
                }
            }
            seen += 1;
        },
    );
    assert_eq!(seen, shares.len());
    assert_eq!(leases[2].weight, weight(95), "otherwise no weight distinguishes the leases");
}
