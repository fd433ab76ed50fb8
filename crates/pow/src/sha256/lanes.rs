//! Words of several messages side by side, one message in each lane.
//!
//! The import cycle with [`compress`] is intended: its functions are generic over lanes, and each
//! kind of lanes holds the one compiled copy of them.
#![allow(unsafe_code)]

use super::compress::{self, Message};
use crate::cpu::{Avx2, Avx512};
use std::arch::x86_64::{
    __m256i, __m512i, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256, _mm256_loadu_si256,
    _mm256_or_si256, _mm256_set1_epi32, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_si256,
    _mm256_xor_si256, _mm512_add_epi32, _mm512_loadu_si512, _mm512_ror_epi32, _mm512_set1_epi32,
    _mm512_srli_epi32, _mm512_storeu_si512, _mm512_ternarylogic_epi32,
};

/// One 32-bit word of each of `N` messages.
///
/// A word is made by [`splat`](Self::splat), [`load`](Self::load) or from other words, so it proves
/// in turn that the machine has the instructions. All methods except the last three must be inlined
/// into a function compiled with those instructions; otherwise they are slow, but not wrong.
pub(crate) trait Lanes<const N: usize>: Copy {
    /// Proves that the machine has the instructions.
    type Proof: Copy;
    fn splat(has: Self::Proof, word: u32) -> Self;
    fn load(has: Self::Proof, words: &[u32; N]) -> Self;
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
    /// [`compress`](super::compress::compress), compiled once: if it were inlined at every call,
    /// the code would not fit in the processor's cache of decoded instructions.
    fn compress(has: Self::Proof, state: &mut [Self; 8], message: &Message<N>);
    /// [`hash_digest`](super::compress::hash_digest), compiled once.
    fn hash_digest(has: Self::Proof, digest: &[Self; 8]) -> [Self; 8];
    /// [`compress_known`](super::compress::compress_known), compiled once.
    fn compress_known(has: Self::Proof, state: &mut [Self; 8], schedule: &[u32; 64]);
}

/// A word of each of eight messages.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Eight(__m256i);

/// A word of each of sixteen messages.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Sixteen(__m512i);

impl Eight {
    /// Rotated to the right by `RIGHT` bits; `LEFT` is `32 - RIGHT`.
    #[inline(always)]
    fn rotated<const RIGHT: i32, const LEFT: i32>(self) -> Self {
        const { assert!(RIGHT + LEFT == 32) };
        // SAFETY: a word proves AVX2.
        unsafe {
            Self(_mm256_or_si256(_mm256_srli_epi32::<RIGHT>(self.0), _mm256_slli_epi32::<LEFT>(self.0)))
        }
    }

    #[inline(always)]
    fn shifted<const RIGHT: i32>(self) -> Self {
        // SAFETY: a word proves AVX2.
        unsafe { Self(_mm256_srli_epi32::<RIGHT>(self.0)) }
    }

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: a word proves AVX2.
        unsafe { Self(_mm256_xor_si256(_mm256_xor_si256(self.0, b.0), c.0)) }
    }
}

impl Lanes<8> for Eight {
    type Proof = Avx2;

    #[inline(always)]
    fn splat(_has: Avx2, word: u32) -> Self {
        // SAFETY: `_has` proves that the machine has AVX2.
        unsafe { Self(_mm256_set1_epi32(word.cast_signed())) }
    }

    #[inline(always)]
    fn load(_has: Avx2, words: &[u32; 8]) -> Self {
        // SAFETY: `_has` proves AVX2; eight words are 32 bytes, and any address is fine.
        unsafe { Self(_mm256_loadu_si256(words.as_ptr().cast())) }
    }

    #[inline(always)]
    fn store(self, words: &mut [u32; 8]) {
        // SAFETY: a word proves AVX2; eight words are 32 bytes, and any address is fine.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: a word proves AVX2.
        unsafe { Self(_mm256_add_epi32(self.0, other.0)) }
    }

    #[inline(always)]
    fn big_sigma_0(self) -> Self {
        self.rotated::<2, 30>().xor3(self.rotated::<13, 19>(), self.rotated::<22, 10>())
    }

    #[inline(always)]
    fn big_sigma_1(self) -> Self {
        self.rotated::<6, 26>().xor3(self.rotated::<11, 21>(), self.rotated::<25, 7>())
    }

    #[inline(always)]
    fn small_sigma_0(self) -> Self {
        self.rotated::<7, 25>().xor3(self.rotated::<18, 14>(), self.shifted::<3>())
    }

    #[inline(always)]
    fn small_sigma_1(self) -> Self {
        self.rotated::<17, 15>().xor3(self.rotated::<19, 13>(), self.shifted::<10>())
    }

    #[inline(always)]
    fn choose(self, b: Self, c: Self) -> Self {
        // SAFETY: a word proves AVX2.
        unsafe { Self(_mm256_xor_si256(_mm256_and_si256(self.0, b.0), _mm256_andnot_si256(self.0, c.0))) }
    }

    #[inline(always)]
    fn majority(self, b: Self, c: Self) -> Self {
        // SAFETY: a word proves AVX2.
        unsafe {
            let (both, either) = (_mm256_and_si256(self.0, b.0), _mm256_or_si256(self.0, b.0));
            Self(_mm256_or_si256(both, _mm256_and_si256(c.0, either)))
        }
    }

    fn compress(has: Avx2, state: &mut [Self; 8], message: &Message<8>) {
        #[inline(never)]
        #[target_feature(enable = "avx2,bmi1,bmi2")]
        fn enter(has: Avx2, state: &mut [Eight; 8], message: &Message<8>) {
            compress::compress(has, state, message);
        }
        // SAFETY: `has` proves that the machine has the instructions.
        unsafe { enter(has, state, message) }
    }

    fn hash_digest(has: Avx2, digest: &[Self; 8]) -> [Self; 8] {
        #[inline(never)]
        #[target_feature(enable = "avx2,bmi1,bmi2")]
        fn enter(has: Avx2, digest: &[Eight; 8]) -> [Eight; 8] {
            compress::hash_digest(has, digest)
        }
        // SAFETY: `has` proves that the machine has the instructions.
        unsafe { enter(has, digest) }
    }

    fn compress_known(has: Avx2, state: &mut [Self; 8], schedule: &[u32; 64]) {
        #[inline(never)]
        #[target_feature(enable = "avx2,bmi1,bmi2")]
        fn enter(has: Avx2, state: &mut [Eight; 8], schedule: &[u32; 64]) {
            compress::compress_known(has, state, schedule);
        }
        // SAFETY: `has` proves that the machine has the instructions.
        unsafe { enter(has, state, schedule) }
    }
}

impl Sixteen {
    #[inline(always)]
    fn rotated<const RIGHT: i32>(self) -> Self {
        // SAFETY: a word proves AVX-512.
        unsafe { Self(_mm512_ror_epi32::<RIGHT>(self.0)) }
    }

    #[inline(always)]
    fn shifted<const RIGHT: u32>(self) -> Self {
        // SAFETY: a word proves AVX-512.
        unsafe { Self(_mm512_srli_epi32::<RIGHT>(self.0)) }
    }

    /// The function of three bits that `TABLE` lists, the first of them the highest bit of a place.
    #[inline(always)]
    fn logic<const TABLE: i32>(self, b: Self, c: Self) -> Self {
        // SAFETY: a word proves AVX-512.
        unsafe { Self(_mm512_ternarylogic_epi32::<TABLE>(self.0, b.0, c.0)) }
    }

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        self.logic::<0x96>(b, c)
    }
}

impl Lanes<16> for Sixteen {
    type Proof = Avx512;

    #[inline(always)]
    fn splat(_has: Avx512, word: u32) -> Self {
        // SAFETY: `_has` proves that the machine has AVX-512.
        unsafe { Self(_mm512_set1_epi32(word.cast_signed())) }
    }

    #[inline(always)]
    fn load(_has: Avx512, words: &[u32; 16]) -> Self {
        // SAFETY: `_has` proves AVX-512; sixteen words are 64 bytes, and any address is fine.
        unsafe { Self(_mm512_loadu_si512(words.as_ptr().cast())) }
    }

    #[inline(always)]
    fn store(self, words: &mut [u32; 16]) {
        // SAFETY: a word proves AVX-512; sixteen words are 64 bytes, and any address is fine.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: a word proves AVX-512.
        unsafe { Self(_mm512_add_epi32(self.0, other.0)) }
    }

    #[inline(always)]
    fn big_sigma_0(self) -> Self {
        self.rotated::<2>().xor3(self.rotated::<13>(), self.rotated::<22>())
    }

    #[inline(always)]
    fn big_sigma_1(self) -> Self {
        self.rotated::<6>().xor3(self.rotated::<11>(), self.rotated::<25>())
    }

    #[inline(always)]
    fn small_sigma_0(self) -> Self {
        self.rotated::<7>().xor3(self.rotated::<18>(), self.shifted::<3>())
    }

    #[inline(always)]
    fn small_sigma_1(self) -> Self {
        self.rotated::<17>().xor3(self.rotated::<19>(), self.shifted::<10>())
    }

    #[inline(always)]
    fn choose(self, b: Self, c: Self) -> Self {
        self.logic::<0xca>(b, c)
    }

    #[inline(always)]
    fn majority(self, b: Self, c: Self) -> Self {
        self.logic::<0xe8>(b, c)
    }

    fn compress(has: Avx512, state: &mut [Self; 8], message: &Message<16>) {
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2")]
        fn enter(has: Avx512, state: &mut [Sixteen; 8], message: &Message<16>) {
            compress::compress(has, state, message);
        }
        // SAFETY: `has` proves that the machine has the instructions.
        unsafe { enter(has, state, message) }
    }

    fn hash_digest(has: Avx512, digest: &[Self; 8]) -> [Self; 8] {
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2")]
        fn enter(has: Avx512, digest: &[Sixteen; 8]) -> [Sixteen; 8] {
            compress::hash_digest(has, digest)
        }
        // SAFETY: `has` proves that the machine has the instructions.
        unsafe { enter(has, digest) }
    }

    fn compress_known(has: Avx512, state: &mut [Self; 8], schedule: &[u32; 64]) {
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2")]
        fn enter(has: Avx512, state: &mut [Sixteen; 8], schedule: &[u32; 64]) {
            compress::compress_known(has, state, schedule);
        }
        // SAFETY: `has` proves that the machine has the instructions.
        unsafe { enter(has, state, schedule) }
    }
}
