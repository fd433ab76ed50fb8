//! From closed epochs to money: closes a provider's epochs in time, hands their roots to the committee, and brings in
//! what was earned.
//!
//! ```text
//! book ─▶ close_epochs ─▶ roots to the members
//!    └──▶ credit ─▶ statement, signatures ─▶ oracle
//!         settle ─▶ collect, settle ─▶ escrow
//! ```
//! In: a provider's unsettled leases as a watch, the book, a chain to send to. Out: transactions. It has no sockets of
//! its own. Nothing is remembered between the steps: what was done is read from the chain.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod close_epochs;
mod context;
mod credit;
mod error;
mod settle;
mod tasks;
#[cfg(test)]
mod tests;

pub use context::{Context, EvidenceBase};
pub use error::SettleError;
pub use tasks::Settlement;
