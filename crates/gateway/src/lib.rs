//! The gateway: holds the session at the renter's pool, and signs every job that it hands out.
//!
//! In: the leases whose jobs this key signs, each with the renter's pool ([`Assignment`]), and that
//! pool's jobs. Out: signed jobs, to the provider's node over the link and to the committee's
//! members. Back: the node's shares, checked again here; those that meet the pool's target are
//! forwarded. Each lease has one pool session.
//!
//! ```text
//! pool ──▶ pool_session ──▶ sign_job ──▶ served_lease ──▶ node_link ──▶ node
//!   ▲                           └─▶ jobs_to_members │            │
//!   └────────── shares that meet the pool's target ─┴────────────┘
//! ```
//!
//! The link is Stratum V1 with the node as client, and one more notification, `hashlease.job`.
//! Without a session at the pool there are no new jobs; that time is not due, and shares of earlier
//! jobs count until their windows end.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod accept_nodes;
mod api;
mod assignment;
mod gateway;
mod job_draft;
mod job_sequence;
mod jobs_to_members;
mod lease_status;
mod node_link;
mod notices;
mod pool_attempts;
mod pool_bounds;
mod pool_session;
mod pool_trust;
mod refusal;
mod served_lease;
mod shares;
mod sign_job;
mod signer;
mod templates;
mod unseen_work;
mod watch_roots;

pub use assignment::Assignment;
pub use gateway::{Gateway, GatewayConfig, GatewayError, GatewayHandle};
pub use job_draft::Extranonce;
pub use job_draft::{JobDraft, NotSigned};
pub use lease_status::{LeaseStatus, PoolState, PoolVerdicts};
pub use notices::Notice;
pub use sign_job::{JobError, JobMaker};
pub use signer::JobSigner;
