//! A trie with its keys in memory.

use crate::{Builder, Opening, Outline, TrieError, parallel};
use alloy_primitives::B256;
use hashlease_primitives::Commitment;
use std::num::NonZeroUsize;

/// The keys of an epoch in the order of their points, and the [`Outline`] above them: 35 bytes a
/// key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trie {
    keys: Vec<B256>,
    outline: Outline,
}

impl Trie {
    /// Builds the trie of `keys`, in any order, on this thread.
    ///
    /// # Errors
    /// [`TrieError::Duplicate`] and [`TrieError::Collision`]: of several errors, that of the lowest
    /// keys.
    pub fn build(mut keys: Vec<B256>) -> Result<Self, TrieError> {
        keys.sort_unstable();
        let mut builder = Builder::new();
        for key in &keys {
            builder.push(*key)?;
        }
        Ok(Self { keys, outline: builder.finish() })
    }

    /// As [`Trie::build`], with the same result, on up to `threads` threads. Keys that are hashes
    /// divide the work evenly; keys that all start with the same bits leave it to one thread.
    ///
    /// # Errors
    /// As [`Trie::build`].
    pub fn build_threaded(mut keys: Vec<B256>, threads: NonZeroUsize) -> Result<Self, TrieError> {
        let outline = parallel::build(&mut keys, threads)?;
        Ok(Self { keys, outline })
    }

    /// Root and count.
    #[must_use]
    pub const fn commitment(&self) -> Commitment {
        self.outline.commitment()
    }

    /// The keys in the order of their points.
    #[must_use]
    pub fn keys(&self) -> &[B256] {
        &self.keys
    }

    /// The upper part of the trie, which opens points without all keys in memory.
    #[must_use]
    pub const fn outline(&self) -> &Outline {
        &self.outline
    }

    /// The path from the leaf at `point` to the root. Hashes one page of keys, no matter how many
    /// the trie has.
    ///
    /// # Errors
    /// [`TrieError::PointOutside`].
    pub fn open(&self, point: u64) -> Result<Opening, TrieError> {
        let points = self.outline.page(point)?.points();
        // never a fallback: a page's points are indices of keys in memory
        let [start, end] =
            [points.start, points.end].map(|point| usize::try_from(point).unwrap_or(usize::MAX));
        self.outline.open(point, self.keys.get(start..end).unwrap_or_default())
    }
}
