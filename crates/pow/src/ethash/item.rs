//! An item of the cache or of the dataset.
#![allow(unsafe_code)] // prefetches

use super::{epoch::ITEM_BYTES, fnv::fnv};

/// Words of an item.
pub(super) const ITEM_WORDS: usize = 16;

/// 64 bytes in a cache line of their own: words that are little-endian in memory on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Item([u32; ITEM_WORDS]);

impl Item {
    pub(super) const ZERO: Self = Self([0; ITEM_WORDS]);

    #[inline(always)]
    pub(super) fn from_bytes(bytes: &[u8; ITEM_BYTES as usize]) -> Self {
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

    /// Mixes every word with the one at the same place.
    #[inline(always)]
    pub(super) fn mix_in(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word = fnv(u32::from_le(*word), u32::from_le(other)).to_le();
        }
    }

    /// The bytes as in the specification.
    pub(super) fn to_bytes(self) -> [u8; ITEM_BYTES as usize] {
        let mut bytes = [0; ITEM_BYTES as usize];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(self.0) {
            *bytes = word.to_ne_bytes();
        }
        bytes
    }
}

/// Prefetches an item. It has no effect on the result.
///
/// `NEAR` is for a few at a time: the first-level cache can wait for about sixteen lines, and more
/// than that are faster through the second level.
#[inline(always)]
pub(super) fn prefetch<const NEAR: bool>(items: &[Item], index: usize) {
    #[cfg(kernels)]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        let address = items.as_ptr().wrapping_add(index).cast();
        // SAFETY: a prefetch faults on no address and changes nothing that a program sees.
        unsafe {
            if NEAR {
                _mm_prefetch::<_MM_HINT_T0>(address);
            } else {
                _mm_prefetch::<_MM_HINT_T1>(address);
            }
        }
    }
    #[cfg(not(kernels))]
    let _ = (items, index);
}
