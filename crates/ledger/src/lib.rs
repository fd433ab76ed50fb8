//! What a share log adds up to, and the book that keeps both equal.
//!
//! ```text
//! book ─▶ reserve ─▶ share_log (durable) ─▶ fold (counts, roots, evidence)
//! ```
//! In: verified jobs and shares. Out: counts, commitments and evidence of each epoch. Nothing is counted that is not
//! durable, and the ledger is a fold of the log: the same records give the same ledger. Restart is replay.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod book;
mod fold;
mod refusal;
mod share_log;

pub use book::{Book, BookError, Reserved};
pub use fold::{EpochShares, LeaseLedger, Ledger, LedgerError, Rebuilt, Verdicts};
pub use refusal::CountRefusal;
pub use share_log::{Appending, ShareLog};
