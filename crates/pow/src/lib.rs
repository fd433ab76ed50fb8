//! Proof-of-work functions of three families: bytes in, hash out. No policy and no I/O; nothing is allocated while hashing.
//!
//! | family | what is hashed | here |
//! |---|---|---|
//! | SHA-256d (Bitcoin) | a header built from a job and what the miner chose | [`sha256`] |
//! | scrypt(1024,1,1) (Litecoin, Dogecoin) | the same header; its identity is still [`sha256d`] | [`scrypt`], [`AuxPow`] for merged mining |
//! | Ethash, Etchash (Ethereum Classic) | a seal hash and a nonce, over a light cache | [`ethash`] |
//!
//! Everything is there twice: for one input, as soon as can be, and for many, several times as fast. The fast ways are
//! chosen when the program runs ([`Isa`], [`sha256::Engine`]); all ways give the same bytes. A hash becomes the integer that a
//! target is compared with by [`hash_as_integer`] (SHA-256d, scrypt) or [`ethash::Seal::result_as_integer`].
//!
//! ```
//! use hashlease_pow::{hash_as_integer, scrypt::{Scratch, scrypt}, sha256d};
//!
//! let header = [7; 80];
//! let (identity, proof) = (sha256d(&header), scrypt(&header, &mut Scratch::new()));
//! assert!(hash_as_integer(&identity) != hash_as_integer(&proof));
//! ```
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
#![deny(clippy::undocumented_unsafe_blocks, unsafe_op_in_unsafe_fn)]

mod auxpow;
mod cpu;
pub mod ethash;
pub mod keccak;
pub mod scrypt;
pub mod sha256;

pub use auxpow::{AuxPow, AuxPowError};
pub use cpu::Isa;
pub use keccak::{keccak256_many_32, keccak256_many_32_with, keccak256_many_128, keccak256_many_128_with};
pub use sha256::{merkle_parent, sha256d};

use alloy_primitives::{B256, U256};

/// A digest of SHA-256d or scrypt read as the integer that targets are compared with: little-endian.
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
