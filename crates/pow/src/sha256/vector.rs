//! Hashes headers of one shape in lanes, one header in each.
#![allow(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "arrays of known length, indices below it"
)]

use super::{
    bytes::digest_of,
    compress::Message,
    constants::{INITIAL, PADDING_OF_80, SCHEDULE_OF_64},
    lanes::{Eight, Lanes, Sixteen},
    template::{Choice, HashedHeader, HeaderTemplate, Item},
};
use crate::cpu::{Avx2, Avx512};
use alloy_primitives::B256;

/// Eight headers.
pub(crate) fn hash_avx2(has: Avx2, items: &[Item<'_>; 8], hashed: &mut [HashedHeader]) {
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn enter(has: Avx2, items: &[Item<'_>; 8], hashed: &mut [HashedHeader]) {
        hash::<8, Eight>(has, items, hashed);
    }
    // SAFETY: `has` proves that the machine has the instructions.
    unsafe { enter(has, items, hashed) }
}

/// Sixteen headers.
pub(crate) fn hash_avx512(has: Avx512, items: &[Item<'_>; 16], hashed: &mut [HashedHeader]) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2")]
    fn enter(has: Avx512, items: &[Item<'_>; 16], hashed: &mut [HashedHeader]) {
        hash::<16, Sixteen>(has, items, hashed);
    }
    // SAFETY: `has` proves that the machine has the instructions.
    unsafe { enter(has, items, hashed) }
}

/// Puts the same bytes into every lane.
#[inline(always)]
fn put_everywhere<const N: usize>(words: &mut [[u32; N]], bytes: &[u8]) {
    for (to, from) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *to = [u32::from_be_bytes(*from); N];
    }
}

/// Puts bytes into one lane.
#[inline(always)]
fn put_into<const N: usize>(words: &mut [[u32; N]], lane: usize, bytes: &[u8]) {
    for (to, from) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
        to[lane] = u32::from_be_bytes(*from);
    }
}

/// Puts bytes of the template into every lane: at once if all lanes have the `same` template, else
/// lane by lane.
#[inline(always)]
fn put_fixed<const N: usize>(
    words: &mut [[u32; N]],
    items: &[Item<'_>; N],
    same: bool,
    bytes: impl Fn(&HeaderTemplate) -> &[u8],
) {
    if same {
        put_everywhere(words, bytes(items[0].template));
    } else {
        for (lane, item) in items.iter().enumerate() {
            put_into(words, lane, bytes(item.template));
        }
    }
}

#[inline(always)]
fn hash<const N: usize, L: Lanes<N>>(has: L::Proof, items: &[Item<'_>; N], hashed: &mut [HashedHeader]) {
    let first = items[0].template;
    let same = items.iter().all(|item| std::ptr::eq(item.template, first));
    let mut message = Message([[0; N]; 16]);

    // coinbase
    let mut state = first.midstate.map(|word| L::splat(has, word));
    if !same {
        for (i, word) in state.iter_mut().enumerate() {
            *word = L::load(has, &std::array::from_fn(|lane| items[lane].template.midstate[i]));
        }
    }
    for index in 0..first.rest.len() {
        put_fixed(&mut message.0, items, same, |template| &template.rest[index]);
        // tails of different jobs may lie in different words
        let tails = if same { first.words_of_tail(index) } else { 0..16 };
        if !tails.is_empty() {
            for (lane, item) in items.iter().enumerate() {
                let block = item.template.block(index, item.choice.tail);
                put_into(&mut message.0[tails.clone()], lane, &block[tails.start * 4..]);
            }
        }
        L::compress(has, &mut state, &message);
    }
    let mut root = L::hash_digest(has, &state);

    // leftmost Merkle path
    for level in 0..first.branch.len() {
        let (left, right) = message.0.split_at_mut(8);
        for (to, from) in left.iter_mut().zip(&root) {
            from.store(to);
        }
        put_fixed(right, items, same, |template| &template.branch[level]);
        let mut state = INITIAL.map(|word| L::splat(has, word));
        L::compress(has, &mut state, &message);
        L::compress_known(has, &mut state, &SCHEDULE_OF_64);
        root = L::hash_digest(has, &state);
    }

    // header: version, previous hash, Merkle root; then its last word, time, bits, nonce and the
    // padding
    let each =
        |get: fn(&Choice<'_>) -> u32| std::array::from_fn(|lane| get(&items[lane].choice).swap_bytes());
    message.0[0] = each(|choice| choice.version);
    put_fixed(&mut message.0[1..9], items, same, |template| &template.prev_hash);
    for (to, from) in message.0[9..].iter_mut().zip(&root) {
        from.store(to);
    }
    let mut state = INITIAL.map(|word| L::splat(has, word));
    L::compress(has, &mut state, &message);
    root[7].store(&mut message.0[0]);
    message.0[1] = each(|choice| choice.ntime);
    put_fixed(&mut message.0[2..3], items, same, |template| &template.n_bits);
    message.0[3] = each(|choice| choice.nonce);
    for (to, from) in message.0[4..].iter_mut().zip(PADDING_OF_80) {
        *to = [from; N];
    }
    L::compress(has, &mut state, &message);
    let digest = L::hash_digest(has, &state);

    let (roots, digests) = (digests(&root), digests(&digest));
    for ((hashed, item), (root, digest)) in hashed.iter_mut().zip(items).zip(roots.iter().zip(digests)) {
        hashed.header = item.template.header(root, &item.choice);
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

/// `rounds` bare compressions of sixteen messages: the limit of the lanes.
pub(crate) fn limit_avx512(has: Avx512, rounds: usize) -> u32 {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2")]
    fn enter(has: Avx512, rounds: usize) -> u32 {
        limit::<16, Sixteen>(has, rounds)
    }
    // SAFETY: `has` proves that the machine has the instructions.
    unsafe { enter(has, rounds) }
}

/// `rounds` bare compressions of eight messages.
pub(crate) fn limit_avx2(has: Avx2, rounds: usize) -> u32 {
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn enter(has: Avx2, rounds: usize) -> u32 {
        limit::<8, Eight>(has, rounds)
    }
    // SAFETY: `has` proves that the machine has the instructions.
    unsafe { enter(has, rounds) }
}

#[inline(always)]
fn limit<const N: usize, L: Lanes<N>>(has: L::Proof, rounds: usize) -> u32 {
    let message = Message([[7; N]; 16]);
    let mut state = INITIAL.map(|word| L::splat(has, word));
    for _ in 0..rounds {
        L::compress(has, &mut state, &message);
    }
    let mut words = [0; N];
    state[0].store(&mut words);
    words[0]
}
