//! The light cache: what any item of the dataset is computed from.

use super::EthashEpoch;
use crate::keccak::keccak512;
use std::fmt;

/// Passes of RandMemoHash over the cache.
const PASSES: usize = 3;

/// One item of cache or dataset: sixteen 32-bit words.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(align(64))]
pub(super) struct Item(pub(super) [u32; 16]);

impl Item {
    #[inline]
    pub(super) fn long(self) -> [u64; 8] {
        let mut long = [0; 8];
        for (to, [low, high]) in long.iter_mut().zip(self.0.as_chunks::<2>().0) {
            *to = u64::from(*high) << 32 | u64::from(*low);
        }
        long
    }

    #[inline]
    pub(super) fn of(long: [u64; 8]) -> Self {
        let mut item = Self([0; 16]);
        for ([low, high], from) in item.0.as_chunks_mut::<2>().0.iter_mut().zip(long) {
            let [a, b, c, d, e, f, g, h] = from.to_le_bytes();
            (*low, *high) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        }
        item
    }
}

/// The cache of an epoch, about 16 MiB at first and 100 MiB for blocks of today.
///
/// Building it takes seconds and can't be spread over cores, since each item depends on the one before: that is what it
/// was made for. Build the caches of several epochs on threads of their own, and ahead of need.
#[derive(Clone, PartialEq, Eq)]
pub struct LightCache {
    epoch: EthashEpoch,
    pub(super) items: Vec<Item>,
    /// Pages of the dataset: 128 bytes each.
    pub(super) pages: u32,
}

impl fmt::Debug for LightCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LightCache(epoch {}, {} items)", self.epoch.index(), self.items.len())
    }
}

/// Bytes that are not as long as the cache of their epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("light cache of epoch {epoch}: expected {expected} bytes, got {actual}")]
pub struct CacheLength {
    /// Number of the epoch.
    pub epoch: u32,
    /// Bytes of its cache.
    pub expected: u64,
    /// What came.
    pub actual: u64,
}

impl LightCache {
    /// Builds the cache: Keccak-512 four times per item.
    #[must_use]
    pub fn build(epoch: EthashEpoch) -> Self {
        let items = usize::try_from(epoch.cache_bytes() / 64).unwrap_or_default();
        Self::sized(epoch, items, epoch.dataset_bytes() / 128)
    }

    /// A cache of any number of items: tests have no time for whole ones.
    pub(super) fn sized(epoch: EthashEpoch, count: usize, pages: u64) -> Self {
        let mut seed = [0; 4];
        for (to, from) in seed.iter_mut().zip(epoch.seed().0.as_chunks::<8>().0) {
            *to = u64::from_le_bytes(*from);
        }
        let mut items = Vec::with_capacity(count);
        let mut item = keccak512(&seed);
        for _ in 0..count {
            items.push(Item::of(item));
            item = keccak512(&item);
        }
        let mut before = items.last().map_or([0; 8], |item| item.long());
        for _ in 0..PASSES {
            for at in 0..items.len() {
                let Some(Item([first, ..])) = items.get(at) else { break };
                let other = usize::try_from(*first).ok().and_then(|first| first.checked_rem(count));
                let mut mixed = other.and_then(|other| items.get(other)).map_or([0; 8], |item| item.long());
                for (to, from) in mixed.iter_mut().zip(before) {
                    *to ^= from;
                }
                before = keccak512(&mixed);
                if let Some(item) = items.get_mut(at) {
                    *item = Item::of(before);
                }
            }
        }
        Self { epoch, items, pages: u32::try_from(pages).unwrap_or(u32::MAX) }
    }

    /// The epoch that it is of.
    #[must_use]
    pub const fn epoch(&self) -> EthashEpoch {
        self.epoch
    }

    /// Bytes of the cache, in order: 64 for each item, as little-endian words.
    pub fn chunks(&self) -> impl Iterator<Item = [u8; 64]> + '_ {
        self.items.iter().map(|item| {
            let mut bytes = [0; 64];
            for (to, from) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(item.0) {
                *to = from.to_le_bytes();
            }
            bytes
        })
    }

    /// Takes a cache that was built before. That the bytes are those of the epoch is for the caller to know, for
    /// instance by a checksum; only their number is checked.
    ///
    /// # Errors
    /// [`CacheLength`].
    pub fn from_bytes(epoch: EthashEpoch, bytes: &[u8]) -> Result<Self, CacheLength> {
        let expected = epoch.cache_bytes();
        let actual = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if actual != expected {
            return Err(CacheLength { epoch: epoch.index(), expected, actual });
        }
        let items = bytes.as_chunks::<64>().0.iter().map(|bytes| {
            let mut item = Item([0; 16]);
            for (to, from) in item.0.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *to = u32::from_le_bytes(*from);
            }
            item
        });
        let pages = u32::try_from(epoch.dataset_bytes() / 128).unwrap_or(u32::MAX);
        Ok(Self { epoch, items: items.collect(), pages })
    }
}
