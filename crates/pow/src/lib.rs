//! Proof-of-work functions: bytes in, hash out. No policy, no I/O, no allocation.
//!
//! SHA-256d is served; scrypt and Ethash are not, and whoever asks for them gets an error upstream of this crate.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod auxpow;
mod cpu;
pub mod ethash;
mod keccak;
pub mod scrypt;
pub mod sha256;

pub use auxpow::{AuxPow, AuxPowError};
pub use cpu::Isa;
pub use keccak::{keccak256_many_32, keccak256_many_32_with, keccak256_many_128, keccak256_many_128_with};
pub use sha256::{merkle_parent, sha256d};

use alloy_primitives::{B256, U256};

/// A digest of SHA-256d read as the integer that targets are compared with: little-endian.
#[must_use]
pub fn hash_as_integer(digest: &B256) -> U256 {
    U256::from_le_bytes(digest.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genesis_header_of_bitcoin() {
        let header = hex::decode(
            "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e\
             67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c",
        )
        .unwrap();
        let expected = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
        assert_eq!(format!("{:064x}", hash_as_integer(&sha256d(&header))), expected);
    }
}
