//! Keepers: gateways and members bring a lease's last statement to the chain if its provider does
//! not, and settle it. Without them a provider that vanishes would keep its bond.
//!
//! ```text
//! leases ─▶ schedule (whose turn) ─▶ keeper ─▶ members, oracle, escrow
//! ```
//! In: the leases of a role, and a key with gas. Out: transactions.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod keeper;
mod schedule;

pub use keeper::{KeepError, Keeper, Role};
pub use schedule::{Place, is_turn};
