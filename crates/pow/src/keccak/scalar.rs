//! Keccak-f\[1600\] in plain words of 64 bits.

use super::{
    lanes::{LANES, Lanes},
    round::{ROUND_CONSTANTS, keccak_round},
};

macro_rules! xor {
    ($a:expr, $b:expr) => {
        $a ^ $b
    };
}
macro_rules! xor5 {
    ($a:expr, $b:expr, $c:expr, $d:expr, $e:expr) => {
        $a ^ $b ^ $c ^ $d ^ $e
    };
}
macro_rules! rol {
    ($a:expr, $bits:literal) => {
        ($a).rotate_left($bits)
    };
}
macro_rules! chi {
    ($a:expr, $b:expr, $c:expr) => {
        $a ^ (!$b & $c)
    };
}

#[inline(always)]
fn rounds(state: &mut [u64; 25]) {
    let mut a = *state;
    for rc in ROUND_CONSTANTS {
        keccak_round!(a, rc, xor, xor5, rol, chi);
    }
    *state = a;
}

/// The permutation on any machine.
pub(super) fn f1600(state: &mut [u64; 25]) {
    rounds(state);
}

/// The permutation with BMI's and-not and its rotation into another register.
#[cfg(kernels)]
#[target_feature(enable = "bmi1,bmi2")]
pub(super) fn f1600_bmi(state: &mut [u64; 25]) {
    rounds(state);
}

/// The permutation of all states, one after the other.
pub(super) fn f1600_x8(lanes: &mut Lanes) {
    for lane in 0..LANES {
        let mut state = std::array::from_fn(|word| lanes.0[word][lane]);
        rounds(&mut state);
        for (row, word) in lanes.0.iter_mut().zip(state) {
            row[lane] = word;
        }
    }
}
