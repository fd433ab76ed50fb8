//! The compression function over lanes, FIPS 180-4, section 6.2.2.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "arrays of known length, indices below it"
)]

use super::{constants::K, lanes::Lanes};

/// Sixteen words of `N` messages, word by word.
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
    // not a closure: it would be compiled without the instructions of the function around it
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

#[inline(always)]
fn add_up<const N: usize, L: Lanes<N>>(state: &mut [L; 8], rounds: &[L; 8]) {
    for (to, by) in state.iter_mut().zip(rounds) {
        *to = to.add(*by);
    }
}

/// One block of each message.
#[inline(always)]
pub(crate) fn compress<const N: usize, L: Lanes<N>>(state: &mut [L; 8], message: &Message<N>) {
    let mut s = *state;
    let mut w = [L::splat(0); 16];
    for (to, from) in w.iter_mut().zip(&message.0) {
        *to = L::load(from);
    }
    for half in 0..2 {
        macro_rules! word {
            ($i:literal) => {
                w[half * 8 + $i].add(L::splat(K[half * 8 + $i]))
            };
        }
        eight_rounds!(s, word);
    }
    for sixteen in 1..4 {
        for half in 0..2 {
            macro_rules! word {
                ($i:literal) => {{
                    let t = half * 8 + $i;
                    let sum = w[t].add(w[(t + 9) % 16]).add(w[(t + 1) % 16].small_sigma_0());
                    w[t] = sum.add(w[(t + 14) % 16].small_sigma_1());
                    w[t].add(L::splat(K[sixteen * 16 + t]))
                }};
            }
            eight_rounds!(s, word);
        }
    }
    add_up(state, &s);
}

/// One block that is the same in each message: `schedule` is its expansion with the round constants added.
#[inline(always)]
pub(crate) fn compress_known<const N: usize, L: Lanes<N>>(state: &mut [L; 8], schedule: &[u32; 64]) {
    let mut s = *state;
    for eight in schedule.as_chunks::<8>().0 {
        macro_rules! word {
            ($i:literal) => {
                L::splat(eight[$i])
            };
        }
        eight_rounds!(s, word);
    }
    add_up(state, &s);
}
