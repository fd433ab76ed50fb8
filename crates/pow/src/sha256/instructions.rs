//! The SHA instructions of x86-64, for one message or two at once: while one waits for a result,
//! the other continues.
#![allow(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "arrays of known length, indices below it"
)]

use super::{
    constants::K as K_OF_ROUNDS,
    serial::{Compress, bare, hash_each},
    template::{HashedHeader, Item},
};
use crate::cpu::Sha;
use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_blend_epi16, _mm_loadu_si128, _mm_set_epi64x,
    _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8,
    _mm_shuffle_epi32, _mm_storeu_si128,
};

/// State in the order of the instructions: `ABEF` and `CDGH`.
#[derive(Clone, Copy)]
struct State(__m128i, __m128i);

#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn load(words: &[u32; 8]) -> State {
    // SAFETY: eight words are 32 bytes, and any address is fine.
    let (low, high) = unsafe {
        (_mm_loadu_si128(words.as_ptr().cast()), _mm_loadu_si128(words.as_ptr().cast::<__m128i>().add(1)))
    };
    let cdab = _mm_shuffle_epi32::<0xb1>(low);
    let efgh = _mm_shuffle_epi32::<0x1b>(high);
    State(_mm_alignr_epi8::<8>(cdab, efgh), _mm_blend_epi16::<0xf0>(efgh, cdab))
}

#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn store(State(abef, cdgh): State, words: &mut [u32; 8]) {
    let feba = _mm_shuffle_epi32::<0x1b>(abef);
    let dchg = _mm_shuffle_epi32::<0xb1>(cdgh);
    // SAFETY: eight words are 32 bytes, and any address is fine.
    unsafe {
        _mm_storeu_si128(words.as_mut_ptr().cast(), _mm_blend_epi16::<0xf0>(feba, dchg));
        _mm_storeu_si128(words.as_mut_ptr().cast::<__m128i>().add(1), _mm_alignr_epi8::<8>(dchg, feba));
    }
}

#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn message(block: &[u8; 64]) -> [__m128i; 4] {
    let big_endian = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let at = |i: usize| {
        // SAFETY: `i` is below four, four times 16 bytes are 64, and any address is fine.
        let words = unsafe { _mm_loadu_si128(block.as_ptr().cast::<__m128i>().add(i)) };
        _mm_shuffle_epi8(words, big_endian)
    };
    [at(0), at(1), at(2), at(3)]
}

#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn four_rounds(State(abef, cdgh): State, words: __m128i, k: &[u32; 4]) -> State {
    // SAFETY: four words are 16 bytes, and any address is fine.
    let k = unsafe { _mm_loadu_si128(k.as_ptr().cast()) };
    let kw = _mm_add_epi32(words, k);
    let next = _mm_sha256rnds2_epu32(cdgh, abef, kw);
    let after = _mm_sha256rnds2_epu32(abef, next, _mm_shuffle_epi32::<0x0e>(kw));
    State(after, next)
}

/// The next four words of the schedule; `w` holds the last sixteen, the oldest first.
#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn expand(w: &[__m128i; 4]) -> __m128i {
    let [a, b, c, d] = *w;
    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8::<4>(d, c));
    _mm_sha256msg2_epu32(sum, d)
}

/// One block of each message.
#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn compress<const K: usize>(states: &mut [[u32; 8]; K], blocks: &[[u8; 64]; K]) {
    let mut running = [State(_mm_setzero_si128(), _mm_setzero_si128()); K];
    let mut words = [[_mm_setzero_si128(); 4]; K];
    for i in 0..K {
        running[i] = load(&states[i]);
        words[i] = message(&blocks[i]);
    }
    let initial = running;
    for (quarter, k) in K_OF_ROUNDS.as_chunks::<4>().0.iter().enumerate() {
        for i in 0..K {
            if quarter >= 4 {
                let next = expand(&words[i]);
                words[i] = [words[i][1], words[i][2], words[i][3], next];
            }
            running[i] = four_rounds(running[i], words[i][quarter.min(3)], k);
        }
    }
    for i in 0..K {
        let (State(a, b), State(c, d)) = (initial[i], running[i]);
        store(State(_mm_add_epi32(a, c), _mm_add_epi32(b, d)), &mut states[i]);
    }
}

impl<const K: usize> Compress<K> for Sha {
    #[inline(always)]
    fn compress(self, states: &mut [[u32; 8]; K], blocks: &[[u8; 64]; K]) {
        // SAFETY: `self` proves that the machine has the instructions.
        unsafe { compress(states, blocks) }
    }
}

/// Hashes `K` headers of one shape.
pub(crate) fn hash<const K: usize>(has: Sha, items: &[Item<'_>; K]) -> [HashedHeader; K] {
    // the code around the compression gains from the instructions, too
    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    fn enter<const K: usize>(has: Sha, items: &[Item<'_>; K]) -> [HashedHeader; K] {
        hash_each(has, items)
    }
    // SAFETY: `has` proves that the machine has the instructions.
    unsafe { enter(has, items) }
}

/// `rounds` blocks of `K` messages.
pub(crate) fn limit<const K: usize>(has: Sha, rounds: usize) -> u32 {
    #[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
    fn enter<const K: usize>(has: Sha, rounds: usize) -> u32 {
        bare::<K, _>(has, rounds)
    }
    // SAFETY: `has` proves that the machine has the instructions.
    unsafe { enter::<K>(has, rounds) }
}
