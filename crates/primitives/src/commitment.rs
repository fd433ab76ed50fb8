//! What a provider commits to for an epoch: one root and one count.

use alloy_primitives::{B256, keccak256};
use serde::{Deserialize, Serialize};

/// Hash and count of a Merkle-count trie; of a whole epoch it is the claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// Hash of the root node, zero when empty.
    pub root: B256,
    /// Number of shares.
    pub count: u64,
}

impl Commitment {
    /// Next link of the chain over a lease's epochs: `keccak256(previous ‖ root ‖ count)`. The
    /// first `previous` is zero, and the count is a 32-byte big-endian integer.
    #[must_use]
    pub fn chain(&self, previous: &B256) -> B256 {
        let mut bytes = [0u8; 96];
        let count = B256::left_padding_from(&self.count.to_be_bytes());
        for (place, part) in bytes.chunks_exact_mut(32).zip([previous.0, self.root.0, count.0]) {
            place.copy_from_slice(&part);
        }
        keccak256(bytes)
    }
}
