//! Openings, and how one is checked.

use crate::{
    MAX_DEPTH, TrieError,
    node::{bit, leaf, node},
};
use alloy_primitives::B256;
use hashlease_primitives::Commitment;
use serde::{Deserialize, Serialize};

/// The path from a leaf to the root. It shows which key lies at a point of a trie to anyone who
/// knows the commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The share's key.
    pub key: B256,
    /// Siblings, deepest first, one for each level above the leaf.
    pub path: Vec<Commitment>,
}

impl Opening {
    /// Checks that the leaf lies at `point` of the trie committed to.
    ///
    /// The key alone decides on which side of each sibling the path passes, so an opening fits one
    /// point only.
    ///
    /// # Errors
    /// [`TrieError::TooDeep`], [`TrieError::CountOverflow`], [`TrieError::WrongRoot`] and
    /// [`TrieError::WrongPoint`].
    pub fn verify(&self, commitment: &Commitment, point: u64) -> Result<(), TrieError> {
        if self.path.len() > MAX_DEPTH {
            return Err(TrieError::TooDeep(self.path.len()));
        }
        let mut here = leaf(&self.key);
        let mut left_of_leaf = 0u64;
        for (sibling, depth) in self.path.iter().zip((0..self.path.len()).rev()) {
            here = if bit(&self.key, depth) {
                left_of_leaf = left_of_leaf.checked_add(sibling.count).ok_or(TrieError::CountOverflow)?;
                node(*sibling, here)?
            } else {
                node(here, *sibling)?
            };
        }
        if here != *commitment {
            return Err(TrieError::WrongRoot { expected: *commitment, actual: here });
        }
        if left_of_leaf != point {
            return Err(TrieError::WrongPoint { expected: point, actual: left_of_leaf });
        }
        Ok(())
    }
}
