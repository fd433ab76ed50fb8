//! What can go wrong with a journal.

use crate::RecordError;
use std::{io, path::PathBuf, sync::Arc};

/// Why a journal can't be opened, read or written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process has it open.
    #[error("journal {} is in use by another process: two nodes must not share a data directory", .0.display())]
    Locked(PathBuf),
    /// The system refused.
    #[error("journal {}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// A segment is damaged where no power cut damages it.
    #[error("journal {} is damaged at byte {offset}: {message}", path.display())]
    Damaged {
        /// Segment.
        path: PathBuf,
        /// Where the bad bytes begin.
        offset: u64,
        /// What was expected and found.
        message: String,
    },
    /// A record is sound but can't be read, for instance one of a newer version.
    #[error("journal {} at byte {offset}: {source}", path.display())]
    Record {
        /// Segment.
        path: PathBuf,
        /// Where the record begins.
        offset: u64,
        /// Why.
        source: RecordError,
    },
    /// The caller of `open` refused a record.
    #[error("journal {}: record {number}: {message}", path.display())]
    Refused {
        /// Directory.
        path: PathBuf,
        /// Number of the record.
        number: u64,
        /// The caller's words.
        message: String,
    },
    /// The record is too long to be written.
    #[error("record of {0} bytes: expected at most {max}", max = crate::MAX_BODY)]
    TooLong(usize),
    /// Records that belong together are too long to be written as one.
    #[error("batch of {length} bytes: expected at most {max}")]
    BatchTooLong {
        /// Length, bytes.
        length: usize,
        /// Longest batch, bytes.
        max: usize,
    },
    /// The record has no bytes in the format.
    #[error("record can't be written: {0}")]
    Unwritable(RecordError),
    /// `fdatasync` failed, or half-written bytes could not be taken back; what the disk holds is unknown.
    #[error("journal is closed since the disk failed: {0}; check the disk and restart")]
    Poisoned(Arc<io::Error>),
    /// The writer is gone.
    #[error("journal is closed")]
    Closed,
}

impl JournalError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source: Arc::new(source) }
    }
}
