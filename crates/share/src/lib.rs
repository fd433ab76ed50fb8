//! From a signed job and a miner's submit to a share that counts.
//!
//! The **evidence rules** are pure functions of lease, job and share, so a node, a gateway, a
//! committee member and a watcher always reach the same verdict: [`VerifiedJob::verify`] once per
//! job, [`VerifiedJob::open`] once per share, then [`OpenedShare::settle`]. Only these functions
//! build a [`VerifiedShare`], so a function that takes one needs no further check. The caller
//! refuses duplicates by [`OpenedShare::key`], because that needs memory.
//!
//! Every refusal is an [`EvidenceReason`]. Refusals of sessions, queues and disks are named where
//! they are made.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod job_rules;
mod reason;
mod share;
mod share_rules;
pub mod wire;

pub use job_rules::{
    MAX_BRANCH, MAX_COINBASE, MAX_JOB_WINDOW, MAX_NONCE_PREFIX, MAX_TAIL, MIN_TAIL, VERSION_BITS, VerifiedJob,
};
pub use reason::EvidenceReason;
pub use share::{EthashShare, HeaderShare, OpenedShare, Share, SubmittedHeader, VerifiedShare};
pub use share_rules::open_many;
