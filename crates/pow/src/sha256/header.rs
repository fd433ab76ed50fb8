//! From what a miner chose to the header that it hashed: coinbase, leftmost Merkle path, 80 bytes, SHA-256d.

use super::{Engine, Way, serial};
use alloy_primitives::B256;
use arrayvec::ArrayVec;
use std::ops::Range;

/// Most shapes of templates that are gathered at a time; of the others each header is hashed alone.
const SHAPES: usize = 16;
/// Most headers that any engine takes at once.
pub(crate) const WIDEST: usize = 16;

/// What all shares of a job have in common, laid out for hashing: a coinbase transaction with a gap, the Merkle branch from
/// it to the root, and the fields of the 80-byte header of Bitcoin that a miner can't choose. It is what `mining.notify` of
/// Stratum carries.
#[derive(Clone, Debug)]
pub struct HeaderTemplate {
    /// State after the whole blocks of the prefix: they are the same for every share.
    pub(crate) midstate: [u32; 8],
    /// The rest of the coinbase, padded to whole blocks, zero where the tail goes.
    pub(crate) rest: Vec<[u8; 64]>,
    /// Where in the rest the tail begins.
    pub(crate) tail_at: usize,
    pub(crate) tail_length: usize,
    pub(crate) branch: Vec<[u8; 32]>,
    pub(crate) prev_hash: [u8; 32],
    pub(crate) n_bits: [u8; 4],
}

/// What a miner chose.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The free part of the coinbase. What exceeds the template's length is cut, what lacks is zero: whoever knows
    /// the rule checks the length first.
    pub tail: &'a [u8],
    /// Header time, Unix seconds.
    pub ntime: u32,
    /// Header nonce.
    pub nonce: u32,
    /// Header version, all 32 bits. Which of them a miner may roll (BIP 310, BIP 320) is for the caller to check.
    pub version: u32,
}

/// A header and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashedHeader {
    /// 80 bytes as they were hashed: version, previous hash, Merkle root, time, bits, nonce.
    pub header: [u8; 80],
    /// SHA-256d of it, raw digest bytes; see [`hash_as_integer`](crate::hash_as_integer).
    pub digest: B256,
}

/// One header to be hashed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    pub(crate) template: &'a HeaderTemplate,
    pub(crate) choice: Choice<'a>,
}

impl HeaderTemplate {
    /// Lays out a job: a coinbase of `prefix`, a tail of `tail_length` bytes and `suffix`, without its witness (BIP 141
    /// leaves that out of the root); `branch` from the leaf up, the coinbase the leftmost leaf; `prev_hash` in the byte
    /// order of the header, and `n_bits` the number whose little-endian bytes the header holds. Any lengths will do: those that matter to a lease are checked
    /// where its rules are.
    #[must_use]
    pub fn new(
        prefix: &[u8],
        tail_length: usize,
        suffix: &[u8],
        branch: &[B256],
        prev_hash: &B256,
        n_bits: u32,
    ) -> Self {
        let (whole, begun) = prefix.as_chunks::<64>();
        let length = prefix.len().saturating_add(tail_length).saturating_add(suffix.len());
        let mut rest = begun.to_vec();
        rest.resize(begun.len().saturating_add(tail_length), 0);
        rest.extend_from_slice(suffix);
        Self {
            midstate: serial::state_after(whole),
            rest: serial::pad(rest, length),
            tail_at: begun.len(),
            tail_length,
            branch: branch.iter().map(|hash| hash.0).collect(),
            prev_hash: prev_hash.0,
            n_bits: n_bits.to_le_bytes(),
        }
    }

    /// Hashes one header: coinbase, Merkle path and the header itself, all by SHA-256d.
    #[must_use]
    pub fn hash(&self, choice: Choice<'_>) -> HashedHeader {
        serial::hash_one(&Item { template: self, choice })
    }

    /// Compressions that one header takes: those of the coinbase after its fixed blocks, of its second hash, three a
    /// Merkle step, three of the header.
    #[must_use]
    pub fn compressions(&self) -> usize {
        self.branch.len().saturating_mul(3).saturating_add(self.rest.len()).saturating_add(4)
    }

    /// Which bytes of the coinbase's block `index` (of the rest) belong to the tail, and which of the tail's they are.
    #[inline]
    fn tail_in(&self, index: usize) -> (Range<usize>, usize) {
        let at = index.saturating_mul(64);
        let begin = self.tail_at.saturating_sub(at).min(64);
        let end = self.tail_at.saturating_add(self.tail_length).saturating_sub(at).min(64);
        (begin..end, at.saturating_sub(self.tail_at))
    }

    /// The words of block `index` that depend on the tail.
    #[cfg(kernels)]
    #[inline]
    pub(crate) fn words_of_tail(&self, index: usize) -> Range<usize> {
        let (bytes, _) = self.tail_in(index);
        if bytes.is_empty() { 0..0 } else { bytes.start / 4..bytes.end.div_ceil(4) }
    }

    /// Block `index` with the tail in it.
    #[inline]
    pub(crate) fn block(&self, index: usize, tail: &[u8]) -> [u8; 64] {
        let mut block = self.rest.get(index).copied().unwrap_or([0; 64]);
        let (bytes, skip) = self.tail_in(index);
        let tail = tail.get(skip..).unwrap_or_default();
        if let Some(place) = block.get_mut(bytes) {
            let length = place.len().min(tail.len());
            if let (Some(place), Some(tail)) = (place.get_mut(..length), tail.get(..length)) {
                place.copy_from_slice(tail);
            }
        }
        block
    }

    /// The header around a Merkle root.
    #[inline]
    pub(crate) fn header(&self, root: &[u8; 32], choice: &Choice<'_>) -> [u8; 80] {
        let mut header = [0; 80];
        if let Some((version, rest)) = header.split_first_chunk_mut::<4>()
            && let Some((prev_hash, rest)) = rest.split_first_chunk_mut::<32>()
            && let Some((merkle_root, rest)) = rest.split_first_chunk_mut::<32>()
            && let ([ntime, n_bits, nonce], []) = rest.as_chunks_mut::<4>()
        {
            *version = choice.version.to_le_bytes();
            *prev_hash = self.prev_hash;
            *merkle_root = *root;
            *ntime = choice.ntime.to_le_bytes();
            *n_bits = self.n_bits;
            *nonce = choice.nonce.to_le_bytes();
        }
        header
    }

    fn shape(&self) -> (usize, usize) {
        (self.rest.len(), self.branch.len())
    }
}

/// Headers of one shape that wait until there are enough for the engine.
struct Waiting<'a> {
    shape: (usize, usize),
    items: ArrayVec<(usize, Item<'a>), WIDEST>,
}

/// Hashes headers of any templates on the calling thread, and hands out each with its place in `items`, in any order.
/// Headers are gathered by the number of their coinbase's blocks and Merkle steps, whatever job they are of.
///
/// ```
/// use hashlease_pow::sha256::{Choice, Engine, HeaderTemplate, hash_headers};
///
/// let template = HeaderTemplate::new(b"prefix", 4, b"suffix", &[], &Default::default(), 0x1d00_ffff);
/// let tails: Vec<[u8; 4]> = (0..100u32).map(u32::to_be_bytes).collect();
/// let choices = tails.iter().map(|tail| Choice { tail, ntime: 1, nonce: 2, version: 3 });
/// let mut digests = [Default::default(); 100];
/// hash_headers(Engine::best(), choices.map(|choice| (&template, choice)), |i, hashed| digests[i] = hashed.digest);
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
    let mut waiting: ArrayVec<Waiting<'a>, SHAPES> = ArrayVec::new();
    for (index, (template, choice)) in items.into_iter().enumerate() {
        let item = Item { template, choice };
        let shape = template.shape();
        let found = waiting.iter_mut().position(|group| group.shape == shape).or_else(|| {
            waiting.try_push(Waiting { shape, items: ArrayVec::new() }).ok()?;
            waiting.len().checked_sub(1)
        });
        let Some(group) = found.and_then(|at| waiting.get_mut(at)) else {
            take(index, serial::hash_one(&item));
            continue;
        };
        group.items.push((index, item));
        if group.items.len() >= width {
            hash_group(way, &group.items, &mut take);
            group.items.clear();
        }
    }
    for group in waiting {
        hash_group(way, &group.items, &mut take);
    }
}

/// Hashes at most as many headers as the engine takes, all of one shape.
fn hash_group(way: Way, group: &[(usize, Item<'_>)], take: &mut impl FnMut(usize, HashedHeader)) {
    let Some((_, first)) = group.first() else { return };
    // a lane without work costs as much as one with
    if group.len() < way.engine().worth_it() {
        for (index, item) in group {
            take(*index, serial::hash_one(item));
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
