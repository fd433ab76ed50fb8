//! SHA-256 (FIPS 180-4) for many messages at once.
//!
//! There are four ways to compress, all with the same result, and [`Engine::best`] chooses one for
//! the machine: one message at a time, two through the SHA instructions, eight in AVX2 lanes,
//! sixteen in AVX-512 lanes.

mod bytes;
#[cfg(kernels)]
mod compress;
mod constants;
mod digest;
mod engine;
mod header;
#[cfg(kernels)]
mod instructions;
#[cfg(kernels)]
mod lanes;
mod serial;
mod template;
#[cfg(kernels)]
mod vector;

pub use digest::{merkle_parent, sha256d};
pub use engine::Engine;
#[doc(hidden)]
pub use engine::bare_compressions;
pub use header::hash_headers;
pub use template::{Choice, HashedHeader, HeaderTemplate};
