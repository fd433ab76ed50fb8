//! The instructions of this machine, detected once.
//!
//! Every fast path has a portable one with the same results; tests run all that [`Isa::available`]
//! lists.
//!
//! [`Avx2`], [`Avx512`] and [`Sha`] are proofs: they can only be created on a machine that has the
//! instructions. Code that takes a proof can't be called where the processor lacks them.

use std::sync::OnceLock;

/// A set of instructions for which there are kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// Plain Rust; runs everywhere.
    Portable,
    /// x86-64 with AVX2, BMI1 and BMI2.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL, and everything in [`Isa::Avx2`].
    Avx512,
}

impl Isa {
    /// The best set of this machine for which this build has kernels.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(detect)
    }

    /// All sets of this machine, the portable one first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::Portable, Self::Avx2, Self::Avx512].into_iter().filter(|isa| *isa <= Self::best())
    }

    /// This set if the machine has it, else its best one.
    #[must_use]
    pub(crate) fn or_best(self) -> Self {
        self.min(Self::best())
    }
}

/// Proof that the machine has [`Isa::Avx2`].
#[cfg(kernels)]
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// Proof that the machine has [`Isa::Avx512`].
#[cfg(kernels)]
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

/// Proof that the machine has the SHA instructions, and SSSE3 and SSE4.1, which reorder words for
/// them.
#[cfg(kernels)]
#[derive(Clone, Copy)]
pub(crate) struct Sha(());

#[cfg(kernels)]
impl Avx2 {
    pub(crate) fn found() -> Option<Self> {
        (Isa::best() >= Isa::Avx2).then_some(Self(()))
    }
}

#[cfg(kernels)]
impl Avx512 {
    pub(crate) fn found() -> Option<Self> {
        (Isa::best() >= Isa::Avx512).then_some(Self(()))
    }
}

#[cfg(kernels)]
impl Sha {
    pub(crate) fn found() -> Option<Self> {
        use std::arch::is_x86_feature_detected as has;
        static FOUND: OnceLock<Option<Sha>> = OnceLock::new();
        *FOUND.get_or_init(|| (has!("sha") && has!("ssse3") && has!("sse4.1")).then_some(Self(())))
    }
}

#[cfg(kernels)]
fn detect() -> Isa {
    use std::arch::is_x86_feature_detected as has;
    if !(has!("avx2") && has!("bmi1") && has!("bmi2")) {
        Isa::Portable
    } else if has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") {
        Isa::Avx512
    } else {
        Isa::Avx2
    }
}

#[cfg(not(kernels))]
fn detect() -> Isa {
    Isa::Portable
}
