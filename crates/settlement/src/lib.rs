//! From counted shares to money: closes a provider's epochs in time, delivers their roots to the
//! committee, and credits, collects and settles the leases.
//!
//! ```text
//! book ─▶ close_epochs ─▶ deliver_roots ─▶ members
//!    └──▶ credit ─▶ statement, signatures ─▶ oracle
//!         settle ─▶ collect, settle ─▶ escrow
//! ```
//! In: a watch of the provider's unsettled leases, the book, a chain to send to. Out: transactions.
//! It opens no listening socket. No state is kept between the steps: the chain is read again.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod close_epochs;
mod context;
mod credit;
mod deliver_roots;
mod error;
mod settle;
mod supervise;
mod tasks;
#[cfg(test)]
mod tests;

pub use context::{Context, EvidenceBase};
pub use error::SettleError;
pub use tasks::Settlement;
