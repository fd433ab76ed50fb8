//! A job laid out for hashing, a miner's choice, and the header built from the two.

use alloy_primitives::B256;
use std::ops::Range;

/// Largest number of headers that any engine hashes at once.
pub(crate) const WIDEST: usize = 16;

/// The part of a header that all shares of a job have in common, laid out for hashing: a coinbase
/// transaction with a gap, the Merkle branch from it to the root, and the fields of Bitcoin's
/// 80-byte header that a miner can't choose. Stratum sends it in `mining.notify`.
#[derive(Clone, Debug)]
pub struct HeaderTemplate {
    /// State after the prefix's whole blocks, which are the same for every share.
    pub(crate) midstate: [u32; 8],
    /// The rest of the coinbase, padded to whole blocks, with zeros in place of the tail.
    pub(crate) rest: Vec<[u8; 64]>,
    /// Offset of the tail in the rest.
    pub(crate) tail_at: usize,
    pub(crate) tail_length: usize,
    pub(crate) branch: Vec<[u8; 32]>,
    pub(crate) prev_hash: [u8; 32],
    pub(crate) n_bits: [u8; 4],
}

/// The fields of a header that a miner chooses.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The free part of the coinbase. Bytes beyond the template's length are cut off, missing ones
    /// are zero: callers that have a rule for the length check it first.
    pub tail: &'a [u8],
    /// Header time, Unix seconds.
    pub ntime: u32,
    /// Header nonce.
    pub nonce: u32,
    /// Header version, all 32 bits. The caller checks which of them a miner may roll (BIP 310,
    /// BIP 320).
    pub version: u32,
}

/// A header and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashedHeader {
    /// The 80 bytes hashed: version, previous hash, Merkle root, time, bits, nonce.
    pub header: [u8; 80],
    /// Its SHA-256d, raw digest bytes; see [`hash_as_integer`](crate::hash_as_integer).
    pub digest: B256,
}

/// A header to hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    pub(crate) template: &'a HeaderTemplate,
    pub(crate) choice: Choice<'a>,
}

impl HeaderTemplate {
    /// Compressions that one header takes: those of the coinbase after its fixed blocks, one for
    /// its second hash, three for each Merkle step, three for the header.
    #[must_use]
    pub fn compressions(&self) -> usize {
        self.branch.len().saturating_mul(3).saturating_add(self.rest.len()).saturating_add(4)
    }

    /// The bytes of the rest's block `index` that belong to the tail, and the offset in the tail of
    /// the first of them.
    #[inline]
    fn tail_in(&self, index: usize) -> (Range<usize>, usize) {
        let at = index.saturating_mul(64);
        let start = self.tail_at.saturating_sub(at).min(64);
        let end = self.tail_at.saturating_add(self.tail_length).saturating_sub(at).min(64);
        (start..end, at.saturating_sub(self.tail_at))
    }

    /// The words of the rest's block `index` that depend on the tail.
    #[cfg(kernels)]
    #[inline]
    pub(crate) fn words_of_tail(&self, index: usize) -> Range<usize> {
        let (bytes, _) = self.tail_in(index);
        if bytes.is_empty() { 0..0 } else { bytes.start / 4..bytes.end.div_ceil(4) }
    }

    /// The rest's block `index` with the tail in it.
    #[inline]
    pub(crate) fn block(&self, index: usize, tail: &[u8]) -> [u8; 64] {
        // engines hash headers of one shape, so each has the block
        let mut block = self.rest.get(index).copied().unwrap_or([0; 64]);
        let (bytes, skip) = self.tail_in(index);
        // a tail that is too short leaves zeros
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

    /// Numbers of coinbase blocks and Merkle steps: headers of one shape are hashed side by side.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.rest.len(), self.branch.len())
    }
}
