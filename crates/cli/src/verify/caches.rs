//! The light caches of a run.

use super::args::VerifyArgs;
use hashlease_check::{CacheSettings, Caches, EthashEpoch, LightCache};
use std::sync::Arc;

/// The light caches, shared by all files of a run.
pub(super) fn caches(arguments: &VerifyArgs) -> Caches {
    Caches::new(CacheSettings { directory: arguments.cache_dir.clone(), ..CacheSettings::default() })
}

/// Returns a light cache. Builds it on this thread if the system gives no other. The caches log
/// errors of their files, also later; none of them stops the check.
pub(super) fn light_cache(caches: &Caches, epoch: EthashEpoch) -> Arc<LightCache> {
    caches.get(epoch).unwrap_or_else(|_| Arc::new(LightCache::build(epoch)))
}
