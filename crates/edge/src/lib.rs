//! The edge towards miners: serves their connections, checks every share, counts it in the book, forwards it to the
//! gateway.
//!
//! ```text
//! leases ─▶ gateway_link (jobs in, shares out) ─▶ served_lease
//! miners ─▶ server ─▶ session ─▶ share_intake ─▶ book (journal + ledger)
//! ```
//! In: the leases of a provider with their opened boxes, as a watch. It asks no chain. Out: shares in the book, and the
//! state of each lease for the API. Acknowledged ⇒ durable.
#![deny(clippy::arithmetic_side_effects)]

mod edge;
mod extranonce;
mod gateway_link;
mod lease_choice;
mod leases;
mod served_lease;
mod server;
mod session;
mod session_numbers;
mod share_intake;
#[cfg(test)]
mod tests;

pub use edge::{Edge, EdgeConfig, EdgeError, LeaseState};
pub use leases::EdgeLease;
