//! Light caches of Ethash and Etchash, kept for whoever checks shares.
//!
//! In: epochs. Out: [`LightCache`]s, shared. A cache has 16 to 270 MiB and takes up to some seconds of one thread, so
//! [`Caches`] builds each once, on a thread of its own, whoever asks and however many do; keeps the ones used last in
//! memory; and lays them down in a directory, from where the next start reads them in a fraction of the time.
//! [`Epochs`] tells which epoch a block is of and which comes next, so that it is ready when the chain gets there.
//!
//! Trouble with the directory stops nothing: a file that is not exactly what was written is built anew, and a cache
//! that can't be written stays in memory. Either is logged, and handed out by [`Caches::take_troubles`].
//!
//! # Format
//! A file `light-<index>-<seed rounds>.cache` for each epoch, whatever the algorithm that asked. Integers are
//! little-endian.
//!
//! ```text
//! magic "HLLIGHTC" · u32 version (1) · u32 index · u32 seed rounds · u32 zero · u64 length of the cache ·
//! SHA-256 of the 32 bytes before and the cache (32 bytes) · the cache
//! ```
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod caches;
mod epochs;
mod file;

pub use caches::{BuildFailed, Caches, Counts, Settings, Status, Trouble};
pub use epochs::{EpochError, Epochs};
pub use file::FileError;
pub use hashlease_pow::ethash::{EthashEpoch, LightCache};
