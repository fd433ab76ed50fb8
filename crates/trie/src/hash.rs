//! Keccak-256 of many inputs of one size: the only place that hashes in bulk.

pub(crate) use hashlease_pow::{keccak256_many_32, keccak256_many_128};
