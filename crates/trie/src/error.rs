//! Errors of commitments and openings.

use crate::MAX_DEPTH;
use alloy_primitives::B256;
use hashlease_primitives::Commitment;

/// Why keys can't be committed to, or an opening can't be made or doesn't verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrieError {
    /// A key occurs twice.
    #[error("key {0} occurs twice")]
    Duplicate(B256),
    /// Two keys have the same first 64 bits.
    #[error("keys {0} and {1} have the same first {MAX_DEPTH} bits")]
    Collision(B256, B256),
    /// A key is not above the one before it.
    #[error("key {key} follows {previous}: expected ascending keys")]
    NotAscending {
        /// The key before.
        previous: B256,
        /// The key that is not above it.
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
    /// The number of keys is not that of the page.
    #[error("page from point {first}: expected {expected} keys, got {actual}")]
    PageLength {
        /// First point of the page.
        first: u64,
        /// Number of keys in the page.
        expected: u64,
        /// Number of keys given.
        actual: usize,
    },
    /// A key's first bits are not those of the page.
    #[error("key {key} is outside the page: expected the first {depth} bits of {prefix}")]
    OutsidePage {
        /// The key given.
        key: B256,
        /// Lowest key that the page can hold.
        prefix: B256,
        /// Number of bits that the keys of the page have in common.
        depth: usize,
    },
    /// The keys are not those of the page.
    #[error("page from point {first}: expected keys that hash to {expected}, got {actual}")]
    WrongPage {
        /// First point of the page.
        first: u64,
        /// Hash of the page's root in the trie.
        expected: B256,
        /// Hash of the keys given.
        actual: B256,
    },
    /// The path is deeper than any leaf may be.
    #[error("path of {0} steps: expected at most {MAX_DEPTH}")]
    TooDeep(usize),
    /// Counts on the path overflow 64 bits.
    #[error("counts on the path exceed 64 bits")]
    CountOverflow,
    /// The path leads to another root or count.
    #[error("path: expected root {expected:?}, got {actual:?}")]
    WrongRoot {
        /// The commitment.
        expected: Commitment,
        /// Root and count that the path leads to.
        actual: Commitment,
    },
    /// The leaf lies at another point.
    #[error("leaf: expected point {expected}, got {actual}")]
    WrongPoint {
        /// The point asked for.
        expected: u64,
        /// Point at which the leaf lies.
        actual: u64,
    },
}
