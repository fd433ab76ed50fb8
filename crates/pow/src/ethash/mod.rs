//! Ethash (Ethereum's yellow paper, appendix J), and Etchash, which differs from it in its epochs only (ECIP-1099): light
//! checks of seals.
//!
//! A seal is made by 64 reads of 128 bytes in a dataset of gigabytes, each at a place that the read before it decides.
//! Who checks has no dataset but a [`LightCache`], a thousandth the size, and makes the items that are read out of 256
//! items of the cache each: some 32,768 reads of memory and 256 permutations of Keccak a seal. The reads of one seal
//! wait for each other, so [`hashimoto_light_many`] takes many seals in lockstep and has many reads under way.
//!
//! Who claims a mix can be refused sooner: [`result_of_mix`] needs no cache.
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

/// What seal and claim come down to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seal {
    /// The mix that a header carries beside its nonce.
    pub mix: B256,
    /// What has to be at or below the target.
    pub result: B256,
}

impl Seal {
    /// The result as the integer that targets are compared with: big-endian, other than for Bitcoin.
    #[must_use]
    pub const fn result_as_integer(&self) -> U256 {
        result_as_integer(&self.result)
    }
}

/// A result read as the integer that targets are compared with: big-endian, other than for Bitcoin.
#[must_use]
pub const fn result_as_integer(result: &B256) -> U256 {
    U256::from_be_bytes(result.0)
}

/// What the reads start from: Keccak-512 of seal hash and nonce, the nonce little-endian, in 64 raw digest bytes.
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

/// The result that a claimed mix leads to, in about half a microsecond and without a cache.
///
/// Only the true mix makes the claim true, and this can't tell. But a result that misses the target settles that the
/// claim is of no worth either way; and to find a false mix whose result hits costs as much hashing as the target asks.
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

/// What tells a share from any other: Keccak-256 of seal hash and nonce, the nonce big-endian as headers carry it.
#[must_use]
pub fn ethash_key(seal_hash: &B256, nonce: u64) -> B256 {
    let message = std::array::from_fn::<u64, 5, _>(|word| {
        if word < 4 { long_word(seal_hash, word) } else { nonce.swap_bytes() }
    });
    hash_of_words(keccak::keccak256_words(Isa::best(), &message))
}

/// Mix and result of one seal, as soon as can be: its reads of the cache wait for each other.
///
/// `seal_hash` is the Keccak-256 of the header without mix and nonce, and `cache` has to be that of the header's block: any
/// other gives a mix and a result all the same, and they mean nothing.
#[must_use]
pub fn hashimoto_light(cache: &LightCache, seal_hash: &B256, nonce: u64) -> Seal {
    hashimoto_light_with(Isa::best(), cache, seal_hash, nonce)
}

/// [`hashimoto_light`] with instructions of the caller's choice, capped at what the machine has.
#[must_use]
pub fn hashimoto_light_with(isa: Isa, cache: &LightCache, seal_hash: &B256, nonce: u64) -> Seal {
    let mut seal = Seal::default();
    lockstep::seals(isa, cache, &[(*seal_hash, nonce)], std::slice::from_mut(&mut seal));
    seal
}

/// Mix and result of many seals: `out[i]` is that of seal hash and nonce `inputs[i]`.
///
/// By far the most a second when there are at least eight. Where the two differ in length, what has no partner is
/// left alone.
pub fn hashimoto_light_many(cache: &LightCache, inputs: &[(B256, u64)], out: &mut [Seal]) {
    hashimoto_light_many_with(Isa::best(), cache, inputs, out);
}

/// [`hashimoto_light_many`] with instructions of the caller's choice, capped at what the machine has.
pub fn hashimoto_light_many_with(isa: Isa, cache: &LightCache, inputs: &[(B256, u64)], out: &mut [Seal]) {
    let both = inputs.len().min(out.len());
    // Rounds of equal size: a small rest would wait for memory as long as a full round does.
    let rounds = both.div_ceil(lockstep::MOST).max(1);
    let each = both.div_ceil(rounds).max(1);
    for (inputs, out) in inputs[..both].chunks(each).zip(out.chunks_mut(each)) {
        lockstep::seals(isa, cache, inputs, out);
    }
}

/// The multiplier of the FNV hash, which Ethash mixes with.
const FNV_PRIME: u32 = 0x0100_0193;

#[inline(always)]
const fn fnv(a: u32, b: u32) -> u32 {
    a.wrapping_mul(FNV_PRIME) ^ b
}

/// Calls an item from memory ahead of its use. Never needed for a right result.
///
/// `NEAR` for a few at a time; the way to the innermost cache of the processor has places for sixteen to wait in, and
/// more than that do better one level further out.
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
