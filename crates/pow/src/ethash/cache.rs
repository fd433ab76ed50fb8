//! The light cache, from which any item of the dataset can be computed.
#![allow(unsafe_code)] // one view of the items as bytes, one hint to the kernel

use super::{
    epoch::{EthashEpoch, ITEM_BYTES, PAGE_BYTES},
    fastmod::FastMod,
    hashes::long_word,
    item::{Item, prefetch},
};
use crate::{Isa, keccak};
use alloy_primitives::B256;

/// Rounds in which the whole cache is mixed.
const CACHE_ROUNDS: usize = 3;
/// Number of items by which the prefetch is ahead of the mixing.
const LOOKAHEAD: usize = 4;
/// Items between two reports of progress.
const REPORT_EVERY: usize = 1 << 14;

/// The light cache of one epoch: 16 MiB in the first, 128 KiB more with each.
///
/// It never changes, so any number of threads can read it at the same time.
pub struct LightCache {
    epoch: EthashEpoch,
    items: Vec<Item>,
    pub(super) modulo_items: FastMod,
    pub(super) modulo_pages: FastMod,
}

impl std::fmt::Debug for LightCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LightCache").field("epoch", &self.epoch).field("items", &self.items.len()).finish()
    }
}

/// The number of bytes is not that of the epoch's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("light cache of DAG epoch {}: expected {expected} bytes, got {actual}", epoch.index())]
pub struct WrongCacheLength {
    /// The epoch asked for.
    pub epoch: EthashEpoch,
    /// Expected length, bytes.
    pub expected: u64,
    /// Length given, bytes.
    pub actual: u64,
}

/// The caller's progress function cancelled the build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the build of the light cache was cancelled")]
pub struct BuildCancelled;

impl LightCache {
    /// Builds the cache of an epoch, which takes from a quarter of a second (epoch 0) to several
    /// seconds.
    ///
    /// A second thread could not help, since each item is the hash of the one before it. Caches of
    /// different epochs can be built side by side.
    #[must_use]
    pub fn build(epoch: EthashEpoch) -> Self {
        match Self::build_with(epoch, &mut |_| true) {
            Ok(cache) => cache,
            Err(BuildCancelled) => unreachable!("nobody cancels it"),
        }
    }

    /// [`build`](Self::build) that reports its progress, a fraction from 0 to 1, at least a few
    /// times a second. `progress` returns whether to continue.
    ///
    /// # Errors
    /// If `progress` returned `false`.
    pub fn build_with(
        epoch: EthashEpoch,
        progress: &mut dyn FnMut(f64) -> bool,
    ) -> Result<Self, BuildCancelled> {
        // never the fallback: no cache has more than 272 MiB
        let items = usize::try_from(epoch.cache_size() / ITEM_BYTES).unwrap_or(usize::MAX);
        Ok(Self::of_items(epoch, grow(Isa::best(), epoch.seed(), items, progress)?, epoch.dataset_size()))
    }

    /// The cache with these bytes, which came from [`as_bytes`](Self::as_bytes).
    ///
    /// Only the length is checked. Bytes that were stored or sent need a checksum.
    ///
    /// # Errors
    /// If the length is not that of the epoch's cache.
    pub fn from_bytes(epoch: EthashEpoch, bytes: &[u8]) -> Result<Self, WrongCacheLength> {
        let (expected, actual) = (epoch.cache_size(), bytes.len() as u64);
        if expected != actual {
            return Err(WrongCacheLength { epoch, expected, actual });
        }
        let (chunks, _) = bytes.as_chunks();
        let mut items = reserve(chunks.len());
        items.extend(chunks.iter().map(Item::from_bytes));
        Ok(Self::of_items(epoch, items, epoch.dataset_size()))
    }

    fn of_items(epoch: EthashEpoch, items: Vec<Item>, dataset_size: u64) -> Self {
        // never the fallback: the last epoch has fewer than 2^29 items and pages
        let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            epoch,
            modulo_items: FastMod::new(narrow(items.len() as u64)),
            modulo_pages: FastMod::new(narrow(dataset_size / PAGE_BYTES)),
            items,
        }
    }

    /// A cache smaller than that of any epoch, so that tests don't have to wait.
    #[cfg(test)]
    pub(super) fn tiny(isa: Isa, seed: B256, items: usize, pages: u64) -> Self {
        let epoch = EthashEpoch::of_ethash_block(0).unwrap();
        Self::of_items(epoch, grow(isa, seed, items, &mut |_| true).unwrap(), pages * PAGE_BYTES)
    }

    /// Its epoch.
    #[must_use]
    pub const fn epoch(&self) -> EthashEpoch {
        self.epoch
    }

    /// All bytes as in the specification: one item after the other, words little-endian.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let bytes = size_of_val(self.items.as_slice());
        // SAFETY: items are arrays of integers without gaps between them, since their size is their
        // alignment.
        unsafe { std::slice::from_raw_parts(self.items.as_ptr().cast(), bytes) }
    }

    #[inline(always)]
    pub(super) fn items(&self) -> &[Item] {
        &self.items
    }
}

/// Memory for `items` items, in huge pages where the system has them.
///
/// A check reads 32,768 items all over the cache. With pages of 4 KiB nearly each read would also
/// have to look up its page.
fn reserve(items: usize) -> Vec<Item> {
    #[allow(unused_mut)]
    let mut memory = Vec::<Item>::with_capacity(items);
    #[cfg(target_os = "linux")]
    {
        const HUGE: usize = 2 << 20;
        let room = memory.spare_capacity_mut();
        let (start, end) = (room.as_ptr().addr(), room.as_ptr_range().end.addr());
        let (first, last) = (start.next_multiple_of(HUGE), end / HUGE * HUGE);
        if first < last {
            let address = room.as_mut_ptr().cast::<libc::c_void>().wrapping_byte_add(first - start);
            // SAFETY: whole pages within our own memory; the advice changes how it is backed, not
            // its content. If it is not taken, only speed suffers.
            let _ = unsafe { libc::madvise(address, last - first, libc::MADV_HUGEPAGE) };
        }
    }
    memory
}

/// Builds a cache from its seed.
fn grow(
    isa: Isa,
    seed: B256,
    count: usize,
    progress: &mut dyn FnMut(f64) -> bool,
) -> Result<Vec<Item>, BuildCancelled> {
    let steps = count * (CACHE_ROUNDS + 1);
    let mut report = |done: usize| {
        #[allow(clippy::cast_precision_loss)] // a few million at most
        let go_on = !done.is_multiple_of(REPORT_EVERY) || progress(done as f64 / steps as f64);
        if go_on { Ok(()) } else { Err(BuildCancelled) }
    };
    let hash = |words: [u64; 8]| keccak::keccak512_words(isa, &words);
    let mut items = reserve(count);
    let mut last = keccak::keccak512_words::<4>(isa, &std::array::from_fn(|word| long_word(&seed, word)));
    for done in 0..count {
        items.push(Item::from_words(last));
        last = hash(last);
        report(done)?;
    }
    // never the fallback: no cache has as many as 2^23 items
    let modulo = FastMod::new(u32::try_from(count).unwrap_or(u32::MAX));
    for round in 1..=CACHE_ROUNDS {
        let mut before = items[count - 1].words();
        for index in 0..count {
            // this item, as the last round left it, decides which item is mixed in, so the choice
            // is known early
            if let Some(ahead) = items.get(index + LOOKAHEAD) {
                prefetch::<true>(&items, modulo.of(ahead.word(0)) as usize);
            }
            let other = items[modulo.of(items[index].word(0)) as usize].words();
            before = hash(std::array::from_fn(|word| before[word] ^ other[word]));
            items[index] = Item::from_words(before);
            report(round * count + index)?;
        }
    }
    Ok(items)
}
