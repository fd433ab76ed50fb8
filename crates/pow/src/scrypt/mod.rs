//! scrypt (RFC 7914) with N = 1024, r = 1, p = 1 over block headers: the proof of work of Litecoin
//! and Dogecoin. Password and salt are both the 80-byte header, and 32 bytes are derived.
//!
//! One scrypt is a chain of some hundred thousand steps, each of which waits for the one before, so
//! only several at once keep a core busy: [`scrypt_many`] hashes a batch, [`scrypt`] a single
//! header.

#[cfg(kernels)]
mod avx2;
#[cfg(kernels)]
mod avx512;
#[cfg(kernels)]
mod columns;
mod kernels;
#[cfg(kernels)]
mod methods;
mod pbkdf2;
mod portable;
mod rows;
#[cfg(test)]
mod tests;

use crate::Isa;
use alloy_primitives::B256;
use kernels::Kernel;
use pbkdf2::Keyed;
use std::fmt;

/// Rows of the table of one scrypt.
const N: usize = 1024;

/// Number of scrypts that the widest kernel does at once.
const MOST_LANES: usize = 16;

/// Bytes of a row of the table, for one scrypt.
const ROW: usize = size_of::<Block>();

/// Half of a row.
const HALF: usize = ROW / 2;

/// The block of the memory-hard part: 128 bytes as words, each half by its diagonals.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Block([u32; 32]);

#[allow(clippy::indexing_slicing)] // `place` is below 32
impl Block {
    const ZERO: Self = Self([0; 32]);

    fn from_words(words: &[u32; 32]) -> Self {
        let mut block = Self::ZERO;
        for (at, word) in block.0.iter_mut().enumerate() {
            *word = words[place(at)];
        }
        block
    }

    fn to_words(self) -> [u32; 32] {
        let mut words = [0; 32];
        for (at, word) in self.0.iter().enumerate() {
            words[place(at)] = *word;
        }
        words
    }
}

/// Index of the block's word at a place of the diagonal form.
#[allow(clippy::arithmetic_side_effects)] // places are below 32
const fn place(at: usize) -> usize {
    let (half, row, word) = (at / 16, at / 4 % 4, at % 4);
    half * 16 + (row * 4 + word * 5) % 16
}

/// scrypt's table: 128 KiB for each of the scrypts that this machine does at once.
///
/// A thread that hashes keeps one and passes it to each call. Its content between calls is
/// meaningless.
pub struct Scratch {
    table: Vec<Block>,
}

impl Scratch {
    /// Memory for any number of headers. Huge pages gave nothing: two megabytes fit in the
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

/// scrypt of one header, raw digest bytes; see [`hash_as_integer`](crate::hash_as_integer).
#[must_use]
pub fn scrypt(header: &[u8; 80], scratch: &mut Scratch) -> B256 {
    scrypt_with(Isa::best(), header, scratch)
}

/// [`scrypt`] with the given instructions, or the best of the machine if it lacks them.
#[must_use]
pub fn scrypt_with(isa: Isa, header: &[u8; 80], scratch: &mut Scratch) -> B256 {
    let mut digest = [B256::ZERO];
    scrypt_many_with(isa, &[*header], &mut digest, scratch);
    let [digest] = digest;
    digest
}

/// [`scrypt`] of each header, into the same place of `out`. Fastest in batches of a multiple of 16.
/// If `headers` and `out` differ in length, the rest of the longer one is ignored.
pub fn scrypt_many(headers: &[[u8; 80]], out: &mut [B256], scratch: &mut Scratch) {
    scrypt_many_with(Isa::best(), headers, out, scratch);
}

/// [`scrypt_many`] with the given instructions, or the best of the machine if it lacks them.
pub fn scrypt_many_with(isa: Isa, headers: &[[u8; 80]], out: &mut [B256], scratch: &mut Scratch) {
    let count = headers.len().min(out.len());
    let (Some(headers), Some(out)) = (headers.get(..count), out.get_mut(..count)) else { return };
    let kernels = kernels::of(isa);
    let Some(widest) = kernels.last() else { return };
    for (headers, out) in headers.chunks(widest.lanes()).zip(out.chunks_mut(widest.lanes())) {
        hash_batch(*kernels::fitting(kernels, headers.len()).unwrap_or(widest), headers, out, scratch);
    }
}

/// Hashes at most as many headers as the kernel has lanes; idle lanes hash zeros.
fn hash_batch(kernel: Kernel, headers: &[[u8; 80]], out: &mut [B256], scratch: &mut Scratch) {
    let mut blocks = [Block::ZERO; MOST_LANES];
    let mut keys = [Keyed::default(); MOST_LANES];
    for ((header, block), key) in headers.iter().zip(&mut blocks).zip(&mut keys) {
        let mut words = [0; 32];
        *key = pbkdf2::expand(header, &mut words);
        *block = Block::from_words(&words);
    }
    kernel.run(&mut blocks, &mut scratch.table);
    for ((digest, block), key) in out.iter_mut().zip(&blocks).zip(&keys) {
        *digest = B256::new(pbkdf2::digest(key, &block.to_words()));
    }
}
