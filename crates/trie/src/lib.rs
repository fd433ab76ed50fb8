//! The commitment to an epoch's shares: a Merkle-count trie keyed by the shares' keys.
//!
//! All shares of a lease weigh the same, so the tree counts them. Bit `i` of a key is
//! `(key[i/8] >> (7 − i%8)) & 1`; a leaf sits at the shallowest depth where its prefix is unique, without path
//! compression, at most [`MAX_DEPTH`] deep. An absent child is `(0, 0)`, and so is the empty root. A leaf is
//! `(keccak256(key), 1)`, a node `(keccak256(leftHash ‖ leftCount ‖ rightHash ‖ rightCount), sum)` with counts as
//! 32-byte big-endian integers: 32 bytes in for a leaf, 128 for a node, so the two can't be confused.
//!
//! A duplicate cannot exist in it. A *point* in `[0, count)` is good when it falls on a leaf whose share verifies;
//! whatever tree a liar builds, the good points are at most the honest shares.
//!
//! ```
//! use hashlease_trie::{Trie, Opening};
//! use alloy_primitives::keccak256;
//!
//! let trie = Trie::build((0u8..100).map(|i| keccak256([i])).collect()).unwrap();
//! let opening: Opening = trie.open(42).unwrap();
//! assert!(opening.verify(&trie.commitment(), 42).is_ok());
//! assert!(opening.verify(&trie.commitment(), 43).is_err());
//! ```
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use alloy_primitives::{B256, keccak256};
use serde::{Deserialize, Serialize};

/// Deepest place of a leaf: keys that are equal in their first 64 bits can't both be held.
pub const MAX_DEPTH: usize = 64;

/// Root and count of a trie: the claim to an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// Hash of the root node, zero when empty.
    pub root: B256,
    /// Number of shares.
    pub count: u64,
}

impl Commitment {
    /// Next link of the chain over a lease's epochs: `keccak256(previous ‖ root ‖ count)`, the first previous
    /// being zero and the count a 32-byte big-endian integer.
    #[must_use]
    pub fn chain(&self, previous: &B256) -> B256 {
        let mut bytes = Vec::with_capacity(96);
        bytes.extend_from_slice(previous.as_slice());
        bytes.extend_from_slice(self.root.as_slice());
        bytes.extend_from_slice(&word(self.count));
        keccak256(&bytes)
    }
}

/// Why keys can't be committed to, or an opening does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrieError {
    /// A key comes twice.
    #[error("key {0} comes twice")]
    Duplicate(B256),
    /// Two keys are equal in their first 64 bits.
    #[error("keys {0} and {1} are equal in their first {MAX_DEPTH} bits")]
    Collision(B256, B256),
    /// The point is not below the count.
    #[error("point {point} is outside the trie: expected below {count}")]
    PointOutside {
        /// The point asked for.
        point: u64,
        /// Number of shares in the trie.
        count: u64,
    },
    /// The path is deeper than any leaf may be.
    #[error("path of {0} steps: expected at most {MAX_DEPTH}")]
    TooDeep(usize),
    /// Counts on the path overflow 64 bits.
    #[error("counts on the path exceed 64 bits")]
    CountOverflow,
    /// The path does not lead to the root and count.
    #[error("path leads to root {actual:?}: expected {expected:?}")]
    WrongRoot {
        /// The commitment.
        expected: Commitment,
        /// Where the path leads.
        actual: Commitment,
    },
    /// The leaf does not lie at the point.
    #[error("leaf lies at point {actual}: expected {expected}")]
    WrongPoint {
        /// The point asked for.
        expected: u64,
        /// Where the leaf lies.
        actual: u64,
    },
}

/// Keys of an epoch in their order in the trie.
#[derive(Clone, Debug, Default)]
pub struct Trie {
    keys: Vec<B256>,
    commitment: Commitment,
}

/// The way from a leaf to the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The share's key.
    pub key: B256,
    /// Siblings, deepest first.
    pub path: Vec<Commitment>,
}

fn bit(key: &B256, depth: usize) -> bool {
    key.get(depth / 8).is_some_and(|byte| (byte << (depth % 8)) & 0x80 != 0)
}

fn word(count: u64) -> [u8; 32] {
    B256::left_padding_from(&count.to_be_bytes()).0
}

fn leaf(key: &B256) -> Commitment {
    Commitment { root: keccak256(key), count: 1 }
}

fn node(left: Commitment, right: Commitment) -> Result<Commitment, TrieError> {
    let mut bytes = [0u8; 128];
    let parts = [left.root.0, word(left.count), right.root.0, word(right.count)];
    for (place, part) in bytes.chunks_exact_mut(32).zip(parts) {
        place.copy_from_slice(&part);
    }
    let count = left.count.checked_add(right.count).ok_or(TrieError::CountOverflow)?;
    Ok(Commitment { root: keccak256(bytes), count })
}

/// Commitment to sorted, distinct keys that agree in their first `depth` bits.
fn commit(keys: &[B256], depth: usize) -> Result<Commitment, TrieError> {
    match keys {
        [] => Ok(Commitment::default()),
        [only] => Ok(leaf(only)),
        [first, second, ..] if depth >= MAX_DEPTH => Err(TrieError::Collision(*first, *second)),
        _ => {
            let (left, right) = split(keys, depth);
            let next = depth.saturating_add(1);
            node(commit(left, next)?, commit(right, next)?)
        }
    }
}

fn split(keys: &[B256], depth: usize) -> (&[B256], &[B256]) {
    keys.split_at(keys.partition_point(|key| !bit(key, depth)))
}

impl Trie {
    /// Builds the trie of `keys`, in any order.
    ///
    /// # Errors
    /// [`TrieError::Duplicate`] and [`TrieError::Collision`].
    pub fn build(mut keys: Vec<B256>) -> Result<Self, TrieError> {
        keys.sort_unstable();
        for (first, second) in keys.iter().zip(keys.iter().skip(1)) {
            if first == second {
                return Err(TrieError::Duplicate(*first));
            }
        }
        let commitment = commit(&keys, 0)?;
        Ok(Self { keys, commitment })
    }

    /// Root and count.
    #[must_use]
    pub const fn commitment(&self) -> Commitment {
        self.commitment
    }

    /// The keys in the order of their points.
    #[must_use]
    pub fn keys(&self) -> &[B256] {
        &self.keys
    }

    /// The way from the leaf at `point` to the root.
    ///
    /// # Errors
    /// [`TrieError::PointOutside`].
    pub fn open(&self, point: u64) -> Result<Opening, TrieError> {
        let count = self.commitment.count;
        let key = usize::try_from(point)
            .ok()
            .and_then(|index| self.keys.get(index))
            .copied()
            .ok_or(TrieError::PointOutside { point, count })?;
        let mut path = Vec::new();
        let mut keys = self.keys.as_slice();
        let mut depth = 0usize;
        while keys.len() > 1 {
            let (left, right) = split(keys, depth);
            depth = depth.saturating_add(1);
            let (own, sibling) =
                if bit(&key, depth.saturating_sub(1)) { (right, left) } else { (left, right) };
            path.push(commit(sibling, depth)?);
            keys = own;
        }
        path.reverse();
        Ok(Opening { key, path })
    }
}

impl Opening {
    /// Checks that the leaf lies at `point` of the trie committed to.
    ///
    /// # Errors
    /// [`TrieError`], naming what differs.
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

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(n: u32) -> Vec<B256> {
        (0..n).map(|i| keccak256(i.to_be_bytes())).collect()
    }

    #[test]
    fn empty_and_single() {
        assert_eq!(Trie::build(vec![]).unwrap().commitment(), Commitment::default());
        let key = keccak256(b"a");
        let trie = Trie::build(vec![key]).unwrap();
        assert_eq!(trie.commitment(), Commitment { root: keccak256(key), count: 1 });
        assert_eq!(trie.open(0).unwrap().path.len(), 0);
    }

    #[test]
    fn depth_64_holds_and_a_collision_does_not() {
        let low = B256::ZERO;
        let mut high = B256::ZERO;
        high[7] = 1;
        let trie = Trie::build(vec![low, high]).unwrap();
        assert_eq!(trie.open(1).unwrap().path.len(), 64);
        assert!(trie.open(1).unwrap().verify(&trie.commitment(), 1).is_ok());
        let mut collides = B256::ZERO;
        collides[8] = 0x80;
        assert_eq!(Trie::build(vec![low, collides]).unwrap_err(), TrieError::Collision(low, collides));
        assert_eq!(Trie::build(vec![low, low]).unwrap_err(), TrieError::Duplicate(low));
    }

    #[test]
    fn overflowing_counts_are_refused() {
        let key = keccak256(b"a");
        let sibling = Commitment { root: B256::repeat_byte(1), count: u64::MAX };
        let opening = Opening { key, path: vec![sibling] };
        assert_eq!(opening.verify(&Commitment::default(), 0), Err(TrieError::CountOverflow));
        let deep = Opening { key, path: vec![Commitment::default(); 65] };
        assert_eq!(deep.verify(&Commitment::default(), 0), Err(TrieError::TooDeep(65)));
    }

    proptest! {
        #[test]
        fn every_point_opens_and_no_other_does(n in 1u32..200, seed in any::<u32>()) {
            let mut all = keys(n);
            all.rotate_left((seed % n) as usize);
            let trie = Trie::build(all).unwrap();
            prop_assert_eq!(trie.commitment(), Trie::build(keys(n)).unwrap().commitment());
            let point = u64::from(seed % n);
            let opening = trie.open(point).unwrap();
            prop_assert!(opening.verify(&trie.commitment(), point).is_ok());
            prop_assert!(opening.verify(&trie.commitment(), point + 1).is_err());
            let more = Commitment { count: trie.commitment().count + 1, ..trie.commitment() };
            prop_assert!(opening.verify(&more, point).is_err());
            if let Some(first) = opening.path.first().copied() {
                let mut liar = opening.clone();
                liar.path[0] = Commitment { count: first.count + 1, ..first };
                prop_assert!(liar.verify(&trie.commitment(), point).is_err());
            }
            prop_assert!(trie.open(u64::from(n)).is_err());
        }
    }
}
