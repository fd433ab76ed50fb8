//! Commits to a set of 32-byte keys so that anyone can check their number from a few of them.
//!
//! A seller of hash power claims to have found a number of proofs of work. Each of them, a *share*,
//! has a key, the hash that is the work, and all shares of a claim weigh the same. The seller
//! commits to all keys with one hash and a number, 40 bytes: a
//! [`Commitment`](hashlease_primitives::Commitment). The buyer then names random *points* in `[0,
//! count)`, and for each point the seller shows the share that lies there, by an [`Opening`] of a
//! few hundred bytes.
//!
//! # The tree
//! A Merkle tree that counts, and a binary trie by the bits of the keys. Bit 0 is the highest bit
//! of the first byte:
//!
//! - A leaf lies at the smallest depth at which its key's first bits are unique, at most
//!   [`MAX_DEPTH`]. Two keys whose first 64 bits are equal can't both be held. Paths without a fork
//!   are not shortened.
//! - A leaf is `(keccak256(key), 1)`.
//! - A node is the pair of `keccak256(leftHash ‖ leftCount ‖ rightHash ‖ rightCount)`, with counts
//!   as 32-byte big-endian integers, and `leftCount + rightCount`, below 2⁶⁴. Leaves hash 32 bytes
//!   and nodes 128, so the two can't be confused.
//! - An absent child is `(0, 0)`, and so is the root of the empty trie.
//!
//! The same keys give the same tree in any order. The format is frozen: the contracts check the
//! same openings, and `tests/vectors/trie.json` binds the two.
//!
//! # What an opening proves
//! A point is *good* if some opening that verifies there shows a key whose share is valid. **No
//! tree of a liar has more good points than there are valid shares.** Take two good points: where
//! their paths to the root meet, both openings show the same two children, or else Keccak has a
//! collision. The paths take different turns there, so the keys differ in that bit, and each point
//! lies within its own child's count. Hence different points have different keys. A claim inflated
//! by a factor `1 + e` survives `k` uniform points with a probability of at most `(1 + e)^-k`,
//! whether it is inflated by invented shares, by copies or by counts without anything below them.
//! For this the points must be drawn after the commitment, and there must be no second try.
//!
//! # Use
//! [`Trie`] holds the keys in memory; [`Builder`] takes them in ascending order and holds a few
//! thousand. Both make an [`Outline`], the upper part of the tree, from which any point opens with
//! the keys of one [`Page`] of at most [`PAGE`] keys, in microseconds. Leaves and the nodes of each
//! depth are hashed in batches.
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

mod batch;
mod build;
mod error;
mod hash;
mod node;
mod opening;
mod outline;
mod parallel;
mod trie;

pub use build::Builder;
pub use error::TrieError;
pub use opening::Opening;
pub use outline::{Outline, PAGE, Page};
pub use trie::Trie;

/// Greatest depth of a leaf: two keys whose first 64 bits are equal can't both be held.
pub const MAX_DEPTH: usize = 64;
