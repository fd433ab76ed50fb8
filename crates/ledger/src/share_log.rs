//! The log in which records become durable. Today it is a journal on this machine; another engine
//! would implement the same trait.

use hashlease_journal::{Journal, JournalError, Record};
use std::{fmt::Debug, future::Future, pin::Pin};

/// The future of [`ShareLog::append`], ready once the record is durable.
pub type Appending<'a> = Pin<Box<dyn Future<Output = Result<(), JournalError>> + Send + 'a>>;

/// An append-only log of records. The log decides group commit, order and durability; the book
/// decides the content of records.
pub trait ShareLog: Debug + Send + Sync {
    /// Appends one record, which is durable once the future is ready. A dropped future may still
    /// write its record.
    ///
    /// On an error the record is not in the log, except on [`JournalError::Poisoned`], where that
    /// is unknown.
    fn append(&self, record: Record) -> Appending<'_>;
}

impl ShareLog for Journal {
    fn append(&self, record: Record) -> Appending<'_> {
        Box::pin(Self::append(self, record))
    }
}
