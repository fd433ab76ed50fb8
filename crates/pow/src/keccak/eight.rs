//! Hashes eight messages side by side, by the fastest kernel of the machine.
#![allow(unsafe_code)] // the choice of instructions at run time

#[cfg(kernels)]
use super::{avx2, avx512};
use super::{
    lanes::{LANES, Lanes},
    rates::{RATE_256, RATE_512},
    scalar,
};
use crate::Isa;
use alloy_primitives::B256;

/// The first `OUT` words of the hashes of messages of `WORDS` little-endian words, padded to a
/// block of `rate` words.
#[inline]
fn hash_x8<const WORDS: usize, const OUT: usize>(
    isa: Isa,
    messages: &[[u64; WORDS]; LANES],
    rate: usize,
) -> [[u64; OUT]; LANES] {
    match isa.or_best() {
        #[cfg(kernels)]
        // SAFETY: `or_best` returns only a set that this machine has.
        Isa::Avx512 => unsafe { avx512::hash(messages, rate) },
        #[cfg(kernels)]
        Isa::Avx2 => {
            let mut lanes = Lanes::absorb(messages, rate);
            // SAFETY: `or_best` returns only a set that this machine has.
            unsafe { avx2::f1600_x8(&mut lanes) };
            lanes.squeeze()
        }
        _ => {
            let mut lanes = Lanes::absorb(messages, rate);
            scalar::f1600_x8(&mut lanes);
            lanes.squeeze()
        }
    }
}

/// Keccak-256 of eight messages of `WORDS` little-endian words, fewer than a block.
#[inline]
pub(crate) fn keccak256_x8<const WORDS: usize>(
    isa: Isa,
    messages: &[[u64; WORDS]; LANES],
) -> [[u64; 4]; LANES] {
    const { assert!(WORDS < RATE_256) };
    hash_x8(isa, messages, RATE_256)
}

/// Keccak-512 of eight messages of `WORDS` little-endian words, fewer than a block.
#[inline]
pub(crate) fn keccak512_x8<const WORDS: usize>(
    isa: Isa,
    messages: &[[u64; WORDS]; LANES],
) -> [[u64; 8]; LANES] {
    const { assert!(WORDS < RATE_512) };
    hash_x8(isa, messages, RATE_512)
}

/// Keccak-256 of many messages of 32 bytes, eight at a time: `out[i]` is the hash of `inputs[i]`.
///
/// If the two differ in length, the rest of the longer one is ignored.
pub fn keccak256_many_32(inputs: &[[u8; 32]], out: &mut [B256]) {
    keccak256_many_32_with(Isa::best(), inputs, out);
}

/// [`keccak256_many_32`] with the given instructions, or the best of the machine if it lacks them.
pub fn keccak256_many_32_with(isa: Isa, inputs: &[[u8; 32]], out: &mut [B256]) {
    keccak256_many::<4, 32>(isa, inputs, out);
}

/// Keccak-256 of many messages of 128 bytes, eight at a time: `out[i]` is the hash of `inputs[i]`.
///
/// If the two differ in length, the rest of the longer one is ignored.
pub fn keccak256_many_128(inputs: &[[u8; 128]], out: &mut [B256]) {
    keccak256_many_128_with(Isa::best(), inputs, out);
}

/// [`keccak256_many_128`] with the given instructions, or the best of the machine if it lacks them.
pub fn keccak256_many_128_with(isa: Isa, inputs: &[[u8; 128]], out: &mut [B256]) {
    keccak256_many::<16, 128>(isa, inputs, out);
}

/// `BYTES` is `8 * WORDS`, which the language can't express.
fn keccak256_many<const WORDS: usize, const BYTES: usize>(
    isa: Isa,
    inputs: &[[u8; BYTES]],
    out: &mut [B256],
) {
    let words = |bytes: &[u8; BYTES]| -> [u64; WORDS] {
        std::array::from_fn(|word| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&bytes[word * 8..word * 8 + 8]);
            u64::from_le_bytes(eight)
        })
    };
    for (inputs, out) in inputs.chunks(LANES).zip(out.chunks_mut(LANES)) {
        let mut messages = [[0; WORDS]; LANES];
        for (message, input) in messages.iter_mut().zip(inputs) {
            *message = words(input);
        }
        for (out, hash) in out.iter_mut().zip(keccak256_x8(isa, &messages)).take(inputs.len()) {
            for (bytes, word) in out.0.chunks_exact_mut(8).zip(hash) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
        }
    }
}
