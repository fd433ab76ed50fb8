//! The edge towards miners: serves their connections, checks every share, counts it in the book,
//! and forwards it to the gateway.
//!
//! ```text
//! leases ─▶ gateway_link, member_jobs ─▶ job_intake ─▶ mined_lease (open_jobs: which one is mined)
//! miners ─▶ accept_miners ─▶ miner_session ─▶ share_intake ─▶ book (journal + ledger)
//! ```
//! In: the leases of a provider with their opened boxes, as a watch; the edge reads no chain. Out:
//! shares in the book, and the state of each lease for the API. An acknowledged share is durable.
//!
//! Pools, job signers and miners are strangers: none of their numbers is passed on unbounded. What
//! is mined follows from signed jobs alone (`open_jobs`), and each connection's target from what
//! it delivers (`vardiff`).
#![deny(clippy::arithmetic_side_effects)]

mod accept_miners;
mod check_places;
mod edge;
mod extranonce;
mod gateway_link;
mod job_form;
mod job_intake;
mod lease_choice;
mod lease_counts;
mod leases;
mod link_target;
mod lock;
mod log_budget;
mod member_jobs;
mod mineable_job;
mod mined_lease;
mod miner_messages;
mod miner_session;
mod open_jobs;
mod peers;
mod refusal;
mod refusal_log;
mod session_numbers;
mod share_intake;
mod shown_shares;
mod shows;
#[cfg(test)]
mod tests;
mod vardiff;

pub use edge::{Edge, EdgeConfig, EdgeError, LeaseState};
pub use leases::EdgeLease;
pub use session_numbers::SessionNumberError;
