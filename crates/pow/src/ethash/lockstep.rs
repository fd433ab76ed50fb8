//! Computes seals side by side, step by step: the implementation of the specification for all
//! instruction sets.
#![allow(unsafe_code)] // the choice of instructions at run time

use super::{
    cache::LightCache,
    fnv::fnv,
    hashes::{hash_of_words, result_message, seed_message},
    item::{ITEM_WORDS, Item, prefetch},
    seal::Seal,
};
use crate::{
    Isa,
    keccak::{self, LANES},
};
use alloy_primitives::B256;

/// Reads of the dataset for each seal.
const ACCESSES: u32 = 64;
/// Items of the cache mixed into an item of the dataset.
const PARENTS: u32 = 256;
/// Words in one read of the dataset.
const MIX_WORDS: usize = PAGE_ITEMS * ITEM_WORDS;
/// Items in one read of the dataset.
const PAGE_ITEMS: usize = 2;

/// Largest number of seals in lockstep: with this many reads under way, more would gain nothing.
pub(super) const MOST: usize = 6 * LANES;

/// Computes the seals of the inputs, at most [`MOST`].
pub(super) fn seals(isa: Isa, cache: &LightCache, inputs: &[(B256, u64)], out: &mut [Seal]) {
    match isa.or_best() {
        #[cfg(kernels)]
        // SAFETY: `or_best` returns only a set that this machine has.
        Isa::Avx512 => unsafe { seals_avx512(cache, inputs, out) },
        #[cfg(kernels)]
        // SAFETY: `or_best` returns only a set that this machine has.
        Isa::Avx2 => unsafe { seals_avx2(cache, inputs, out) },
        _ => seals_by(Isa::Portable, cache, inputs, out),
    }
}

#[cfg(kernels)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2")]
fn seals_avx512(cache: &LightCache, inputs: &[(B256, u64)], out: &mut [Seal]) {
    seals_by(Isa::Avx512, cache, inputs, out);
}

#[cfg(kernels)]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn seals_avx2(cache: &LightCache, inputs: &[(B256, u64)], out: &mut [Seal]) {
    seals_by(Isa::Avx2, cache, inputs, out);
}

/// Inlined into the functions above, like the loops below, so that they use wide instructions.
#[inline(always)]
fn seals_by(isa: Isa, cache: &LightCache, inputs: &[(B256, u64)], out: &mut [Seal]) {
    let many = inputs.len().min(out.len()).min(MOST);
    let (inputs, out) = (&inputs[..many], &mut out[..many]);
    let mut walks = [Walk::default(); MOST];
    let mut places = [0; PAGE_ITEMS * MOST];
    let mut parents = [0; PAGE_ITEMS * MOST];
    let mut items = [Item::ZERO; PAGE_ITEMS * MOST];
    let walks = &mut walks[..many];
    let (places, parents, items) = (
        &mut places[..PAGE_ITEMS * many],
        &mut parents[..PAGE_ITEMS * many],
        &mut items[..PAGE_ITEMS * many],
    );

    for (inputs, walks) in inputs.chunks(LANES).zip(walks.chunks_mut(LANES)) {
        let mut messages = [[0; 5]; LANES];
        for (message, (seal_hash, nonce)) in messages.iter_mut().zip(inputs) {
            *message = seed_message(seal_hash, *nonce);
        }
        for (walk, seed) in walks.iter_mut().zip(keccak::keccak512_x8(isa, &messages)) {
            *walk = Walk::new(seed);
        }
    }
    for access in 0..ACCESSES {
        for (walk, places) in walks.iter().zip(places.as_chunks_mut().0) {
            *places = walk.places(cache, access);
        }
        first_parents(cache, places, items);
        hash_all(isa, items);
        if many <= LANES {
            other_parents::<true>(cache, places, items, parents);
        } else {
            other_parents::<false>(cache, places, items, parents);
        }
        hash_all(isa, items);
        for (walk, items) in walks.iter_mut().zip(items.as_chunks().0) {
            walk.take_in(items);
        }
    }
    for (walks, out) in walks.chunks(LANES).zip(out.chunks_mut(LANES)) {
        let mut messages = [[0; 12]; LANES];
        for ((walk, out), message) in walks.iter().zip(&mut *out).zip(&mut messages) {
            out.mix = walk.compressed();
            *message = result_message(&walk.seed, &out.mix);
        }
        for (out, result) in out.iter_mut().zip(keccak::keccak256_x8(isa, &messages)) {
            out.result = hash_of_words(result);
        }
    }
}

/// The state of one seal on its path through the dataset.
#[derive(Clone, Copy)]
struct Walk {
    seed: [u64; 8],
    mix: [Item; PAGE_ITEMS],
}

impl Default for Walk {
    fn default() -> Self {
        Self { seed: [0; 8], mix: [Item::ZERO; PAGE_ITEMS] }
    }
}

impl Walk {
    #[inline(always)]
    fn new(seed: [u64; 8]) -> Self {
        Self { seed, mix: [Item::from_words(seed); PAGE_ITEMS] }
    }

    #[inline(always)]
    fn word(&self, index: usize) -> u32 {
        self.mix[index / ITEM_WORDS].word(index % ITEM_WORDS)
    }

    /// Indices of the two items of this access.
    #[inline(always)]
    fn places(&self, cache: &LightCache, access: u32) -> [u32; PAGE_ITEMS] {
        #[allow(clippy::cast_possible_truncation)] // the low half of the first word
        let start = self.seed[0] as u32;
        let page = cache.modulo_pages.of(fnv(access ^ start, self.word(access as usize % MIX_WORDS)));
        [2 * page, 2 * page + 1]
    }

    #[inline(always)]
    fn take_in(&mut self, items: &[Item; PAGE_ITEMS]) {
        for (mix, item) in self.mix.iter_mut().zip(items) {
            mix.mix_in(item);
        }
    }

    /// Compresses every four words to one: 32 bytes, as in headers.
    #[inline(always)]
    fn compressed(&self) -> B256 {
        let mut hash = B256::ZERO;
        for (index, bytes) in hash.0.as_chunks_mut().0.iter_mut().enumerate() {
            let [a, b, c, d] = std::array::from_fn(|word| self.word(4 * index + word));
            *bytes = fnv(fnv(fnv(a, b), c), d).to_le_bytes();
        }
        hash
    }
}

/// Keccak-512 of every item.
#[inline(always)]
fn hash_all(isa: Isa, items: &mut [Item]) {
    // up to this number, one by one takes no longer than the kernel of eight
    let alone = match isa.or_best() {
        Isa::Avx512 => 1,
        Isa::Avx2 => 3,
        Isa::Portable => LANES,
    };
    for eight in items.chunks_mut(LANES) {
        if eight.len() <= alone {
            for item in eight {
                *item = Item::from_words(keccak::keccak512_words(isa, &item.words()));
            }
            continue;
        }
        let mut messages = [[0; 8]; LANES];
        for (message, item) in messages.iter_mut().zip(&*eight) {
            *message = item.words();
        }
        for (item, hash) in eight.iter_mut().zip(keccak::keccak512_x8(isa, &messages)) {
            *item = Item::from_words(hash);
        }
    }
}

/// The initial value of items of the dataset: the first parent, mixed with the item's index.
#[inline(always)]
fn first_parents(cache: &LightCache, places: &[u32], items: &mut [Item]) {
    for (item, place) in items.iter_mut().zip(places) {
        *item = cache.items()[cache.modulo_items.of(*place) as usize];
        item.set_word(0, item.word(0) ^ place);
    }
}

/// Mixes in all further parents of these items, in lockstep. `parents` is room for the index of
/// each item's next one.
///
/// The word that decides the next parent is computed first, ahead of the others, and that parent is
/// prefetched at once.
#[inline(always)]
fn other_parents<const NEAR: bool>(
    cache: &LightCache,
    places: &[u32],
    mixes: &mut [Item],
    parents: &mut [u32],
) {
    let (items, modulo) = (cache.items(), cache.modulo_items);
    for ((mix, place), at) in mixes.iter().zip(places).zip(&mut *parents) {
        *at = modulo.of(fnv(*place, mix.word(0)));
        prefetch::<NEAR>(items, *at as usize);
    }
    for step in 1..=PARENTS {
        let word = step as usize % ITEM_WORDS;
        for ((mix, place), at) in mixes.iter_mut().zip(places).zip(&mut *parents) {
            let item = &items[*at as usize];
            let next = fnv(mix.word(word), item.word(word));
            // after the last parent, this index is not needed
            *at = modulo.of(fnv(place ^ step, next));
            prefetch::<NEAR>(items, *at as usize);
            mix.mix_in(item);
        }
    }
}
