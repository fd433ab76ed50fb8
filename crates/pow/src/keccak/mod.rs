//! Keccak-256 and Keccak-512 with Ethereum's padding: `0x01` as in Keccak's submission to NIST, not
//! the `0x06` of SHA-3 (FIPS 202).
//!
//! One message at a time, or eight side by side in vector registers: messages of equal length take
//! the same steps, so eight cost little more than one. Tries and Ethash compute thousands of such
//! hashes.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)] // words of fixed-size states

#[cfg(kernels)]
mod avx2;
#[cfg(kernels)]
mod avx512;
mod eight;
mod lanes;
mod one;
mod rates;
mod round;
mod scalar;

pub use eight::{keccak256_many_32, keccak256_many_32_with, keccak256_many_128, keccak256_many_128_with};
pub(crate) use eight::{keccak256_x8, keccak512_x8};
pub(crate) use lanes::LANES;
pub use one::{keccak256, keccak512};
pub(crate) use one::{keccak256_words, keccak512_words};
