//! Two messages at once through the SHA instructions of x86-64: while one waits for its result, the other goes on.
#![allow(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "arrays of known length, indices below it"
)]

use super::{constants::K, serial::Compress};
use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_blend_epi16, _mm_loadu_si128, _mm_set_epi64x,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
    _mm_storeu_si128,
};

/// Whether this machine has what [`compress`] needs.
pub(crate) fn has() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("sha") && has!("ssse3") && has!("sse4.1")
}

/// State in the order that the instructions want: `ABEF` and `CDGH`.
#[derive(Clone, Copy)]
struct State(__m128i, __m128i);

#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn load(words: &[u32; 8]) -> State {
    // SAFETY: eight words are 32 bytes
    let (low, high) = unsafe {
        (_mm_loadu_si128(words.as_ptr().cast()), _mm_loadu_si128(words.as_ptr().cast::<__m128i>().add(1)))
    };
    let cdab = _mm_shuffle_epi32::<0xb1>(low);
    let efgh = _mm_shuffle_epi32::<0x1b>(high);
    State(_mm_alignr_epi8::<8>(cdab, efgh), _mm_blend_epi16::<0xf0>(efgh, cdab))
}

#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn store(State(abef, cdgh): State, words: &mut [u32; 8]) {
    let feba = _mm_shuffle_epi32::<0x1b>(abef);
    let dchg = _mm_shuffle_epi32::<0xb1>(cdgh);
    // SAFETY: eight words are 32 bytes
    unsafe {
        _mm_storeu_si128(words.as_mut_ptr().cast(), _mm_blend_epi16::<0xf0>(feba, dchg));
        _mm_storeu_si128(words.as_mut_ptr().cast::<__m128i>().add(1), _mm_alignr_epi8::<8>(dchg, feba));
    }
}

#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn message(block: &[u8; 64]) -> [__m128i; 4] {
    let big_endian = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let at = |i: usize| {
        // SAFETY: four times 16 bytes are 64
        let words = unsafe { _mm_loadu_si128(block.as_ptr().cast::<__m128i>().add(i)) };
        _mm_shuffle_epi8(words, big_endian)
    };
    [at(0), at(1), at(2), at(3)]
}

#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn four_rounds(State(abef, cdgh): State, words: __m128i, k: &[u32; 4]) -> State {
    // SAFETY: four words are 16 bytes
    let k = unsafe { _mm_loadu_si128(k.as_ptr().cast()) };
    let kw = _mm_add_epi32(words, k);
    let next = _mm_sha256rnds2_epu32(cdgh, abef, kw);
    let after = _mm_sha256rnds2_epu32(abef, next, _mm_shuffle_epi32::<0x0e>(kw));
    State(after, next)
}

/// The next four words of the schedule; `w` holds the last sixteen, the oldest first.
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn expand(w: &[__m128i; 4]) -> __m128i {
    let [a, b, c, d] = *w;
    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8::<4>(d, c));
    _mm_sha256msg2_epu32(sum, d)
}

/// One block of each of two messages.
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
pub(crate) fn compress(states: &mut [[u32; 8]; 2], blocks: &[[u8; 64]; 2]) {
    let [one, two] = states;
    let begun = [load(one), load(two)];
    let [mut x, mut y] = begun;
    let (mut v, mut w) = (message(&blocks[0]), message(&blocks[1]));
    for (quarter, k) in K.as_chunks::<4>().0.iter().enumerate() {
        if quarter >= 4 {
            let (next_v, next_w) = (expand(&v), expand(&w));
            v = [v[1], v[2], v[3], next_v];
            w = [w[1], w[2], w[3], next_w];
        }
        let at = quarter.min(3);
        x = four_rounds(x, v[at], k);
        y = four_rounds(y, w[at], k);
    }
    let add = |State(a, b): State, State(c, d): State| State(_mm_add_epi32(a, c), _mm_add_epi32(b, d));
    store(add(begun[0], x), one);
    store(add(begun[1], y), two);
}

/// Two messages at once. Only [`Engine`](super::Engine) enters it, where [`has`] holds.
pub(crate) struct Pair;

impl Compress<2> for Pair {
    #[inline]
    fn compress(states: &mut [[u32; 8]; 2], blocks: &[[u8; 64]; 2]) {
        debug_assert!(has(), "the machine was asked before");
        // SAFETY: the engine was chosen because `has` held
        unsafe { compress(states, blocks) }
    }
}
