//! From a signed job and a miner's submit to a share that counts.
//!
//! The **evidence rules** are pure functions of lease, job and share, so a node, a gateway, a
//! committee member and a watcher always reach the same verdict: [`VerifiedJob::verify`] once per
//! job, [`VerifiedJob::open`] once per share, then [`OpenedShare::settle`]. Only these functions
//! build a [`VerifiedShare`], so a function that takes one needs no further check. The caller
//! refuses duplicates by [`OpenedShare::key`], because that needs memory.
//!
//! What a role does with a job on its arrival follows from three more pure rules, the same for
//! gateways, nodes and members: [`check_arrival`] (clock and sequence), [`JobPace`] and [`JobBudget`]
//! (how many), and [`VerifiedJob::check_usable`] (whether a stock device can use it). [`DueLog`] turns
//! a lease's jobs and the times of their arrival into due seconds, and [`Ownership`] says whose work it
//! is when jobs of several leases are over the same work.
//!
//! Every refusal of evidence is an [`EvidenceReason`]. Refusals of sessions, queues and disks are named where
//! they are made.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod arrival_rules;
mod due;
mod job_budget;
mod job_pace;
mod job_rules;
mod overlap;
mod ownership;
mod reason;
mod share;
mod share_rules;
mod stock_device;
pub mod wire;

pub use arrival_rules::{ArrivalRefusal, MAX_SEQUENCE, check_arrival};
pub use due::{DueLog, Logged, SecondSet};
pub use job_budget::{EpochFull, JobBudget, MAX_EPOCH_JOB_BYTES, MAX_EPOCH_JOBS};
pub use job_pace::{JobPace, PACE_SPAN, most_jobs};
pub use job_rules::{
    MAX_BRANCH, MAX_COINBASE, MAX_JOB_WINDOW, MAX_NONCE_PREFIX, MAX_TAIL, MIN_TAIL, VERSION_BITS,
    VerifiedJob, check_unsigned,
};
pub use ownership::{Hold, Ownership, TakenJob};
pub use reason::EvidenceReason;
pub use share::{
    EthashShare, HeaderShare, OpenedShare, Share, ShareFieldsError, SubmittedHeader, VerifiedShare,
};
pub use share_rules::open_many;
pub use stock_device::{
    MAX_STOCK_COINBASE, MAX_STOCK_ETHASH_WINDOW, MIN_STOCK_TAIL, MIN_STOCK_VERSION_BITS, NotUsable,
    STOCK_VERSION_BITS,
};
