//! SIMULATOR: a Stratum V1 pool, a CPU miner and misbehaving peers, for demo, tests and benchmarks.
//!
//! Nothing here is part of the product, and nothing here uses the product's checking code: the pool
//! rebuilds and hashes every header with code of its own, and the miner really hashes. If both
//! sides agree on a share, two independent programs agree.

pub mod fault;
mod hash;
pub mod miner;
pub mod pool;
mod pool_step;

pub use hash::{Digest, measure_hash_rate, sha256d};
