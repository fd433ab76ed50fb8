//! AVX2: eight scrypts by columns, two in a vector by rows, and one in 128 bits, which gains only
//! the three-operand form.
#![allow(unsafe_code)]
// Indices are below the lengths of fixed arrays.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{
    block::Block,
    columns::{self, MOST, Words},
    methods::{arithmetic, one_row, transpose, turns},
    rows::{Rows, mix},
};
use std::arch::x86_64::*;

#[derive(Clone, Copy)]
struct Single(__m128i);

#[derive(Clone, Copy)]
struct Pair(__m256i);

#[derive(Clone, Copy)]
struct Eight(__m256i);

impl Rows for Single {
    arithmetic!(_mm_add_epi32, _mm_xor_si128, _mm_slli_epi32, _mm_srli_epi32);
    one_row!();
}

impl Rows for Pair {
    const LANES: usize = 2;

    arithmetic!(_mm256_add_epi32, _mm256_xor_si256, _mm256_slli_epi32, _mm256_srli_epi32);
    turns!(_mm256_shuffle_epi32);

    #[inline(always)]
    unsafe fn first_words(self) -> [u32; 4] {
        // SAFETY: the caller has AVX2.
        unsafe {
            let (one, other) = (_mm256_castsi256_si128(self.0), _mm256_extracti128_si256::<1>(self.0));
            [_mm_cvtsi128_si32(one).cast_unsigned(), _mm_cvtsi128_si32(other).cast_unsigned(), 0, 0]
        }
    }

    #[inline(always)]
    unsafe fn read(lanes: [*const u8; 4]) -> [Self; 4] {
        // SAFETY: the caller has AVX2 and points to 64 aligned bytes a lane.
        unsafe {
            let (one, other) = (lanes[0].cast::<__m128i>(), lanes[1].cast::<__m128i>());
            let mut rows = [Self(_mm256_setzero_si256()); 4];
            for (i, row) in rows.iter_mut().enumerate() {
                let one = _mm256_castsi128_si256(_mm_load_si128(one.add(i)));
                *row = Self(_mm256_inserti128_si256::<1>(one, _mm_load_si128(other.add(i))));
            }
            rows
        }
    }

    #[inline(always)]
    unsafe fn write(rows: [Self; 4], lanes: [*mut u8; 4]) {
        // SAFETY: the caller has AVX2 and points to 64 aligned bytes a lane that may be written.
        unsafe {
            let (one, other) = (lanes[0].cast::<__m128i>(), lanes[1].cast::<__m128i>());
            for (i, row) in rows.iter().enumerate() {
                _mm_store_si128(one.add(i), _mm256_castsi256_si128(row.0));
                _mm_store_si128(other.add(i), _mm256_extracti128_si256::<1>(row.0));
            }
        }
    }
}

transpose!(
    __m256i,
    _mm256_unpacklo_epi32,
    _mm256_unpackhi_epi32,
    _mm256_unpacklo_epi64,
    _mm256_unpackhi_epi64
);

impl Words for Eight {
    const LANES: usize = 8;

    arithmetic!(_mm256_add_epi32, _mm256_xor_si256, _mm256_slli_epi32, _mm256_srli_epi32);

    #[inline(always)]
    unsafe fn words(self) -> [u32; MOST] {
        let mut words = [0; MOST];
        // SAFETY: the caller has AVX2; eight words fit, and any address will do.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), self.0) };
        words
    }

    #[inline(always)]
    unsafe fn read(lanes: [*const u8; MOST]) -> [Self; 16] {
        // SAFETY: the caller has AVX2 and points to 64 aligned bytes a lane.
        unsafe {
            let mut all = [Self(_mm256_setzero_si256()); 16];
            for quad in 0..4 {
                let mut part = [_mm256_setzero_si256(); 4];
                for (k, part) in part.iter_mut().enumerate() {
                    let one = _mm_load_si128(lanes[k].cast::<__m128i>().add(quad));
                    let other = _mm_load_si128(lanes[k + 4].cast::<__m128i>().add(quad));
                    *part = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(one), other);
                }
                let [a, b, c, d] = transpose(part);
                all[4 * quad] = Self(a);
                all[4 * quad + 1] = Self(b);
                all[4 * quad + 2] = Self(c);
                all[4 * quad + 3] = Self(d);
            }
            all
        }
    }

    #[inline(always)]
    unsafe fn write(words: &[Self; 16], lanes: [*mut u8; MOST]) {
        // SAFETY: the caller has AVX2 and points to 64 aligned bytes a lane that may be written.
        unsafe {
            for quad in 0..4 {
                let at = 4 * quad;
                let part = transpose([words[at].0, words[at + 1].0, words[at + 2].0, words[at + 3].0]);
                for (k, part) in part.iter().enumerate() {
                    _mm_store_si128(lanes[k].cast::<__m128i>().add(quad), _mm256_castsi256_si128(*part));
                    _mm_store_si128(
                        lanes[k + 4].cast::<__m128i>().add(quad),
                        _mm256_extracti128_si256::<1>(*part),
                    );
                }
            }
        }
    }
}

/// `scryptROMix` of eight blocks.
///
/// # Safety
///
/// The machine must have AVX2, and `table` point to `N * 8` blocks that may be written.
#[target_feature(enable = "avx2,bmi1,bmi2")]
pub(super) unsafe fn mix_8(blocks: &mut [Block], table: *mut Block) {
    // SAFETY: the caller guarantees it.
    unsafe { columns::mix::<Eight>(blocks, table) }
}

/// `scryptROMix` of one block.
///
/// # Safety
///
/// The machine must have AVX2, and `table` point to `N` blocks that may be written.
#[target_feature(enable = "avx2,bmi1,bmi2")]
pub(super) unsafe fn mix_1(blocks: &mut [Block], table: *mut Block) {
    // SAFETY: the caller guarantees it.
    unsafe { mix::<Single, 1>(blocks, table) }
}

/// `scryptROMix` of `2 * G` blocks.
///
/// # Safety
///
/// The machine must have AVX2, and `table` point to `N * 2 * G` blocks that may be written.
#[target_feature(enable = "avx2,bmi1,bmi2")]
pub(super) unsafe fn mix_pairs<const G: usize>(blocks: &mut [Block], table: *mut Block) {
    // SAFETY: the caller guarantees it.
    unsafe { mix::<Pair, G>(blocks, table) }
}
