//! Real blocks of Ethereum and Ethereum Classic are shares of Ethash leases, and every broken rule
//! has its code.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use alloy_primitives::{B256, U256, keccak256};
use common::{EPOCH, meets_from_its_hash_on, terms};
use hashlease_fixtures::{ethash_job, sign, verified};
use hashlease_pow::ethash::{EthashEpoch, LightCache};
use hashlease_primitives::{Algorithm, EthashJob, LeaseId, SettlementWeight, Target, Terms, UnixSeconds};
use hashlease_share::{
    EthashShare, EvidenceReason, HeaderShare, MAX_NONCE_PREFIX, Share, VerifiedJob, open_many,
};
use serde_json::Value;
use std::sync::{Arc, OnceLock};

const TIME: u64 = 1_700_000_000;

struct Block {
    name: String,
    algorithm: Algorithm,
    number: u64,
    seal_hash: B256,
    nonce: u64,
    mix: B256,
    difficulty: u64,
}

fn blocks() -> Vec<Block> {
    let all: Vec<Value> =
        serde_json::from_str(include_str!("../../../tests/vectors/ethash_headers.json")).unwrap();
    let hash = |block: &Value, field: &str| block[field].as_str().unwrap().parse::<B256>().unwrap();
    let block = |block: &Value| Block {
        name: block["name"].as_str().unwrap().to_owned(),
        algorithm: if block["algo"] == "etchash" { Algorithm::Etchash } else { Algorithm::Ethash },
        number: block["number"].as_u64().unwrap(),
        seal_hash: hash(block, "seal_hash"),
        nonce: u64::from_str_radix(block["nonce"].as_str().unwrap(), 16).unwrap(),
        mix: hash(block, "mix_hash"),
        difficulty: block["difficulty"].as_u64().unwrap(),
    };
    all.iter().map(block).collect()
}

/// The first block, whose cache is small; the cache is built once.
fn first() -> (Block, Arc<LightCache>) {
    static CACHE: OnceLock<Arc<LightCache>> = OnceLock::new();
    let cache = CACHE.get_or_init(|| Arc::new(LightCache::build(EthashEpoch::of_ethash_block(0).unwrap())));
    (blocks().remove(0), Arc::clone(cache))
}

impl Block {
    /// The job in which the lease fixes `prefix` bytes of the nonce, and the terms under which the
    /// next byte is the epoch.
    fn job(&self, prefix: usize) -> (Terms, EthashJob) {
        let nonce = self.nonce.to_be_bytes();
        let log2 = u8::try_from(self.difficulty.ilog2()).unwrap();
        let terms = terms(self.algorithm, log2, TIME, u32::from(nonce[prefix]));
        let job = EthashJob {
            seal_hash: self.seal_hash,
            block_number: self.number,
            nonce_prefix: nonce[..prefix].to_vec().into(),
            ..ethash_job(&terms, 1, TIME..=TIME + 60)
        };
        (terms, job)
    }

    fn share(&self) -> Share {
        EthashShare { nonce: self.nonce }.into()
    }
}

#[test]
fn real_blocks_are_shares() {
    let all = blocks();
    assert!(all.iter().any(|block| block.algorithm == Algorithm::Etchash), "a block after ECIP-1099");
    for block in &all {
        let name = &block.name;
        let (terms, job) = block.job(2);
        let job = verified(&terms, job);
        // most blocks have the same DAG epoch: build its cache only once
        let epoch = job.dag_epoch().unwrap();
        let cache = if epoch.index() == 0 { first().1 } else { Arc::new(LightCache::build(epoch)) };
        let job = job.with_cache(cache);
        let opened = job.open(&block.share(), terms.end).unwrap();
        let nonce = block.nonce.to_be_bytes();
        assert_eq!(opened.key(), keccak256([block.seal_hash.as_slice(), &nonce].concat()), "{name}");
        assert_eq!((opened.mix(), opened.header()), (Some(&block.mix), None), "{name}");
        assert!(opened.meets(Target(U256::MAX / U256::from(block.difficulty))), "{name}");
        assert!(meets_from_its_hash_on(&opened), "{name}");
        assert_eq!(opened.epoch(), u32::from(nonce[2]), "{name}");
        let share = opened.settle().unwrap();
        assert_eq!(share.work().hashes(), 1 << block.difficulty.ilog2(), "{name}");
        // another nonce with the same prefix and epoch byte misses the target
        let other = EthashShare { nonce: block.nonce ^ 1 }.into();
        assert_eq!(
            job.open(&other, terms.end).unwrap().settle().unwrap_err(),
            EvidenceReason::AboveTarget,
            "{name}"
        );
    }
}

#[test]
fn a_claimed_mix_is_refused_before_the_cache_is_read() {
    let (block, cache) = first();
    let (terms, job) = block.job(2);
    let target = Target(U256::MAX / U256::from(block.difficulty));
    // no cache at all: a check that needs the cache gets another refusal
    let without = verified(&terms, job.clone());
    let claimed =
        |job: &VerifiedJob, mix: &B256, target| job.open_claimed(&block.share(), terms.end, mix, target);
    let not_ready = EvidenceReason::CacheNotReady { epoch: 0 };
    assert_eq!(without.open(&block.share(), terms.end).unwrap_err(), not_ready);

    let with = without.with_cache(cache);
    let false_mix = block.mix ^ B256::with_last_byte(1);
    assert_eq!(claimed(&with, &false_mix, target).unwrap_err(), EvidenceReason::AboveTarget);
    let wrong = claimed(&with, &false_mix, Target::MAX).unwrap_err();
    assert_eq!(wrong, EvidenceReason::WrongMix { expected: block.mix, actual: false_mix });
    let opened = claimed(&with, &block.mix, target).unwrap();
    assert_eq!(opened.mix(), Some(&block.mix));
    // at a target equal to the hash, and at the next lower one
    let hash = opened.hash();
    assert!(claimed(&with, &block.mix, Target(hash)).is_ok());
    let below = Target(hash - U256::ONE);
    assert_eq!(claimed(&with, &block.mix, below).unwrap_err(), EvidenceReason::AboveTarget);
}

#[test]
fn a_cache_of_another_epoch_is_ignored() {
    let (block, cache) = first();
    let (terms, job) = block.job(2);
    let later = verified(&terms, EthashJob { block_number: 30_000, ..job }).with_cache(cache);
    let refused = later.open(&block.share(), terms.end).unwrap_err();
    assert_eq!((refused.code(), refused), ("cache-not-ready", EvidenceReason::CacheNotReady { epoch: 1 }));
}

#[test]
fn every_rule_on_jobs_has_its_name() {
    let (block, _) = first();
    let (terms, good) = block.job(2);
    let refused = |job: EthashJob| VerifiedJob::verify(&terms, sign(&terms, job)).unwrap_err();
    let epoch_end = terms.epoch_end(u32::from(block.nonce.to_be_bytes()[2]));
    let job = || good.clone();

    assert_eq!(refused(EthashJob { lease: LeaseId(2), ..job() }).code(), "other-lease");
    assert_eq!(refused(EthashJob { not_after: UnixSeconds::new(TIME + 601), ..job() }).code(), "job-window");
    assert_eq!(refused(EthashJob { not_after: UnixSeconds::new(TIME - 1), ..job() }).code(), "job-window");
    let long = EthashJob { nonce_prefix: vec![0; MAX_NONCE_PREFIX + 1].into(), ..job() };
    assert_eq!(refused(long), EvidenceReason::JobNoncePrefix { length: 7, max: 6 });
    let unmarked = EthashJob { nonce_prefix: vec![].into(), ..job() };
    assert_eq!(refused(unmarked), EvidenceReason::JobNoncePrefix { length: 0, max: 6 });
    let absurd = EthashJob { block_number: u64::MAX, ..job() };
    assert_eq!(refused(absurd), EvidenceReason::JobBlock { block: u64::MAX });
    // up to the last second of the epoch, and one second longer
    let (not_before, not_after) = (epoch_end - 10, epoch_end - 1);
    assert!(VerifiedJob::verify(&terms, sign(&terms, EthashJob { not_before, not_after, ..job() })).is_ok());
    let across = EthashJob { not_before, not_after: epoch_end, ..job() };
    assert_eq!(refused(across), EvidenceReason::JobOutsideEpoch { not_before, not_after: epoch_end });
    let early = EthashJob { not_before: terms.start - 1, not_after: terms.start + 1, ..job() };
    assert_eq!(refused(early).code(), "job-outside-lease");

    let mut unsigned = sign(&terms, job());
    unsigned.signature = [0; 65];
    assert_eq!(VerifiedJob::verify(&terms, unsigned).unwrap_err(), EvidenceReason::JobUnsigned);
    let changes: [fn(&mut EthashJob); 6] = [
        |job| job.sequence += 1,
        |job| job.seal_hash.0[0] ^= 1,
        |job| job.block_number += 1,
        |job| job.nonce_prefix = vec![0; 2].into(),
        |job| job.not_before += 1,
        |job| job.not_after += 1,
    ];
    for change in changes {
        let mut signed = sign(&terms, job());
        let mut other = good.clone();
        change(&mut other);
        signed.job = other.into();
        assert_eq!(VerifiedJob::verify(&terms, signed).unwrap_err(), EvidenceReason::JobSignature);
    }
}

#[test]
fn every_rule_on_shares_has_its_name() {
    let (block, cache) = first();
    let (terms, job) = block.job(2);
    let good = verified(&terms, job.clone()).with_cache(Arc::clone(&cache));
    let refused = |nonce: u64| good.open(&EthashShare { nonce }.into(), terms.end).unwrap_err();
    for bit in [48, 55, 63] {
        let nonce = block.nonce ^ (1 << bit);
        assert_eq!(
            refused(nonce),
            EvidenceReason::NonceOutsidePrefix { nonce, prefix: job.nonce_prefix.clone() }
        );
    }
    let [.., expected, _, _, _, _, _] = block.nonce.to_be_bytes();
    let actual = expected ^ 1;
    assert_eq!(refused(block.nonce ^ (1 << 40)), EvidenceReason::NonceOfOtherEpoch { expected, actual });
    let header = HeaderShare { tail: Default::default(), ntime: 0, nonce: 0, version: 0 };
    assert_eq!(
        good.open(&header.into(), terms.end).unwrap_err(),
        EvidenceReason::ShareKind(Algorithm::Ethash)
    );
    // after a cancellation the job's epoch lies behind the end
    let ended = Terms { end: terms.epoch_start(u32::from(expected)), ..terms.clone() };
    assert_eq!(good.open(&block.share(), ended.end).unwrap_err().code(), "outside-epoch");
    // also of a job that was verified after the cancellation
    let late = verified(&ended, job).with_cache(cache);
    assert_eq!(late.open(&block.share(), terms.end).unwrap_err().code(), "outside-epoch");
    assert!(good.open(&block.share(), terms.end).is_ok());
    assert!(u64::from(EPOCH) > 600, "otherwise no window could be tried");
}

/// The nonce holds the epoch number modulo 256, so epochs 0 and 256 have the same byte.
#[test]
fn the_epoch_byte_wraps() {
    let (block, cache) = first();
    let (_, job) = block.job(2);
    let byte = u32::from(block.nonce.to_be_bytes()[2]);
    let later = terms(Algorithm::Ethash, 1, TIME, byte + 256);
    assert!(byte + 256 < 600, "otherwise the lease is too short");
    let opened = verified(&later, job).with_cache(cache).open(&block.share(), later.end).unwrap();
    assert_eq!(opened.epoch(), byte + 256);
}

/// More shares than are hashed together at a time, of jobs with one cache, another cache, and no
/// cache.
#[test]
fn many_are_opened_as_one_by_one() {
    let (block, cache) = first();
    let (terms, job) = block.job(2);
    // so easy that every second share counts
    let terms = Terms { weight: SettlementWeight::from_log2(1).unwrap(), ..terms };
    let next = EthashJob { sequence: 2, block_number: 30_000, ..job.clone() };
    let other = Arc::new(LightCache::build(EthashEpoch::of_ethash_block(30_000).unwrap()));
    let jobs = [
        verified(&terms, job).with_cache(cache),
        verified(&terms, EthashJob { sequence: 3, ..next.clone() }).with_cache(other),
        verified(&terms, next),
    ];
    let shares: Vec<(usize, Share)> = (0..620u64)
        .map(|i| {
            let job = match i {
                _ if i % 7 == 3 => 2,
                _ if i % 31 == 5 || i > 610 => 1,
                _ => 0,
            };
            // some nonces have another epoch's byte
            let nonce = block.nonce ^ if i % 25 == 0 { (i % 250) << 40 } else { i };
            (job, EthashShare { nonce }.into())
        })
        .collect();
    // the first job has more shares than one full batch
    let shares = [vec![shares[1].clone(); 300], shares].concat();
    let verdict = |opened: Result<hashlease_share::OpenedShare, EvidenceReason>| {
        opened.map(|opened| {
            let (mix, hash, key) = (opened.mix().copied(), opened.hash(), opened.key());
            (key, hash, mix, opened.epoch(), opened.settle().map(|share| share.job()))
        })
    };
    let mut many = vec![None; shares.len()];
    open_many(terms.end, shares.iter().map(|(job, share)| (&jobs[*job], share)), |i, opened| {
        assert!(many[i].replace(verdict(opened)).is_none(), "one verdict per share");
    });
    for ((job, share), many) in shares.iter().zip(many) {
        assert_eq!(many, Some(verdict(jobs[*job].open(share, terms.end))));
    }
}
