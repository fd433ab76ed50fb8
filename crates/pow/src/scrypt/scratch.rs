//! The memory that scrypt works in.

use super::{
    block::{Block, N},
    kernels,
};
use crate::Isa;
use std::fmt;

/// scrypt's table: 128 KiB for each of the scrypts that this machine does at once.
///
/// A thread that hashes keeps one and passes it to each call. Its content between calls is
/// meaningless.
pub struct Scratch {
    pub(super) table: Vec<Block>,
}

impl Scratch {
    /// Memory for any number of headers. Huge pages gained nothing: two megabytes fit in the
    /// second-level TLB.
    #[must_use]
    #[allow(clippy::arithmetic_side_effects)] // at most 16 lanes
    pub fn new() -> Self {
        let lanes = kernels::of(Isa::best()).iter().map(|kernel| kernel.lanes()).max().unwrap_or(1);
        Self { table: vec![Block::ZERO; N * lanes] }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}
