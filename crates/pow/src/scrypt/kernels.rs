//! The kernels of each machine, and how many scrypts each does at once.
#![allow(unsafe_code)]

#[cfg(kernels)]
use super::{avx2, avx512};
use super::{
    block::{Block, N},
    portable,
};
use crate::Isa;

/// Number of scrypts that the widest kernel does at once.
pub(super) const MOST_LANES: usize = 16;

/// A way to do the memory-hard part of several scrypts at once.
#[derive(Clone, Copy)]
pub(super) struct Kernel {
    lanes: usize,
    /// May be called where the machine has the instructions and the table holds `N * lanes` blocks.
    mix: unsafe fn(&mut [Block], *mut Block),
}

const fn kernel(lanes: usize, mix: unsafe fn(&mut [Block], *mut Block)) -> Kernel {
    Kernel { lanes, mix }
}

// Each of these is the fastest for the number of headers that it takes, down to the number of the
// next narrower one. Two at once gain nothing without vectors that hold both.
const PORTABLE: &[Kernel] = &[kernel(1, portable::mix_1)];
#[cfg(kernels)]
const AVX2: &[Kernel] = &[
    kernel(1, avx2::mix_1),
    kernel(2, avx2::mix_pairs::<1>),
    kernel(4, avx2::mix_pairs::<2>),
    kernel(6, avx2::mix_pairs::<3>),
    kernel(8, avx2::mix_8),
];
#[cfg(kernels)]
const AVX512: &[Kernel] = &[
    kernel(1, avx512::mix_1),
    kernel(4, avx512::mix_fours::<1>),
    kernel(8, avx512::mix_fours::<2>),
    kernel(12, avx512::mix_fours::<3>),
    kernel(16, avx512::mix_16),
];

/// All kernels of this set of instructions, or of the machine's best one, the narrowest first.
pub(super) fn of(isa: Isa) -> &'static [Kernel] {
    match isa.or_best() {
        #[cfg(kernels)]
        Isa::Avx2 => AVX2,
        #[cfg(kernels)]
        Isa::Avx512 => AVX512,
        _ => PORTABLE,
    }
}

/// The narrowest kernel for this many headers. Even with idle lanes it takes less time than two
/// narrower ones.
pub(super) fn fitting(kernels: &[Kernel], count: usize) -> Option<&Kernel> {
    kernels.iter().find(|kernel| kernel.lanes >= count)
}

impl Kernel {
    /// Number of scrypts that it does at once.
    pub(super) const fn lanes(self) -> usize {
        self.lanes
    }

    /// `scryptROMix` of the first [`Kernel::lanes`] of `blocks`.
    pub(super) fn run(self, blocks: &mut [Block], table: &mut [Block]) {
        assert!(blocks.len() >= self.lanes && table.len() >= N.saturating_mul(self.lanes));
        // SAFETY: kernels come only from `of`, which checks the machine; the table's length was
        // checked above.
        unsafe { (self.mix)(blocks, table.as_mut_ptr()) }
    }
}
