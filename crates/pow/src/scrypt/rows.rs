//! The memory-hard part, written once for vectors of any width.
//!
//! Salsa20 works on a 4×4 matrix of words. Its four diagonals are four rows here, so that a quarter
//! of a round is one addition, one rotation and one exclusive-or of whole rows, and the rows are
//! rotated between rounds. A vector holds the same row of one scrypt per 128 bits, and several
//! vectors are computed side by side, since a single one would only wait for its own results. The
//! table is stored in diagonal order: words are permuted only at the beginning and at the end.
#![allow(unsafe_code)]
// `LANES` is at most four, all indices are below the length of a fixed array, and offsets are
// masked to the table.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::block::{Block, HALF, N, ROW};

/// One row of each of `LANES` scrypts.
///
/// Everything is inlined into a function that has the instructions, whose caller guarantees them.
pub(super) trait Rows: Copy {
    /// Number of scrypts in a vector.
    const LANES: usize;

    unsafe fn add(self, other: Self) -> Self;
    unsafe fn xor(self, other: Self) -> Self;
    /// `self ^ (sum <<< LEFT)`, where `RIGHT` is `32 - LEFT`.
    unsafe fn xor_rotated<const LEFT: i32, const RIGHT: i32>(self, sum: Self) -> Self;
    /// Word `i + 1` of the row becomes word `i`, and so on.
    unsafe fn turn_1(self) -> Self;
    unsafe fn turn_2(self) -> Self;
    unsafe fn turn_3(self) -> Self;
    /// The first words of the rows, one for each lane.
    unsafe fn first_words(self) -> [u32; 4];
    /// Four rows of each lane, from the 64 aligned bytes at each pointer; pointers from `LANES` on
    /// are ignored.
    unsafe fn read(lanes: [*const u8; 4]) -> [Self; 4];
    /// The inverse of [`Rows::read`].
    unsafe fn write(rows: [Self; 4], lanes: [*mut u8; 4]);
}

/// Salsa20/8 of `x`, with its input added.
#[inline(always)]
pub(super) unsafe fn salsa<R: Rows, const G: usize>(x: &mut [[R; 4]; G]) {
    let input = *x;
    macro_rules! step {
        ($to:literal, $one:literal, $other:literal, $left:literal) => {
            for x in x.iter_mut() {
                // SAFETY: the caller has the instructions of `R`.
                unsafe {
                    x[$to] = x[$to].xor_rotated::<$left, { 32 - $left }>(x[$one].add(x[$other]));
                }
            }
        };
    }
    macro_rules! turn {
        ($to:literal, $by:ident) => {
            for x in x.iter_mut() {
                // SAFETY: as above.
                unsafe { x[$to] = x[$to].$by() }
            }
        };
    }
    for _ in 0..4 {
        // a round over columns
        step!(1, 0, 3, 7);
        step!(2, 1, 0, 9);
        step!(3, 2, 1, 13);
        step!(0, 3, 2, 18);
        turn!(1, turn_3);
        turn!(2, turn_2);
        turn!(3, turn_1);
        // and one over rows, which is the same with the second and the fourth diagonal swapped
        step!(3, 0, 1, 7);
        step!(2, 3, 0, 9);
        step!(1, 2, 3, 13);
        step!(0, 1, 2, 18);
        turn!(1, turn_1);
        turn!(2, turn_2);
        turn!(3, turn_3);
    }
    for g in 0..G {
        for i in 0..4 {
            // SAFETY: as above.
            x[g][i] = unsafe { x[g][i].add(input[g][i]) };
        }
    }
}

/// Four pointers at a distance of one row of the table.
#[inline(always)]
fn lanes_from(first: *mut u8) -> [*mut u8; 4] {
    [first, first.wrapping_add(ROW), first.wrapping_add(2 * ROW), first.wrapping_add(3 * ROW)]
}

/// The same half of the row of each lane.
#[inline(always)]
fn second_half(lanes: [*mut u8; 4]) -> [*mut u8; 4] {
    lanes.map(|lane| lane.wrapping_add(HALF))
}

#[inline(always)]
fn to_read(lanes: [*mut u8; 4]) -> [*const u8; 4] {
    lanes.map(|lane| lane.cast_const())
}

/// `scryptBlockMix` with r = 1. `low` and `high` are the two halves of the block, the first already
/// mixed with the second.
#[inline(always)]
pub(super) unsafe fn block_mix<R: Rows, const G: usize>(low: &mut [[R; 4]; G], high: &mut [[R; 4]; G]) {
    // SAFETY: the caller has the instructions of `R`.
    unsafe {
        salsa(low);
        for g in 0..G {
            for i in 0..4 {
                high[g][i] = high[g][i].xor(low[g][i]);
            }
        }
        salsa(high);
    }
}

/// `scryptROMix` of the first `G * R::LANES` of `blocks`, all at once.
///
/// # Safety
///
/// The machine must have the instructions of `R`, and `table` point to `N * G * R::LANES` blocks
/// that may be written.
#[inline(always)]
pub(super) unsafe fn mix<R: Rows, const G: usize>(blocks: &mut [Block], table: *mut Block) {
    let lanes = G * R::LANES;
    assert!(blocks.len() >= lanes);
    let stride = lanes * ROW;
    let table: *mut u8 = table.cast();
    let blocks: *mut u8 = blocks.as_mut_ptr().cast();
    // SAFETY: a lane pointer that is read or written is at most `lanes - 1` rows from its base, and
    // a base is the blocks or one of the `N` strides of the table; the caller guarantees the rest.
    unsafe {
        let mut low = [R::read(to_read(lanes_from(blocks))); G];
        let mut high = low;
        for g in 0..G {
            let lanes = lanes_from(blocks.wrapping_add(g * R::LANES * ROW));
            low[g] = R::read(to_read(lanes));
            high[g] = R::read(to_read(second_half(lanes)));
        }
        for row in 0..N {
            for g in 0..G {
                let lanes = lanes_from(table.wrapping_add(row * stride + g * R::LANES * ROW));
                R::write(low[g], lanes);
                R::write(high[g], second_half(lanes));
            }
            for g in 0..G {
                for i in 0..4 {
                    low[g][i] = low[g][i].xor(high[g][i]);
                }
            }
            block_mix(&mut low, &mut high);
        }
        for _ in 0..N {
            for g in 0..G {
                let words = high[g][0].first_words();
                let mut lanes = lanes_from(table.wrapping_add(g * R::LANES * ROW));
                for (lane, word) in lanes.iter_mut().zip(words) {
                    *lane = lane.wrapping_add((word as usize % N) * stride);
                }
                let old_low = R::read(to_read(lanes));
                let old_high = R::read(to_read(second_half(lanes)));
                for i in 0..4 {
                    high[g][i] = high[g][i].xor(old_high[i]);
                    low[g][i] = low[g][i].xor(old_low[i]).xor(high[g][i]);
                }
            }
            block_mix(&mut low, &mut high);
        }
        for g in 0..G {
            let lanes = lanes_from(blocks.wrapping_add(g * R::LANES * ROW));
            R::write(low[g], lanes);
            R::write(high[g], second_half(lanes));
        }
    }
}
