//! Shared by several tests. Nothing here calls the crate's own hashing or placing.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub(crate) mod ascending;
pub(crate) mod liar;
pub(crate) mod reference;

use alloy_primitives::{B256, keccak256};

pub(crate) fn hashed(count: u32) -> Vec<B256> {
    (0..count).map(|number| keccak256(number.to_be_bytes())).collect()
}

/// A key of these first 64 bits.
pub(crate) fn key(place: u64) -> B256 {
    let mut key = keccak256(place.to_le_bytes());
    key[..8].copy_from_slice(&place.to_be_bytes());
    key
}

pub(crate) fn place(key: &B256) -> u64 {
    u64::from_be_bytes(key[..8].try_into().unwrap())
}

/// Sorts, and drops keys that are equal to another in the first 64 bits.
pub(crate) fn sorted(mut keys: Vec<B256>) -> Vec<B256> {
    keys.sort_unstable();
    keys.dedup_by_key(|key| place(key));
    keys
}

/// Puts keys in another order.
pub(crate) fn shuffled(mut keys: Vec<B256>, seed: u64) -> Vec<B256> {
    use rand::{SeedableRng as _, rngs::SmallRng, seq::SliceRandom as _};
    keys.shuffle(&mut SmallRng::seed_from_u64(seed));
    keys
}
