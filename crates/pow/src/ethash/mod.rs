//! Light checks of seals for Ethash (Ethereum's yellow paper, appendix J) and Etchash, which
//! differs only in its epochs (ECIP-1099).
//!
//! A miner makes a seal by 64 reads of 128 bytes in a dataset of gigabytes, each at a place decided
//! by the read before it. A checker has only a [`LightCache`], a thousandth the size, and computes
//! each item read from 256 items of the cache: some 32,768 reads of memory and 256 Keccak
//! permutations for each seal. The reads of one seal wait for each other, so
//! [`hashimoto_light_many`] takes many seals in lockstep to have many reads under way.
//!
//! A seal whose mix is given can be refused sooner: [`result_of_mix`] needs no cache.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)] // sizes bounded by the last epoch, places taken modulo the length

mod cache;
mod epoch;
mod fastmod;
mod lockstep;
#[cfg(test)]
mod tests;

pub use cache::{BuildCancelled, LightCache, WrongCacheLength};
pub use epoch::{EpochOutOfRange, EthashEpoch};

use crate::{Isa, keccak};
use alloy_primitives::{B256, U256};
use cache::{Item, long_word};

/// Mix and result of a seal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seal {
    /// The mix, which a header holds next to its nonce.
    pub mix: B256,
    /// The result, which must be at or below the target.
    pub result: B256,
}

impl Seal {
    /// The result as the integer that is compared with a target: big-endian, unlike Bitcoin's.
    #[must_use]
    pub const fn result_as_integer(&self) -> U256 {
        result_as_integer(&self.result)
    }
}

/// A result as the integer that is compared with a target: big-endian, unlike Bitcoin's.
#[must_use]
pub const fn result_as_integer(result: &B256) -> U256 {
    U256::from_be_bytes(result.0)
}

/// The start of the reads: Keccak-512 of seal hash and little-endian nonce, 64 raw digest bytes.
#[must_use]
pub fn seed_hash(seal_hash: &B256, nonce: u64) -> [u8; 64] {
    Item::from_words(seed_words(Isa::best(), seal_hash, nonce)).to_bytes()
}

fn seed_message(seal_hash: &B256, nonce: u64) -> [u64; 5] {
    std::array::from_fn(|word| if word < 4 { long_word(seal_hash, word) } else { nonce })
}

fn seed_words(isa: Isa, seal_hash: &B256, nonce: u64) -> [u64; 8] {
    keccak::keccak512_words(isa, &seed_message(seal_hash, nonce))
}

/// The result of a claimed mix, in about half a microsecond and without a cache.
///
/// This can't show that the mix is right. But if the result misses the target, the claim is
/// worthless either way; and finding a false mix whose result meets the target takes as much
/// hashing as the target requires.
#[must_use]
pub fn result_of_mix(seal_hash: &B256, nonce: u64, claimed_mix: &B256) -> B256 {
    let isa = Isa::best();
    let seed = seed_words(isa, seal_hash, nonce);
    hash_of_words(keccak::keccak256_words(isa, &result_message(&seed, claimed_mix)))
}

fn result_message(seed: &[u64; 8], mix: &B256) -> [u64; 12] {
    std::array::from_fn(|word| if word < 8 { seed[word] } else { long_word(mix, word - 8) })
}

fn hash_of_words(words: [u64; 4]) -> B256 {
    let mut hash = B256::ZERO;
    for (bytes, word) in hash.0.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    hash
}

/// The identity of a share: Keccak-256 of seal hash and nonce, the nonce big-endian as in headers.
#[must_use]
pub fn ethash_key(seal_hash: &B256, nonce: u64) -> B256 {
    let message = std::array::from_fn::<u64, 5, _>(|word| {
        if word < 4 { long_word(seal_hash, word) } else { nonce.swap_bytes() }
    });
    hash_of_words(keccak::keccak256_words(Isa::best(), &message))
}

/// Mix and result of one seal, with the least delay: its reads of the cache wait for each other.
///
/// `seal_hash` is the Keccak-256 of the header without mix and nonce, and `cache` has to be that of
/// the header's block: with any other, mix and result are meaningless.
#[must_use]
pub fn hashimoto_light(cache: &LightCache, seal_hash: &B256, nonce: u64) -> Seal {
    hashimoto_light_with(Isa::best(), cache, seal_hash, nonce)
}

/// [`hashimoto_light`] with the given instructions, or the best of the machine if it lacks them.
#[must_use]
pub fn hashimoto_light_with(isa: Isa, cache: &LightCache, seal_hash: &B256, nonce: u64) -> Seal {
    let mut seal = Seal::default();
    lockstep::seals(isa, cache, &[(*seal_hash, nonce)], std::slice::from_mut(&mut seal));
    seal
}

/// Mix and result of many seals: `out[i]` belongs to seal hash and nonce `inputs[i]`.
///
/// Several times as fast as one by one, given at least eight. If the two differ in length, the rest
/// of the longer one is ignored.
pub fn hashimoto_light_many(cache: &LightCache, inputs: &[(B256, u64)], out: &mut [Seal]) {
    hashimoto_light_many_with(Isa::best(), cache, inputs, out);
}

/// [`hashimoto_light_many`] with the given instructions, or the best of the machine if it lacks
/// them.
pub fn hashimoto_light_many_with(isa: Isa, cache: &LightCache, inputs: &[(B256, u64)], out: &mut [Seal]) {
    let both = inputs.len().min(out.len());
    // rounds of equal size: a small last round would wait for memory as long as a full one
    let rounds = both.div_ceil(lockstep::MOST).max(1);
    let each = both.div_ceil(rounds).max(1);
    for (inputs, out) in inputs[..both].chunks(each).zip(out.chunks_mut(each)) {
        lockstep::seals(isa, cache, inputs, out);
    }
}

/// The multiplier of the FNV hash, by which Ethash mixes.
const FNV_PRIME: u32 = 0x0100_0193;

#[inline(always)]
const fn fnv(a: u32, b: u32) -> u32 {
    a.wrapping_mul(FNV_PRIME) ^ b
}

/// Prefetches an item. It has no effect on the result.
///
/// `NEAR` is for a few at a time: the first-level cache can wait for about sixteen lines, and more
/// than that are faster through the second level.
#[inline(always)]
#[allow(unsafe_code)]
fn prefetch<const NEAR: bool>(items: &[Item], index: usize) {
    #[cfg(kernels)]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        let address = items.as_ptr().wrapping_add(index).cast();
        // SAFETY: a prefetch faults on no address and changes nothing that a program sees.
        unsafe {
            if NEAR {
                _mm_prefetch::<_MM_HINT_T0>(address);
            } else {
                _mm_prefetch::<_MM_HINT_T1>(address);
            }
        }
    }
    #[cfg(not(kernels))]
    let _ = (items, index);
}
