//! Hashimoto with the light cache: one share, or several whose reads of memory overlap.
#![allow(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "arrays of known length, indices below it; places in the cache are taken modulo its length"
)]

use super::{
    cache::{Item, LightCache},
    to_bytes, with_nonce,
};
use crate::{
    Isa,
    keccak::{keccak256, keccak512, keccak512_in_place},
};
use alloy_primitives::{B256, U256};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _MM_HINT_T0, _mm_prefetch, _mm256_load_si256, _mm256_mullo_epi32, _mm256_set1_epi32, _mm256_store_si256,
    _mm256_xor_si256,
};

const FNV_PRIME: u32 = 0x0100_0193;
/// Pages that a share reads.
const ACCESSES: u32 = 64;
/// Items of the cache that one item of the dataset is made from.
const PARENTS: u32 = 256;
/// Shares that are hashed together.
const TOGETHER: usize = 8;

/// What a nonce gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seal {
    /// The mix hash, as it stands in a header.
    pub mix: B256,
    /// What is compared with the target.
    pub result: B256,
}

impl Seal {
    /// The result as the integer that targets are compared with: big-endian.
    #[must_use]
    pub fn result_as_integer(&self) -> U256 {
        U256::from_be_bytes(self.result.0)
    }
}

/// The 512 bits that everything else of a share follows from.
fn seed(seal_hash: &B256, nonce: u64) -> [u64; 8] {
    keccak512(&with_nonce(seal_hash, nonce))
}

fn result(seed: &[u64; 8], mix: &B256) -> B256 {
    let mut message = [0; 12];
    for (to, from) in message.iter_mut().zip(seed.iter().copied().chain(super::to_words(mix))) {
        *to = from;
    }
    to_bytes(keccak256(&message))
}

/// The result that a claimed mix gives, without a look at the cache: about a microsecond. It says that nobody needs to
/// compute the true mix of a share whose claim already misses the target; a claim that meets it may still be false.
#[must_use]
pub fn result_of_mix(seal_hash: &B256, nonce: u64, mix: &B256) -> B256 {
    result(&seed(seal_hash, nonce), mix)
}

const fn fnv(a: u32, b: u32) -> u32 {
    a.wrapping_mul(FNV_PRIME) ^ b
}

/// Remainder by a divisor that is known early: two multiplications (Lemire, Kaser, Kurz, 2019).
#[derive(Clone, Copy)]
struct Modulo {
    divisor: u32,
    inverse: u64,
}

impl Modulo {
    const fn new(divisor: u32) -> Self {
        Self { divisor, inverse: (u64::MAX / divisor as u64).wrapping_add(1) }
    }

    #[inline(always)]
    const fn of(self, number: u32) -> u32 {
        let fraction = self.inverse.wrapping_mul(number as u64);
        ((fraction as u128 * self.divisor as u128) >> 64) as u32
    }
}

/// The step that mixes an item into another, word by word, and the one that fetches ahead.
///
/// # Safety
/// The methods may be called only where the instructions behind them exist. All of them must be inlined there.
unsafe trait Vector {
    fn fnv(mix: &mut Item, with: &Item);
    fn prefetch(item: *const Item);
}

struct Portable;

// SAFETY: plain arithmetic.
unsafe impl Vector for Portable {
    #[inline(always)]
    fn fnv(mix: &mut Item, with: &Item) {
        for (to, from) in mix.0.iter_mut().zip(with.0) {
            *to = fnv(*to, from);
        }
    }
    #[inline(always)]
    fn prefetch(_: *const Item) {}
}

#[cfg(target_arch = "x86_64")]
/// Two vectors of 256 bits an item. One of 512 bits halves the speed: the word that tells the next place is read back
/// right after it was written, which the processor does not shortcut for the wider store.
struct Halves;

// SAFETY: see the trait; entered only where AVX2 was found. Items are aligned to 64 bytes.
#[cfg(target_arch = "x86_64")]
unsafe impl Vector for Halves {
    #[inline(always)]
    fn fnv(mix: &mut Item, with: &Item) {
        let (mix, with) = (mix.0.as_mut_ptr(), with.0.as_ptr());
        unsafe {
            let prime = _mm256_set1_epi32(FNV_PRIME.cast_signed());
            for half in [0, 8] {
                let (to, from) = (mix.add(half).cast(), with.add(half).cast());
                let product = _mm256_mullo_epi32(_mm256_load_si256(to), prime);
                _mm256_store_si256(to, _mm256_xor_si256(product, _mm256_load_si256(from)));
            }
        }
    }
    #[inline(always)]
    fn prefetch(item: *const Item) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(item.cast()) }
    }
}

/// Items of the dataset by their numbers, computed in lockstep: while one waits for the cache, the others go on.
#[inline(always)]
fn dataset_items<V: Vector, const K: usize>(
    cache: &LightCache,
    modulo: Modulo,
    isa: Isa,
    numbers: &[u32; K],
) -> [Item; K] {
    let items = cache.items.as_slice();
    let mut long = numbers.map(|number| {
        let mut item = items[modulo.of(number) as usize];
        item.0[0] ^= number;
        item.long()
    });
    keccak512_in_place(isa, &mut long);
    let mut mix = long.map(Item::of);
    let mut next = [0u32; K];
    for k in 0..K {
        next[k] = modulo.of(fnv(numbers[k], mix[k].0[0]));
        V::prefetch(&raw const items[next[k] as usize]);
    }
    for parent in 1..=PARENTS {
        for k in 0..K {
            V::fnv(&mut mix[k], &items[next[k] as usize]);
            // the next place is known as soon as this is mixed, so its memory can be on its way; after the last
            // parent it is fetched for nothing
            next[k] = modulo.of(fnv(numbers[k] ^ parent, mix[k].0[(parent % 16) as usize]));
            V::prefetch(&raw const items[next[k] as usize]);
        }
    }
    let mut long = mix.map(Item::long);
    keccak512_in_place(isa, &mut long);
    long.map(Item::of)
}

/// `S` shares; `K` must be twice that, since each page is two items.
#[inline(always)]
fn hash<V: Vector, const S: usize, const K: usize>(
    cache: &LightCache,
    isa: Isa,
    inputs: &[(B256, u64); S],
) -> [Seal; S] {
    const { assert!(K == 2 * S) }
    let modulo = Modulo::new(u32::try_from(cache.items.len()).unwrap_or(u32::MAX).max(1));
    let pages = Modulo::new(cache.pages.max(1));
    let seeds = inputs.map(|(seal_hash, nonce)| seed(&seal_hash, nonce));
    let mut mix = seeds.map(|seed| [Item::of(seed); 2]);
    let first = mix.map(|[item, _]| item.0[0]);
    for access in 0..ACCESSES {
        let mut numbers = [0; K];
        for share in 0..S {
            let half = &mix[share][(access / 16 % 2) as usize];
            let page = pages.of(fnv(access ^ first[share], half.0[(access % 16) as usize]));
            numbers[2 * share] = 2 * page;
            numbers[2 * share + 1] = 2 * page + 1;
        }
        let items = dataset_items::<V, K>(cache, modulo, isa, &numbers);
        for (k, item) in items.iter().enumerate() {
            V::fnv(&mut mix[k / 2][k % 2], item);
        }
    }
    std::array::from_fn(|share| {
        let mut bytes = B256::ZERO;
        let words = mix[share].iter().flat_map(|item| item.0.as_chunks::<4>().0);
        for (to, [a, b, c, d]) in bytes.0.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *to = fnv(fnv(fnv(*a, *b), *c), *d).to_le_bytes();
        }
        Seal { mix: bytes, result: result(&seeds[share], &bytes) }
    })
}

#[inline]
fn hash_with<const S: usize, const K: usize>(
    isa: Isa,
    cache: &LightCache,
    inputs: &[(B256, u64); S],
) -> [Seal; S] {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,bmi1,bmi2")]
        fn avx2<const S: usize, const K: usize>(cache: &LightCache, inputs: &[(B256, u64); S]) -> [Seal; S] {
            hash::<Halves, S, K>(cache, Isa::Avx2, inputs)
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2")]
        fn avx512<const S: usize, const K: usize>(
            cache: &LightCache,
            inputs: &[(B256, u64); S],
        ) -> [Seal; S] {
            hash::<Halves, S, K>(cache, Isa::Avx512, inputs)
        }
        match isa.or_best() {
            // SAFETY: the machine has them
            Isa::Avx512 => return unsafe { avx512::<S, K>(cache, inputs) },
            // SAFETY: the machine has them
            Isa::Avx2 => return unsafe { avx2::<S, K>(cache, inputs) },
            Isa::Portable => {}
        }
    }
    let _ = isa;
    hash::<Portable, S, K>(cache, Isa::Portable, inputs)
}

/// Mix and result of a nonce: about a millisecond, most of it waiting for memory.
#[must_use]
pub fn hashimoto_light(cache: &LightCache, seal_hash: &B256, nonce: u64) -> Seal {
    let [seal] = hash_with::<1, 2>(Isa::best(), cache, &[(*seal_hash, nonce)]);
    seal
}

/// [`hashimoto_light`] of many seal hashes and nonces on the calling thread, several times as fast as one by one. Where
/// `inputs` and `out` differ in length, the longer one's rest is left alone.
pub fn hashimoto_light_many(cache: &LightCache, inputs: &[(B256, u64)], out: &mut [Seal]) {
    hashimoto_light_many_with(Isa::best(), cache, inputs, out);
}

/// [`hashimoto_light_many`] by the instructions asked for, as far as the machine has them.
pub fn hashimoto_light_many_with(isa: Isa, cache: &LightCache, inputs: &[(B256, u64)], out: &mut [Seal]) {
    let count = inputs.len().min(out.len());
    let (groups, rest) = inputs[..count].as_chunks::<TOGETHER>();
    let (places, last) = out[..count].as_chunks_mut::<TOGETHER>();
    for (group, place) in groups.iter().zip(places) {
        *place = hash_with::<TOGETHER, { 2 * TOGETHER }>(isa, cache, group);
    }
    // a share too many costs little beside the waiting
    if rest.len() > 1 {
        let mut group = [rest[0]; TOGETHER];
        group[..rest.len()].copy_from_slice(rest);
        let seals = hash_with::<TOGETHER, { 2 * TOGETHER }>(isa, cache, &group);
        last.copy_from_slice(&seals[..rest.len()]);
    } else if let ([input], [place]) = (rest, last) {
        [*place] = hash_with::<1, 2>(isa, cache, &[*input]);
    }
}

#[cfg(test)]
mod tests;
