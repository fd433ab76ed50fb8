//! Errors of a journal.

use crate::{Damage, RecordError};
use std::{io, path::PathBuf, sync::Arc};

/// Why a journal can't be opened: its own error, or that of the replay.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError<E> {
    /// The journal itself can't be read, or no writer can be started.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The `replay` function given to `open` returned an error.
    #[error("journal {}: record {number}: {source}", path.display())]
    Replay {
        /// Directory.
        path: PathBuf,
        /// Number of the record.
        number: u64,
        /// That error.
        source: E,
    },
}

/// Why a journal can't be opened, read or written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process holds the lock.
    #[error("journal {} is in use by another process: two nodes must not share a data directory", .0.display())]
    Locked(PathBuf),
    /// The operating system refused an operation.
    #[error("journal {}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// A file ends in `.hlj`, but its name is not that of a segment.
    #[error(
        "journal file {}: expected the number of its first record, 20 digits, before .hlj; rename the segment, \
         or move the file away", .0.display()
    )]
    ForeignFile(PathBuf),
    /// A segment is damaged in a place that no power cut damages.
    #[error("journal {} is damaged at byte {offset}: {damage}", path.display())]
    Damaged {
        /// Segment.
        path: PathBuf,
        /// Offset of the bad bytes.
        offset: u64,
        /// What is wrong with them.
        damage: Damage,
    },
    /// A record is intact but can't be decoded, for instance one of a newer version.
    #[error("journal {} at byte {offset}: {source}", path.display())]
    Record {
        /// Segment.
        path: PathBuf,
        /// Offset of the record.
        offset: u64,
        /// The decoder's error.
        source: RecordError,
    },
    /// The record is too long to be written.
    #[error("record of {0} bytes: expected at most {max}", max = crate::MAX_BODY)]
    TooLong(usize),
    /// A batch is too long to be written as one frame.
    #[error("batch of {length} bytes: expected at most {max}")]
    BatchTooLong {
        /// Length, bytes.
        length: usize,
        /// Longest batch, bytes.
        max: usize,
    },
    /// The format can't hold the record.
    #[error("record can't be written: {0}")]
    Unwritable(RecordError),
    /// `fdatasync` failed, or a partial write could not be undone: the content of the disk is
    /// unknown.
    #[error("journal is closed because the disk failed: {0}; check the disk and restart")]
    Poisoned(Arc<io::Error>),
    /// The writer thread has ended.
    #[error("journal is closed")]
    Closed,
}

impl JournalError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source: Arc::new(source) }
    }
}
