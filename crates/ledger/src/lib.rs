//! What a journal adds up to: the fold of its records, the evidence file of an epoch, the work that was due, and the
//! escrow's arithmetic in plain Rust. No I/O.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod book;
mod fold;

pub use book::{Book, BookError, Reserved};
pub use fold::{EpochShares, LeaseLedger, Ledger, LedgerError, Rebuilt, Verdicts};
