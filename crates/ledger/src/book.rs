//! What was counted: the ledger, kept equal to the journal.
//!
//! A share is reserved before it is written and counted once it is durable, so two copies that arrive at the same
//! moment can't both be written, and nothing is counted that a restart would not find. An epoch closes only when no
//! write for it is under way.

use crate::{
    fold::{EpochShares, LeaseLedger, Ledger, LedgerError},
    refusal::CountRefusal,
    share_log::ShareLog,
};
use alloy_primitives::B256;
use hashlease_evidence::MAX_JOBS;
use hashlease_journal::{Journal, JournalError, Options, Record};
use hashlease_primitives::{Commitment, EpochId, LeaseId, SharedClock, SignedJob, Terms, UnixMillis, Work};
use hashlease_share::{EvidenceReason, VerifiedShare};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::Notify, task::JoinError};

/// Why the book can't be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The journal refused.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal does not add up.
    #[error("journal does not add up: {0}")]
    Ledger(#[from] LedgerError),
    /// Another job came first under this sequence, and shares are checked against that one for good.
    #[error("job sequence {sequence} was used for another job before")]
    JobSequence {
        /// The sequence.
        sequence: u64,
    },
    /// The task that wrote a record ended early.
    #[error("writing ended early: {0}")]
    Ended(#[from] JoinError),
    /// The root of an epoch could not be computed.
    #[error("root can't be computed: {0}")]
    Rebuilding(String),
    /// The lease has no records.
    #[error("lease {0} is not in the journal")]
    UnknownLease(LeaseId),
    /// The epoch is not closed yet.
    #[error("{0} is not closed yet")]
    NotClosed(EpochId),
}

/// Journal and ledger of a node.
#[derive(Clone)]
pub struct Book {
    log: Arc<dyn ShareLog>,
    state: Arc<Mutex<State>>,
    written: Arc<Notify>,
    clock: SharedClock,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    reserved: HashMap<B256, LeaseId>,
    open: HashMap<EpochId, OpenEpoch>,
    under_way: BTreeMap<EpochId, usize>,
    closing: HashSet<EpochId>,
    // one job of a lease is written at a time: which one came first must be the same in journal and ledger
    job_turns: HashMap<LeaseId, Arc<tokio::sync::Mutex<()>>>,
}

/// What an epoch that is not closed has, counted or reserved.
#[derive(Default)]
struct OpenEpoch {
    /// First 64 bits of each key, which is all that the trie tells apart.
    prefixes: HashSet<u64>,
    /// Sequences of the jobs; one stays when its only share could not be written.
    jobs: HashSet<u64>,
}

impl OpenEpoch {
    /// Takes a share, if its root may have so many and its evidence so many jobs.
    fn take(
        &mut self,
        epoch: u32,
        (prefix, job): (u64, u64),
        most: (u64, usize),
    ) -> Result<(), CountRefusal> {
        let (shares, jobs) = most;
        if u64::try_from(self.prefixes.len()).unwrap_or(u64::MAX) >= shares {
            return Err(CountRefusal::EpochFull { epoch, most: shares });
        }
        if self.jobs.len() >= jobs && !self.jobs.contains(&job) {
            return Err(CountRefusal::TooManyJobs { epoch, most: jobs });
        }
        if !self.prefixes.insert(prefix) {
            return Err(EvidenceReason::KeyCollides.into());
        }
        self.jobs.insert(job);
        Ok(())
    }
}

fn prefix(key: &B256) -> u64 {
    key.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Book")
    }
}

impl Book {
    /// Opens the journal and replays it. There is no other recovery.
    ///
    /// # Errors
    /// [`BookError`]: locked by another node, damaged, or not adding up.
    pub fn open(dir: &Path, clock: SharedClock) -> Result<Self, BookError> {
        let mut state = State::default();
        let mut failed = None;
        let journal = Journal::open(Options::new(dir), |_, record| {
            if let Record::Share { lease, epoch, key, job, .. } = &record {
                let epoch = state.open.entry(EpochId::new(*lease, *epoch)).or_default();
                epoch.prefixes.insert(prefix(key));
                epoch.jobs.insert(*job);
            }
            if failed.is_none() {
                failed = state.ledger.apply(&record).err();
            }
            Ok::<(), LedgerError>(())
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let closed: Vec<EpochId> = state
            .open
            .keys()
            .filter(|id| state.ledger.lease(id.lease).is_some_and(|found| found.is_closed(id.epoch)))
            .copied()
            .collect();
        for id in closed {
            state.open.remove(&id);
            state.closing.insert(id);
        }
        Ok(Self {
            log: Arc::new(journal),
            state: Arc::new(Mutex::new(state)),
            written: Arc::default(),
            clock,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // every change below is one step, so a panic elsewhere leaves nothing half done
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    async fn write(&self, record: Record) -> Result<(), BookError> {
        self.log.append(record.clone()).await?;
        self.state().ledger.apply(&record)?;
        Ok(())
    }

    /// Writes a lease's terms when they are new or their end came closer.
    ///
    /// # Errors
    /// [`BookError`].
    pub async fn lease(&self, terms: &Terms) -> Result<(), BookError> {
        let known = self.state().ledger.lease(terms.id).is_some_and(|lease| lease.terms() == terms);
        if known { Ok(()) } else { self.write(Record::Lease(terms.clone())).await }
    }

    /// Writes a verified job, once. It goes on when the caller is gone: what is in the journal must be in the ledger.
    ///
    /// # Errors
    /// [`BookError`]; [`BookError::JobSequence`] when another job came first under its sequence. Shares are checked
    /// against that one, here and by whoever reads the evidence, so this one must not be mined.
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
        // only a panic ends it early
        writing.await?
    }

    /// Reserves a share's key: from now on a second copy is a duplicate.
    ///
    /// # Errors
    /// [`EvidenceReason::Duplicate`], [`CountRefusal::SeenInOtherLease`], [`EvidenceReason::KeyCollides`], [`CountRefusal::EpochClosed`],
    /// [`CountRefusal::EpochFull`], [`CountRefusal::TooManyJobs`].
    pub fn reserve(&self, share: &VerifiedShare) -> Result<Reserved, CountRefusal> {
        let (lease, epoch, key) = (share.lease(), share.epoch(), share.key());
        let id = EpochId::new(lease, epoch);
        let mut state = self.state();
        let holder = state.ledger.holder(&key).or_else(|| state.reserved.get(&key).copied());
        match holder {
            Some(holder) if holder == lease => return Err(EvidenceReason::Duplicate.into()),
            Some(holder) => return Err(CountRefusal::SeenInOtherLease(holder)),
            None => {}
        }
        if state.closing.contains(&id) {
            return Err(CountRefusal::EpochClosed(epoch));
        }
        let most = state.ledger.lease(lease).map_or(u64::MAX, |found| found.terms().most_shares());
        let open = state.open.entry(id).or_default();
        open.take(epoch, (prefix(&key), share.job()), (most, MAX_JOBS))?;
        state.reserved.insert(key, lease);
        let under_way = state.under_way.entry(id).or_default();
        *under_way = under_way.saturating_add(1);
        Ok(Reserved { book: self.clone(), id, key, counted: false })
    }

    /// Writes the pool's verdict on a share.
    ///
    /// # Errors
    /// [`BookError`].
    pub async fn verdict(
        &self,
        lease: LeaseId,
        key: B256,
        accepted: bool,
        code: &str,
    ) -> Result<(), BookError> {
        self.write(Record::Verdict { at: self.now(), lease, key, accepted, code: code.to_owned() }).await
    }

    /// Closes an epoch: waits for what is being written, takes no more shares for it, and writes the commitment.
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
        // hashing millions of keys must not hold up the miners
        let shares = self.shares(id)?;
        let rebuilding = tokio::task::spawn_blocking(move || shares.rebuild());
        let rebuilt = match rebuilding.await {
            Ok(rebuilt) => rebuilt.map_err(LedgerError::from)?,
            Err(error) => return Err(BookError::Rebuilding(error.to_string())),
        };
        let commitment = rebuilt.commitment();
        self.state().ledger.keep(rebuilt);
        let EpochId { lease, epoch } = id;
        self.write(Record::EpochClosed { at: self.now(), lease, epoch, commitment }).await?;
        Ok(commitment)
    }

    /// Looks something up in a lease's part of the ledger.
    pub fn read<T>(&self, lease: LeaseId, look: impl FnOnce(&LeaseLedger) -> T) -> Option<T> {
        self.state().ledger.lease(lease).map(look)
    }

    /// Work counted for a lease so far.
    #[must_use]
    pub fn counted(&self, lease: LeaseId) -> Work {
        self.read(lease, LeaseLedger::work).unwrap_or_default()
    }

    /// The shares of an epoch as they stand, to be read without holding anybody up.
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
    pub fn jobs(&self, lease: LeaseId, sequences: &BTreeSet<u64>) -> Vec<SignedJob> {
        let find = |found: &LeaseLedger| {
            sequences.iter().filter_map(|sequence| found.jobs().get(sequence)).cloned().collect()
        };
        self.read(lease, find).unwrap_or_default()
    }
}

/// A share whose key is taken but which is not durable yet. Dropped without [`Reserved::count`], the key is free
/// again.
#[derive(Debug)]
pub struct Reserved {
    book: Book,
    id: EpochId,
    key: B256,
    counted: bool,
}

impl Reserved {
    /// Writes the share; when this returns, it is durable and counted. It goes on when the caller is gone: what is
    /// in the journal must be in the ledger.
    ///
    /// # Errors
    /// [`CountRefusal::NotDurable`].
    pub async fn count(self, share: &VerifiedShare, worker: &str) -> Result<(), CountRefusal> {
        let record = Record::share(self.book.now(), share, worker);
        let writing = tokio::spawn(async move {
            // the whole of it, or the flag would be a copy
            let mut reserved = self;
            let written = reserved.book.write(record).await;
            reserved.counted = written.is_ok();
            written
        });
        Ok(writing.await.map_err(BookError::from)??)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut state = self.book.state();
        state.reserved.remove(&self.key);
        if !self.counted
            && let Some(open) = state.open.get_mut(&self.id)
        {
            open.prefixes.remove(&prefix(&self.key));
        }
        if let Some(under_way) = state.under_way.get_mut(&self.id) {
            *under_way = under_way.saturating_sub(1);
            if *under_way == 0 {
                state.under_way.remove(&self.id);
            }
        }
        drop(state);
        self.book.written.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_takes_no_more_than_its_evidence_may_have() {
        let mut open = OpenEpoch::default();
        let mut take =
            |prefix, job| open.take(3, (prefix, job), (4, 2)).map_err(|refusal| refusal.to_string());
        assert_eq!(take(1, 10), Ok(()));
        assert_eq!(take(1, 11), Err(EvidenceReason::KeyCollides.to_string()));
        assert_eq!(take(2, 11), Ok(()), "what was refused has no place");
        assert_eq!(take(3, 12), Err(CountRefusal::TooManyJobs { epoch: 3, most: 2 }.to_string()));
        assert_eq!(take(3, 10), Ok(()));
        assert_eq!(take(4, 11), Ok(()));
        assert_eq!(take(5, 10), Err(CountRefusal::EpochFull { epoch: 3, most: 4 }.to_string()));
    }
}
