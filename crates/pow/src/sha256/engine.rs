//! Chooses the way to compress.

#[cfg(kernels)]
use super::{instructions, vector};
use super::{
    serial,
    template::{HashedHeader, Item, WIDEST},
};
#[cfg(kernels)]
use crate::cpu::{Avx2, Avx512, Sha};
use std::sync::OnceLock;

/// A way to compress; see the [module](super).
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
    pub(super) fn way(self) -> Way {
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
    pub(super) fn way(self) -> Way {
        Way::One
    }

    fn exists(self) -> bool {
        self.way().engine() == self
    }

    /// Smallest number of messages for which the engine is faster than one message at a time.
    pub(super) const fn worth_it(self) -> usize {
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
pub(super) enum Way {
    One,
    #[cfg(kernels)]
    Pair(Sha),
    #[cfg(kernels)]
    Avx2(Avx2),
    #[cfg(kernels)]
    Avx512(Avx512),
}

impl Way {
    pub(super) const fn engine(self) -> Engine {
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
    pub(super) fn hash_items(self, items: &[Item<'_>; WIDEST], hashed: &mut [HashedHeader; WIDEST]) {
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
pub(super) fn hash_one(item: &Item<'_>) -> HashedHeader {
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

/// Bare compressions, `rounds` times as many as the engine does at once: the limit that benchmarks
/// compare with.
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
