//! Ethash (yellow paper, appendix J) and Etchash (ECIP-1099): a share checked with the light cache alone.
//!
//! A miner reads 64 pages out of a dataset of gigabytes. Whoever checks computes those pages: 128 items, each from 256
//! items of the [`LightCache`], at places that are known only once the one before is read. So one share waits for
//! memory most of its time; [`hashimoto_light_many`] lets eight shares wait together.
//!
//! ```
//! use hashlease_pow::ethash::{EthashEpoch, LightCache, hashimoto_light};
//!
//! let cache = LightCache::build(EthashEpoch::of_ethash_block(0).unwrap());
//! let seal = hashimoto_light(&cache, &[0x2a; 32].into(), 0x4242_4242_4242_4242);
//! assert!(!seal.result_as_integer().is_zero());
//! ```

mod cache;
mod epoch;
mod light;

pub use cache::{CacheLength, LightCache};
pub use epoch::{EpochTooHigh, EthashEpoch};
pub use light::{Seal, hashimoto_light, hashimoto_light_many, hashimoto_light_many_with, result_of_mix};

use crate::keccak::keccak256;
use alloy_primitives::B256;

/// Identity of a share: `keccak256(sealHash ‖ nonce)`, the nonce as 8 bytes with the most significant one first.
#[must_use]
pub fn key(seal_hash: &B256, nonce: u64) -> B256 {
    // words are little-endian in Keccak
    to_bytes(keccak256(&with_nonce(seal_hash, nonce.swap_bytes())))
}

/// A seal hash and one more word behind it.
fn with_nonce(seal_hash: &B256, last: u64) -> [u64; 5] {
    let [a, b, c, d] = to_words(seal_hash);
    [a, b, c, d, last]
}

fn to_words(bytes: &B256) -> [u64; 4] {
    let mut words = [0; 4];
    for (to, from) in words.iter_mut().zip(bytes.0.as_chunks::<8>().0) {
        *to = u64::from_le_bytes(*from);
    }
    words
}

fn to_bytes(words: [u64; 4]) -> B256 {
    let mut bytes = B256::ZERO;
    for (to, from) in bytes.0.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *to = from.to_le_bytes();
    }
    bytes
}
