//! Hashes a run of ascending keys level by level: first it plans which nodes the run completes,
//! then it hashes all leaves together, then the nodes of each depth together, the deepest first.
//!
//! A run leaves left children open whose right sibling belongs to a later run, at most one for each
//! depth. They are carried over to the next run, so a trie of any size takes the memory of one run.

use crate::{
    MAX_DEPTH,
    hash::{keccak256_many_32, keccak256_many_128},
    node::{bit, write_node},
};
use alloy_primitives::B256;
use hashlease_primitives::Commitment;

/// Place of the absent child.
const ABSENT: usize = 0;
/// First place of the run's leaves. The places before it belong to the left children carried over,
/// each at its depth.
const LEAVES: usize = MAX_DEPTH.saturating_add(1);
/// Largest number of nodes hashed together: their 32 KiB stay in the first-level cache.
const TOGETHER: usize = 256;

/// Children are known by their *place* in `hashes` and `counts`, which hold the children carried
/// over, then the leaves of the run, then its nodes.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// Depth of the root of the subtree.
    floor: usize,
    /// Depth of the fork between the next run's first key and the key before it; zero before the
    /// first key.
    fork: usize,
    hashes: Vec<B256>,
    counts: Vec<u64>,
    /// Nodes of the run in postorder: left subtree, right subtree, node.
    nodes: Vec<Node>,
    /// First place of the nodes.
    first_node: usize,
    /// By depth: the last node planned there, as its number plus one. [`Node::before`] leads from
    /// it to the others.
    levels: [usize; MAX_DEPTH],
    /// By depth: place of the left child that waits for its sibling.
    waiting: [usize; LEAVES],
    /// Place of the root, after the last key.
    root: usize,
    preimages: Vec<[u8; 128]>,
    digests: Vec<B256>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    left: usize,
    right: usize,
    /// The node planned before this one at the same depth, as its number plus one; zero if none
    /// was.
    before: usize,
}

impl Batch {
    /// For the subtree at depth `floor`: all its keys share that many first bits.
    pub(crate) fn new(floor: usize) -> Self {
        Self {
            floor,
            fork: 0,
            hashes: vec![B256::ZERO; LEAVES],
            counts: vec![0; LEAVES],
            nodes: Vec::new(),
            first_node: LEAVES,
            levels: [0; MAX_DEPTH],
            waiting: [ABSENT; LEAVES],
            root: ABSENT,
            preimages: Vec::new(),
            digests: Vec::new(),
        }
    }

    /// Adds the next keys. `forks` holds for each the depth of its [`fork`](crate::node::fork)
    /// from the key after it; the very last key has none.
    pub(crate) fn add_keys(&mut self, keys: &[[u8; 32]], forks: &[u8]) {
        self.carry();
        self.plan(keys, forks);
        self.hash(keys);
    }

    /// Root of all keys, after the last one.
    pub(crate) fn root(&self) -> Commitment {
        self.commitment(self.root)
    }

    /// Children of those nodes of this run that count more than `least`, in the order of
    /// [`Batch::nodes`].
    pub(crate) fn nodes_above(&self, least: u64) -> impl Iterator<Item = (Commitment, Commitment)> {
        let counts = self.counts.iter().skip(self.first_node);
        let above = self.nodes.iter().zip(counts).filter(move |(_, count)| **count > least);
        above.map(|(node, _)| (self.commitment(node.left), self.commitment(node.right)))
    }

    /// Siblings on the path from the run's leaf `index` upwards, as far as this run knows them,
    /// deepest first.
    pub(crate) fn path(&self, index: usize) -> Vec<Commitment> {
        let mut path = Vec::new();
        let mut here = LEAVES.saturating_add(index);
        for (node, place) in self.nodes.iter().zip(self.first_node..) {
            if node.left == here || node.right == here {
                let sibling = if node.left == here { node.right } else { node.left };
                path.push(self.commitment(sibling));
                here = place;
            }
        }
        path
    }

    /// Moves the children that wait for their siblings to the places that outlive a run.
    fn carry(&mut self) {
        for (depth, place) in self.waiting.iter_mut().enumerate() {
            if *place != ABSENT {
                let (hash, count) = (at(&self.hashes, *place), at(&self.counts, *place));
                set(&mut self.hashes, depth, hash);
                set(&mut self.counts, depth, count);
                *place = depth;
            }
        }
    }

    /// Finds the nodes that these keys complete: from each leaf upwards, the nodes between the
    /// key's fork from the key before it and its fork from the key after it.
    fn plan(&mut self, keys: &[[u8; 32]], forks: &[u8]) {
        self.nodes.clear();
        self.levels = [0; MAX_DEPTH];
        self.first_node = LEAVES.saturating_add(keys.len());
        self.counts.truncate(LEAVES);
        self.counts.resize(self.first_node, 1);
        for (index, key) in keys.iter().enumerate() {
            let after = forks.get(index).copied().map(usize::from);
            let mut here = LEAVES.saturating_add(index);
            for depth in (after.unwrap_or(self.floor)..self.fork).rev() {
                here = if bit(key, depth) {
                    // there is a place for every depth
                    let left = self.waiting.get_mut(depth.saturating_add(1)).map(std::mem::take);
                    self.plan_node(left.unwrap_or(ABSENT), here, depth)
                } else {
                    self.plan_node(here, ABSENT, depth)
                };
            }
            match after {
                Some(fork) => set(&mut self.waiting, fork, here),
                None => self.root = here,
            }
            self.fork = after.unwrap_or(0);
        }
    }

    fn plan_node(&mut self, left: usize, right: usize, depth: usize) -> usize {
        // keys are pushed one by one, so a count never reaches 2⁶⁴
        let count = at(&self.counts, left).saturating_add(at(&self.counts, right));
        let place = self.counts.len();
        self.counts.push(count);
        self.nodes.push(Node { left, right, before: at(&self.levels, depth) });
        set(&mut self.levels, depth, self.nodes.len());
        place
    }

    fn hash(&mut self, keys: &[[u8; 32]]) {
        self.hashes.resize(self.counts.len(), B256::ZERO);
        if let Some(leaves) = self.hashes.get_mut(LEAVES..self.first_node) {
            keccak256_many_32(keys, leaves);
        }
        let together = self.nodes.len().min(TOGETHER);
        if self.preimages.len() < together {
            self.preimages.resize(together, [0; 128]);
            self.digests.resize(together, B256::ZERO);
        }
        for mut last in self.levels.into_iter().rev() {
            while last != 0 {
                last = self.hash_some(last);
            }
        }
    }

    /// Hashes some nodes of one depth, beginning with `last`, and returns the next one. Both are
    /// numbers plus one, zero for none.
    fn hash_some(&mut self, last: usize) -> usize {
        let (mut next, mut taken) = (last, 0usize);
        for preimage in &mut self.preimages {
            let Some(node) = next.checked_sub(1).and_then(|number| self.nodes.get(number)) else { break };
            let [left, right] = [node.left, node.right]
                .map(|place| Commitment { root: at(&self.hashes, place), count: at(&self.counts, place) });
            write_node(preimage, left, right);
            next = node.before;
            taken = taken.saturating_add(1);
        }
        let (Some(preimages), Some(digests)) = (self.preimages.get(..taken), self.digests.get_mut(..taken))
        else {
            return 0;
        };
        keccak256_many_128(preimages, digests);
        let mut here = last;
        for digest in digests {
            let Some(number) = here.checked_sub(1) else { break };
            set(&mut self.hashes, self.first_node.saturating_add(number), *digest);
            here = self.nodes.get(number).map_or(0, |node| node.before);
        }
        next
    }

    fn commitment(&self, place: usize) -> Commitment {
        Commitment { root: at(&self.hashes, place), count: at(&self.counts, place) }
    }
}

// Never the fallback: every place comes from the plan and exists. The tests compare each node with
// a plain reference.
fn at<T: Copy + Default>(list: &[T], place: usize) -> T {
    list.get(place).copied().unwrap_or_default()
}

fn set<T>(list: &mut [T], place: usize, value: T) {
    if let Some(old) = list.get_mut(place) {
        *old = value;
    }
}
