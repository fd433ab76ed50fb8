//! What a journal adds up to: the fold of its records, the evidence file of an epoch, the work that was due, and the
//! escrow's arithmetic in plain Rust. No I/O.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod due;
pub mod escrow;
mod evidence;
mod fold;

pub use due::DueCounter;
pub use evidence::{
    CacheSource, Evidence, EvidenceError, EvidenceHead, EvidenceReader, EvidenceShare, EvidenceWriteError,
    JobVerdict, MAX_DAGS, MAX_JOBS, Recheck, Report, ShareVerdict, SingleShare,
};
pub use fold::{EpochShares, LeaseLedger, Ledger, LedgerError, Rebuilt};
