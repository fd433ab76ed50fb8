//! The ledger: the sum of a share log's records; and the book, which keeps both equal.
//!
//! ```text
//! book ─▶ reserve ─▶ share_log (durable) ─▶ fold (counts, roots, evidence)
//! ```
//! In: verified jobs and shares. Out: counts, commitments and evidence of each epoch. A share
//! counts only once it is durable. The ledger is a fold of the log, so the same records give the
//! same ledger, and a restart replays them.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod book;
mod error;
mod fold;
mod open_epoch;
mod pool_verdict;
mod refusal;
mod reserve;
mod share_log;

pub use book::Book;
pub use error::BookError;
pub use fold::{EpochShares, LeaseLedger, Ledger, LedgerError, PoolVerdicts, Rebuilt};
pub use pool_verdict::PoolVerdict;
pub use refusal::CountRefusal;
pub use reserve::Reserved;
pub use share_log::{Appending, ShareLog};
