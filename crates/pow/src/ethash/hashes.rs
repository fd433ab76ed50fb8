//! The Keccak hashes at both ends of a seal, and a share's identity.

use super::item::Item;
use crate::{Isa, keccak};
use alloy_primitives::B256;

/// The start of the reads: Keccak-512 of seal hash and little-endian nonce, 64 raw digest bytes.
#[must_use]
pub fn seed_hash(seal_hash: &B256, nonce: u64) -> [u8; 64] {
    Item::from_words(seed_words(Isa::best(), seal_hash, nonce)).to_bytes()
}

pub(super) fn seed_message(seal_hash: &B256, nonce: u64) -> [u64; 5] {
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

pub(super) fn result_message(seed: &[u64; 8], mix: &B256) -> [u64; 12] {
    std::array::from_fn(|word| if word < 8 { seed[word] } else { long_word(mix, word - 8) })
}

pub(super) fn hash_of_words(words: [u64; 4]) -> B256 {
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

/// Eight bytes of a hash as a little-endian word.
pub(super) fn long_word(hash: &B256, index: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[index * 8..index * 8 + 8]);
    u64::from_le_bytes(bytes)
}
