//! Computes seals: one with the least delay, or many at once.

use super::{cache::LightCache, lockstep, seal::Seal};
use crate::Isa;
use alloy_primitives::B256;

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
