//! The compression function over lanes, FIPS 180-4, section 6.2.2.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "arrays of known length, indices below it"
)]

use super::{
    constants::{INITIAL, K, PADDING_OF_32},
    lanes::Lanes,
};

/// One block of `N` messages: its first word in all of them, then the second, …
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Message<const N: usize>(pub(crate) [[u32; N]; 16]);

macro_rules! round {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $kw:expr) => {
        let t1 = $h.add($kw).add($e.big_sigma_1()).add($e.choose($f, $g));
        $d = $d.add(t1);
        $h = t1.add($a.big_sigma_0()).add($a.majority($b, $c));
    };
}

macro_rules! eight_rounds {
    // a macro, since a closure would be compiled without the instructions of the function around it
    ($s:ident, $kw:ident) => {
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = $s;
        round!(a b c d e f g h, $kw!(0));
        round!(h a b c d e f g, $kw!(1));
        round!(g h a b c d e f, $kw!(2));
        round!(f g h a b c d e, $kw!(3));
        round!(e f g h a b c d, $kw!(4));
        round!(d e f g h a b c, $kw!(5));
        round!(c d e f g h a b, $kw!(6));
        round!(b c d e f g h a, $kw!(7));
        $s = [a, b, c, d, e, f, g, h];
    };
}

/// Eight rounds that also expand their message words.
macro_rules! eight_expanded_rounds {
    ($has:ident, $s:ident, $w:ident, $sixteen:ident, $half:ident) => {
        macro_rules! word {
            ($i:literal) => {{
                let t = $half * 8 + $i;
                let sum = $w[t].add($w[(t + 9) % 16]).add($w[(t + 1) % 16].small_sigma_0());
                $w[t] = sum.add($w[(t + 14) % 16].small_sigma_1());
                $w[t].add(L::splat($has, K[$sixteen * 16 + t]))
            }};
        }
        eight_rounds!($s, word);
    };
}

#[inline(always)]
fn add_up<const N: usize, L: Lanes<N>>(state: &mut [L; 8], rounds: &[L; 8]) {
    for (to, by) in state.iter_mut().zip(rounds) {
        *to = to.add(*by);
    }
}

/// One block of each message.
#[inline(always)]
pub(crate) fn compress<const N: usize, L: Lanes<N>>(has: L::Proof, state: &mut [L; 8], message: &Message<N>) {
    let mut s = *state;
    let mut w = [L::splat(has, 0); 16];
    for (to, from) in w.iter_mut().zip(&message.0) {
        *to = L::load(has, from);
    }
    for half in 0..2 {
        macro_rules! word {
            ($i:literal) => {
                w[half * 8 + $i].add(L::splat(has, K[half * 8 + $i]))
            };
        }
        eight_rounds!(s, word);
    }
    for sixteen in 1..4 {
        for half in 0..2 {
            eight_expanded_rounds!(has, s, w, sixteen, half);
        }
    }
    add_up(state, &s);
}

/// SHA-256 of digests, one block each. Initial state and padding are constant, so the compiler
/// evaluates much of the expansion.
#[inline(always)]
pub(crate) fn hash_digest<const N: usize, L: Lanes<N>>(has: L::Proof, digest: &[L; 8]) -> [L; 8] {
    let initial = INITIAL.map(|word| L::splat(has, word));
    let mut s = initial;
    let mut w = [L::splat(has, 0); 16];
    for i in 0..8 {
        w[i] = digest[i];
        w[8 + i] = L::splat(has, PADDING_OF_32[i]);
    }
    macro_rules! first {
        ($i:literal) => {
            w[$i].add(L::splat(has, K[$i]))
        };
    }
    eight_rounds!(s, first);
    macro_rules! padding {
        ($i:literal) => {
            L::splat(has, PADDING_OF_32[$i].wrapping_add(K[8 + $i]))
        };
    }
    eight_rounds!(s, padding);
    // unrolled, so that the compiler still knows the constant words
    macro_rules! low {
        ($i:literal) => {{
            let sum = w[$i].add(w[($i + 9) % 16]).add(w[$i + 1].small_sigma_0());
            w[$i] = sum.add(w[($i + 14) % 16].small_sigma_1());
            w[$i].add(L::splat(has, K[16 + $i]))
        }};
    }
    eight_rounds!(s, low);
    macro_rules! high {
        ($i:literal) => {{
            let sum = w[8 + $i].add(w[1 + $i]).add(w[(9 + $i) % 16].small_sigma_0());
            w[8 + $i] = sum.add(w[6 + $i].small_sigma_1());
            w[8 + $i].add(L::splat(has, K[24 + $i]))
        }};
    }
    eight_rounds!(s, high);
    for sixteen in 2..4 {
        for half in 0..2 {
            eight_expanded_rounds!(has, s, w, sixteen, half);
        }
    }
    let mut hashed = initial;
    add_up(&mut hashed, &s);
    hashed
}

/// One block that is the same in each message. `schedule` is its expansion with the round constants
/// added.
#[inline(always)]
pub(crate) fn compress_known<const N: usize, L: Lanes<N>>(
    has: L::Proof,
    state: &mut [L; 8],
    schedule: &[u32; 64],
) {
    let mut s = *state;
    for eight in schedule.as_chunks::<8>().0 {
        macro_rules! word {
            ($i:literal) => {
                L::splat(has, eight[$i])
            };
        }
        eight_rounds!(s, word);
    }
    add_up(state, &s);
}
