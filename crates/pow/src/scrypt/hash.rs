//! Hashes headers, one or many.

use super::{
    block::Block,
    kernels::{self, Kernel, MOST_LANES},
    pbkdf2::{self, Keyed},
    scratch::Scratch,
};
use crate::Isa;
use alloy_primitives::B256;

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
