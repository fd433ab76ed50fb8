//! Where records become durable: one journal on this machine today. Another engine implements the same trait.

use hashlease_journal::{Journal, JournalError, Record};
use std::{fmt::Debug, future::Future, pin::Pin};

/// What [`ShareLog::append`] gives: it is ready once the record is durable.
pub type Appending<'a> = Pin<Box<dyn Future<Output = Result<(), JournalError>> + Send + 'a>>;

/// An append-only log of records. Group commit, order and durability are the log's; what a record may say is the
/// book's.
pub trait ShareLog: Debug + Send + Sync {
    /// Appends one record; when the future is ready, the record is durable. If the future is dropped, the record may
    /// still be written.
    ///
    /// The future gives a [`JournalError`] when the record is not in the log, but for
    /// [`JournalError::Poisoned`], where nobody knows.
    fn append(&self, record: Record) -> Appending<'_>;
}

impl ShareLog for Journal {
    fn append(&self, record: Record) -> Appending<'_> {
        Box::pin(Self::append(self, record))
    }
}
