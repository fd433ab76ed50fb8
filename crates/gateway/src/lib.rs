//! The gateway: owns the connection to the renter's pool, and signs every job that it hands out.
//!
//! In: the leases whose jobs this key signs, each with the renter's pool ([`Assignment`]), and that pool's jobs. Out:
//! signed jobs to the provider's node over the link and to the committee's members; back: the node's shares, checked
//! again here, those that meet the pool's target forwarded. One lease, one upstream session.
//!
//! ```text
//! pool ──▶ upstream ──▶ jobs (sequence, signature) ──▶ served ──▶ link ──▶ node
//!   ▲                                          └─▶ members │        │
//!   └──────────────────── shares good enough ──────────────┴────────┘
//! ```
//!
//! The link is Stratum V1 with the node as client, and one more notification, `hashlease.job`. While there is no
//! session at the pool, there are no new jobs; the time is then not due, and what was handed out counts until its
//! window ends.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod gateway;
mod jobs;
mod link;
mod members;
mod sequence;
mod served;
mod shares;
mod signer;
mod status;
mod upstream;

pub use gateway::{Assignment, Gateway, GatewayConfig, GatewayError, GatewayHandle};
pub use jobs::{Extranonce, JobError, JobMaker};
pub use signer::JobSigner;
pub use status::{LeaseStatus, PoolState, Verdicts};
