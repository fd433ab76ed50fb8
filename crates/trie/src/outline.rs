//! The upper part of a trie, from which any point opens by hashing one page of keys.

use crate::{
    Opening, TrieError,
    batch::Batch,
    node::{bit, fork},
};
use alloy_primitives::B256;
use hashlease_primitives::Commitment;
use std::ops::Range;

/// Largest number of keys of a [`Page`].
pub const PAGE: u64 = 64;

/// The nodes of a trie that count more than [`PAGE`] keys. With it and the sorted keys, in memory
/// or on disk, any point opens without building the trie again: [`page`](Outline::page) says which
/// keys are needed, [`open`](Outline::open) takes them.
///
/// Each of its nodes takes 88 bytes. For keys that are hashes that is two to three bytes a key, 22
/// MB for ten million.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    commitment: Commitment,
    /// In postorder: first the branches of the left child, then those of the right child, then the
    /// branch itself. The root is last.
    branches: Vec<Branch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Branch {
    left: Commitment,
    right: Commitment,
    /// Number of branches in the right child, which locates the end of the left child's.
    in_right: usize,
}

/// A subtree of at most [`PAGE`] keys below a node of the outline, or the whole trie if it is that
/// small. Its keys are a range of the sorted keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Point of its first key, which is also the key's index among the sorted keys.
    pub first: u64,
    /// Number of its keys, from 1 to [`PAGE`].
    pub count: u64,
    /// Depth of its root: the number of first bits that all its keys share.
    pub depth: usize,
    /// Lowest key that it can hold: the shared bits, then zeros.
    pub prefix: B256,
    /// Hash of its root.
    pub root: B256,
}

impl Page {
    /// Points of its keys.
    #[must_use]
    pub const fn points(&self) -> Range<u64> {
        self.first..self.first.saturating_add(self.count)
    }

    /// Whether the key's first bits are those of the page.
    fn may_hold(&self, key: &B256) -> bool {
        (0..self.depth).all(|depth| bit(&key.0, depth) == bit(&self.prefix.0, depth))
    }
}

impl Outline {
    /// Root and count of the trie.
    #[must_use]
    pub const fn commitment(&self) -> Commitment {
        self.commitment
    }

    /// Memory that it takes, bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>().saturating_add(size_of_val(self.branches.as_slice()))
    }

    /// The page that contains `point`: [`Outline::open`] needs its keys.
    ///
    /// # Errors
    /// [`TrieError::PointOutside`].
    pub fn page(&self, point: u64) -> Result<Page, TrieError> {
        self.walk(point, |_| ())
    }

    /// Opens `point`, given the keys of its [`page`](Outline::page) in ascending order.
    ///
    /// # Errors
    /// [`TrieError::PointOutside`]. For keys that are not the page's: [`TrieError::PageLength`],
    /// [`TrieError::OutsidePage`], [`TrieError::WrongPage`], [`TrieError::Duplicate`],
    /// [`TrieError::Collision`] and [`TrieError::NotAscending`]. An opening that is returned
    /// verifies.
    pub fn open(&self, point: u64, page_keys: &[B256]) -> Result<Opening, TrieError> {
        let mut above = Vec::new();
        let page = self.walk(point, |sibling| above.push(sibling))?;
        let Page { first, count, depth, prefix, root } = page;
        if u64::try_from(page_keys.len()) != Ok(count) {
            return Err(TrieError::PageLength { first, expected: count, actual: page_keys.len() });
        }
        if let Some(key) = page_keys.iter().find(|key| !page.may_hold(key)) {
            return Err(TrieError::OutsidePage { key: *key, prefix, depth });
        }
        let keys: Vec<[u8; 32]> = page_keys.iter().map(|key| key.0).collect();
        let neighbours = keys.iter().zip(keys.iter().skip(1));
        let forks = neighbours.map(|(key, next)| fork(key, next)).collect::<Result<Vec<u8>, _>>()?;
        let mut batch = Batch::new(depth);
        batch.add_keys(&keys, &forks);
        let actual = batch.root().root;
        if actual != root {
            return Err(TrieError::WrongPage { first, expected: root, actual });
        }
        // never a fallback: the point lies within the page, whose keys are complete
        let index = usize::try_from(point.saturating_sub(first)).unwrap_or(usize::MAX);
        let key = page_keys.get(index).copied().unwrap_or_default();
        let mut path = batch.path(index);
        path.extend(above.into_iter().rev());
        Ok(Opening { key, path })
    }

    /// Walks down to the page of `point` and passes the siblings on its path to `pass`.
    fn walk(&self, point: u64, mut pass: impl FnMut(Commitment)) -> Result<Page, TrieError> {
        let Commitment { root, count } = self.commitment;
        if point >= count {
            return Err(TrieError::PointOutside { point, count });
        }
        let mut page = Page { first: 0, count, depth: 0, prefix: B256::ZERO, root };
        let mut end = self.branches.len();
        while page.count > PAGE
            && let Some(place) = end.checked_sub(1)
            && let Some(branch) = self.branches.get(place)
        {
            let middle = page.first.saturating_add(branch.left.count);
            let (own, sibling) = if point < middle {
                end = place.saturating_sub(branch.in_right);
                (branch.left, branch.right)
            } else {
                end = place;
                page.first = middle;
                set_bit(&mut page.prefix, page.depth);
                (branch.right, branch.left)
            };
            page = Page { count: own.count, root: own.root, depth: page.depth.saturating_add(1), ..page };
            pass(sibling);
        }
        Ok(page)
    }
}

fn set_bit(key: &mut B256, depth: usize) {
    if let Some(byte) = key.get_mut(depth / 8) {
        *byte |= 0x80 >> (depth % 8);
    }
}

/// An unfinished outline of one subtree, or of several that are neighbours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Growing {
    branches: Vec<Branch>,
    /// Number of branches of each subtree whose parent has not been added yet.
    sizes: Vec<usize>,
}

impl Growing {
    /// Adds a node that counts more than [`PAGE`]. All such nodes below it come before it.
    pub(crate) fn push(&mut self, left: Commitment, right: Commitment) {
        let mut size = |child: Commitment| {
            let size = if child.count > PAGE { self.sizes.pop() } else { None };
            // a child of one page or less has no branches
            size.unwrap_or(0)
        };
        let (in_right, in_left) = (size(right), size(left));
        self.sizes.push(in_left.saturating_add(in_right).saturating_add(1));
        self.branches.push(Branch { left, right, in_right });
    }

    /// Adds subtrees to the right of all others.
    pub(crate) fn append(&mut self, mut right: Self) {
        self.branches.append(&mut right.branches);
        self.sizes.append(&mut right.sizes);
    }

    pub(crate) fn finish(mut self, commitment: Commitment) -> Outline {
        self.branches.shrink_to_fit();
        Outline { commitment, branches: self.branches }
    }
}
