//! Terms, keys and jobs for the tests of this crate.
#![allow(dead_code, unreachable_pub)]

use alloy_primitives::{Address, B256, U256};
use hashlease_primitives::{
    Algorithm, Domain, HashRate, HeaderJob, Job, LeaseId, LocalSigner, SettlementWeight, SignedJob, Target,
    Terms, UnixSeconds,
};
use hashlease_share::{HeaderShare, OpenedShare, VerifiedJob};

/// Seconds of an epoch.
pub const EPOCH: u32 = 3_600;

pub fn signer() -> LocalSigner {
    LocalSigner::from_bytes(&[7; 32]).unwrap()
}

/// A lease of 600 epochs in which `time` lies in epoch `epoch`.
pub fn terms(algorithm: Algorithm, log2: u8, time: u64, epoch: u32) -> Terms {
    let start = time - 1_800 - u64::from(epoch * EPOCH);
    let duration = 600 * EPOCH;
    Terms {
        id: LeaseId(1),
        domain: Domain { chain_id: 31_337, contract: Address::repeat_byte(1) },
        oracle: Address::repeat_byte(2),
        provider: Address::repeat_byte(3),
        job_signer: signer().address(),
        algorithm,
        weight: SettlementWeight::from_log2(log2).unwrap(),
        rate: HashRate::new(1),
        start: UnixSeconds::new(start),
        end: UnixSeconds::new(start + u64::from(duration)),
        duration,
        epoch_length: EPOCH,
    }
}

pub fn sign(terms: &Terms, job: impl Into<Job>) -> SignedJob {
    let job = job.into();
    let signature = signer().sign(&job.digest(&terms.domain)).unwrap();
    SignedJob { job, signature }
}

pub fn verified(terms: &Terms, job: impl Into<Job>) -> VerifiedJob {
    VerifiedJob::verify(terms, sign(terms, job)).unwrap()
}

fn word(header: &[u8; 80], at: usize) -> u32 {
    u32::from_le_bytes(header[at..at + 4].try_into().unwrap())
}

/// Time of a header.
pub fn time(header: &[u8; 80]) -> u64 {
    u64::from(word(header, 68))
}

/// A hash meets the target that equals it, and none below.
pub fn meets_from_its_hash_on(opened: &OpenedShare) -> bool {
    opened.meets(Target(opened.hash())) && !opened.meets(Target(opened.hash() - U256::ONE))
}

/// A real block as a job, with the bytes `tail` of its coinbase as the miner's, and the share that it was.
pub fn cut(
    header: &[u8; 80],
    coinbase: &[u8],
    tail: std::ops::Range<usize>,
    branch: &[B256],
) -> (HeaderJob, HeaderShare) {
    let (version, ntime) = (word(header, 0), word(header, 68));
    let job = HeaderJob {
        lease: LeaseId(1),
        sequence: 1,
        prev_hash: B256::from_slice(&header[4..36]),
        n_bits: word(header, 72),
        version,
        version_mask: 0,
        not_before: UnixSeconds::new(u64::from(ntime) - 30),
        not_after: UnixSeconds::new(u64::from(ntime) + 60),
        coinbase_prefix: coinbase[..tail.start].to_vec().into(),
        tail_length: tail.len().try_into().unwrap(),
        coinbase_suffix: coinbase[tail.end..].to_vec().into(),
        branch: branch.to_vec(),
    };
    let tail = coinbase[tail].try_into().unwrap();
    (job, HeaderShare { tail, ntime, nonce: word(header, 76), version })
}
