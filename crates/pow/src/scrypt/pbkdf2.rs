//! PBKDF2-HMAC-SHA256 with one iteration, as scrypt calls it at both ends.
//!
//! Password and salt are the same 80 bytes, so every padded block is known except for a counter,
//! and the blocks before HMAC's message are hashed once: 13 compressions at the beginning, 4 at the
//! end.
// Lengths are those of fixed arrays.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use sha2::block_api::compress256;

const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// HMAC's two states after its key.
#[derive(Clone, Copy, Default)]
pub(super) struct Keyed {
    inner: [u32; 8],
    outer: [u32; 8],
}

/// The last block of a message of `bits` bits that ends with the bytes of `tail`.
fn last_block(tail: &[u8], bits: u16) -> [u8; 64] {
    let mut block = [0; 64];
    block[..tail.len()].copy_from_slice(tail);
    block[tail.len()] = 0x80;
    block[62..].copy_from_slice(&bits.to_be_bytes());
    block
}

fn to_bytes(state: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

impl Keyed {
    fn new(header: &[u8; 80]) -> Self {
        // a key longer than a block is hashed
        let mut key = INITIAL;
        let mut start = [0; 64];
        start.copy_from_slice(&header[..64]);
        compress256(&mut key, &[start, last_block(&header[64..], 80 * 8)]);
        let key = to_bytes(&key);
        let mut padded = Self { inner: INITIAL, outer: INITIAL };
        for (state, pad) in [(&mut padded.inner, 0x36), (&mut padded.outer, 0x5c)] {
            let mut block = [pad; 64];
            for (byte, key) in block.iter_mut().zip(key) {
                *byte ^= key;
            }
            compress256(state, &[block]);
        }
        padded
    }

    /// HMAC's result, given its inner hash.
    fn finish(&self, inner: &[u32; 8]) -> [u32; 8] {
        let mut outer = self.outer;
        compress256(&mut outer, &[last_block(&to_bytes(inner), (64 + 32) * 8)]);
        outer
    }
}

/// `PBKDF2(header, header, 128)` in little-endian words, and the keyed states for [`digest`].
pub(super) fn expand(header: &[u8; 80], words: &mut [u32; 32]) -> Keyed {
    let keyed = Keyed::new(header);
    let mut start = [0; 64];
    start.copy_from_slice(&header[..64]);
    let mut salted = keyed.inner;
    compress256(&mut salted, &[start]);
    let mut tail = [0; 20];
    tail[..16].copy_from_slice(&header[64..]);
    let mut block = last_block(&tail, (64 + 80 + 4) * 8);
    for (counter, words) in (1..).zip(words.as_chunks_mut::<8>().0) {
        block[19] = counter;
        let mut inner = salted;
        compress256(&mut inner, &[block]);
        *words = keyed.finish(&inner).map(u32::swap_bytes);
    }
    keyed
}

/// `PBKDF2(header, words, 32)`.
pub(super) fn digest(keyed: &Keyed, words: &[u32; 32]) -> [u8; 32] {
    let mut inner = keyed.inner;
    let mut blocks = [[0; 64]; 3];
    let bytes = blocks.as_flattened_mut();
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    blocks[2] = last_block(&[0, 0, 0, 1], (64 + 128 + 4) * 8);
    compress256(&mut inner, &blocks);
    to_bytes(&keyed.finish(&inner))
}
