//! Proof-of-work functions of three families: bytes in, hash out. They have no policy, do no I/O,
//! and allocate nothing while hashing.
//!
//! - SHA-256d (Bitcoin), in [`sha256`]: a header built from a job and the miner's choice. FIPS
//!   180-4 and Bitcoin's block header.
//! - scrypt(1024,1,1) (Litecoin, Dogecoin), in [`scrypt`]: the same header, whose identity is still
//!   [`sha256d`]; with [`AuxPow`] for merged mining. RFC 7914 and Namecoin's merged mining.
//! - Ethash and Etchash (Ethereum Classic), in [`ethash`]: a seal hash and a nonce, over a light
//!   cache. Ethereum's yellow paper, appendix J, and ECIP-1099.
//!
//! Each function exists for one input, with the least delay, and for many, several times as fast.
//! The fastest kernel is chosen at run time ([`Isa`], [`sha256::Engine`]); all give the same bytes.
//! [`hash_as_integer`] (SHA-256d, scrypt) and [`ethash::Seal::result_as_integer`] turn a hash into
//! the integer that is compared with a target: the hash proves the work if it is at or below the
//! target.
//!
//! # SHA-256d
//! The first block of Bitcoin as a job and a miner's choice. The job is laid out once and hashed
//! with each choice.
//!
//! ```
//! use alloy_primitives::{B256, hex};
//! use hashlease_pow::{hash_as_integer, sha256::{Choice, HeaderTemplate}};
//!
//! let coinbase = hex!(
//!     "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d\
//!      04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f\
//!      6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2\
//!      052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649\
//!      f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"
//! );
//! // the miner chooses eight bytes of the coinbase, from byte 50 on
//! let (prefix, tail, suffix) = (&coinbase[..50], &coinbase[50..58], &coinbase[58..]);
//! let job = HeaderTemplate::new(prefix, tail.len(), suffix, &[], &B256::ZERO, 0x1d00_ffff);
//!
//! let hashed = job.hash(Choice { tail, ntime: 1_231_006_505, nonce: 2_083_236_893, version: 1 });
//! let hash = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
//! assert_eq!(format!("{:064x}", hash_as_integer(&hashed.digest)), hash);
//! ```
//!
//! # scrypt
//! The first block of Litecoin, whose `nBits` of `0x1e0ffff0` mean a target of `0xffff0 · 256^27`.
//!
//! ```
//! use alloy_primitives::{U256, hex};
//! use hashlease_pow::{hash_as_integer, scrypt::{Scratch, scrypt}, sha256d};
//!
//! let header = hex!(
//!     "010000000000000000000000000000000000000000000000000000000000000000000000d9ced4ed1130\
//!      f7b7faad9be25323ffafa33232a17c3edf6cfd97bee6bafbdd97b9aa8e4ef0ff0f1ecd513f7c"
//! );
//! let target = U256::from(0xf_fff0) << (8 * 27);
//! // 128 KiB for each scrypt that the machine does at once; keep one per thread
//! let mut scratch = Scratch::new();
//! assert!(hash_as_integer(&scrypt(&header, &mut scratch)) <= target);
//! assert!(hash_as_integer(&sha256d(&header)) > target, "its identity proves nothing");
//! ```
//!
//! # Ethash
//! Block 22 of a test network before Ethereum's launch, with difficulty 132,416. The cache of an
//! epoch takes from a quarter of a second to several seconds to build and serves the seals of
//! 30,000 blocks.
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
//! Kernels for SHA-NI, AVX2 and AVX-512 are compiled in on x86-64 and called only on a machine that
//! has the instructions. On other processors, and with the feature `portable`, the whole crate is
//! plain Rust: the same hashes, more slowly. Even then, single SHA-256 compressions are those of
//! the crate `sha2`, which chooses its instructions itself.
//!
//! Tests run the engines that the machine has and skip the others. The environment variable
//! `HASHLEASE_REQUIRE_ENGINES` makes the test `engines` fail if one of those listed is missing:
//! `HASHLEASE_REQUIRE_ENGINES=avx512,avx2,sha-ni cargo test -p hashlease-pow`.
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

/// A digest of SHA-256d or scrypt as the integer that is compared with a target: little-endian, as
/// in Bitcoin's consensus.
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
