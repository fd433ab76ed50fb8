//! Hashes headers as bytes: as many at once as the compression takes.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "arrays of known length, indices below it"
)]

use super::{
    bytes::{block_of, digest_of},
    constants::{INITIAL, PADDING_OF_32, PADDING_OF_64, PADDING_OF_80},
    template::{HashedHeader, Item},
};
use alloy_primitives::B256;
use sha2::block_api::compress256;

const fn bytes_of<const WORDS: usize, const BYTES: usize>(words: &[u32; WORDS]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let mut i = 0;
    while i < BYTES {
        bytes[i] = words[i / 4].to_be_bytes()[i % 4];
        i += 1;
    }
    bytes
}

pub(crate) const AFTER_32: [u8; 32] = bytes_of(&PADDING_OF_32);
const AFTER_64: [u8; 64] = bytes_of(&PADDING_OF_64);
const AFTER_80: [u8; 48] = bytes_of(&PADDING_OF_80);

/// State after hashing whole blocks.
pub(crate) fn state_after(blocks: &[[u8; 64]]) -> [u32; 8] {
    let mut state = INITIAL;
    compress256(&mut state, blocks);
    state
}

/// Pads the end of a message of `length` bytes to whole blocks.
pub(crate) fn pad(mut end: Vec<u8>, length: usize) -> Vec<[u8; 64]> {
    end.push(0x80);
    // the last eight bytes are for the length in bits
    while end.len() % 64 != 56 {
        end.push(0);
    }
    // never the fallback: no platform's `usize` has more than 64 bits
    let bits = u64::try_from(length).unwrap_or(u64::MAX).wrapping_mul(8);
    end.extend_from_slice(&bits.to_be_bytes());
    end.as_chunks::<64>().0.to_vec()
}

/// A compression of one block of each of `K` messages at once. A value of the type proves that the
/// machine has the instructions.
pub(crate) trait Compress<const K: usize>: Copy {
    fn compress(self, states: &mut [[u32; 8]; K], blocks: &[[u8; 64]; K]);

    /// Two blocks of each.
    #[inline]
    fn compress_two(self, states: &mut [[u32; 8]; K], first: &[[u8; 64]; K], second: &[[u8; 64]; K]) {
        self.compress(states, first);
        self.compress(states, second);
    }
}

/// One message at a time, on any machine.
#[derive(Clone, Copy)]
pub(crate) struct One;

impl Compress<1> for One {
    #[inline]
    fn compress(self, [state]: &mut [[u32; 8]; 1], blocks: &[[u8; 64]; 1]) {
        compress256(state, blocks);
    }

    #[inline]
    fn compress_two(self, [state]: &mut [[u32; 8]; 1], [first]: &[[u8; 64]; 1], [second]: &[[u8; 64]; 1]) {
        compress256(state, &[*first, *second]);
    }
}

/// `rounds` times `K` compressions.
#[inline(always)]
pub(crate) fn bare<const K: usize, C: Compress<K>>(way: C, rounds: usize) -> u32 {
    let mut states = [INITIAL; K];
    for _ in 0..rounds {
        way.compress(&mut states, &[[7; 64]; K]);
    }
    states.iter().flatten().fold(0, |sum, word| sum ^ word)
}

/// SHA-256 of the states' digests.
#[inline(always)]
fn again<const K: usize, C: Compress<K>>(way: C, states: &[[u32; 8]; K]) -> [[u8; 32]; K] {
    let mut second = [INITIAL; K];
    way.compress(&mut second, &states.map(|state| block_of(&digest_of(&state), &AFTER_32)));
    second.map(|state| digest_of(&state))
}

/// Hashes `K` headers of one shape.
#[inline(always)]
pub(crate) fn hash_each<const K: usize, C: Compress<K>>(way: C, items: &[Item<'_>; K]) -> [HashedHeader; K] {
    let [Item { template: first, .. }, ..] = items.as_slice() else {
        return items.map(|item| HashedHeader {
            header: item.template.header(&[0; 32], &item.choice),
            digest: B256::ZERO,
        });
    };
    let mut states = items.map(|item| item.template.midstate);
    for index in 0..first.rest.len() {
        way.compress(&mut states, &items.map(|item| item.template.block(index, item.choice.tail)));
    }
    let mut roots = again(way, &states);
    for level in 0..first.branch.len() {
        let mut states = [INITIAL; K];
        let mut blocks = [[0; 64]; K];
        for ((block, root), item) in blocks.iter_mut().zip(&roots).zip(items) {
            // all branches of a batch are equally long
            *block = block_of(root, item.template.branch.get(level).unwrap_or(&[0; 32]));
        }
        way.compress_two(&mut states, &blocks, &[AFTER_64; K]);
        roots = again(way, &states);
    }
    let mut headers = [[0; 80]; K];
    for ((header, root), item) in headers.iter_mut().zip(&roots).zip(items) {
        *header = item.template.header(root, &item.choice);
    }
    let digests = hash_80(way, &headers);
    let mut hashed = [HashedHeader { header: [0; 80], digest: B256::ZERO }; K];
    for ((hashed, header), digest) in hashed.iter_mut().zip(headers).zip(digests) {
        *hashed = HashedHeader { header, digest: B256::new(digest) };
    }
    hashed
}

/// SHA-256d of `K` headers.
#[inline(always)]
fn hash_80<const K: usize, C: Compress<K>>(way: C, headers: &[[u8; 80]; K]) -> [[u8; 32]; K] {
    let mut states = [INITIAL; K];
    let mut last = [[0; 64]; K];
    // 80 bytes have a first 64
    let first = headers.map(|header| header.first_chunk().copied().unwrap_or([0; 64]));
    for (block, header) in last.iter_mut().zip(headers) {
        let (end, padding) = block.split_at_mut(16);
        end.copy_from_slice(&header[64..]);
        padding.copy_from_slice(&AFTER_80);
    }
    way.compress_two(&mut states, &first, &last);
    again(way, &states)
}
