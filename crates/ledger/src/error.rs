//! Why the book can't be opened, read or written.

use crate::fold::LedgerError;
use hashlease_journal::{JournalError, OpenError};
use hashlease_primitives::{EpochId, LeaseId};
use std::convert::Infallible;
use tokio::task::JoinError;

/// Why the book can't be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The journal can't be opened or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A new record contradicts an earlier one and was not written, or no trie can hold an epoch's
    /// keys.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Another job came first under this sequence, and every check of the evidence uses that one.
    #[error("job sequence {sequence} was used for another job before")]
    JobSequence {
        /// The sequence.
        sequence: u64,
    },
    /// A task that wrote a record or built a root ended early.
    #[error("task ended early: {0}")]
    Ended(#[from] JoinError),
    /// The lease has no records.
    #[error("lease {0} is not in the journal")]
    UnknownLease(LeaseId),
    /// The lease has no job with this sequence.
    #[error("job {sequence} of lease {lease} is not in the journal")]
    UnknownJob {
        /// The lease.
        lease: LeaseId,
        /// The sequence.
        sequence: u64,
    },
    /// The epoch is not closed yet.
    #[error("{0} is not closed yet")]
    NotClosed(EpochId),
}

impl From<OpenError<Infallible>> for BookError {
    fn from(error: OpenError<Infallible>) -> Self {
        match error {
            OpenError::Journal(error) => Self::Journal(error),
            OpenError::Replay { source, .. } => match source {},
        }
    }
}
