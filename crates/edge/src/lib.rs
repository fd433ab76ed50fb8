//! The edge towards miners: serves their connections, checks every share, counts it in the book,
//! and forwards it to the gateway.
//!
//! ```text
//! leases ─▶ gateway_link (jobs in, shares out) ─▶ mined_lease
//! miners ─▶ accept_miners ─▶ miner_session ─▶ share_intake ─▶ book (journal + ledger)
//! ```
//! In: the leases of a provider with their opened boxes, as a watch; the edge reads no chain. Out:
//! shares in the book, and the state of each lease for the API. An acknowledged share is durable.
#![deny(clippy::arithmetic_side_effects)]

mod accept_miners;
mod edge;
mod extranonce;
mod gateway_link;
mod job_form;
mod lease_choice;
mod leases;
mod mined_lease;
mod miner_messages;
mod miner_session;
mod refusal;
mod session_numbers;
mod share_intake;
mod stale_jobs;
#[cfg(test)]
mod tests;

pub use edge::{Edge, EdgeConfig, EdgeError, LeaseState};
pub use leases::EdgeLease;
pub use session_numbers::SessionNumberError;
