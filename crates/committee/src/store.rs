//! What a member keeps on disk: jobs and roots with the moment they came, what was verified, and every key that it
//! counted.

use alloy_primitives::B256;
use hashlease_primitives::{LeaseId, SignedEpochRoot, SignedJob};
use hashlease_trie::Commitment;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::{Deserialize, Serialize};
use std::path::Path;

const JOBS: TableDefinition<'_, (u64, u64), (u64, &[u8])> = TableDefinition::new("jobs");
const ROOTS: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("roots");
const KEYS: TableDefinition<'_, [u8; 32], (u64, u32)> = TableDefinition::new("keys");

/// The store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refuses.
    #[error("member's database: {0}")]
    Database(#[from] redb::Error),
    /// An entry can't be read.
    #[error("member's database: entry can't be read: {0}")]
    Entry(#[from] serde_json::Error),
    /// A key was counted for another lease.
    #[error("key {key} was already counted for lease {lease}")]
    KeyTaken {
        /// Key.
        key: B256,
        /// Lease that has it.
        lease: LeaseId,
    },
}

/// What became of a root's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Pending,
    Verified(Commitment),
    Refused(String),
}

/// A root as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredRoot {
    pub(crate) received: u64,
    pub(crate) root: SignedEpochRoot,
    pub(crate) outcome: Outcome,
    /// Late here, but enough members had it in time.
    pub(crate) vouched: bool,
}

/// The database.
#[derive(Debug)]
pub(crate) struct Store(Database);

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

pub(crate) type StoredJobs = Vec<(u64, SignedJob)>;
pub(crate) type StoredRoots = Vec<(LeaseId, u32, StoredRoot)>;

impl Store {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let database = Database::create(path)?;
        let write = database.begin_write()?;
        write.open_table(JOBS)?;
        write.open_table(ROOTS)?;
        write.open_table(KEYS)?;
        write.commit()?;
        Ok(Self(database))
    }

    pub(crate) fn load(&self) -> Result<(StoredJobs, StoredRoots), StoreError> {
        let read = self.0.begin_read()?;
        let mut jobs = Vec::new();
        for entry in read.open_table(JOBS)?.iter()? {
            let (_, value) = entry?;
            let (received, bytes) = value.value();
            jobs.push((received, serde_json::from_slice(bytes)?));
        }
        let mut roots = Vec::new();
        for entry in read.open_table(ROOTS)?.iter()? {
            let (key, value) = entry?;
            let (lease, epoch) = key.value();
            roots.push((LeaseId(lease), epoch, serde_json::from_slice(value.value())?));
        }
        Ok((jobs, roots))
    }

    pub(crate) fn put_job(&self, received: u64, job: &SignedJob) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(job)?;
        let write = self.0.begin_write()?;
        write
            .open_table(JOBS)?
            .insert((job.job.lease().0, job.job.sequence()), (received, bytes.as_slice()))?;
        Ok(write.commit()?)
    }

    pub(crate) fn put_root(&self, lease: LeaseId, epoch: u32, root: &StoredRoot) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(root)?;
        let write = self.0.begin_write()?;
        write.open_table(ROOTS)?.insert((lease.0, epoch), bytes.as_slice())?;
        Ok(write.commit()?)
    }

    /// Counts all keys of an epoch and keeps its root as verified, or neither.
    pub(crate) fn count(
        &self,
        lease: LeaseId,
        epoch: u32,
        keys: impl Iterator<Item = B256>,
        root: &StoredRoot,
    ) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(root)?;
        let write = self.0.begin_write()?;
        {
            let mut table = write.open_table(KEYS)?;
            for key in keys {
                let taken = table.get(key.0)?.map(|holder| holder.value());
                match taken {
                    Some(holder) if holder != (lease.0, epoch) => {
                        return Err(StoreError::KeyTaken { key, lease: LeaseId(holder.0) });
                    }
                    _ => drop(table.insert(key.0, (lease.0, epoch))?),
                }
            }
            write.open_table(ROOTS)?.insert((lease.0, epoch), bytes.as_slice())?;
        }
        Ok(write.commit()?)
    }
}
