//! The trie straight from its definition, by recursion and as slow as that is.

use alloy_primitives::{B256, keccak256};
use hashlease_primitives::Commitment;

/// Hash and count.
pub(crate) type Pair = (B256, u64);

fn side(keys: &[B256], depth: usize, wanted: u8) -> Vec<B256> {
    let bit = |key: &&B256| (key[depth / 8] >> (7 - depth % 8)) & 1 == wanted;
    keys.iter().filter(bit).copied().collect()
}

pub(crate) fn node(left: Pair, right: Pair) -> Pair {
    let mut bytes = Vec::new();
    for (hash, count) in [left, right] {
        bytes.extend(hash.0);
        bytes.extend([0; 24]);
        bytes.extend(count.to_be_bytes());
    }
    assert_eq!(bytes.len(), 128);
    (keccak256(bytes), left.1 + right.1)
}

/// Root and count of keys in any order that share their first `depth` bits.
pub(crate) fn commit(keys: &[B256], depth: usize) -> Pair {
    match keys {
        [] => (B256::ZERO, 0),
        [key] => (keccak256(key), 1),
        _ => node(commit(&side(keys, depth, 0), depth + 1), commit(&side(keys, depth, 1), depth + 1)),
    }
}

/// The key at a point and its siblings, deepest first.
pub(crate) fn open(keys: &[B256], depth: usize, point: usize) -> (B256, Vec<Pair>) {
    if let [key] = keys {
        assert_eq!(point, 0);
        return (*key, vec![]);
    }
    let (left, right) = (side(keys, depth, 0), side(keys, depth, 1));
    let (own, sibling, point) =
        if point < left.len() { (left, right, point) } else { (right, left.clone(), point - left.len()) };
    let (key, mut path) = open(&own, depth + 1, point);
    path.push(commit(&sibling, depth + 1));
    (key, path)
}

/// Every key with its siblings, deepest first, in the order of their points; and the root. One hash
/// for each node.
pub(crate) fn open_all(keys: &[B256], depth: usize) -> (Pair, Vec<(B256, Vec<Pair>)>) {
    match keys {
        [] => ((B256::ZERO, 0), vec![]),
        [key] => ((keccak256(key), 1), vec![(*key, vec![])]),
        _ => {
            let (left, mut openings) = open_all(&side(keys, depth, 0), depth + 1);
            let (right, mut others) = open_all(&side(keys, depth, 1), depth + 1);
            openings.iter_mut().for_each(|(_, path)| path.push(right));
            others.iter_mut().for_each(|(_, path)| path.push(left));
            openings.extend(others);
            (node(left, right), openings)
        }
    }
}

pub(crate) fn pair(commitment: Commitment) -> Pair {
    (commitment.root, commitment.count)
}
