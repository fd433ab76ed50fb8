//! Methods of [`Rows`](super::rows::Rows) and [`Words`](super::columns::Words) that differ between
//! vectors only in the names of intrinsics.
//!
//! All of them are `unsafe` as in the traits: the caller guarantees that the machine has the
//! instructions and that pointers are valid.

/// `add`, `xor` and `xor_rotated`, with one rotation where there is such an instruction, else with
/// two shifts.
macro_rules! arithmetic {
    ($add:ident, $xor:ident, $rotate_left:ident) => {
        arithmetic!($add, $xor);

        #[inline(always)]
        unsafe fn xor_rotated<const LEFT: i32, const RIGHT: i32>(self, sum: Self) -> Self {
            // SAFETY: the caller has the instructions.
            unsafe { Self($xor(self.0, $rotate_left::<LEFT>(sum.0))) }
        }
    };
    ($add:ident, $xor:ident, $shift_left:ident, $shift_right:ident) => {
        arithmetic!($add, $xor);

        #[inline(always)]
        unsafe fn xor_rotated<const LEFT: i32, const RIGHT: i32>(self, sum: Self) -> Self {
            // SAFETY: the caller has the instructions.
            unsafe { Self($xor($xor(self.0, $shift_left::<LEFT>(sum.0)), $shift_right::<RIGHT>(sum.0))) }
        }
    };
    ($add:ident, $xor:ident) => {
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: the caller has the instructions.
            unsafe { Self($add(self.0, other.0)) }
        }

        #[inline(always)]
        unsafe fn xor(self, other: Self) -> Self {
            // SAFETY: the caller has the instructions.
            unsafe { Self($xor(self.0, other.0)) }
        }
    };
}

/// `turn_1`, `turn_2` and `turn_3`, by a shuffle of words within each 128 bits.
macro_rules! turns {
    ($shuffle:ident) => {
        #[inline(always)]
        unsafe fn turn_1(self) -> Self {
            // SAFETY: the caller has the instructions.
            unsafe { Self($shuffle::<0b00_11_10_01>(self.0)) }
        }

        #[inline(always)]
        unsafe fn turn_2(self) -> Self {
            // SAFETY: the caller has the instructions.
            unsafe { Self($shuffle::<0b01_00_11_10>(self.0)) }
        }

        #[inline(always)]
        unsafe fn turn_3(self) -> Self {
            // SAFETY: the caller has the instructions.
            unsafe { Self($shuffle::<0b10_01_00_11>(self.0)) }
        }
    };
}

/// All of `Rows` except the arithmetic for a row of one scrypt in 128 bits, which has the same form
/// in memory.
macro_rules! one_row {
    () => {
        const LANES: usize = 1;

        turns!(_mm_shuffle_epi32);

        #[inline(always)]
        unsafe fn first_words(self) -> [u32; 4] {
            // SAFETY: the caller has the instructions.
            unsafe { [_mm_cvtsi128_si32(self.0).cast_unsigned(), 0, 0, 0] }
        }

        #[inline(always)]
        unsafe fn read(lanes: [*const u8; 4]) -> [Self; 4] {
            // SAFETY: the caller points to 64 aligned bytes, and any bits are a row.
            unsafe { lanes[0].cast::<[Self; 4]>().read() }
        }

        #[inline(always)]
        unsafe fn write(rows: [Self; 4], lanes: [*mut u8; 4]) {
            // SAFETY: the caller points to 64 aligned bytes that may be written.
            unsafe { lanes[0].cast::<[Self; 4]>().write(rows) }
        }
    };
}

/// `transpose`, of the 4×4 words in the 128-bit lanes of four vectors.
macro_rules! transpose {
    ($vector:ty, $low_words:ident, $high_words:ident, $low_pairs:ident, $high_pairs:ident) => {
        #[inline(always)]
        unsafe fn transpose([a, b, c, d]: [$vector; 4]) -> [$vector; 4] {
            // SAFETY: the caller has the instructions.
            unsafe {
                let (p, q) = ($low_words(a, b), $high_words(a, b));
                let (r, s) = ($low_words(c, d), $high_words(c, d));
                [$low_pairs(p, r), $high_pairs(p, r), $low_pairs(q, s), $high_pairs(q, s)]
            }
        }
    };
}

pub(super) use {arithmetic, one_row, transpose, turns};
