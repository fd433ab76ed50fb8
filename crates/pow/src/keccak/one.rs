//! Hashes one message, by the fastest kernel of the machine.
#![allow(unsafe_code)] // the choice of instructions at run time

use super::{
    rates::{RATE_256, RATE_512},
    scalar,
};
use crate::Isa;
use alloy_primitives::B256;

/// Keccak-f\[1600\] of one state, by the fastest kernel of this machine.
#[inline]
fn f1600(isa: Isa, state: &mut [u64; 25]) {
    match isa.or_best() {
        #[cfg(kernels)]
        // SAFETY: `or_best` returns only a set that this machine has.
        Isa::Avx2 | Isa::Avx512 => unsafe { scalar::f1600_bmi(state) },
        _ => scalar::f1600(state),
    }
}

/// Keccak-256 of one message of `WORDS` little-endian words, fewer than a block.
#[inline]
pub(crate) fn keccak256_words<const WORDS: usize>(isa: Isa, message: &[u64; WORDS]) -> [u64; 4] {
    let state = absorb_words(isa, message, RATE_256);
    std::array::from_fn(|word| state[word])
}

/// Keccak-512 of one message of `WORDS` little-endian words, fewer than a block.
#[inline]
pub(crate) fn keccak512_words<const WORDS: usize>(isa: Isa, message: &[u64; WORDS]) -> [u64; 8] {
    let state = absorb_words(isa, message, RATE_512);
    std::array::from_fn(|word| state[word])
}

#[inline]
fn absorb_words<const WORDS: usize>(isa: Isa, message: &[u64; WORDS], rate: usize) -> [u64; 25] {
    let mut state = [0; 25];
    state[..WORDS].copy_from_slice(message);
    state[WORDS] = 1;
    state[rate - 1] ^= 1 << 63;
    f1600(isa, &mut state);
    state
}

/// The state after absorbing one message, block by block.
fn absorb(isa: Isa, data: &[u8], rate: usize) -> [u64; 25] {
    let mut state = [0_u64; 25];
    let blocks = data.chunks_exact(8 * rate);
    let tail = blocks.remainder();
    let xor = |state: &mut [u64; 25], block: &[u8]| {
        for (word, bytes) in state.iter_mut().zip(block.chunks(8)) {
            let mut padded = [0; 8];
            padded[..bytes.len()].copy_from_slice(bytes);
            *word ^= u64::from_le_bytes(padded);
        }
    };
    for block in blocks {
        xor(&mut state, block);
        f1600(isa, &mut state);
    }
    xor(&mut state, tail);
    state[tail.len() / 8] ^= 1 << (tail.len() % 8 * 8);
    state[rate - 1] ^= 1 << 63;
    f1600(isa, &mut state);
    state
}

/// The first bytes of a state.
fn squeeze<const BYTES: usize>(state: &[u64; 25]) -> [u8; BYTES] {
    let mut out = [0; BYTES];
    for (bytes, word) in out.chunks_exact_mut(8).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    out
}

/// Keccak-256 of one message of any length, raw digest bytes.
#[must_use]
pub fn keccak256(data: &[u8]) -> B256 {
    B256::new(squeeze(&absorb(Isa::best(), data, RATE_256)))
}

/// Keccak-512 of one message of any length, raw digest bytes.
#[must_use]
pub fn keccak512(data: &[u8]) -> [u8; 64] {
    squeeze(&absorb(Isa::best(), data, RATE_512))
}
