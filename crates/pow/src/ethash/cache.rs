//! The light cache: what is needed to recompute any item of the dataset.
#![allow(unsafe_code)] // one view of the items as bytes, one wish to the kernel

use super::{
    epoch::{EthashEpoch, ITEM_BYTES, PAGE_BYTES},
    fastmod::FastMod,
    fnv,
};
use crate::{Isa, keccak};
use alloy_primitives::B256;

/// How often the whole cache is stirred.
const CACHE_ROUNDS: usize = 3;
/// How far ahead of the stirring the item that will be mixed in is called from memory.
const LOOKAHEAD: usize = 4;
/// Items between two reports of progress.
const REPORT_EVERY: usize = 1 << 14;

/// Words of an item.
pub(super) const ITEM_WORDS: usize = 16;

/// 64 bytes in a cache line of their own: words whose bytes in memory are little-endian, whatever the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Item([u32; ITEM_WORDS]);

impl Item {
    pub(super) const ZERO: Self = Self([0; ITEM_WORDS]);

    #[inline(always)]
    fn from_bytes(bytes: &[u8; ITEM_BYTES as usize]) -> Self {
        let words = bytes.as_chunks().0;
        Self(std::array::from_fn(|index| u32::from_ne_bytes(words[index])))
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // halves
    pub(super) fn from_words(words: [u64; 8]) -> Self {
        Self(std::array::from_fn(|index| ((words[index / 2] >> (index % 2 * 32)) as u32).to_le()))
    }

    #[inline(always)]
    pub(super) fn words(&self) -> [u64; 8] {
        std::array::from_fn(|index| {
            u64::from(self.word(2 * index)) | u64::from(self.word(2 * index + 1)) << 32
        })
    }

    #[inline(always)]
    pub(super) const fn word(&self, index: usize) -> u32 {
        u32::from_le(self.0[index])
    }

    #[inline(always)]
    pub(super) const fn set_word(&mut self, index: usize, word: u32) {
        self.0[index] = word.to_le();
    }

    /// Every word mixed with the one in its place.
    #[inline(always)]
    pub(super) fn mix_in(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word = fnv(u32::from_le(*word), u32::from_le(other)).to_le();
        }
    }

    /// As the specification writes it.
    pub(super) fn to_bytes(self) -> [u8; ITEM_BYTES as usize] {
        let mut bytes = [0; ITEM_BYTES as usize];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(self.0) {
            *bytes = word.to_ne_bytes();
        }
        bytes
    }
}

/// The light cache of one epoch: 16 MiB in the first, 128 KiB more with each.
///
/// It never changes once it stands, so any number of threads read it at once.
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

/// The bytes are not as many as the cache of that epoch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the light cache of epoch {} has {expected} bytes, not {actual}", epoch.index())]
pub struct WrongCacheLength {
    /// The epoch asked for.
    pub epoch: EthashEpoch,
    /// Bytes that its cache has.
    pub expected: u64,
    /// Bytes that were given.
    pub actual: u64,
}

/// The build was called off by its own report of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the build of the light cache was called off")]
pub struct BuildCancelled;

impl LightCache {
    /// Builds the cache of an epoch, which takes from a quarter of a second (epoch 0) to some seconds.
    ///
    /// One thread does it and no second one could help: each item is the hash of the one before it. Different epochs
    /// build side by side.
    #[must_use]
    pub fn build(epoch: EthashEpoch) -> Self {
        match Self::build_with(epoch, &mut |_| true) {
            Ok(cache) => cache,
            Err(BuildCancelled) => unreachable!("nobody calls it off"),
        }
    }

    /// [`build`](Self::build) that reports the part done, a fraction from 0 to 1, a few times a second or more. Whoever is told
    /// answers whether to go on.
    ///
    /// # Errors
    /// When the answer was no.
    pub fn build_with(
        epoch: EthashEpoch,
        progress: &mut dyn FnMut(f64) -> bool,
    ) -> Result<Self, BuildCancelled> {
        let items = usize::try_from(epoch.cache_size() / ITEM_BYTES).unwrap_or(usize::MAX);
        Ok(Self::of_items(epoch, grow(Isa::best(), epoch.seed(), items, progress)?, epoch.dataset_size()))
    }

    /// The cache that these bytes are, as [`as_bytes`](Self::as_bytes) gave them.
    ///
    /// Only the length is checked. Bytes that were out of one's hands need a checksum of their own.
    ///
    /// # Errors
    /// When the length is not that of the epoch's cache.
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
        let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            epoch,
            modulo_items: FastMod::new(narrow(items.len() as u64)),
            modulo_pages: FastMod::new(narrow(dataset_size / PAGE_BYTES)),
            items,
        }
    }

    /// A cache of any size, which no epoch has, so that a test need not wait.
    #[cfg(test)]
    pub(super) fn tiny(isa: Isa, seed: B256, items: usize, pages: u64) -> Self {
        let epoch = EthashEpoch::of_ethash_block(0).unwrap();
        Self::of_items(epoch, grow(isa, seed, items, &mut |_| true).unwrap(), pages * PAGE_BYTES)
    }

    /// The epoch it is for.
    #[must_use]
    pub const fn epoch(&self) -> EthashEpoch {
        self.epoch
    }

    /// All of it as the specification writes it: items in a row, words little-endian.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let bytes = size_of_val(self.items.as_slice());
        // SAFETY: items are arrays of integers without gaps between them, since their size is their alignment.
        unsafe { std::slice::from_raw_parts(self.items.as_ptr().cast(), bytes) }
    }

    #[inline(always)]
    pub(super) fn items(&self) -> &[Item] {
        &self.items
    }
}

/// Memory for so many items, in huge pages where the system has them.
///
/// A check touches 32,768 items all over the cache. With pages of 4 KiB nearly each touch also has to look up where
/// its page is.
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
            // SAFETY: whole pages within memory that is ours; the advice changes how it is backed, not what it holds.
            // Whether it is taken makes no difference but of speed.
            let _ = unsafe { libc::madvise(address, last - first, libc::MADV_HUGEPAGE) };
        }
    }
    memory
}

/// Grows a cache out of its seed.
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
    let modulo = FastMod::new(u32::try_from(count).unwrap_or(u32::MAX));
    for round in 1..=CACHE_ROUNDS {
        let mut before = items[count - 1].words();
        for index in 0..count {
            // The item to mix in is named by this one as the last round left it, so it is known early.
            if let Some(ahead) = items.get(index + LOOKAHEAD) {
                super::prefetch::<true>(&items, modulo.of(ahead.word(0)) as usize);
            }
            let other = items[modulo.of(items[index].word(0)) as usize].words();
            before = hash(std::array::from_fn(|word| before[word] ^ other[word]));
            items[index] = Item::from_words(before);
            report(round * count + index)?;
        }
    }
    Ok(items)
}

/// Eight bytes of a hash as a little-endian word.
pub(super) fn long_word(hash: &B256, index: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[index * 8..index * 8 + 8]);
    u64::from_le_bytes(bytes)
}
