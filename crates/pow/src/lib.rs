//! Proof-of-work functions of three families: bytes in, hash out. No policy and no I/O; nothing is allocated while hashing.
//!
//! | family | what is hashed | here | by the rules of |
//! |---|---|---|---|
//! | SHA-256d (Bitcoin) | a header built from a job and what the miner chose | [`sha256`] | FIPS 180-4; Bitcoin's block header |
//! | scrypt(1024,1,1) (Litecoin, Dogecoin) | the same header; its identity is still [`sha256d`] | [`scrypt`], [`AuxPow`] for merged mining | RFC 7914; Namecoin's merged mining |
//! | Ethash, Etchash (Ethereum Classic) | a seal hash and a nonce, over a light cache | [`ethash`] | Ethereum's yellow paper, appendix J; ECIP-1099 |
//!
//! Everything is there twice: for one input, as soon as can be, and for many, several times as fast. The fast ways are
//! chosen when the program runs ([`Isa`], [`sha256::Engine`]); all ways give the same bytes. A hash becomes the integer that a
//! target is compared with by [`hash_as_integer`] (SHA-256d, scrypt) or [`ethash::Seal::result_as_integer`]. A hash proves
//! the work that a target asks for if that integer is at or below the target; what the target is, the caller knows.
//!
//! # SHA-256d
//! The first block of Bitcoin, as a job and a miner's choice. The job is laid out once, and each choice hashed from there.
//!
//! ```
//! use alloy_primitives::{B256, hex};
//! use hashlease_pow::{hash_as_integer, sha256::{Choice, HeaderTemplate}};
//!
//! let coinbase = hex!(
//!     "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d01044554686520\
//!      54696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f75\
//!      7420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0\
//!      ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"
//! );
//! // of the coinbase, let the miner choose eight bytes from byte 50 on
//! let (prefix, tail, suffix) = (&coinbase[..50], &coinbase[50..58], &coinbase[58..]);
//! let job = HeaderTemplate::new(prefix, tail.len(), suffix, &[], &B256::ZERO, 0x1d00_ffff);
//!
//! let hashed = job.hash(Choice { tail, ntime: 1_231_006_505, nonce: 2_083_236_893, version: 1 });
//! let hash = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
//! assert_eq!(format!("{:064x}", hash_as_integer(&hashed.digest)), hash);
//! ```
//!
//! # scrypt
//! The first block of Litecoin: `nBits` of `0x1e0ffff0` stand for a target of `0xffff0 · 256^27`.
//!
//! ```
//! use alloy_primitives::{U256, hex};
//! use hashlease_pow::{hash_as_integer, scrypt::{Scratch, scrypt}, sha256d};
//!
//! let header = hex!(
//!     "010000000000000000000000000000000000000000000000000000000000000000000000d9ced4ed1130f7b7faad9be25323ffafa33232a1\
//!      7c3edf6cfd97bee6bafbdd97b9aa8e4ef0ff0f1ecd513f7c"
//! );
//! let target = U256::from(0xf_fff0) << (8 * 27);
//! // 128 KiB for each scrypt that the machine does at once: one per thread, kept
//! let mut scratch = Scratch::new();
//! assert!(hash_as_integer(&scrypt(&header, &mut scratch)) <= target);
//! assert!(hash_as_integer(&sha256d(&header)) > target, "its identity proves nothing");
//! ```
//!
//! # Ethash
//! Block 22 of a test network from before Ethereum's start, of difficulty 132,416. The cache of an epoch takes from a quarter of a second to some seconds to build and serves
//! every seal of 30,000 blocks.
//!
//! ```
//! use alloy_primitives::{U256, b256};
//! use hashlease_pow::ethash::{EthashEpoch, LightCache, hashimoto_light};
//!
//! let cache = LightCache::build(EthashEpoch::of_ethash_block(22)?);
//! let seal_hash = b256!("372eca2454ead349c3df0ab5d00b0b706b23e49d469387db91811cee0358fc6d");
//! let seal = hashimoto_light(&cache, &seal_hash, 0x4957_32e0_ed7a_801c);
//! assert_eq!(seal.mix, b256!("2f74cdeb198af0b9abe65d22d372e22fb2d474371774a9583c1cc427a07939f5"));
//! assert!(seal.result_as_integer() <= U256::MAX / U256::from(132_416));
//! # Ok::<(), hashlease_pow::ethash::EpochOutOfRange>(())
//! ```
//!
//! # Engines
//! Kernels for SHA-NI, AVX2 and AVX-512 are compiled in on x86-64 and entered only on a machine that has what they need. All
//! else is plain Rust, which is the whole crate on other processors and with the feature `portable`: the same hashes, more
//! slowly. Single SHA-256 compressions are those of the crate `sha2`, which chooses its instructions itself, also then.
//!
//! Tests run what the machine has and leave out the rest. The environment variable `HASHLEASE_REQUIRE_ENGINES` makes the test
//! `engines` fail unless all that it names are there: `HASHLEASE_REQUIRE_ENGINES=avx512,avx2,sha-ni cargo test -p
//! hashlease-pow`.
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

/// A digest of SHA-256d or scrypt read as the integer that targets are compared with: little-endian, as Bitcoin's
/// consensus reads it.
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
