//! Leaves and nodes: bits of keys, preimages and hashes. The frozen format is defined here and
//! nowhere else.

use crate::{MAX_DEPTH, TrieError};
use alloy_primitives::{B256, keccak256};
use hashlease_primitives::Commitment;

/// The first 64 bits of a key, which decide its place.
pub(crate) fn prefix(key: &[u8; 32]) -> u64 {
    // never the fallback: a key has 32 bytes
    key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// Whether a key's path turns right at a node of this depth: the key's bit of that number.
pub(crate) fn bit(key: &[u8; 32], depth: usize) -> bool {
    key.get(depth / 8).is_some_and(|byte| (byte << (depth % 8)) & 0x80 != 0)
}

/// Depth at which the paths of two neighbouring keys have separated: one more than the number of
/// first bits they share, from 1 to [`MAX_DEPTH`].
///
/// # Errors
/// [`TrieError::Duplicate`], [`TrieError::Collision`] and [`TrieError::NotAscending`].
pub(crate) fn fork(previous: &[u8; 32], key: &[u8; 32]) -> Result<u8, TrieError> {
    let (first, second) = (prefix(previous), prefix(key));
    if first < second {
        let shared = (first ^ second).leading_zeros();
        // never the fallback: the words differ, so they share at most 63 bits
        return Ok(u8::try_from(shared).unwrap_or(u8::MAX).saturating_add(1));
    }
    let (previous, key) = (B256::new(*previous), B256::new(*key));
    Err(if previous == key {
        TrieError::Duplicate(key)
    } else if first == second {
        TrieError::Collision(previous, key)
    } else {
        TrieError::NotAscending { previous, key }
    })
}

/// A leaf: the hash of its key, with count one.
pub(crate) fn leaf(key: &B256) -> Commitment {
    Commitment { root: keccak256(key), count: 1 }
}

/// A node, whose count is the sum of its children's.
///
/// # Errors
/// [`TrieError::CountOverflow`].
pub(crate) fn node(left: Commitment, right: Commitment) -> Result<Commitment, TrieError> {
    let mut bytes = [0; 128];
    write_node(&mut bytes, left, right);
    let count = left.count.checked_add(right.count).ok_or(TrieError::CountOverflow)?;
    Ok(Commitment { root: keccak256(bytes), count })
}

/// Writes a node's preimage, `leftHash ‖ leftCount ‖ rightHash ‖ rightCount`, over another node's
/// or over zeros: the first 24 bytes of each count are zero in all of them.
pub(crate) fn write_node(bytes: &mut [u8; 128], left: Commitment, right: Commitment) {
    for (half, child) in bytes.chunks_exact_mut(64).zip([left, right]) {
        if let Some((hash, count)) = half.split_first_chunk_mut()
            && let Some(count) = count.last_chunk_mut()
        {
            *hash = child.root.0;
            *count = child.count.to_be_bytes();
        }
    }
}

const _: () = assert!(MAX_DEPTH == u64::BITS as usize, "a key's place is decided by one word");
