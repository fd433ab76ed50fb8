//! The evidence file of an epoch: everything that a stranger needs to count it again.
//!
//! # Format, version 1
//! Integers are little-endian, hashes and addresses raw bytes. Terms, jobs and shares are as in
//! [`hashlease_share::wire`]; whether jobs and shares are of the kind "header" (SHA-256d, scrypt) or "Ethash" (Ethash,
//! Etchash) follows from the algorithm in the terms.
//!
//! ```text
//! magic "HLEVIDNC" · u16 version (1)
//! terms
//! claim   u32 epoch · 32 root · u64 count
//! jobs    u32 number of jobs, strictly ascending by sequence, each a job (without its lease)
//! shares  u64 number of shares, ascending by key, each: u64 sequence of the job · share
//! sha256 of everything before
//! ```
//! A share's key is not in the file: it is the hash of what was really hashed, `sha256d` of the header (for scrypt, too),
//! of Ethash `keccak256(sealHash ‖ nonce)`. Whoever reads a file may do so in one pass with little memory: the jobs
//! are few, and shares in the order of their keys build the trie as they come. Jobs of Ethash may be of at most
//! [`MAX_DAGS`] DAGs, counted in the order of the file.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod content;
mod file;
mod recheck;
mod single_share;

pub use content::{Evidence, EvidenceHead, EvidenceShare};
pub use file::{EvidenceError, EvidenceReader, EvidenceWriteError, MAX_JOBS};
pub use recheck::{CacheSource, JobVerdict, MAX_DAGS, Recheck, Report, ShareVerdict};
pub use single_share::SingleShare;
