//! Keccak-256 and Keccak-512 with the padding of the original submission, as Ethereum uses them, of messages that fit
//! one block: one at a time, or eight (AVX-512) or four (AVX2) in lanes.
#![allow(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "arrays of known length, indices below it"
)]

mod lanes;

use crate::Isa;
use alloy_primitives::B256;
use lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256i, __m512i};

const ROUNDS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// `ρ` and `π` as one walk over the lanes from lane 1 on: where the next one goes, and how far it turns. Written out,
/// so that every lane can stay in a register.
macro_rules! walk {
    ($a:ident: $($to:literal by $by:literal,)*) => {
        let mut last = $a[1];
        $(
            let next = $a[$to];
            $a[$to] = last.rotate_left($by);
            last = next;
        )*
        let _ = last;
    };
}

/// Runs the body for each of five.
macro_rules! five {
    ($i:ident => $body:block) => {{
        const $i: usize = 0;
        $body
    }
    {
        const $i: usize = 1;
        $body
    }
    {
        const $i: usize = 2;
        $body
    }
    {
        const $i: usize = 3;
        $body
    }
    {
        const $i: usize = 4;
        $body
    }};
}

/// Keccak-f\[1600\] of `N` states.
#[inline(always)]
fn permute<const N: usize, L: Lanes<N>>(a: &mut [L; 25]) {
    for round in ROUNDS {
        // θ
        let zero = L::splat(0);
        let mut columns = [zero; 5];
        let mut turned = [zero; 5];
        five!(X => {
            columns[X] = a[X].xor(a[X + 5], a[X + 10]).xor(a[X + 15], a[X + 20]);
            turned[X] = columns[X].rotate_left(1);
        });
        five!(X => {
            five!(Y => {
                a[X + 5 * Y] = a[X + 5 * Y].xor(columns[(X + 4) % 5], turned[(X + 1) % 5]);
            });
        });
        walk!(a: 10 by 1, 7 by 3, 11 by 6, 17 by 10, 18 by 15, 3 by 21, 5 by 28, 16 by 36, 8 by 45, 21 by 55, 24 by 2,
            4 by 14, 15 by 27, 23 by 41, 19 by 56, 13 by 8, 12 by 25, 2 by 43, 20 by 62, 14 by 18, 22 by 39, 9 by 61,
            6 by 20, 1 by 44,);
        // χ
        five!(Y => {
            let row = [a[5 * Y], a[5 * Y + 1], a[5 * Y + 2], a[5 * Y + 3], a[5 * Y + 4]];
            five!(X => {
                a[5 * Y + X] = row[X].chi(row[(X + 1) % 5], row[(X + 2) % 5]);
            });
        });
        // ι
        a[0] = a[0].xor(L::splat(round), zero);
    }
}

/// Hashes `N` messages of `W` words each with a rate of `RATE` words.
#[inline(always)]
fn hash<const N: usize, L: Lanes<N>, const W: usize, const RATE: usize, const OUT: usize>(
    message: &[[u64; N]; W],
) -> [[u64; N]; OUT] {
    const { assert!(W < RATE && OUT <= RATE && RATE < 25) }
    let mut state = [L::splat(0); 25];
    for (to, words) in state.iter_mut().zip(message) {
        *to = L::load(words);
    }
    let last = if W == RATE - 1 { 0x8000_0000_0000_0001 } else { 0x8000_0000_0000_0000 };
    state[W] = L::splat(1);
    state[RATE - 1] = L::splat(last);
    permute(&mut state);
    let mut out = [[0; N]; OUT];
    for (to, from) in out.iter_mut().zip(state) {
        from.store(to);
    }
    out
}

/// Hashes messages, `N` at a time; of what is left, one alone takes less than all lanes.
#[inline(always)]
fn hash_all<const N: usize, L: Lanes<N>, const W: usize, const RATE: usize, const OUT: usize>(
    count: usize,
    mut get: impl FnMut(usize) -> [u64; W],
    mut put: impl FnMut(usize, [u64; OUT]),
) {
    let mut done = 0;
    while done < count {
        let lanes = N.min(count - done);
        if lanes == 1 {
            let message = get(done).map(|word| [word]);
            put(done, hash::<1, u64, W, RATE, OUT>(&message).map(|[word]| word));
            break;
        }
        let mut message = [[0; N]; W];
        for lane in 0..lanes {
            for (to, word) in message.iter_mut().zip(get(done + lane)) {
                to[lane] = word;
            }
        }
        let digests = hash::<N, L, W, RATE, OUT>(&message);
        for lane in 0..lanes {
            put(done + lane, digests.map(|words| words[lane]));
        }
        done += lanes;
    }
}

/// Hashes `count` messages with the instructions that were asked for, or the best that the machine has.
#[inline]
fn many<const W: usize, const RATE: usize, const OUT: usize>(
    isa: Isa,
    count: usize,
    get: impl FnMut(usize) -> [u64; W],
    mut put: impl FnMut(usize, [u64; OUT]),
) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,bmi1,bmi2")]
        fn avx2<const W: usize, const RATE: usize, const OUT: usize>(
            count: usize,
            get: impl FnMut(usize) -> [u64; W],
            put: impl FnMut(usize, [u64; OUT]),
        ) {
            hash_all::<4, __m256i, W, RATE, OUT>(count, get, put);
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2")]
        fn avx512<const W: usize, const RATE: usize, const OUT: usize>(
            count: usize,
            get: impl FnMut(usize) -> [u64; W],
            put: impl FnMut(usize, [u64; OUT]),
        ) {
            hash_all::<8, __m512i, W, RATE, OUT>(count, get, put);
        }
        match isa.or_best() {
            // SAFETY: the machine has them
            Isa::Avx512 => return unsafe { avx512::<W, RATE, OUT>(count, get, put) },
            // SAFETY: the machine has them
            Isa::Avx2 => return unsafe { avx2::<W, RATE, OUT>(count, get, put) },
            Isa::Portable => {}
        }
    }
    let _ = isa;
    let mut get = get;
    for i in 0..count {
        let message = get(i).map(|word| [word]);
        put(i, hash::<1, u64, W, RATE, OUT>(&message).map(|[word]| word));
    }
}

fn words<const B: usize, const W: usize>(bytes: &[u8; B]) -> [u64; W] {
    const { assert!(B == 8 * W) }
    let mut words = [0; W];
    for (to, from) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *to = u64::from_le_bytes(*from);
    }
    words
}

fn digest(words: [u64; 4]) -> B256 {
    let mut digest = B256::ZERO;
    for (to, from) in digest.0.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *to = from.to_le_bytes();
    }
    digest
}

/// Keccak-256 of many messages of 32 bytes. Where `inputs` and `out` differ in length, the longer one's rest is left
/// alone.
pub fn keccak256_many_32(inputs: &[[u8; 32]], out: &mut [B256]) {
    keccak256_many_32_with(Isa::best(), inputs, out);
}

/// [`keccak256_many_32`] by the instructions asked for, as far as the machine has them.
pub fn keccak256_many_32_with(isa: Isa, inputs: &[[u8; 32]], out: &mut [B256]) {
    let count = inputs.len().min(out.len());
    many::<4, 17, 4>(isa, count, |i| words(&inputs[i]), |i, words| out[i] = digest(words));
}

/// Keccak-256 of many messages of 128 bytes. Where `inputs` and `out` differ in length, the longer one's rest is left
/// alone.
pub fn keccak256_many_128(inputs: &[[u8; 128]], out: &mut [B256]) {
    keccak256_many_128_with(Isa::best(), inputs, out);
}

/// [`keccak256_many_128`] by the instructions asked for, as far as the machine has them.
pub fn keccak256_many_128_with(isa: Isa, inputs: &[[u8; 128]], out: &mut [B256]) {
    let count = inputs.len().min(out.len());
    many::<16, 17, 4>(isa, count, |i| words(&inputs[i]), |i, words| out[i] = digest(words));
}

/// Keccak-256 of one message of whole words, up to 16.
#[inline]
pub(crate) fn keccak256<const W: usize>(message: &[u64; W]) -> [u64; 4] {
    one::<W, 17, 4>(message)
}

/// Keccak-512 of one message of whole words, up to 8.
#[inline]
pub(crate) fn keccak512<const W: usize>(message: &[u64; W]) -> [u64; 8] {
    one::<W, 9, 8>(message)
}

/// Keccak-512 of many messages of 64 bytes, in place.
#[inline]
pub(crate) fn keccak512_in_place(isa: Isa, messages: &mut [[u64; 8]]) {
    let cells = std::cell::Cell::from_mut(messages).as_slice_of_cells();
    many::<8, 9, 8>(isa, cells.len(), |i| cells[i].get(), |i, words| cells[i].set(words));
}

#[inline]
fn one<const W: usize, const RATE: usize, const OUT: usize>(message: &[u64; W]) -> [u64; OUT] {
    #[cfg(target_arch = "x86_64")]
    {
        // `andn` and `rorx` save an instruction in most steps
        #[target_feature(enable = "bmi1,bmi2")]
        fn bmi<const W: usize, const RATE: usize, const OUT: usize>(message: &[u64; W]) -> [u64; OUT] {
            hash::<1, u64, W, RATE, OUT>(&message.map(|word| [word])).map(|[word]| word)
        }
        if Isa::best() >= Isa::Avx2 {
            // SAFETY: this set has them
            return unsafe { bmi::<W, RATE, OUT>(message) };
        }
    }
    hash::<1, u64, W, RATE, OUT>(&message.map(|word| [word])).map(|[word]| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha3::{Digest as _, Keccak256, Keccak512};

    fn bytes<const W: usize>(words: &[u64; W]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn check<const W: usize>(message: [u64; W]) {
        assert_eq!(bytes(&keccak256(&message)), Keccak256::digest(bytes(&message)).as_slice());
    }

    #[test]
    fn every_length_that_is_used() {
        check([]);
        check([1]);
        check([2; 4]);
        check([3; 5]);
        check([4; 12]);
        check([5; 16]);
        for message in [[0u64; 8], [7; 8]] {
            assert_eq!(bytes(&keccak512(&message)), Keccak512::digest(bytes(&message)).as_slice());
        }
        let short = [9u64; 5];
        assert_eq!(bytes(&keccak512(&short)), Keccak512::digest(bytes(&short)).as_slice());
    }

    proptest! {
        #[test]
        fn all_ways_are_equal(
            short in prop::collection::vec(any::<[u8; 32]>(), 0..40),
            middle in prop::collection::vec(any::<[u64; 8]>(), 0..40),
            long in prop::collection::vec(any::<[[u8; 32]; 4]>(), 0..40),
        ) {
            let long: Vec<[u8; 128]> =
                long.iter().map(|parts| parts.concat().try_into().unwrap_or([0; 128])).collect();
            for isa in Isa::available() {
                let mut out = vec![B256::ZERO; short.len()];
                keccak256_many_32_with(isa, &short, &mut out);
                for (input, digest) in short.iter().zip(&out) {
                    prop_assert_eq!(*digest, alloy_primitives::keccak256(input));
                }
                let mut out = vec![B256::ZERO; long.len()];
                keccak256_many_128_with(isa, &long, &mut out);
                for (input, digest) in long.iter().zip(&out) {
                    prop_assert_eq!(*digest, alloy_primitives::keccak256(input));
                }
                let mut out = middle.clone();
                keccak512_in_place(isa, &mut out);
                for (input, digest) in middle.iter().zip(&out) {
                    prop_assert_eq!(bytes(digest), Keccak512::digest(bytes(input)).to_vec());
                }
            }
        }
    }

    #[test]
    fn the_longer_rest_is_left_alone() {
        let mut out = [B256::repeat_byte(1); 3];
        keccak256_many_32(&[[0; 32]; 2], &mut out);
        assert_eq!(out[2], B256::repeat_byte(1));
        keccak256_many_32(&[[0; 32]; 3], &mut out[..1]);
        assert_ne!(out[0], B256::repeat_byte(1));
    }
}
