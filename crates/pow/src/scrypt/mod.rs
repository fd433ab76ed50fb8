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
mod block;
#[cfg(kernels)]
mod columns;
mod hash;
mod kernels;
#[cfg(kernels)]
mod methods;
mod pbkdf2;
mod portable;
mod rows;
mod scratch;
#[cfg(test)]
mod tests;

pub use hash::{scrypt, scrypt_many, scrypt_many_with, scrypt_with};
pub use scratch::Scratch;
