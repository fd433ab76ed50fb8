//! The evidence rules on any jobs and shares: shares alone and in batches get the same verdict,
//! which is that of an independent copy of the rules below; and all hashes are those of other
//! crates.
#![no_main]

use alloy_primitives::{B256, U256};
use arbitrary::{Arbitrary, Result, Unstructured};
use hashlease_fuzz::{CACHE, ethash_job, header, header_job, share, sign, terms, twice};
use hashlease_pow::ethash::result_of_mix;
use hashlease_primitives::{Algorithm, HeaderJob, Job, Terms, UnixSeconds};
use hashlease_share::{EvidenceReason, HeaderShare, OpenedShare, Share, VerifiedJob, open_many};
use libfuzzer_sys::fuzz_target;
use scrypt::Params;

#[derive(Debug)]
struct Input {
    algorithm: Algorithm,
    jobs: Vec<Job>,
    /// Each share with its job's index.
    shares: Vec<(usize, Share)>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let algorithm =
            *u.choose(&[Algorithm::Sha256d, Algorithm::Sha256d, Algorithm::Scrypt, Algorithm::Ethash])?;
        let ethash = algorithm == Algorithm::Ethash;
        let jobs: Vec<Job> = (0..u.int_in_range(1..=3)?)
            .map(|_| Ok(if ethash { ethash_job(u)?.into() } else { header_job(u)?.into() }))
            .collect::<Result<_>>()?;
        let most = match algorithm {
            Algorithm::Sha256d => 24,
            _ => 3,
        };
        let mut shares = Vec::new();
        for _ in 0..u.int_in_range(1..=most)? {
            let at = u.choose_index(jobs.len())?;
            shares.push((at, share(u, &jobs[at])?));
        }
        Ok(Self { algorithm, jobs, shares })
    }
}

/// The compared part of a verdict.
type Seen = std::result::Result<(B256, U256, u32, Option<[u8; 80]>, Option<B256>), EvidenceReason>;

fn seen(verdict: std::result::Result<OpenedShare, EvidenceReason>) -> Seen {
    verdict.map(|opened| {
        (opened.key(), opened.hash(), opened.epoch(), opened.header().copied(), opened.mix().copied())
    })
}

fn job_holds(terms: &Terms, job: &HeaderJob) -> bool {
    let length = job.coinbase_prefix.len() + usize::from(job.tail_length) + job.coinbase_suffix.len();
    job.lease == terms.id
        && job.not_before <= job.not_after
        && job.not_after - job.not_before.get() <= UnixSeconds::new(600)
        && job.not_before >= terms.start
        && job.not_after < terms.start + u64::from(terms.duration)
        && length <= 4_096
        && length != 64
        && (2..=32).contains(&job.tail_length)
        && job.branch.len() <= 16
        && job.version_mask & !0x1fff_ffe0 == 0
}

fn share_holds(terms: &Terms, job: &HeaderJob, share: &HeaderShare) -> bool {
    let ntime = UnixSeconds::from(share.ntime);
    share.tail.len() == usize::from(job.tail_length)
        && share.version & !job.version_mask == job.version & !job.version_mask
        && (job.not_before..=job.not_after).contains(&ntime)
        && (terms.start..terms.end).contains(&ntime)
}

fn check_header(terms: &Terms, job: &HeaderJob, share: &HeaderShare, seen: &Seen) {
    assert_eq!(seen.is_ok(), share_holds(terms, job, share), "{seen:?}");
    let Ok((key, hash, epoch, bytes, mix)) = seen else { return };
    let coinbase: [&[u8]; 3] = [&job.coinbase_prefix, &share.tail, &job.coinbase_suffix];
    let HeaderShare { ntime, nonce, version, .. } = *share;
    let plain = header(&coinbase, &job.branch, &job.prev_hash, job.n_bits, ntime, nonce, version);
    assert_eq!((*bytes, *mix), (Some(plain), None));
    assert_eq!(key.0, twice(&plain));
    assert_eq!(u64::from(*epoch), UnixSeconds::from(ntime).since(terms.start) / 3_600);
    let mut digest = twice(&plain);
    if terms.algorithm == Algorithm::Scrypt {
        scrypt::scrypt(&plain, &plain, &Params::new(10, 1, 1).unwrap(), &mut digest).unwrap();
    }
    assert_eq!(*hash, U256::from_le_bytes(digest));
}

fuzz_target!(|input: Input| {
    let terms = terms(input.algorithm);
    let verified: Vec<Option<VerifiedJob>> = input
        .jobs
        .iter()
        .map(|job| {
            let verdict = VerifiedJob::verify(&terms, sign(&terms, job.clone()));
            if let Job::Header(job) = job {
                assert_eq!(verdict.is_ok(), job_holds(&terms, job), "{:?}", verdict.err());
            }
            let verified = verdict.ok()?;
            Some(if verified.dag_epoch().is_some() { verified.with_cache(CACHE.clone()) } else { verified })
        })
        .collect();
    let shares: Vec<(&VerifiedJob, &Share)> =
        input.shares.iter().filter_map(|(at, share)| Some((verified[*at].as_ref()?, share))).collect();
    let mut many: Vec<Option<Seen>> = vec![None; shares.len()];
    open_many(terms.end, shares.iter().copied(), |at, verdict| {
        assert!(many[at].replace(seen(verdict)).is_none(), "one verdict per share");
    });
    for ((job, share), many) in shares.into_iter().zip(many) {
        let one = seen(job.open(share, terms.end));
        assert_eq!(Some(&one), many.as_ref());
        match (job.job(), share) {
            (Job::Header(job), Share::Header(share)) => check_header(&terms, job, share, &one),
            (Job::Ethash(job), Share::Ethash(share)) => {
                if let Ok((_, hash, _, None, Some(mix))) = one {
                    let result = result_of_mix(&job.seal_hash, share.nonce, &mix);
                    assert_eq!(hash, U256::from_be_bytes(result.0));
                    assert!(share.nonce.to_be_bytes().starts_with(&job.nonce_prefix));
                }
            }
            _ => unreachable!("shares are of their job's kind"),
        }
    }
});
