//! Headers hashed in lanes: each lane one header, all of one shape.
#![allow(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "arrays of known length, indices below it"
)]

use super::{
    compress::{Message, compress, compress_known},
    constants::{INITIAL, PADDING_OF_32, PADDING_OF_80, SCHEDULE_OF_64},
    digest_of,
    header::{HashedHeader, Item},
    lanes::Lanes,
};
use alloy_primitives::B256;
use std::arch::x86_64::{__m256i, __m512i};

/// Eight headers.
pub(crate) fn hash_avx2(items: &[Item<'_>; 8], hashed: &mut [HashedHeader]) {
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn enter(items: &[Item<'_>; 8], hashed: &mut [HashedHeader]) {
        hash::<8, __m256i>(items, hashed);
    }
    // SAFETY: the engine was chosen because the machine has AVX2
    unsafe { enter(items, hashed) }
}

/// Sixteen headers.
pub(crate) fn hash_avx512(items: &[Item<'_>; 16], hashed: &mut [HashedHeader]) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2")]
    fn enter(items: &[Item<'_>; 16], hashed: &mut [HashedHeader]) {
        hash::<16, __m512i>(items, hashed);
    }
    // SAFETY: the engine was chosen because the machine has AVX-512
    unsafe { enter(items, hashed) }
}

/// Puts a block into each lane.
#[inline(always)]
fn put_block<const N: usize>(message: &mut Message<N>, lane: usize, block: &[u8; 64]) {
    for (to, from) in message.0.iter_mut().zip(block.as_chunks::<4>().0) {
        to[lane] = u32::from_be_bytes(*from);
    }
}

/// The second hash: of digests, as the states of the first stand for them.
#[inline(always)]
fn again<const N: usize, L: Lanes<N>>(message: &mut Message<N>, first: &[L; 8]) -> [L; 8] {
    let (digest, padding) = message.0.split_at_mut(8);
    for (to, from) in digest.iter_mut().zip(first) {
        from.store(to);
    }
    for (to, from) in padding.iter_mut().zip(PADDING_OF_32) {
        *to = [from; N];
    }
    let mut second = INITIAL.map(L::splat);
    compress(&mut second, message);
    second
}

#[inline(always)]
fn hash<const N: usize, L: Lanes<N>>(items: &[Item<'_>; N], hashed: &mut [HashedHeader]) {
    let first = items[0].template;
    let same = items.iter().all(|item| std::ptr::eq(item.template, first));
    let mut message = Message([[0; N]; 16]);

    // coinbase
    let mut words = [[0; N]; 8];
    for (lane, item) in items.iter().enumerate() {
        for (to, from) in words.iter_mut().zip(item.template.midstate) {
            to[lane] = from;
        }
    }
    let mut state = words.map(|word| L::load(&word));
    for index in 0..first.rest.len() {
        let (begin, end) = first.tail_in(index);
        if same && begin == end {
            let block = first.block(index, &[]);
            for (to, from) in message.0.iter_mut().zip(block.as_chunks::<4>().0) {
                *to = [u32::from_be_bytes(*from); N];
            }
        } else {
            for (lane, item) in items.iter().enumerate() {
                put_block(&mut message, lane, &item.template.block(index, item.choice.tail));
            }
        }
        compress(&mut state, &message);
    }
    let mut root = again(&mut message, &state);

    // leftmost Merkle path
    for level in 0..first.branch.len() {
        let (left, right) = message.0.split_at_mut(8);
        for (to, from) in left.iter_mut().zip(&root) {
            from.store(to);
        }
        if same {
            for (to, from) in right.iter_mut().zip(first.branch[level].as_chunks::<4>().0) {
                *to = [u32::from_be_bytes(*from); N];
            }
        } else {
            for (lane, item) in items.iter().enumerate() {
                for (to, from) in right.iter_mut().zip(item.template.branch[level].as_chunks::<4>().0) {
                    to[lane] = u32::from_be_bytes(*from);
                }
            }
        }
        let mut state = INITIAL.map(L::splat);
        compress(&mut state, &message);
        compress_known(&mut state, &SCHEDULE_OF_64);
        root = again(&mut message, &state);
    }
    let roots = digests(&root);

    // header: 16 words, then 4 and the padding
    for ((lane, item), (root, hashed)) in items.iter().enumerate().zip(roots.iter().zip(hashed.iter_mut())) {
        hashed.header = item.template.header(root, &item.choice);
        let (blocks, _) = hashed.header.as_chunks::<64>();
        put_block(&mut message, lane, &blocks[0]);
    }
    let mut state = INITIAL.map(L::splat);
    compress(&mut state, &message);
    for (lane, hashed) in (0..N).zip(hashed.iter()) {
        let (_, end) = hashed.header.split_at(64);
        for (to, from) in message.0.iter_mut().zip(end.as_chunks::<4>().0) {
            to[lane] = u32::from_be_bytes(*from);
        }
    }
    for (to, from) in message.0[4..].iter_mut().zip(PADDING_OF_80) {
        *to = [from; N];
    }
    compress(&mut state, &message);
    let digest = again(&mut message, &state);
    for (hashed, digest) in hashed.iter_mut().zip(digests(&digest)) {
        hashed.digest = B256::new(digest);
    }
}

/// The digest of each lane.
#[inline(always)]
fn digests<const N: usize, L: Lanes<N>>(state: &[L; 8]) -> [[u8; 32]; N] {
    let mut words = [[0; N]; 8];
    for (to, from) in words.iter_mut().zip(state) {
        from.store(to);
    }
    let mut digests = [[0; 32]; N];
    for (lane, digest) in digests.iter_mut().enumerate() {
        *digest = digest_of(&words.map(|word| word[lane]));
    }
    digests
}

/// `rounds` blocks of sixteen messages with nothing around them: what the lanes give at most.
pub(crate) fn limit_avx512(rounds: usize) -> u32 {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2")]
    fn enter(rounds: usize) -> u32 {
        limit::<16, __m512i>(rounds)
    }
    // SAFETY: the engine was chosen because the machine has AVX-512
    unsafe { enter(rounds) }
}

/// The same of eight.
pub(crate) fn limit_avx2(rounds: usize) -> u32 {
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn enter(rounds: usize) -> u32 {
        limit::<8, __m256i>(rounds)
    }
    // SAFETY: the engine was chosen because the machine has AVX2
    unsafe { enter(rounds) }
}

#[inline(always)]
fn limit<const N: usize, L: Lanes<N>>(rounds: usize) -> u32 {
    let message = Message([[7; N]; 16]);
    let mut state = INITIAL.map(L::splat);
    for _ in 0..rounds {
        compress(&mut state, &message);
    }
    let mut words = [0; N];
    state[0].store(&mut words);
    words[0]
}
