//! Words of several messages side by side, one message per lane.
#![allow(unsafe_code)]

use super::compress::{self, Message};
use std::arch::x86_64::{
    __m256i, __m512i, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256, _mm256_loadu_si256,
    _mm256_or_si256, _mm256_set1_epi32, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_si256,
    _mm256_xor_si256, _mm512_add_epi32, _mm512_loadu_si512, _mm512_ror_epi32, _mm512_set1_epi32,
    _mm512_srli_epi32, _mm512_storeu_si512, _mm512_ternarylogic_epi32,
};

/// One 32-bit word of each of `N` messages.
///
/// # Safety
/// The methods of an implementation for vectors may be called only where the instructions behind it exist: inside a
/// function that was entered after asking the machine. All of them must be inlined into it.
pub(crate) unsafe trait Lanes<const N: usize>: Copy {
    fn splat(word: u32) -> Self;
    fn load(words: &[u32; N]) -> Self;
    fn store(self, words: &mut [u32; N]);
    fn add(self, other: Self) -> Self;
    /// `Σ0`
    fn big_sigma_0(self) -> Self;
    /// `Σ1`
    fn big_sigma_1(self) -> Self;
    /// `σ0`
    fn small_sigma_0(self) -> Self;
    /// `σ1`
    fn small_sigma_1(self) -> Self;
    /// `(self & b) ^ (!self & c)`
    fn choose(self, b: Self, c: Self) -> Self;
    /// `(self & b) ^ (self & c) ^ (b & c)`
    fn majority(self, b: Self, c: Self) -> Self;
    /// [`compress`](super::compress::compress), once in the program: inlined everywhere it would not fit the
    /// processor's cache of decoded instructions.
    fn compress(state: &mut [Self; 8], message: &Message<N>);
    /// [`hash_digest`](super::compress::hash_digest), once in the program.
    fn hash_digest(digest: &[Self; 8]) -> [Self; 8];
    /// [`compress_known`](super::compress::compress_known), once in the program.
    fn compress_known(state: &mut [Self; 8], schedule: &[u32; 64]);
}

macro_rules! rotate {
    ($x:expr, $by:literal) => {
        unsafe { _mm256_or_si256(_mm256_srli_epi32::<$by>($x), _mm256_slli_epi32::<{ 32 - $by }>($x)) }
    };
}

// SAFETY: see the trait; `vector::hash_avx2` is entered only where AVX2 was found.
unsafe impl Lanes<8> for __m256i {
    #[inline(always)]
    fn splat(word: u32) -> Self {
        unsafe { _mm256_set1_epi32(word.cast_signed()) }
    }
    #[inline(always)]
    fn load(words: &[u32; 8]) -> Self {
        unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store(self, words: &mut [u32; 8]) {
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), self) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { _mm256_add_epi32(self, other) }
    }
    #[inline(always)]
    fn big_sigma_0(self) -> Self {
        xor3(rotate!(self, 2), rotate!(self, 13), rotate!(self, 22))
    }
    #[inline(always)]
    fn big_sigma_1(self) -> Self {
        xor3(rotate!(self, 6), rotate!(self, 11), rotate!(self, 25))
    }
    #[inline(always)]
    fn small_sigma_0(self) -> Self {
        xor3(rotate!(self, 7), rotate!(self, 18), unsafe { _mm256_srli_epi32::<3>(self) })
    }
    #[inline(always)]
    fn small_sigma_1(self) -> Self {
        xor3(rotate!(self, 17), rotate!(self, 19), unsafe { _mm256_srli_epi32::<10>(self) })
    }
    #[inline(always)]
    fn choose(self, b: Self, c: Self) -> Self {
        unsafe { _mm256_xor_si256(_mm256_and_si256(self, b), _mm256_andnot_si256(self, c)) }
    }
    #[inline(always)]
    fn majority(self, b: Self, c: Self) -> Self {
        unsafe { _mm256_or_si256(_mm256_and_si256(self, b), _mm256_and_si256(c, _mm256_or_si256(self, b))) }
    }
    fn compress(state: &mut [Self; 8], message: &Message<8>) {
        #[inline(never)]
        #[target_feature(enable = "avx2,bmi1,bmi2")]
        fn enter(state: &mut [__m256i; 8], message: &Message<8>) {
            compress::compress(state, message);
        }
        unsafe { enter(state, message) }
    }
    fn hash_digest(digest: &[Self; 8]) -> [Self; 8] {
        #[inline(never)]
        #[target_feature(enable = "avx2,bmi1,bmi2")]
        fn enter(digest: &[__m256i; 8]) -> [__m256i; 8] {
            compress::hash_digest(digest)
        }
        unsafe { enter(digest) }
    }
    fn compress_known(state: &mut [Self; 8], schedule: &[u32; 64]) {
        #[inline(never)]
        #[target_feature(enable = "avx2,bmi1,bmi2")]
        fn enter(state: &mut [__m256i; 8], schedule: &[u32; 64]) {
            compress::compress_known(state, schedule);
        }
        unsafe { enter(state, schedule) }
    }
}

#[inline(always)]
fn xor3(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    unsafe { _mm256_xor_si256(_mm256_xor_si256(a, b), c) }
}

// SAFETY: see the trait; `vector::hash_avx512` is entered only where AVX-512 F was found.
unsafe impl Lanes<16> for __m512i {
    #[inline(always)]
    fn splat(word: u32) -> Self {
        unsafe { _mm512_set1_epi32(word.cast_signed()) }
    }
    #[inline(always)]
    fn load(words: &[u32; 16]) -> Self {
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store(self, words: &mut [u32; 16]) {
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), self) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { _mm512_add_epi32(self, other) }
    }
    #[inline(always)]
    fn big_sigma_0(self) -> Self {
        unsafe {
            let (a, b) = (_mm512_ror_epi32::<2>(self), _mm512_ror_epi32::<13>(self));
            _mm512_ternarylogic_epi32::<0x96>(a, b, _mm512_ror_epi32::<22>(self))
        }
    }
    #[inline(always)]
    fn big_sigma_1(self) -> Self {
        unsafe {
            let (a, b) = (_mm512_ror_epi32::<6>(self), _mm512_ror_epi32::<11>(self));
            _mm512_ternarylogic_epi32::<0x96>(a, b, _mm512_ror_epi32::<25>(self))
        }
    }
    #[inline(always)]
    fn small_sigma_0(self) -> Self {
        unsafe {
            let (a, b) = (_mm512_ror_epi32::<7>(self), _mm512_ror_epi32::<18>(self));
            _mm512_ternarylogic_epi32::<0x96>(a, b, _mm512_srli_epi32::<3>(self))
        }
    }
    #[inline(always)]
    fn small_sigma_1(self) -> Self {
        unsafe {
            let (a, b) = (_mm512_ror_epi32::<17>(self), _mm512_ror_epi32::<19>(self));
            _mm512_ternarylogic_epi32::<0x96>(a, b, _mm512_srli_epi32::<10>(self))
        }
    }
    #[inline(always)]
    fn choose(self, b: Self, c: Self) -> Self {
        unsafe { _mm512_ternarylogic_epi32::<0xca>(self, b, c) }
    }
    #[inline(always)]
    fn majority(self, b: Self, c: Self) -> Self {
        unsafe { _mm512_ternarylogic_epi32::<0xe8>(self, b, c) }
    }
    fn compress(state: &mut [Self; 8], message: &Message<16>) {
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2")]
        fn enter(state: &mut [__m512i; 8], message: &Message<16>) {
            compress::compress(state, message);
        }
        unsafe { enter(state, message) }
    }
    fn hash_digest(digest: &[Self; 8]) -> [Self; 8] {
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2")]
        fn enter(digest: &[__m512i; 8]) -> [__m512i; 8] {
            compress::hash_digest(digest)
        }
        unsafe { enter(digest) }
    }
    fn compress_known(state: &mut [Self; 8], schedule: &[u32; 64]) {
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2")]
        fn enter(state: &mut [__m512i; 8], schedule: &[u32; 64]) {
            compress::compress_known(state, schedule);
        }
        unsafe { enter(state, schedule) }
    }
}
