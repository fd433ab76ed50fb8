//! The evidence file of an epoch: everything that a stranger needs to count the epoch again.
//!
//! In: the bytes of a file, and light caches for Ethash. Out: a [`Report`] with a verdict on each
//! refused job and share, and the root and count of the rest.
//!
//! # Format, version 1
//! Integers are little-endian, hashes and addresses raw bytes. Terms, jobs and shares are as in
//! [`hashlease_share::wire`]. Whether jobs and shares are of the kind "header" (SHA-256d, scrypt)
//! or "Ethash" (Ethash, Etchash) follows from the algorithm in the terms.
//!
//! ```text
//! magic "HLEVIDNC" · u16 version (1)
//! terms
//! claim   u32 epoch · 32 root · u64 count
//! jobs    u32 number of jobs, strictly ascending by sequence, each a job (without its lease)
//! shares  u64 number of shares, ascending by key, each: u64 sequence of the job · share
//! sha256 of everything before
//! ```
//! A share's key is not in the file. It is `sha256d` of the rebuilt header (for scrypt, too), or
//! `keccak256(sealHash ‖ nonce)` for Ethash. A file can be read in one pass with little memory: the
//! jobs are few, and shares in the order of their keys build the trie as they are read. Ethash jobs
//! may use at most [`MAX_DAGS`] DAGs, counted in the order of the file.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod content;
mod file;
mod recheck;
mod single_share;

pub use content::{Contradiction, Evidence, EvidenceHead, EvidenceShare, TermsDiffer};
pub use file::{EvidenceError, EvidenceReader, EvidenceWriteError, MAX_JOBS};
pub use recheck::{CacheSource, JobVerdict, MAX_DAGS, Recheck, Report, ShareVerdict};
pub use single_share::{SingleShare, SingleShareError};
