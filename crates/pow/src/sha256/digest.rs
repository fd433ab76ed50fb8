//! SHA-256d of data of any length.

use super::{
    bytes::{block_of, digest_of},
    constants::INITIAL,
    serial,
};
use alloy_primitives::B256;
use sha2::block_api::compress256;

/// `SHA-256(SHA-256(data))` (FIPS 180-4), raw digest bytes. Explorers show them in reverse order.
#[must_use]
pub fn sha256d(data: &[u8]) -> B256 {
    let mut state = INITIAL;
    let (blocks, rest) = data.as_chunks::<64>();
    compress256(&mut state, blocks);
    let mut last = [[0u8; 64]; 2];
    let [first, second] = &mut last;
    // padding: a one bit after the message, and its length in bits in the last eight bytes of the
    // last block (never the fallback: no platform's `usize` has more than 64 bits)
    let bits = u64::try_from(data.len()).unwrap_or(u64::MAX).wrapping_mul(8).to_be_bytes();
    for (to, from) in first.iter_mut().zip(rest.iter().chain(&[0x80])) {
        *to = *from;
    }
    if rest.len() < 56 {
        put_end(first, bits);
        compress256(&mut state, &[*first]);
    } else {
        put_end(second, bits);
        compress256(&mut state, &last);
    }
    digest_again(&state)
}

/// Parent of two Merkle nodes of a Bitcoin block: `sha256d(left ‖ right)`, all as raw digest bytes.
#[must_use]
pub fn merkle_parent(left: &B256, right: &B256) -> B256 {
    sha256d(&block_of(&left.0, &right.0))
}

fn put_end(block: &mut [u8; 64], end: [u8; 8]) {
    if let Some(place) = block.last_chunk_mut() {
        *place = end;
    }
}

/// SHA-256 of a state's digest.
fn digest_again(state: &[u32; 8]) -> B256 {
    let block = block_of(&digest_of(state), &serial::AFTER_32);
    let mut state = INITIAL;
    compress256(&mut state, &[block]);
    B256::new(digest_of(&state))
}
