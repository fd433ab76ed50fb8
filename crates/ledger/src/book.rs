//! The book: a node's counted shares, kept equal in the share log and in the ledger.
//!
//! A share is reserved before it is written and counted once it is durable, so two copies that
//! arrive at the same moment can't both be written, and nothing is counted that a restart would not
//! find. An epoch closes only when no write for it is under way.

use crate::{
    error::BookError,
    fold::{EpochShares, LeaseLedger, Ledger, LedgerError},
    refusal::CountRefusal,
    share_log::ShareLog,
};
use alloy_primitives::B256;
use hashlease_evidence::MAX_JOBS;
use hashlease_journal::{Journal, Options, Record};
use hashlease_primitives::{Commitment, EpochId, LeaseId, SharedClock, SignedJob, Terms, UnixMillis, Work};
use hashlease_share::{EvidenceReason, VerifiedShare};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// Journal and ledger of a node.
#[derive(Clone)]
pub struct Book {
    log: Arc<dyn ShareLog>,
    state: Arc<Mutex<BookState>>,
    written: Arc<Notify>,
    clock: SharedClock,
}

#[derive(Default)]
struct BookState {
    ledger: Ledger,
    reserved: HashMap<B256, LeaseId>,
    open: HashMap<EpochId, OpenEpoch>,
    under_way: BTreeMap<EpochId, usize>,
    closing: HashSet<EpochId>,
    // one job of a lease is written at a time, so that journal and ledger agree which job is the
    // first
    job_turns: HashMap<LeaseId, Arc<tokio::sync::Mutex<()>>>,
}

/// Counted and reserved shares of an epoch that is not closed.
#[derive(Default)]
struct OpenEpoch {
    /// First 64 bits of each key: the trie can't hold two keys that share them.
    prefixes: HashSet<u64>,
    /// Sequences of the jobs; one stays even if its only share could not be written.
    jobs: HashSet<u64>,
}

/// Most shares and jobs of an epoch.
#[derive(Clone, Copy)]
struct EpochLimits {
    shares: u64,
    jobs: usize,
}

impl OpenEpoch {
    /// Adds the share of a job, unless the epoch's root or its evidence would exceed a limit.
    fn add_share(
        &mut self,
        epoch: u32,
        prefix: u64,
        job: u64,
        limits: EpochLimits,
    ) -> Result<(), CountRefusal> {
        // a number of shares above 64 bits is above every limit
        if u64::try_from(self.prefixes.len()).unwrap_or(u64::MAX) >= limits.shares {
            return Err(CountRefusal::EpochFull { epoch, most: limits.shares });
        }
        if self.jobs.len() >= limits.jobs && !self.jobs.contains(&job) {
            return Err(CountRefusal::TooManyJobs { epoch, most: limits.jobs });
        }
        if !self.prefixes.insert(prefix) {
            return Err(EvidenceReason::KeyCollides.into());
        }
        self.jobs.insert(job);
        Ok(())
    }
}

/// First 64 bits of a key.
fn prefix(key: &B256) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = key.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Book")
    }
}

impl Book {
    /// Opens the journal and replays it, which is the only recovery.
    ///
    /// # Errors
    /// [`BookError`]: the journal is locked by another node, damaged, or contradicts itself.
    pub fn open(dir: &Path, clock: SharedClock) -> Result<Self, BookError> {
        let mut state = BookState::default();
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

    fn state(&self) -> MutexGuard<'_, BookState> {
        // every change is a single step, so a panic leaves no change half done
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

    /// Writes a verified job, once. The write continues if the caller is dropped, because each
    /// record in the journal must reach the ledger.
    ///
    /// # Errors
    /// [`BookError`]; [`BookError::JobSequence`] if the book has another job with this sequence. Every
    /// check of the evidence uses that first job, so this one must not be mined.
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

    /// Reserves a share's key. From now on a second copy is refused as a duplicate, even before
    /// this one is durable.
    ///
    /// # Errors
    /// [`EvidenceReason::Duplicate`], [`CountRefusal::SeenInOtherLease`], [`EvidenceReason::KeyCollides`],
    /// [`CountRefusal::EpochClosed`], [`CountRefusal::EpochFull`], [`CountRefusal::TooManyJobs`].
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
        // without terms there is no limit, and writing the share fails: the ledger refuses it
        let shares = state.ledger.lease(lease).map_or(u64::MAX, |found| found.terms().most_shares());
        let limits = EpochLimits { shares, jobs: MAX_JOBS };
        let open = state.open.entry(id).or_default();
        open.add_share(epoch, prefix(&key), share.job(), limits)?;
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

    /// The jobs with these sequences, ascending; unknown ones are left out.
    pub fn jobs(&self, lease: LeaseId, sequences: &BTreeSet<u64>) -> Vec<SignedJob> {
        let find = |found: &LeaseLedger| {
            sequences.iter().filter_map(|sequence| found.jobs().get(sequence)).cloned().collect()
        };
        self.read(lease, find).unwrap_or_default()
    }
}

/// A share whose key is reserved and which is not durable yet. Dropping it without
/// [`Reserved::count`] releases the key.
#[derive(Debug)]
pub struct Reserved {
    book: Book,
    id: EpochId,
    key: B256,
    counted: bool,
}

impl Reserved {
    /// Writes the share; when this returns, the share is durable and counted. The write continues
    /// if the caller is dropped, because each record in the journal must reach the ledger.
    ///
    /// # Errors
    /// [`CountRefusal::NotDurable`].
    pub async fn count(self, share: &VerifiedShare, worker: &str) -> Result<(), CountRefusal> {
        let record = Record::share(self.book.now(), share, worker);
        let writing = tokio::spawn(async move {
            // captures the whole reservation; the flag alone would be a copy
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
    fn an_epoch_takes_no_more_shares_and_jobs_than_its_evidence_may_have() {
        let mut open = OpenEpoch::default();
        let mut take = |prefix, job| {
            let limits = EpochLimits { shares: 4, jobs: 2 };
            open.add_share(3, prefix, job, limits).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(take(1, 10), Ok(()));
        assert_eq!(take(1, 11), Err(EvidenceReason::KeyCollides.to_string()));
        assert_eq!(take(2, 11), Ok(()), "a refused share takes no place");
        assert_eq!(take(3, 12), Err(CountRefusal::TooManyJobs { epoch: 3, most: 2 }.to_string()));
        assert_eq!(take(3, 10), Ok(()));
        assert_eq!(take(4, 11), Ok(()));
        assert_eq!(take(5, 10), Err(CountRefusal::EpochFull { epoch: 3, most: 4 }.to_string()));
    }
}
