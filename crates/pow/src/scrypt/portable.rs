//! Plain Rust; compilers turn rows into the target's vectors of four words.
#![allow(unsafe_code)]
// Words wrap, and indices are constants below four.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{
    block::Block,
    rows::{Rows, mix},
};

#[derive(Clone, Copy)]
pub(super) struct Row(pub(super) [u32; 4]);

impl Rows for Row {
    const LANES: usize = 1;

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([
            a[0].wrapping_add(b[0]),
            a[1].wrapping_add(b[1]),
            a[2].wrapping_add(b[2]),
            a[3].wrapping_add(b[3]),
        ])
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]])
    }

    #[inline(always)]
    unsafe fn xor_rotated<const LEFT: i32, const RIGHT: i32>(self, sum: Self) -> Self {
        let (a, s) = (self.0, sum.0);
        Self([
            a[0] ^ (s[0] << LEFT | s[0] >> RIGHT),
            a[1] ^ (s[1] << LEFT | s[1] >> RIGHT),
            a[2] ^ (s[2] << LEFT | s[2] >> RIGHT),
            a[3] ^ (s[3] << LEFT | s[3] >> RIGHT),
        ])
    }

    #[inline(always)]
    unsafe fn turn_1(self) -> Self {
        let [a, b, c, d] = self.0;
        Self([b, c, d, a])
    }

    #[inline(always)]
    unsafe fn turn_2(self) -> Self {
        let [a, b, c, d] = self.0;
        Self([c, d, a, b])
    }

    #[inline(always)]
    unsafe fn turn_3(self) -> Self {
        let [a, b, c, d] = self.0;
        Self([d, a, b, c])
    }

    #[inline(always)]
    unsafe fn first_words(self) -> [u32; 4] {
        [self.0[0], 0, 0, 0]
    }

    #[inline(always)]
    unsafe fn read(lanes: [*const u8; 4]) -> [Self; 4] {
        // SAFETY: the caller points to 64 aligned bytes, and any bits are words.
        unsafe { lanes[0].cast::<[Self; 4]>().read() }
    }

    #[inline(always)]
    unsafe fn write(rows: [Self; 4], lanes: [*mut u8; 4]) {
        // SAFETY: the caller points to 64 aligned bytes.
        unsafe { lanes[0].cast::<[Self; 4]>().write(rows) }
    }
}

/// `scryptROMix` of one block.
///
/// # Safety
///
/// `table` must point to `N` blocks that may be written.
pub(super) unsafe fn mix_1(blocks: &mut [Block], table: *mut Block) {
    // SAFETY: `Row` needs no special instructions; the caller guarantees the table.
    unsafe { mix::<Row, 1>(blocks, table) }
}
