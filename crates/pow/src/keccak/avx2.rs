//! Keccak-f\[1600\] of four states at once in AVX2.
#![allow(unsafe_code)] // vector registers and the choice of them at run time

use super::{
    lanes::{LANES, Lanes},
    round::{ROUND_CONSTANTS, keccak_round},
};
use std::arch::x86_64::{
    __m256i, _mm256_andnot_si256, _mm256_loadu_si256, _mm256_or_si256, _mm256_set1_epi64x,
    _mm256_setzero_si256, _mm256_slli_epi64, _mm256_srli_epi64, _mm256_storeu_si256, _mm256_xor_si256,
};

macro_rules! xor {
    ($a:expr, $b:expr) => {
        _mm256_xor_si256($a, $b)
    };
}
macro_rules! xor5 {
    ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr) => {
        xor!(xor!(xor!($a, $b), xor!($c, $d)), $e)
    };
}
macro_rules! rol {
    ($a:expr, $bits:literal) => {{
        let a = $a;
        _mm256_or_si256(_mm256_slli_epi64::<$bits>(a), _mm256_srli_epi64::<{ 64 - $bits }>(a))
    }};
}
macro_rules! chi {
    ($a:expr, $b:expr, $c:expr) => {
        xor!($a, _mm256_andnot_si256($b, $c))
    };
}

/// The permutation of all states, in two halves of four.
#[target_feature(enable = "avx2,bmi1,bmi2")]
pub(super) fn f1600_x8(lanes: &mut Lanes) {
    for half in [0, LANES / 2] {
        let mut a = [_mm256_setzero_si256(); 25];
        for (word, row) in a.iter_mut().zip(&lanes.0) {
            // SAFETY: four words from `half` on are within the row of eight.
            *word = unsafe { _mm256_loadu_si256(row.as_ptr().add(half).cast::<__m256i>()) };
        }
        for rc in ROUND_CONSTANTS {
            keccak_round!(a, _mm256_set1_epi64x(rc.cast_signed()), xor, xor5, rol, chi);
        }
        for (row, word) in lanes.0.iter_mut().zip(a) {
            // SAFETY: four words from `half` on are within the row of eight.
            unsafe { _mm256_storeu_si256(row.as_mut_ptr().add(half).cast::<__m256i>(), word) };
        }
    }
}
