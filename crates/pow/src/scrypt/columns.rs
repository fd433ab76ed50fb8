//! The memory-hard part with vectors that hold one word of each scrypt.
//!
//! [`super::rows`] rotates rows between rounds; here a rotated row is only another choice of
//! variables. In return, rows of the table are transposed when they are read and written, which
//! costs less than the rotations, and a batch needs as many scrypts as a vector has words.
#![allow(unsafe_code)]
// There are at most 16 lanes, all indices are below the length of a fixed array, and offsets are
// masked to the table.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::block::{Block, HALF, N, ROW};

/// Largest number of lanes of a vector.
pub(super) const MOST: usize = 16;

/// One word of each of `LANES` scrypts.
///
/// Everything is inlined into a function that has the instructions, whose caller guarantees them.
pub(super) trait Words: Copy {
    /// Number of scrypts.
    const LANES: usize;

    unsafe fn add(self, other: Self) -> Self;
    unsafe fn xor(self, other: Self) -> Self;
    /// `self ^ (sum <<< LEFT)`, where `RIGHT` is `32 - LEFT`.
    unsafe fn xor_rotated<const LEFT: i32, const RIGHT: i32>(self, sum: Self) -> Self;
    /// The words, one for each lane.
    unsafe fn words(self) -> [u32; MOST];
    /// Sixteen words of each lane, from the 64 aligned bytes at each pointer; pointers from `LANES`
    /// on are ignored.
    unsafe fn read(lanes: [*const u8; MOST]) -> [Self; 16];
    /// The inverse of [`Words::read`].
    unsafe fn write(words: &[Self; 16], lanes: [*mut u8; MOST]);
}

/// Salsa20/8 of `x`, with its input added. Words are in diagonal order, as in a [`Block`].
#[inline(always)]
unsafe fn salsa<W: Words>(input: &mut [W; 16]) {
    let mut x = *input;
    macro_rules! quarter {
        ($a:expr, $b:expr, $c:expr, $d:expr) => {
            // SAFETY: the caller has the instructions of `W`.
            unsafe {
                x[$b] = x[$b].xor_rotated::<7, 25>(x[$a].add(x[$d]));
                x[$c] = x[$c].xor_rotated::<9, 23>(x[$b].add(x[$a]));
                x[$d] = x[$d].xor_rotated::<13, 19>(x[$c].add(x[$b]));
                x[$a] = x[$a].xor_rotated::<18, 14>(x[$d].add(x[$c]));
            }
        };
    }
    for _ in 0..4 {
        quarter!(0, 4, 8, 12);
        quarter!(1, 5, 9, 13);
        quarter!(2, 6, 10, 14);
        quarter!(3, 7, 11, 15);
        quarter!(0, 13, 10, 7);
        quarter!(1, 14, 11, 4);
        quarter!(2, 15, 8, 5);
        quarter!(3, 12, 9, 6);
    }
    for (input, x) in input.iter_mut().zip(x) {
        // SAFETY: as above.
        *input = unsafe { x.add(*input) };
    }
}

/// Pointers at a distance of `ROW`.
#[inline(always)]
fn lanes_from(first: *mut u8) -> [*mut u8; MOST] {
    let mut lanes = [first; MOST];
    for (i, lane) in lanes.iter_mut().enumerate() {
        *lane = lane.wrapping_add(i * ROW);
    }
    lanes
}

#[inline(always)]
fn second_half(mut lanes: [*mut u8; MOST]) -> [*mut u8; MOST] {
    for lane in &mut lanes {
        *lane = lane.wrapping_add(HALF);
    }
    lanes
}

#[inline(always)]
fn to_read(lanes: [*mut u8; MOST]) -> [*const u8; MOST] {
    lanes.map(|lane| lane.cast_const())
}

/// `scryptBlockMix` with r = 1. `low` and `high` are the two halves of the block, the first already
/// mixed with the second.
#[inline(always)]
unsafe fn block_mix<W: Words>(low: &mut [W; 16], high: &mut [W; 16]) {
    // SAFETY: the caller has the instructions of `W`.
    unsafe {
        salsa(low);
        for i in 0..16 {
            high[i] = high[i].xor(low[i]);
        }
        salsa(high);
    }
}

/// `scryptROMix` of the first `W::LANES` of `blocks`, all at once.
///
/// # Safety
///
/// The machine must have the instructions of `W`, and `table` point to `N * W::LANES` blocks that
/// may be written.
#[inline(always)]
pub(super) unsafe fn mix<W: Words>(blocks: &mut [Block], table: *mut Block) {
    assert!(blocks.len() >= W::LANES);
    let stride = W::LANES * ROW;
    let table: *mut u8 = table.cast();
    let blocks: *mut u8 = blocks.as_mut_ptr().cast();
    // SAFETY: a lane pointer that is read or written is at most `W::LANES - 1` rows from its base,
    // and a base is the blocks or one of the `N` strides of the table; the caller guarantees the
    // rest.
    unsafe {
        let lanes = lanes_from(blocks);
        let mut low = W::read(to_read(lanes));
        let mut high = W::read(to_read(second_half(lanes)));
        for row in 0..N {
            let lanes = lanes_from(table.wrapping_add(row * stride));
            W::write(&low, lanes);
            W::write(&high, second_half(lanes));
            for i in 0..16 {
                low[i] = low[i].xor(high[i]);
            }
            block_mix(&mut low, &mut high);
        }
        for _ in 0..N {
            let words = high[0].words();
            let mut lanes = lanes_from(table);
            for (lane, word) in lanes.iter_mut().zip(words) {
                *lane = lane.wrapping_add((word as usize % N) * stride);
            }
            let old = W::read(to_read(second_half(lanes)));
            for i in 0..16 {
                high[i] = high[i].xor(old[i]);
            }
            let old = W::read(to_read(lanes));
            for i in 0..16 {
                low[i] = low[i].xor(old[i]).xor(high[i]);
            }
            block_mix(&mut low, &mut high);
        }
        let lanes = lanes_from(blocks);
        W::write(&low, lanes);
        W::write(&high, second_half(lanes));
    }
}
