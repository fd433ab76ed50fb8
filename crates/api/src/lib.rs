//! The HTTP API of a node: the evidence of closed epochs, and how the leases are served.
//!
//! In: the book, and a function that returns the state of each lease. Out: JSON and evidence files.
//! Anybody may send requests, so the cost of each answer is bounded.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod evidence_files;
mod node_routes;

pub use evidence_files::{EvidenceFileError, EvidenceFiles};
pub use node_routes::{LeaseStatus, NodeApi, serve};
