//! Hashes headers built from a job and a miner's choice: coinbase, leftmost Merkle path, 80 bytes,
//! SHA-256d.

use super::{
    engine::{Engine, Way, hash_one},
    serial,
    template::{Choice, HashedHeader, HeaderTemplate, Item, WIDEST},
};
use alloy_primitives::B256;
use arrayvec::ArrayVec;

/// Largest number of shapes gathered at the same time. Headers of further shapes are hashed one by
/// one.
const SHAPES: usize = 16;

impl HeaderTemplate {
    /// Lays out a job. Its coinbase is `prefix`, a tail of `tail_length` bytes and `suffix`,
    /// without the witness, which the Merkle root leaves out (BIP 141). `branch` goes from the leaf
    /// upwards, with the coinbase as the leftmost leaf. `prev_hash` is in the byte order of the
    /// header, and `n_bits` is the number whose little-endian bytes the header holds. Any lengths
    /// are accepted: a lease's rules check those that matter to it.
    #[must_use]
    pub fn new(
        prefix: &[u8],
        tail_length: usize,
        suffix: &[u8],
        branch: &[B256],
        prev_hash: &B256,
        n_bits: u32,
    ) -> Self {
        let (whole, partial) = prefix.as_chunks::<64>();
        let length = prefix.len().saturating_add(tail_length).saturating_add(suffix.len());
        let mut rest = partial.to_vec();
        rest.resize(partial.len().saturating_add(tail_length), 0);
        rest.extend_from_slice(suffix);
        Self {
            midstate: serial::state_after(whole),
            rest: serial::pad(rest, length),
            tail_at: partial.len(),
            tail_length,
            branch: branch.iter().map(|hash| hash.0).collect(),
            prev_hash: prev_hash.0,
            n_bits: n_bits.to_le_bytes(),
        }
    }

    /// Hashes one header: coinbase, Merkle path and the header itself, all by SHA-256d.
    #[must_use]
    pub fn hash(&self, choice: Choice<'_>) -> HashedHeader {
        hash_one(&Item { template: self, choice })
    }
}

/// Headers of one shape, gathered until there are enough for the engine.
struct Group<'a> {
    shape: (usize, usize),
    items: ArrayVec<(usize, Item<'a>), WIDEST>,
}

/// Hashes headers of any templates on the calling thread and passes each to `take` with its index
/// in `items`, in any order. Headers of any jobs are hashed side by side if their coinbases have as
/// many blocks and their branches as many steps.
///
/// ```
/// use hashlease_pow::sha256::{Choice, Engine, HeaderTemplate, hash_headers};
///
/// let template =
///     HeaderTemplate::new(b"prefix", 4, b"suffix", &[], &Default::default(), 0x1d00_ffff);
/// let tails: Vec<[u8; 4]> = (0..100u32).map(u32::to_be_bytes).collect();
/// let choices = tails.iter().map(|tail| Choice { tail, ntime: 1, nonce: 2, version: 3 });
/// let mut digests = [Default::default(); 100];
/// let items = choices.map(|choice| (&template, choice));
/// hash_headers(Engine::best(), items, |i, hashed| digests[i] = hashed.digest);
/// let eighth = Choice { tail: &tails[7], ntime: 1, nonce: 2, version: 3 };
/// assert_eq!(digests[7], template.hash(eighth).digest);
/// ```
pub fn hash_headers<'a>(
    engine: Engine,
    items: impl IntoIterator<Item = (&'a HeaderTemplate, Choice<'a>)>,
    mut take: impl FnMut(usize, HashedHeader),
) {
    let way = engine.way();
    let width = way.engine().width();
    let mut groups: ArrayVec<Group<'a>, SHAPES> = ArrayVec::new();
    for (index, (template, choice)) in items.into_iter().enumerate() {
        let item = Item { template, choice };
        let shape = template.shape();
        let found = groups.iter_mut().position(|group| group.shape == shape).or_else(|| {
            groups.try_push(Group { shape, items: ArrayVec::new() }).ok()?;
            groups.len().checked_sub(1)
        });
        let Some(group) = found.and_then(|at| groups.get_mut(at)) else {
            take(index, hash_one(&item));
            continue;
        };
        group.items.push((index, item));
        if group.items.len() >= width {
            hash_group(way, &group.items, &mut take);
            group.items.clear();
        }
    }
    for group in groups {
        hash_group(way, &group.items, &mut take);
    }
}

/// Hashes headers of one shape, at most as many as the engine takes at once.
fn hash_group(way: Way, group: &[(usize, Item<'_>)], take: &mut impl FnMut(usize, HashedHeader)) {
    let Some((_, first)) = group.first() else { return };
    // an idle lane costs as much as a busy one
    if group.len() < way.engine().worth_it() {
        for (index, item) in group {
            take(*index, hash_one(item));
        }
        return;
    }
    let mut items = [*first; WIDEST];
    for (to, (_, from)) in items.iter_mut().zip(group) {
        *to = *from;
    }
    let mut hashed = [HashedHeader { header: [0; 80], digest: B256::ZERO }; WIDEST];
    way.hash_items(&items, &mut hashed);
    for ((index, _), hashed) in group.iter().zip(hashed) {
        take(*index, hashed);
    }
}
