//! Trees that no honest builder makes.

use super::reference;
use alloy_primitives::{B256, keccak256};
use hashlease_primitives::Commitment;
use hashlease_trie::{Opening, TrieError};
use std::collections::BTreeSet;

#[derive(Clone)]
pub(crate) enum Tree {
    Absent,
    Leaf(B256),
    Node(Box<Tree>, Box<Tree>),
    /// A hash and a count without anything below.
    Phantom(B256, u64),
    /// A tree whose claimed count is not its own.
    Claimed(Box<Tree>, u64),
}

impl Tree {
    /// The honest subtree of keys that share `depth` bits.
    pub(crate) fn honest(keys: &[B256], depth: usize) -> Self {
        match keys {
            [] => Self::Absent,
            [key] => Self::Leaf(*key),
            _ => {
                let (right, left): (Vec<B256>, Vec<B256>) =
                    keys.iter().partition(|key| key[depth / 8] & (0x80 >> (depth % 8)) != 0);
                Self::node(Self::honest(&left, depth + 1), Self::honest(&right, depth + 1))
            }
        }
    }

    pub(crate) fn node(left: Self, right: Self) -> Self {
        Self::Node(Box::new(left), Box::new(right))
    }

    pub(crate) fn claimed(self, count: u64) -> Self {
        Self::Claimed(Box::new(self), count)
    }

    pub(crate) fn commitment(&self) -> Commitment {
        match self {
            Self::Absent => Commitment::default(),
            Self::Leaf(key) => Commitment { root: keccak256(key), count: 1 },
            Self::Node(left, right) => {
                let [left, right] = [left, right].map(|child| reference::pair(child.commitment()));
                let (root, count) = reference::node(left, right);
                Commitment { root, count }
            }
            Self::Phantom(root, count) => Commitment { root: *root, count: *count },
            Self::Claimed(tree, count) => Commitment { count: *count, ..tree.commitment() },
        }
    }

    /// The way to each leaf, wherever the leaf's bits would have it.
    pub(crate) fn openings(&self) -> Vec<Opening> {
        match self {
            Self::Absent | Self::Phantom(..) => vec![],
            Self::Leaf(key) => vec![Opening { key: *key, path: vec![] }],
            Self::Claimed(tree, _) => tree.openings(),
            Self::Node(left, right) => {
                let mut all = vec![];
                for (own, sibling) in [(left, right), (right, left)] {
                    let sibling = sibling.commitment();
                    all.extend(own.openings().into_iter().map(|mut opening| {
                        opening.path.push(sibling);
                        opening
                    }));
                }
                all
            }
        }
    }

    /// The points at which some opening verifies that shows a key for which `valid` holds.
    pub(crate) fn good_points(&self, valid: impl Fn(&B256) -> bool) -> BTreeSet<u64> {
        let commitment = self.commitment();
        let mut good = BTreeSet::new();
        for opening in self.openings().iter().filter(|opening| valid(&opening.key)) {
            let point = match opening.verify(&commitment, 0) {
                Ok(()) => 0,
                Err(TrieError::WrongPoint { actual, .. }) => actual,
                Err(_) => continue,
            };
            assert_eq!(opening.verify(&commitment, point), Ok(()));
            assert!(point < commitment.count);
            good.insert(point);
        }
        good
    }
}
