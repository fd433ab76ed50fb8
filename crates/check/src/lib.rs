//! Threads that check shares, and the light caches that Ethash shares are checked with.
//!
//! [`ShareChecker`] checks shares on threads of its own, for roles that serve sockets and must not
//! block meanwhile. [`Caches`] builds the light cache of each DAG epoch once, shares it, and keeps
//! it in memory and on disk. Each role creates its own at its start and passes them on: nothing
//! here is global.
//!
//! # Light caches
//! In: DAG epochs, in this module called epochs. Out: [`LightCache`]s, shared. A cache takes 16 to
//! 270 MiB and up to several seconds of one thread, so [`Caches`] builds each one once, on a thread
//! of its own, no matter how many ask for it; keeps the most recently used ones in memory; and
//! writes them to a directory, from which the next start reads them in a fraction of that time.
//! [`Epochs`] names a block's epoch and the next one, so that its cache is ready when the chain
//! gets there.
//!
//! A directory that fails stops nothing: a file with any wrong byte is ignored and its cache built
//! again, and a cache that can't be written stays in memory. Both are logged, and
//! [`Caches::take_failed_files`] returns them.
//!
//! # Cache file
//! One file `light-<index>-<seed rounds>.cache` for each epoch, whichever algorithm asked for it.
//! Integers are little-endian.
//!
//! ```text
//! magic "HLLIGHTC" · u32 version (1) · u32 index · u32 seed rounds · u32 zero ·
//! u64 length of the cache · SHA-256 of the 32 bytes before and the cache (32 bytes) · the cache
//! ```
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod cache_file;
mod caches;
mod checker;
mod dag_epochs;

pub use cache_file::CacheFileError;
pub use caches::{BuildFailed, CacheCounts, CacheSettings, CacheStatus, Caches, FailedFile};
pub use checker::ShareChecker;
pub use dag_epochs::{EpochError, Epochs};
pub use hashlease_pow::ethash::{EthashEpoch, LightCache};
