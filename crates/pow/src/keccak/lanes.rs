//! 64-bit words of several states side by side, one state per lane.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256i, __m512i, _mm256_andnot_si256, _mm256_loadu_si256, _mm256_or_si256, _mm256_set1_epi64x,
    _mm256_sllv_epi64, _mm256_srlv_epi64, _mm256_storeu_si256, _mm256_xor_si256, _mm512_loadu_si512,
    _mm512_rolv_epi64, _mm512_set1_epi64, _mm512_storeu_si512, _mm512_ternarylogic_epi64,
};

/// One 64-bit word of each of `N` states.
///
/// # Safety
/// The methods of an implementation for vectors may be called only where the instructions behind it exist: inside a
/// function that was entered after asking the machine. All of them must be inlined into it.
pub(super) unsafe trait Lanes<const N: usize>: Copy {
    fn splat(word: u64) -> Self;
    fn load(words: &[u64; N]) -> Self;
    fn store(self, words: &mut [u64; N]);
    fn xor(self, b: Self, c: Self) -> Self;
    fn rotate_left(self, by: u32) -> Self;
    /// `self ^ (!b & c)`
    fn chi(self, b: Self, c: Self) -> Self;
}

// SAFETY: plain arithmetic.
unsafe impl Lanes<1> for u64 {
    #[inline(always)]
    fn splat(word: u64) -> Self {
        word
    }
    #[inline(always)]
    fn load([word]: &[u64; 1]) -> Self {
        *word
    }
    #[inline(always)]
    fn store(self, words: &mut [u64; 1]) {
        *words = [self];
    }
    #[inline(always)]
    fn xor(self, b: Self, c: Self) -> Self {
        self ^ b ^ c
    }
    #[inline(always)]
    fn rotate_left(self, by: u32) -> Self {
        u64::rotate_left(self, by)
    }
    #[inline(always)]
    fn chi(self, b: Self, c: Self) -> Self {
        self ^ (!b & c)
    }
}

// SAFETY: see the trait; entered only where AVX2 was found.
#[cfg(target_arch = "x86_64")]
unsafe impl Lanes<4> for __m256i {
    #[inline(always)]
    fn splat(word: u64) -> Self {
        unsafe { _mm256_set1_epi64x(word.cast_signed()) }
    }
    #[inline(always)]
    fn load(words: &[u64; 4]) -> Self {
        unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store(self, words: &mut [u64; 4]) {
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), self) }
    }
    #[inline(always)]
    fn xor(self, b: Self, c: Self) -> Self {
        unsafe { _mm256_xor_si256(_mm256_xor_si256(self, b), c) }
    }
    #[inline(always)]
    fn rotate_left(self, by: u32) -> Self {
        // the counts are known when this is compiled, so these become shifts by a constant
        let count = |by: u32| unsafe { _mm256_set1_epi64x(i64::from(by)) };
        unsafe {
            let (left, right) = (_mm256_sllv_epi64(self, count(by)), _mm256_srlv_epi64(self, count(64 - by)));
            _mm256_or_si256(left, right)
        }
    }
    #[inline(always)]
    fn chi(self, b: Self, c: Self) -> Self {
        unsafe { _mm256_xor_si256(self, _mm256_andnot_si256(b, c)) }
    }
}

// SAFETY: see the trait; entered only where AVX-512 F was found.
#[cfg(target_arch = "x86_64")]
unsafe impl Lanes<8> for __m512i {
    #[inline(always)]
    fn splat(word: u64) -> Self {
        unsafe { _mm512_set1_epi64(word.cast_signed()) }
    }
    #[inline(always)]
    fn load(words: &[u64; 8]) -> Self {
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store(self, words: &mut [u64; 8]) {
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), self) }
    }
    #[inline(always)]
    fn xor(self, b: Self, c: Self) -> Self {
        unsafe { _mm512_ternarylogic_epi64::<0x96>(self, b, c) }
    }
    #[inline(always)]
    fn rotate_left(self, by: u32) -> Self {
        unsafe { _mm512_rolv_epi64(self, _mm512_set1_epi64(i64::from(by))) }
    }
    #[inline(always)]
    fn chi(self, b: Self, c: Self) -> Self {
        unsafe { _mm512_ternarylogic_epi64::<0xd2>(self, b, c) }
    }
}
