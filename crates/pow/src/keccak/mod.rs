//! Keccak-256 and Keccak-512 with Ethereum's padding: `0x01` as in Keccak's submission to NIST, not
//! the `0x06` of SHA-3 (FIPS 202).
//!
//! One message at a time, or eight side by side in vector registers: messages of equal length take
//! the same steps, so eight cost little more than one. Tries and Ethash compute thousands of such
//! hashes.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)] // words of fixed-size states
#![allow(unsafe_code)] // vector registers and the choice of them at run time

#[cfg(kernels)]
mod avx2;
#[cfg(kernels)]
mod avx512;
mod round;
mod scalar;

use crate::Isa;
use alloy_primitives::B256;

/// Number of messages that the kernels hash side by side.
pub(crate) const LANES: usize = 8;

/// Words of a block of Keccak-256.
const RATE_256: usize = 17;
/// Words of a block of Keccak-512.
const RATE_512: usize = 9;

/// Sponge states side by side, word by word: word 0 of all, then word 1 of all, …
struct Lanes([[u64; LANES]; 25]);

impl Lanes {
    /// The states after absorbing messages of `WORDS` words, padded to a block of `rate` words.
    fn absorb<const WORDS: usize>(messages: &[[u64; WORDS]; LANES], rate: usize) -> Self {
        let mut lanes = Self([[0; LANES]; 25]);
        for (word, row) in lanes.0.iter_mut().take(WORDS).enumerate() {
            *row = std::array::from_fn(|lane| messages[lane][word]);
        }
        lanes.0[WORDS] = [1; LANES];
        for word in &mut lanes.0[rate - 1] {
            *word ^= 1 << 63;
        }
        lanes
    }

    /// The first `WORDS` words of each state.
    fn squeeze<const WORDS: usize>(&self) -> [[u64; WORDS]; LANES] {
        std::array::from_fn(|lane| std::array::from_fn(|word| self.0[word][lane]))
    }
}

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
