//! Keys like sorted hashes, without sorting: as many as wanted, in no memory.

use alloy_primitives::B256;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

/// `count` ascending keys, spread over all keys as hashes are: gaps between neighbours are
/// exponential.
pub(crate) fn ascending(count: u32, seed: u64) -> impl Iterator<Item = B256> {
    let mut random = SmallRng::seed_from_u64(seed);
    // a little denser than hashes, so that the last key stays below the highest
    let mean = u64::MAX as f64 / (f64::from(count) + 10.0 * f64::from(count).sqrt());
    let mut place = 0u64;
    (0..count).map(move |_| {
        let gap = -(1.0 - random.random::<f64>()).ln() * mean;
        place = place.checked_add(gap as u64 + 1).expect("ten standard deviations");
        let mut key = B256::new(random.random());
        key[..8].copy_from_slice(&place.to_be_bytes());
        key
    })
}
