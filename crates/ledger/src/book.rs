//! The book: a node's counted shares, kept equal in the share log and in the ledger.
//!
//! A share is reserved before it is written and counted once it is durable, so two copies that
//! arrive at the same moment can't both be written, and nothing is counted that a restart would not
//! find. An epoch closes only when no write for it is under way.

use crate::{
    error::BookError,
    fold::{EpochShares, LeaseLedger, Ledger, LedgerError},
    open_epoch::{OpenEpoch, prefix},
    pool_verdict::PoolVerdict,
    share_log::ShareLog,
};
use alloy_primitives::B256;
use hashlease_journal::{Journal, Options, Record};
use hashlease_primitives::{Commitment, EpochId, LeaseId, SharedClock, SignedJob, Terms, UnixMillis, Work};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    convert::Infallible,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;
use tracing::error;

/// Journal and ledger of a node.
#[derive(Clone)]
pub struct Book {
    log: Arc<dyn ShareLog>,
    state: Arc<Mutex<BookState>>,
    pub(crate) written: Arc<Notify>,
    clock: SharedClock,
}

#[derive(Default)]
pub(crate) struct BookState {
    pub(crate) ledger: Ledger,
    pub(crate) reserved: HashMap<B256, LeaseId>,
    pub(crate) open: HashMap<EpochId, OpenEpoch>,
    pub(crate) under_way: BTreeMap<EpochId, usize>,
    pub(crate) closing: HashSet<EpochId>,
    // one job of a lease is written at a time, so that journal and ledger agree on which job came
    // first
    job_turns: HashMap<LeaseId, Arc<tokio::sync::Mutex<()>>>,
}

impl BookState {
    /// Whether an epoch takes no more shares: it is closed, or about to be.
    pub(crate) fn is_over(&self, id: EpochId) -> bool {
        self.closing.contains(&id) || self.ledger.lease(id.lease).is_some_and(|held| held.is_closed(id.epoch))
    }

    /// Applies a record of the journal.
    fn restore(&mut self, number: u64, record: &Record) {
        let restored = self.ledger.restore(record);
        match record {
            Record::Share { lease, epoch, key, job, .. } if restored.is_ok() => {
                let epoch = self.open.entry(EpochId::new(*lease, *epoch)).or_default();
                epoch.prefixes.insert(prefix(key));
                epoch.jobs.insert(*job);
            }
            Record::EpochClosed { lease, epoch, .. } => drop(self.open.remove(&EpochId::new(*lease, *epoch))),
            _ => {}
        }
        if let Err(contradiction) = restored {
            error!(number, %contradiction, "a record of the journal contradicts earlier ones");
        }
    }
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Book")
    }
}

impl Book {
    /// Opens the journal and replays it, which is the only recovery. A record that contradicts
    /// earlier ones is logged as an error and skipped.
    ///
    /// # Errors
    /// [`BookError`]: the journal is locked by another node, or damaged.
    pub fn open(dir: &Path, clock: SharedClock) -> Result<Self, BookError> {
        let mut state = BookState::default();
        let journal = Journal::open(Options::new(dir), |number, record| {
            state.restore(number, &record);
            Ok::<(), Infallible>(())
        })?;
        Ok(Self {
            log: Arc::new(journal),
            state: Arc::new(Mutex::new(state)),
            written: Arc::default(),
            clock,
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, BookState> {
        // every change is a single step, so a panic leaves no change half done
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    pub(crate) async fn write(&self, record: Record) -> Result<(), BookError> {
        // nothing is written that contradicts what is there
        self.state().ledger.check(&record)?;
        self.log.append(record.clone()).await?;
        self.state().ledger.apply(&record)?;
        Ok(())
    }

    /// Writes a lease's terms when they are new or their end moved.
    ///
    /// # Errors
    /// [`BookError`]; [`LedgerError::OtherTerms`] if the book holds another lease of this number.
    pub async fn lease(&self, terms: &Terms) -> Result<(), BookError> {
        let known = self.state().ledger.lease(terms.id).is_some_and(|lease| lease.terms() == terms);
        if known { Ok(()) } else { self.write(Record::Lease(terms.clone())).await }
    }

    /// Writes a verified job, once. The write continues if the caller is dropped, because each
    /// record in the journal must reach the ledger.
    ///
    /// # Errors
    /// [`BookError`]; [`BookError::JobSequence`] if the book has another job with this sequence.
    /// Every check of the evidence uses that first job, so this one must not be mined.
    pub async fn job(&self, signed: &SignedJob) -> Result<(), BookError> {
        let (book, signed) = (self.clone(), signed.clone());
        let writing = tokio::spawn(async move {
            let (lease, sequence) = (signed.job.lease(), signed.job.sequence());
            let turn = Arc::clone(book.state().job_turns.entry(lease).or_default());
            let _turn = turn.lock().await;
            match book
                .read(lease, |found| found.jobs().get(&sequence).map(|known| *known == signed))
                .flatten()
            {
                Some(true) => Ok(()),
                Some(false) => Err(BookError::JobSequence { sequence }),
                None => book.write(Record::Job { at: book.now(), signed }).await,
            }
        });
        // only a panic ends the task early
        writing.await?
    }

    /// Writes the pool's verdict on a share.
    ///
    /// # Errors
    /// [`BookError`].
    pub async fn verdict(&self, lease: LeaseId, key: B256, verdict: &PoolVerdict) -> Result<(), BookError> {
        let (accepted, code) = (verdict.is_accepted(), verdict.to_string());
        self.write(Record::Verdict { at: self.now(), lease, key, accepted, code }).await
    }

    /// Closes an epoch: refuses further shares, waits for running writes, and writes the
    /// commitment.
    ///
    /// # Errors
    /// [`BookError`].
    pub async fn close(&self, id: EpochId) -> Result<Commitment, BookError> {
        if let Some(closed) = self.read(id.lease, |found| found.closed(id.epoch)).flatten() {
            return Ok(closed);
        }
        loop {
            let written = self.written.notified();
            {
                let mut state = self.state();
                state.closing.insert(id);
                if !state.under_way.contains_key(&id) {
                    state.open.remove(&id);
                    break;
                }
            }
            written.await;
        }
        // hashing millions of keys must not block the miners
        let shares = self.shares(id)?;
        let rebuilding = tokio::task::spawn_blocking(move || shares.rebuild());
        let rebuilt = rebuilding.await?.map_err(LedgerError::from)?;
        let commitment = rebuilt.commitment();
        self.state().ledger.remember_rebuilt(rebuilt);
        let EpochId { lease, epoch } = id;
        self.write(Record::EpochClosed { at: self.now(), lease, epoch, commitment }).await?;
        // from now on the ledger says so
        self.state().closing.remove(&id);
        Ok(commitment)
    }

    /// Reads a lease's part of the ledger; `None` if the lease has no records.
    pub fn read<T>(&self, lease: LeaseId, look: impl FnOnce(&LeaseLedger) -> T) -> Option<T> {
        self.state().ledger.lease(lease).map(look)
    }

    /// Work counted for a lease so far; zero if the lease has no records.
    #[must_use]
    pub fn counted(&self, lease: LeaseId) -> Work {
        self.read(lease, LeaseLedger::work).unwrap_or_default()
    }

    /// A snapshot of an epoch's shares, which can be read without a lock.
    ///
    /// # Errors
    /// [`BookError::UnknownLease`].
    pub fn shares(&self, id: EpochId) -> Result<EpochShares, BookError> {
        self.read(id.lease, |found| found.shares(id.epoch)).ok_or(BookError::UnknownLease(id.lease))
    }

    /// Root and count of a closed epoch.
    ///
    /// # Errors
    /// [`BookError::NotClosed`], [`BookError::UnknownLease`].
    pub fn closed(&self, id: EpochId) -> Result<Commitment, BookError> {
        let closed = self.read(id.lease, |found| found.closed(id.epoch));
        closed.ok_or(BookError::UnknownLease(id.lease))?.ok_or(BookError::NotClosed(id))
    }

    /// The jobs with these sequences, ascending.
    ///
    /// # Errors
    /// [`BookError::UnknownLease`], [`BookError::UnknownJob`].
    pub fn jobs(&self, lease: LeaseId, sequences: &BTreeSet<u64>) -> Result<Vec<SignedJob>, BookError> {
        let find = |found: &LeaseLedger| {
            let job = |sequence: &u64| {
                let job = found.jobs().get(sequence).cloned();
                job.ok_or(BookError::UnknownJob { lease, sequence: *sequence })
            };
            sequences.iter().map(job).collect()
        };
        self.read(lease, find).ok_or(BookError::UnknownLease(lease))?
    }
}
