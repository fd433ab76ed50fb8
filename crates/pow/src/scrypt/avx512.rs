//! AVX-512, in which a rotation is one instruction: sixteen scrypts by columns, four in a vector by
//! rows, one in 128 bits.
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
struct Four(__m512i);

#[derive(Clone, Copy)]
struct Sixteen(__m512i);

impl Rows for Single {
    arithmetic!(_mm_add_epi32, _mm_xor_si128, _mm_rol_epi32);
    one_row!();
}

impl Rows for Four {
    const LANES: usize = 4;

    arithmetic!(_mm512_add_epi32, _mm512_xor_si512, _mm512_rol_epi32);
    turns!(_mm512_shuffle_epi32);

    #[inline(always)]
    unsafe fn first_words(self) -> [u32; 4] {
        // SAFETY: the caller has AVX-512.
        unsafe {
            [
                _mm_cvtsi128_si32(_mm512_castsi512_si128(self.0)).cast_unsigned(),
                _mm_cvtsi128_si32(_mm512_extracti32x4_epi32::<1>(self.0)).cast_unsigned(),
                _mm_cvtsi128_si32(_mm512_extracti32x4_epi32::<2>(self.0)).cast_unsigned(),
                _mm_cvtsi128_si32(_mm512_extracti32x4_epi32::<3>(self.0)).cast_unsigned(),
            ]
        }
    }

    /// Two lanes are placed side by side when they are read, which leaves one shuffle for each row.
    #[inline(always)]
    unsafe fn read(lanes: [*const u8; 4]) -> [Self; 4] {
        // SAFETY: the caller has AVX-512 and points to 64 aligned bytes a lane.
        unsafe {
            let [a, b, c, d] = lanes.map(|lane| lane.cast::<__m256i>());
            let beside = |one: *const __m256i, other: *const __m256i| {
                _mm512_inserti64x4::<1>(
                    _mm512_castsi256_si512(_mm256_load_si256(one)),
                    _mm256_load_si256(other),
                )
            };
            let (ab, cd) = (beside(a, b), beside(c, d));
            let (ab2, cd2) = (beside(a.add(1), b.add(1)), beside(c.add(1), d.add(1)));
            [
                Self(_mm512_shuffle_i64x2::<0b10_00_10_00>(ab, cd)),
                Self(_mm512_shuffle_i64x2::<0b11_01_11_01>(ab, cd)),
                Self(_mm512_shuffle_i64x2::<0b10_00_10_00>(ab2, cd2)),
                Self(_mm512_shuffle_i64x2::<0b11_01_11_01>(ab2, cd2)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn write(rows: [Self; 4], lanes: [*mut u8; 4]) {
        // SAFETY: the caller has AVX-512 and points to 64 aligned bytes a lane that may be written.
        unsafe {
            let [a, b, c, d] = rows.map(|row| row.0);
            let (ab, ab2) = (_mm512_shuffle_i64x2::<0x44>(a, b), _mm512_shuffle_i64x2::<0xee>(a, b));
            let (cd, cd2) = (_mm512_shuffle_i64x2::<0x44>(c, d), _mm512_shuffle_i64x2::<0xee>(c, d));
            let [p, q, r, s] = lanes.map(|lane| lane.cast::<__m512i>());
            _mm512_store_si512(p, _mm512_shuffle_i64x2::<0x88>(ab, cd));
            _mm512_store_si512(q, _mm512_shuffle_i64x2::<0xdd>(ab, cd));
            _mm512_store_si512(r, _mm512_shuffle_i64x2::<0x88>(ab2, cd2));
            _mm512_store_si512(s, _mm512_shuffle_i64x2::<0xdd>(ab2, cd2));
        }
    }
}

transpose!(
    __m512i,
    _mm512_unpacklo_epi32,
    _mm512_unpackhi_epi32,
    _mm512_unpacklo_epi64,
    _mm512_unpackhi_epi64
);

/// The 256 bits at one place and those at another.
#[inline(always)]
unsafe fn beside(one: *const u8, other: *const u8) -> __m512i {
    // SAFETY: the caller has AVX-512 and points to 32 aligned bytes twice.
    unsafe {
        let one = _mm512_castsi256_si512(_mm256_load_si256(one.cast()));
        _mm512_inserti64x4::<1>(one, _mm256_load_si256(other.cast()))
    }
}

impl Words for Sixteen {
    const LANES: usize = 16;

    arithmetic!(_mm512_add_epi32, _mm512_xor_si512, _mm512_rol_epi32);

    #[inline(always)]
    unsafe fn words(self) -> [u32; MOST] {
        let mut words = [0; MOST];
        // SAFETY: the caller has AVX-512; sixteen words fit, and any address will do.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), self.0) };
        words
    }

    #[inline(always)]
    unsafe fn read(lanes: [*const u8; MOST]) -> [Self; 16] {
        // SAFETY: the caller has AVX-512 and points to 64 aligned bytes a lane.
        unsafe {
            let mut all = [Self(_mm512_setzero_si512()); 16];
            for pair in 0..2 {
                let (mut part, mut next) = ([_mm512_setzero_si512(); 4], [_mm512_setzero_si512(); 4]);
                let byte = 32 * pair;
                for k in 0..4 {
                    let one = beside(lanes[k].add(byte), lanes[k + 4].add(byte));
                    let other = beside(lanes[k + 8].add(byte), lanes[k + 12].add(byte));
                    part[k] = _mm512_shuffle_i64x2::<0x88>(one, other);
                    next[k] = _mm512_shuffle_i64x2::<0xdd>(one, other);
                }
                let (part, next) = (transpose(part), transpose(next));
                for k in 0..4 {
                    all[8 * pair + k] = Self(part[k]);
                    all[8 * pair + 4 + k] = Self(next[k]);
                }
            }
            all
        }
    }

    #[inline(always)]
    unsafe fn write(words: &[Self; 16], lanes: [*mut u8; MOST]) {
        // SAFETY: the caller has AVX-512 and points to 64 aligned bytes a lane that may be written.
        unsafe {
            let mut quads = [[_mm512_setzero_si512(); 4]; 4];
            for (quad, at) in quads.iter_mut().zip([0, 4, 8, 12]) {
                *quad = transpose([words[at].0, words[at + 1].0, words[at + 2].0, words[at + 3].0]);
            }
            for k in 0..4 {
                let [a, b, c, d] = [quads[0][k], quads[1][k], quads[2][k], quads[3][k]];
                let (ab, ab2) = (_mm512_shuffle_i64x2::<0x44>(a, b), _mm512_shuffle_i64x2::<0xee>(a, b));
                let (cd, cd2) = (_mm512_shuffle_i64x2::<0x44>(c, d), _mm512_shuffle_i64x2::<0xee>(c, d));
                _mm512_store_si512(lanes[k].cast(), _mm512_shuffle_i64x2::<0x88>(ab, cd));
                _mm512_store_si512(lanes[k + 4].cast(), _mm512_shuffle_i64x2::<0xdd>(ab, cd));
                _mm512_store_si512(lanes[k + 8].cast(), _mm512_shuffle_i64x2::<0x88>(ab2, cd2));
                _mm512_store_si512(lanes[k + 12].cast(), _mm512_shuffle_i64x2::<0xdd>(ab2, cd2));
            }
        }
    }
}

/// `scryptROMix` of sixteen blocks.
///
/// # Safety
///
/// The machine must have AVX-512 F and VL, and `table` point to `N * 16` blocks that may be
/// written.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,bmi1,bmi2")]
pub(super) unsafe fn mix_16(blocks: &mut [Block], table: *mut Block) {
    // SAFETY: the caller guarantees it.
    unsafe { columns::mix::<Sixteen>(blocks, table) }
}

/// `scryptROMix` of one block.
///
/// # Safety
///
/// The machine must have AVX-512 F and VL, and `table` point to `N` blocks that may be written.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,bmi1,bmi2")]
pub(super) unsafe fn mix_1(blocks: &mut [Block], table: *mut Block) {
    // SAFETY: the caller guarantees it.
    unsafe { mix::<Single, 1>(blocks, table) }
}

/// `scryptROMix` of `4 * G` blocks.
///
/// # Safety
///
/// The machine must have AVX-512 F and VL, and `table` point to `N * 4 * G` blocks that may be
/// written.
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,bmi1,bmi2")]
pub(super) unsafe fn mix_fours<const G: usize>(blocks: &mut [Block], table: *mut Block) {
    // SAFETY: the caller guarantees it.
    unsafe { mix::<Four, G>(blocks, table) }
}
