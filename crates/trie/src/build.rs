//! The streaming builder, through which every commitment is made.

use crate::{
    Outline, TrieError,
    batch::Batch,
    node::fork,
    outline::{Growing, PAGE},
};
use alloy_primitives::B256;
use hashlease_primitives::Commitment;

/// Builds a trie from keys in ascending order without holding them all: it needs memory for
/// [`Builder::CHUNK`] keys (about a megabyte for keys that are hashes) and the growing [`Outline`].
///
/// ```
/// use hashlease_trie::{Builder, Trie};
/// use alloy_primitives::keccak256;
///
/// let trie = Trie::build((0u8..100).map(|i| keccak256([i])).collect())?;
/// let mut builder = Builder::new();
/// for key in trie.keys() {
///     builder.push(*key)?;
/// }
/// assert_eq!(builder.finish(), *trie.outline());
/// # Ok::<(), hashlease_trie::TrieError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    /// Keys not hashed yet. The last key pushed is always among them.
    keys: Vec<[u8; 32]>,
    /// For each of them but the last, the depth of its [`fork`] from the next.
    forks: Vec<u8>,
    batch: Batch,
    outline: Growing,
    count: u64,
}

impl Builder {
    /// Number of keys hashed together.
    pub const CHUNK: usize = 4096;

    /// A builder of the empty trie.
    #[must_use]
    pub fn new() -> Self {
        Self::below(0)
    }

    /// A builder of the subtree at depth `floor`: all its keys share that many first bits.
    pub(crate) fn below(floor: usize) -> Self {
        Self {
            keys: Vec::new(),
            forks: Vec::new(),
            batch: Batch::new(floor),
            outline: Growing::default(),
            count: 0,
        }
    }

    /// Adds a key, which must be above all keys before it.
    ///
    /// # Errors
    /// [`TrieError::Duplicate`], [`TrieError::Collision`] and [`TrieError::NotAscending`], each
    /// about the last key pushed and this one. The builder is then unchanged and accepts other
    /// keys.
    pub fn push(&mut self, key: B256) -> Result<(), TrieError> {
        if let Some(previous) = self.keys.last() {
            let fork = fork(previous, &key.0)?;
            self.forks.push(fork);
            if self.keys.len() >= Self::CHUNK {
                self.hash();
            }
        }
        self.keys.push(key.0);
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Number of keys pushed.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Hashes the remaining keys. The outline holds the commitment, and opens any point, given the
    /// keys of its page.
    #[must_use]
    pub fn finish(self) -> Outline {
        let (commitment, outline) = self.finish_subtree();
        outline.finish(commitment)
    }

    pub(crate) fn finish_subtree(mut self) -> (Commitment, Growing) {
        self.hash();
        (self.batch.root(), self.outline)
    }

    fn hash(&mut self) {
        self.batch.add_keys(&self.keys, &self.forks);
        self.keys.clear();
        self.forks.clear();
        for (left, right) in self.batch.nodes_above(PAGE) {
            self.outline.push(left, right);
        }
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}
