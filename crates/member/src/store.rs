//! A member's database: jobs until their lease is over, roots with their arrival and verdict, and
//! every counted key.

use alloy_primitives::B256;
use hashlease_primitives::{
    Commitment, EpochId, LeaseId, SignedEpochRoot, SignedJob, UnixMillis, UnixSeconds,
};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    io::{self, Read},
    path::Path,
    sync::{Mutex, PoisonError},
};

const JOBS: TableDefinition<'_, (u64, u64), (u64, &[u8])> = TableDefinition::new("jobs");
/// Due seconds of each epoch, of leases whose jobs were dropped.
const DUE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("due");
const ROOTS: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("roots");
const KEYS: TableDefinition<'_, [u8; 32], (u64, u32)> = TableDefinition::new("keys");
/// Memory of the database, bytes. The keys of all leases are far larger.
const CACHE: usize = 64 << 20;
/// Keys counted, or jobs dropped, in one transaction: between two of them other writers get their
/// turn.
const BATCH: usize = 8_192;
/// The same in bytes, 32 for each key.
const BATCH_BYTES: u64 = 32 * 8_192;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("member's database: {0}")]
    Database(#[from] redb::Error),
    /// An entry can't be read.
    #[error("member's database: entry can't be read: {0}")]
    Entry(#[from] serde_json::Error),
    /// A key was counted for another lease.
    #[error("key {key} was already counted for lease {lease}")]
    #[allow(missing_docs, reason = "the message explains the fields")]
    KeyTaken { key: B256, lease: LeaseId },
    /// The file of the keys can't be read.
    #[error("keys can't be read again: {0}")]
    Keys(#[from] io::Error),
    /// The file of the keys ends within a key.
    #[error("keys can't be read again: the last one has {bytes} of 32 bytes")]
    #[allow(missing_docs, reason = "the message explains the fields")]
    KeyCut { bytes: usize },
    /// The file has fewer keys than the root, or more; `got` of them were read.
    #[error("keys can't be read again: expected {expected}, got {got}")]
    #[allow(missing_docs, reason = "the message explains the fields")]
    KeyCount { expected: u64, got: u64 },
    /// The member is stopping.
    #[error("the member is stopping")]
    Ended,
}

/// Why evidence does not count, as it is stored and sent: a stable kebab-case name and the sentence
/// for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredComplaint {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl StoredComplaint {
    pub(crate) fn new(code: &'static str, message: &impl std::fmt::Display) -> Self {
        Self { code: code.to_owned(), message: message.to_string() }
    }
}

/// Verdict on a root's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Pending,
    Verified(Commitment),
    Refused(StoredComplaint),
    /// The download budget of the root is used up.
    Unfetched(StoredComplaint),
}

/// A root as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredRoot {
    pub(crate) received: UnixMillis,
    pub(crate) root: SignedEpochRoot,
    pub(crate) outcome: Outcome,
    /// Late here, but enough members had it in time.
    pub(crate) vouched: bool,
    /// Bytes charged for failed attempts.
    pub(crate) fetched: u64,
    /// Attempts that failed through the provider's fault.
    pub(crate) failed: u32,
}

/// The database.
#[derive(Debug)]
pub(crate) struct Store {
    database: Database,
    // one root is counted at a time
    counting: Mutex<()>,
}

macro_rules! redb_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::Database(error.into())
            }
        }
    )*};
}
redb_errors!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError
);

pub(crate) type StoredJobs = Vec<(UnixMillis, SignedJob)>;
pub(crate) type StoredRoots = Vec<(EpochId, StoredRoot)>;
pub(crate) type StoredDue = Vec<(LeaseId, Vec<(UnixSeconds, u64)>)>;

impl Store {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let database = Database::builder().set_cache_size(CACHE).create(path)?;
        let write = database.begin_write()?;
        write.open_table(JOBS)?;
        write.open_table(DUE)?;
        write.open_table(ROOTS)?;
        write.open_table(KEYS)?;
        write.commit()?;
        Ok(Self { database, counting: Mutex::default() })
    }

    pub(crate) fn load(&self) -> Result<(StoredJobs, StoredRoots), StoreError> {
        let read = self.database.begin_read()?;
        let mut jobs = Vec::new();
        for entry in read.open_table(JOBS)?.iter()? {
            let (_, value) = entry?;
            let (received, bytes) = value.value();
            jobs.push((UnixMillis::new(received), serde_json::from_slice(bytes)?));
        }
        let mut roots = Vec::new();
        for entry in read.open_table(ROOTS)?.iter()? {
            let (key, value) = entry?;
            let (lease, epoch) = key.value();
            roots.push((EpochId::new(LeaseId(lease), epoch), serde_json::from_slice(value.value())?));
        }
        Ok((jobs, roots))
    }

    pub(crate) fn put_job(&self, received: UnixMillis, job: &SignedJob) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(job)?;
        let write = self.database.begin_write()?;
        write
            .open_table(JOBS)?
            .insert((job.job.lease().0, job.job.sequence()), (received.get(), bytes.as_slice()))?;
        Ok(write.commit()?)
    }

    /// Due seconds of dropped jobs.
    pub(crate) fn due(&self) -> Result<StoredDue, StoreError> {
        let read = self.database.begin_read()?;
        let mut due = Vec::new();
        for entry in read.open_table(DUE)?.iter()? {
            let (lease, seconds) = entry?;
            due.push((LeaseId(lease.value()), serde_json::from_slice(seconds.value())?));
        }
        Ok(due)
    }

    /// Drops a lease's jobs and keeps the seconds that they made due.
    pub(crate) fn drop_jobs(&self, lease: LeaseId, due: &[(UnixSeconds, u64)]) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(due)?;
        loop {
            let write = self.database.begin_write()?;
            let mut batch = Vec::new();
            {
                let mut jobs = write.open_table(JOBS)?;
                for entry in jobs.range((lease.0, 0)..=(lease.0, u64::MAX))?.take(BATCH) {
                    batch.push(entry?.0.value());
                }
                for key in &batch {
                    jobs.remove(key)?;
                }
                write.open_table(DUE)?.insert(lease.0, bytes.as_slice())?;
            }
            write.commit()?;
            if batch.len() < BATCH {
                return Ok(());
            }
        }
    }

    pub(crate) fn put_root(&self, id: EpochId, root: &StoredRoot) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(root)?;
        let write = self.database.begin_write()?;
        write.open_table(ROOTS)?.insert((id.lease.0, id.epoch), bytes.as_slice())?;
        Ok(write.commit()?)
    }

    /// Counts the keys of an epoch, 32 bytes each in `keys`, and then stores its root as verified.
    /// A key counts as taken only if its root is verified, so the rows left by a failed count take
    /// no key from others.
    ///
    /// # Errors
    /// [`StoreError::KeyTaken`]; [`StoreError::KeyCut`] and [`StoreError::KeyCount`] if these are
    /// not the keys of the root; [`StoreError::Ended`] once `go_on` returns `false`.
    pub(crate) fn count(
        &self,
        id: EpochId,
        mut keys: impl Read,
        root: &StoredRoot,
        go_on: impl Fn() -> bool,
    ) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(root)?;
        // two counts at once could each mistake the other's keys for those of a failed count; a
        // count that panicked leaves no more than a failed one
        let _counting = self.counting.lock().unwrap_or_else(PoisonError::into_inner);
        let own = (id.lease.0, id.epoch);
        let expected = root.root.root.commitment.count;
        let mut got = 0u64;
        let mut counts = HashMap::new();
        loop {
            if !go_on() {
                return Err(StoreError::Ended);
            }
            let mut batch = Vec::new();
            keys.by_ref().take(BATCH_BYTES).read_to_end(&mut batch)?;
            let (batch, cut) = batch.as_chunks::<32>();
            if !cut.is_empty() {
                return Err(StoreError::KeyCut { bytes: cut.len() });
            }
            // a length in memory fits 64 bits
            got = got.saturating_add(u64::try_from(batch.len()).unwrap_or(u64::MAX));
            if got > expected || (batch.is_empty() && got < expected) {
                return Err(StoreError::KeyCount { expected, got });
            }
            let write = self.database.begin_write()?;
            {
                let mut table = write.open_table(KEYS)?;
                let mut roots = write.open_table(ROOTS)?;
                for key in batch {
                    let holder = table.get(key)?.map(|holder| holder.value()).filter(|holder| *holder != own);
                    if let Some(holder) = holder {
                        let counted = match counts.get(&holder) {
                            Some(known) => *known,
                            None => {
                                // no key is stored before its root; without one, better refuse
                                // the key than count it twice
                                let counted = roots.get(holder)?.map_or(Ok(true), |root| {
                                    serde_json::from_slice(root.value())
                                        .map(|root: StoredRoot| matches!(root.outcome, Outcome::Verified(_)))
                                })?;
                                counts.insert(holder, counted);
                                counted
                            }
                        };
                        if counted {
                            return Err(StoreError::KeyTaken { key: key.into(), lease: LeaseId(holder.0) });
                        }
                    }
                    table.insert(key, own)?;
                }
                if batch.is_empty() {
                    roots.insert(own, bytes.as_slice())?;
                }
            }
            write.commit()?;
            if batch.is_empty() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::keccak256;
    use hashlease_primitives::EpochRoot;

    fn verified(lease: u64, count: u64) -> StoredRoot {
        let commitment = Commitment { root: B256::ZERO, count };
        let id = EpochId::new(LeaseId(lease), 0);
        let root = EpochRoot { id, commitment, evidence: String::new() };
        StoredRoot {
            received: UnixMillis::new(1),
            root: SignedEpochRoot { root, signature: [0; 65] },
            outcome: Outcome::Verified(commitment),
            vouched: false,
            fetched: 0,
            failed: 0,
        }
    }

    #[test]
    fn verdicts_are_stored_as_they_always_were() {
        let complaint = StoredComplaint { code: "above-target".into(), message: "share 3: too easy".into() };
        let text = r#"{"code":"above-target","message":"share 3: too easy"}"#;
        let commitment = Commitment { root: B256::ZERO, count: 5 };
        let verified = format!(r#"{{"Verified":{{"root":"{}","count":5}}}}"#, B256::ZERO);
        for (outcome, stored) in [
            (Outcome::Pending, r#""Pending""#.to_owned()),
            (Outcome::Verified(commitment), verified),
            (Outcome::Refused(complaint.clone()), format!(r#"{{"Refused":{text}}}"#)),
            (Outcome::Unfetched(complaint), format!(r#"{{"Unfetched":{text}}}"#)),
        ] {
            assert_eq!(serde_json::to_string(&outcome).unwrap(), stored);
            assert_eq!(serde_json::from_str::<Outcome>(&stored).unwrap(), outcome);
        }
    }

    fn keys(range: std::ops::Range<u64>) -> Vec<u8> {
        range.flat_map(|number| keccak256(number.to_be_bytes()).0).collect()
    }

    /// Stores a lease's root of so many keys, and counts these.
    fn count_as(store: &Store, lease: u64, count: u64, keys: &[u8]) -> Result<(), StoreError> {
        let (id, verified) = (EpochId::new(LeaseId(lease), 0), verified(lease, count));
        store.put_root(id, &StoredRoot { outcome: Outcome::Pending, ..verified.clone() })?;
        store.count(id, keys, &verified, || true)
    }

    #[test]
    fn keys_of_a_failed_count_are_free() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("member.redb")).unwrap();
        let count =
            |lease: u64, keys: &[u8]| count_as(&store, lease, u64::try_from(keys.len() / 32).unwrap(), keys);
        let batch = u64::try_from(BATCH).unwrap();
        count(1, &keys(0..10)).unwrap();
        // the taken key is in the last of several transactions
        let (own, taken) = (keys(10..10 + 3 * batch), keys(5..6));
        let mixed = [own.as_slice(), &taken].concat();
        for _ in 0..2 {
            let error = count(2, &mixed).unwrap_err();
            assert!(matches!(error, StoreError::KeyTaken { lease: LeaseId(1), .. }), "{error}");
        }
        count(3, &own).unwrap();
        // the count that failed can't take them back either
        let error = count(2, &own).unwrap_err();
        assert!(matches!(error, StoreError::KeyTaken { lease: LeaseId(3), .. }), "{error}");
        count(3, &own).unwrap();
        let ended = store.count(EpochId::new(LeaseId(4), 0), &[][..], &verified(4, 0), || false).unwrap_err();
        assert!(matches!(ended, StoreError::Ended), "{ended}");
    }

    #[test]
    fn keys_that_are_not_all_of_the_roots_are_not_counted() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("member.redb")).unwrap();
        let outcome = || store.load().unwrap().1.pop().unwrap().1.outcome;
        let batch = u64::try_from(BATCH).unwrap();
        for count in [3, batch, batch + 3] {
            let (all, more) = (keys(0..count), keys(0..count + 1));
            let cut = count_as(&store, 1, count, &all[..all.len() - 1]).unwrap_err();
            assert!(matches!(cut, StoreError::KeyCut { bytes: 31 }), "{count}: {cut}");
            assert_eq!(outcome(), Outcome::Pending);
            let long = count_as(&store, 1, count, &[&all[..], &[1]].concat()).unwrap_err();
            assert!(matches!(long, StoreError::KeyCut { bytes: 1 }), "{count}: {long}");
            let few = count_as(&store, 1, count, &all[..all.len() - 32]).unwrap_err();
            let StoreError::KeyCount { expected, got } = few else { panic!("{few}") };
            assert_eq!((expected, got), (count, count - 1));
            let many = count_as(&store, 1, count, &more).unwrap_err();
            let StoreError::KeyCount { expected, got } = many else { panic!("{many}") };
            assert_eq!((expected, got), (count, count + 1));
            assert_eq!(outcome(), Outcome::Pending);
            // the right keys are still free
            count_as(&store, 1, count, &all).unwrap();
            assert!(matches!(outcome(), Outcome::Verified(_)));
        }
    }
}
