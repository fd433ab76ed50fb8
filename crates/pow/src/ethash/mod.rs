//! Light checks of seals for Ethash (Ethereum's yellow paper, appendix J) and Etchash, which
//! differs only in its epochs (ECIP-1099). An *epoch* in this module is a DAG epoch.
//!
//! A miner makes a seal by 64 reads of 128 bytes in a dataset of gigabytes, each at a place decided
//! by the read before it. A checker has only a [`LightCache`], a thousandth the size, and computes
//! each item read from 256 items of the cache: some 32,768 reads of memory and 256 Keccak
//! permutations for each seal. The reads of one seal wait for each other, so
//! [`hashimoto_light_many`] takes many seals in lockstep to have many reads under way.
//!
//! A seal whose mix is given can be refused sooner: [`result_of_mix`] needs no cache.
// the last epoch bounds the sizes, and places are taken modulo the length
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod cache;
mod epoch;
mod fastmod;
mod fnv;
mod hashes;
mod hashimoto;
mod item;
mod lockstep;
mod seal;
#[cfg(test)]
mod tests;

pub use cache::{BuildCancelled, LightCache, WrongCacheLength};
pub use epoch::{EpochOutOfRange, EthashEpoch};
pub use hashes::{ethash_key, result_of_mix, seed_hash};
pub use hashimoto::{hashimoto_light, hashimoto_light_many, hashimoto_light_many_with, hashimoto_light_with};
pub use seal::{Seal, result_as_integer};
