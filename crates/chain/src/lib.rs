//! The chain: deployments, reads of leases and committees, logs, and transactions that take effect
//! once.
//!
//! In: an RPC endpoint and a [`Deployment`]. Out: [`Lease`](hashlease_primitives::Lease)s with
//! their sealed boxes from a [`LeaseWatcher`], a [`Committee`], and receipts from a [`Sender`].
//! Every figure is read from the contracts.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod bindings;
mod block_time;
mod client;
mod committee;
mod deployment;
mod error;
mod follow;
mod node_keys;
mod send;
mod state;
mod watch;

pub use block_time::show_blocks;
pub use client::{Chain, Provider};
pub use committee::{Committee, CommitteeMember, Committees};
pub use deployment::{Deployment, DeploymentError};
pub use error::{ChainError, EndpointError, Revert};
pub use follow::{Following, RoleView, follow};
pub use node_keys::NodeKeys;
pub use send::{FeeLimit, Receipt, Sender};
pub use watch::{LeaseFilter, LeaseWatcher, WatchedLease};
