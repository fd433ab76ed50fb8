//! SHA-256 (FIPS 180-4) for many messages at once.
//!
//! There are four ways to compress, all with the same result, and [`Engine::best`] chooses one for
//! the machine: one message at a time, two through the SHA instructions, eight in AVX2 lanes,
//! sixteen in AVX-512 lanes.

#[cfg(kernels)]
mod compress;
mod constants;
mod header;
#[cfg(kernels)]
mod instructions;
#[cfg(kernels)]
mod lanes;
mod serial;
mod template;
#[cfg(kernels)]
mod vector;

pub use header::hash_headers;
pub use template::{Choice, HashedHeader, HeaderTemplate};

#[cfg(kernels)]
use crate::cpu::{Avx2, Avx512, Sha};
use alloy_primitives::B256;
use constants::INITIAL;
use sha2::block_api::compress256;
use std::sync::OnceLock;
use template::{Item, WIDEST};

/// A way to compress; see the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// One message at a time, through the SHA instructions where the machine has them, else in
    /// plain Rust.
    One,
    /// Two messages at once through the SHA instructions of x86-64.
    Pair,
    /// Eight messages in lanes of AVX2.
    Avx2,
    /// Sixteen messages in lanes of AVX-512.
    Avx512,
}

impl Engine {
    /// The fastest engine of this machine.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Engine> = OnceLock::new();
        // ordered by measured speed on machines that have several: docs/benchmarks.md
        *BEST.get_or_init(|| {
            let order = [Self::Avx512, Self::Pair, Self::Avx2];
            order.into_iter().find(|engine| engine.exists()).unwrap_or(Self::One)
        })
    }

    /// All engines of this machine.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::One, Self::Pair, Self::Avx2, Self::Avx512].into_iter().filter(|engine| engine.exists())
    }

    /// Number of messages hashed at once, from 1 to 16.
    #[must_use]
    pub const fn width(self) -> usize {
        match self {
            Self::One => 1,
            Self::Pair => 2,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// This engine if the machine has it, else one message at a time.
    #[cfg(kernels)]
    fn way(self) -> Way {
        let found = match self {
            Self::One => None,
            Self::Pair => Sha::found().map(Way::Pair),
            Self::Avx2 => Avx2::found().map(Way::Avx2),
            Self::Avx512 => Avx512::found().map(Way::Avx512),
        };
        found.unwrap_or(Way::One)
    }

    /// This engine if the machine has it, else one message at a time.
    #[cfg(not(kernels))]
    fn way(self) -> Way {
        Way::One
    }

    fn exists(self) -> bool {
        self.way().engine() == self
    }

    /// Fewest messages for which the engine is faster than one message at a time.
    const fn worth_it(self) -> usize {
        match self {
            Self::One => 1,
            Self::Pair => 2,
            Self::Avx2 => 6,
            Self::Avx512 => 7,
        }
    }
}

/// An engine with the proof that this machine has it.
#[derive(Clone, Copy)]
enum Way {
    One,
    #[cfg(kernels)]
    Pair(Sha),
    #[cfg(kernels)]
    Avx2(Avx2),
    #[cfg(kernels)]
    Avx512(Avx512),
}

impl Way {
    const fn engine(self) -> Engine {
        match self {
            Self::One => Engine::One,
            #[cfg(kernels)]
            Self::Pair(_) => Engine::Pair,
            #[cfg(kernels)]
            Self::Avx2(_) => Engine::Avx2,
            #[cfg(kernels)]
            Self::Avx512(_) => Engine::Avx512,
        }
    }

    /// Hashes the first headers of one shape, as many as the engine takes at once.
    fn hash_items(self, items: &[Item<'_>; WIDEST], hashed: &mut [HashedHeader; WIDEST]) {
        match self {
            Self::One => put(hashed, items.first().map(hash_one)),
            #[cfg(kernels)]
            Self::Pair(has) => put(hashed, instructions::hash::<2>(has, first(items))),
            #[cfg(kernels)]
            Self::Avx2(has) => vector::hash_avx2(has, first(items), hashed),
            #[cfg(kernels)]
            Self::Avx512(has) => vector::hash_avx512(has, items, hashed),
        }
    }
}

/// Hashes one header.
fn hash_one(item: &Item<'_>) -> HashedHeader {
    #[cfg(kernels)]
    if let Some(sha) = Sha::found() {
        let [hashed] = instructions::hash(sha, &[*item]);
        return hashed;
    }
    let [hashed] = serial::hash_each(serial::One, &[*item]);
    hashed
}

/// `rounds` compressions one after the other.
fn limit_one(rounds: usize) -> u32 {
    #[cfg(kernels)]
    if let Some(sha) = Sha::found() {
        return instructions::limit::<1>(sha, rounds);
    }
    serial::bare::<1, _>(serial::One, rounds)
}

#[cfg(kernels)]
fn first<T, const K: usize>(all: &[T; WIDEST]) -> &[T; K] {
    const { assert!(K <= WIDEST) }
    all.first_chunk().unwrap_or_else(|| unreachable!("K is not above the length"))
}

fn put(to: &mut [HashedHeader; WIDEST], from: impl IntoIterator<Item = HashedHeader>) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = from;
    }
}

/// `SHA-256(SHA-256(data))` (FIPS 180-4), raw digest bytes. Explorers show them in reverse order.
#[must_use]
pub fn sha256d(data: &[u8]) -> B256 {
    let mut state = INITIAL;
    let (blocks, rest) = data.as_chunks::<64>();
    compress256(&mut state, blocks);
    let mut last = [[0u8; 64]; 2];
    let [first, second] = &mut last;
    // padding: a one bit after the message, and its length in bits in the last eight bytes of the
    // last block (never the fallback: no platform's `usize` has more than 64 bits)
    let bits = u64::try_from(data.len()).unwrap_or(u64::MAX).wrapping_mul(8).to_be_bytes();
    for (to, from) in first.iter_mut().zip(rest.iter().chain(&[0x80])) {
        *to = *from;
    }
    if rest.len() < 56 {
        put_end(first, bits);
        compress256(&mut state, &[*first]);
    } else {
        put_end(second, bits);
        compress256(&mut state, &last);
    }
    digest_again(&state)
}

/// Parent of two Merkle nodes of a Bitcoin block: `sha256d(left ‖ right)`, all as raw digest bytes.
#[must_use]
pub fn merkle_parent(left: &B256, right: &B256) -> B256 {
    sha256d(&block_of(&left.0, &right.0))
}

fn put_end(block: &mut [u8; 64], end: [u8; 8]) {
    if let Some(place) = block.last_chunk_mut() {
        *place = end;
    }
}

/// The digest of a state.
pub(crate) fn digest_of(state: &[u32; 8]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (to, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    digest
}

/// A block of two halves.
pub(crate) fn block_of(left: &[u8; 32], right: &[u8; 32]) -> [u8; 64] {
    let mut block = [0; 64];
    if let ([to_left, to_right], []) = block.as_chunks_mut::<32>() {
        *to_left = *left;
        *to_right = *right;
    }
    block
}

/// SHA-256 of a state's digest.
fn digest_again(state: &[u32; 8]) -> B256 {
    let block = block_of(&digest_of(state), &serial::AFTER_32);
    let mut state = INITIAL;
    compress256(&mut state, &[block]);
    B256::new(digest_of(&state))
}

/// Bare compressions, `rounds` times as many as the engine does at once: the limit with which
/// benchmarks compare.
#[doc(hidden)]
#[must_use]
pub fn bare_compressions(engine: Engine, rounds: usize) -> u32 {
    match engine.way() {
        Way::One => limit_one(rounds),
        #[cfg(kernels)]
        Way::Pair(has) => instructions::limit::<2>(has, rounds),
        #[cfg(kernels)]
        Way::Avx2(has) => vector::limit_avx2(has, rounds),
        #[cfg(kernels)]
        Way::Avx512(has) => vector::limit_avx512(has, rounds),
    }
}
