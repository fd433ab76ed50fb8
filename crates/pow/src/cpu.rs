//! Which instructions this machine has, asked once.
//!
//! Every fast path has a portable one beside it that gives equal results; tests run all that [`Isa::available`] names.
//!
//! [`Avx2`], [`Avx512`] and [`Sha`] are proofs: only a machine that was asked and has the instructions gives one. Code
//! that takes a proof can't be called where it would execute what the processor does not know.

use std::sync::OnceLock;

/// A set of instructions that a kernel is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// Plain Rust; runs everywhere.
    Portable,
    /// x86-64 with AVX2, BMI1 and BMI2.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL, beside all of [`Isa::Avx2`].
    Avx512,
}

impl Isa {
    /// The best that this machine has and this build has kernels for. The machine is asked once.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(detect)
    }

    /// All that this machine has, the portable one first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self::Portable, Self::Avx2, Self::Avx512].into_iter().filter(|isa| *isa <= Self::best())
    }

    /// This one where the machine has it, else the best that it has.
    #[must_use]
    pub(crate) fn or_best(self) -> Self {
        self.min(Self::best())
    }
}

/// The machine has what [`Isa::Avx2`] names.
#[cfg(kernels)]
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// The machine has what [`Isa::Avx512`] names.
#[cfg(kernels)]
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

/// The machine has the SHA instructions, and SSSE3 and SSE4.1, which bring words into their order.
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
