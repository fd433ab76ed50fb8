//! Terms and jobs for the tests of this crate.
#![allow(dead_code, unreachable_pub)]

use alloy_primitives::{B256, U256};
use hashlease_fixtures::{header_job, weight};
use hashlease_primitives::{Algorithm, HeaderJob, Target, Terms};
use hashlease_share::{HeaderShare, OpenedShare};

/// Seconds of an epoch.
pub const EPOCH: u32 = 3_600;

/// A lease of 600 epochs whose epoch `epoch` contains `time`.
pub fn terms(algorithm: Algorithm, log2: u8, time: u64, epoch: u32) -> Terms {
    let start = time - 1_800 - u64::from(epoch * EPOCH);
    Terms { algorithm, weight: weight(log2), ..hashlease_fixtures::terms(start, 600 * EPOCH, EPOCH) }
}

fn word(header: &[u8; 80], at: usize) -> u32 {
    u32::from_le_bytes(header[at..at + 4].try_into().unwrap())
}

/// The time in a header.
pub fn time(header: &[u8; 80]) -> u64 {
    u64::from(word(header, 68))
}

/// Whether the hash meets the target equal to it, but not the next lower one.
pub fn meets_from_its_hash_on(opened: &OpenedShare) -> bool {
    opened.meets(Target(opened.hash())) && !opened.meets(Target(opened.hash() - U256::ONE))
}

/// Splits a real block into a job and its share: the miner's part is the bytes `tail` of the
/// coinbase.
pub fn cut(
    header: &[u8; 80],
    coinbase: &[u8],
    tail: std::ops::Range<usize>,
    branch: &[B256],
) -> (HeaderJob, HeaderShare) {
    let (version, ntime) = (word(header, 0), word(header, 68));
    let terms = terms(Algorithm::Sha256d, 0, ntime.into(), 0);
    let window = u64::from(ntime) - 30..=u64::from(ntime) + 60;
    let job = HeaderJob {
        prev_hash: B256::from_slice(&header[4..36]),
        n_bits: word(header, 72),
        version,
        version_mask: 0,
        coinbase_prefix: coinbase[..tail.start].to_vec().into(),
        tail_length: tail.len().try_into().unwrap(),
        coinbase_suffix: coinbase[tail.end..].to_vec().into(),
        branch: branch.to_vec(),
        ..header_job(&terms, 1, window)
    };
    let tail = coinbase[tail].try_into().unwrap();
    (job, HeaderShare { tail, ntime, nonce: word(header, 76), version })
}
