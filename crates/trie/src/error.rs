//! Why keys can't be committed to, or an opening does not hold.

use crate::MAX_DEPTH;
use alloy_primitives::B256;
use hashlease_primitives::Commitment;

/// Why keys can't be committed to, or an opening can't be made or does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrieError {
    /// A key comes twice.
    #[error("key {0} comes twice")]
    Duplicate(B256),
    /// Two keys are equal in their first 64 bits.
    #[error("keys {0} and {1} are equal in their first {MAX_DEPTH} bits")]
    Collision(B256, B256),
    /// A key is not above the one before it, where ascending keys are expected.
    #[error("key {key} comes after {previous}: expected ascending keys")]
    NotAscending {
        /// The key before.
        previous: B256,
        /// The key that should be above it.
        key: B256,
    },
    /// The point is not below the count.
    #[error("point {point} is outside the trie: expected below {count}")]
    PointOutside {
        /// The point asked for.
        point: u64,
        /// Number of shares in the trie.
        count: u64,
    },
    /// There are more or fewer keys than the page holds.
    #[error("{actual} keys for the page from point {first}: expected {expected}")]
    PageLength {
        /// First point of the page.
        first: u64,
        /// Number of keys in the page.
        expected: u64,
        /// Number of keys given.
        actual: usize,
    },
    /// A key's first bits are not those of the page.
    #[error("key {key} is not in the page of the keys that start with the first {depth} bits of {prefix}")]
    OutsidePage {
        /// The key given.
        key: B256,
        /// Lowest key that the page could hold.
        prefix: B256,
        /// Number of bits that the keys of the page have in common.
        depth: usize,
    },
    /// The keys are not those that the page was made of.
    #[error("keys of the page from point {first} hash to {actual}: expected {expected}")]
    WrongPage {
        /// First point of the page.
        first: u64,
        /// Hash of the page's root in the trie.
        expected: B256,
        /// What the keys given hash to.
        actual: B256,
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
