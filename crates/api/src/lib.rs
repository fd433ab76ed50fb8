//! The HTTP API of a node: the evidence of closed epochs, and how the leases are served.
//!
//! In: the book, and a function that tells the state of each lease. Out: JSON and evidence files. Anybody may ask, so
//! what an answer costs is bounded.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod evidence_files;
mod node_routes;

pub use evidence_files::{EvidenceFiles, FileError};
pub use node_routes::{LeaseStatus, NodeApi, serve};
