//! Keccak of eight messages at once in AVX-512: a register holds the same word of all eight.
#![allow(unsafe_code)] // loads and stores of registers

use super::{
    lanes::LANES,
    round::{ROUND_CONSTANTS, keccak_round},
};
use std::arch::x86_64::{
    __m512i, _mm512_mask_storeu_epi64, _mm512_maskz_loadu_epi64, _mm512_permutex2var_epi64, _mm512_rol_epi64,
    _mm512_set1_epi64, _mm512_setr_epi64, _mm512_setzero_si512, _mm512_shuffle_i64x2,
    _mm512_ternarylogic_epi64, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

macro_rules! xor {
    ($a:expr, $b:expr) => {
        _mm512_xor_si512($a, $b)
    };
}
macro_rules! xor3 {
    ($a:expr, $b:expr, $c:expr) => {
        _mm512_ternarylogic_epi64::<0x96>($a, $b, $c)
    };
}
macro_rules! xor5 {
    ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr) => {
        xor3!(xor3!($a, $b, $c), $d, $e)
    };
}
macro_rules! rol {
    ($a:expr, $bits:literal) => {
        _mm512_rol_epi64::<$bits>($a)
    };
}
macro_rules! chi {
    ($a:expr, $b:expr, $c:expr) => {
        _mm512_ternarylogic_epi64::<0xd2>($a, $b, $c)
    };
}

/// Words of a register.
const REGISTER: usize = 8;

/// The first `OUT` words of the hashes of messages of `WORDS` words, padded to a block of `rate`
/// words.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2")]
pub(super) fn hash<const WORDS: usize, const OUT: usize>(
    messages: &[[u64; WORDS]; LANES],
    rate: usize,
) -> [[u64; OUT]; LANES] {
    const { assert!(OUT <= REGISTER) };
    let mut state = [_mm512_setzero_si512(); 25];
    for at in (0..WORDS).step_by(REGISTER) {
        let words = (WORDS - at).min(REGISTER);
        let rows = messages.each_ref().map(|message| {
            // SAFETY: the mask admits only words that the message has from `at` on.
            unsafe { _mm512_maskz_loadu_epi64(first(words), message.as_ptr().add(at).cast()) }
        });
        state[at..at + words].copy_from_slice(&transposed(rows)[..words]);
    }
    state[WORDS] = _mm512_set1_epi64(1);
    state[rate - 1] = xor!(state[rate - 1], _mm512_set1_epi64(i64::MIN));
    state = f1600(state);
    let rows = transposed(std::array::from_fn(|word| state[word]));
    let mut out = [[0; OUT]; LANES];
    for (out, row) in out.iter_mut().zip(rows) {
        // SAFETY: the mask admits only as many words as there is room for.
        unsafe { _mm512_mask_storeu_epi64(out.as_mut_ptr().cast(), first(OUT), row) };
    }
    out
}

/// A mask of the first `words` words.
const fn first(words: usize) -> u8 {
    u8::MAX >> (REGISTER - words)
}

/// Keccak-f\[1600\] of eight states.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2")]
fn f1600(mut a: [__m512i; 25]) -> [__m512i; 25] {
    for rc in ROUND_CONSTANTS {
        keccak_round!(a, _mm512_set1_epi64(rc.cast_signed()), xor, xor5, rol, chi);
    }
    a
}

/// Transposes eight rows of eight words.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2")]
fn transposed(rows: [__m512i; 8]) -> [__m512i; 8] {
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    // pairs of words of two rows
    let (a0, a1) = (_mm512_unpacklo_epi64(r0, r1), _mm512_unpackhi_epi64(r0, r1));
    let (a2, a3) = (_mm512_unpacklo_epi64(r2, r3), _mm512_unpackhi_epi64(r2, r3));
    let (a4, a5) = (_mm512_unpacklo_epi64(r4, r5), _mm512_unpackhi_epi64(r4, r5));
    let (a6, a7) = (_mm512_unpacklo_epi64(r6, r7), _mm512_unpackhi_epi64(r6, r7));
    // quarters of four rows
    let low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
    let high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    let (b0, b2) = (_mm512_permutex2var_epi64(a0, low, a2), _mm512_permutex2var_epi64(a0, high, a2));
    let (b1, b3) = (_mm512_permutex2var_epi64(a1, low, a3), _mm512_permutex2var_epi64(a1, high, a3));
    let (b4, b6) = (_mm512_permutex2var_epi64(a4, low, a6), _mm512_permutex2var_epi64(a4, high, a6));
    let (b5, b7) = (_mm512_permutex2var_epi64(a5, low, a7), _mm512_permutex2var_epi64(a5, high, a7));
    // halves of all rows
    let lower = |a, b| _mm512_shuffle_i64x2::<0x44>(a, b);
    let upper = |a, b| _mm512_shuffle_i64x2::<0xee>(a, b);
    [
        lower(b0, b4),
        lower(b1, b5),
        lower(b2, b6),
        lower(b3, b7),
        upper(b0, b4),
        upper(b1, b5),
        upper(b2, b6),
        upper(b3, b7),
    ]
}
