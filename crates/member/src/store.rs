//! A member's database: the jobs that it took until their lease is over, roots with their arrival
//! and verdict, and every counted key.

use alloy_primitives::{Address, B256};
use hashlease_committee::{LostJob, RootReceipt};
use hashlease_primitives::{
    Commitment, EpochId, LeaseId, SignedEpochRoot, SignedJob, UnixMillis, UnixSeconds,
};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Read},
    path::Path,
};

/// Lease and place in its log → arrival and job. An entry without a job notes that more jobs came
/// than are counted.
const TAKEN: TableDefinition<'_, (u64, u64), (u64, &[u8])> = TableDefinition::new("taken");
/// Due seconds of each epoch, of leases whose jobs were dropped.
const DUE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("due");
const ROOTS: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("roots");
const KEYS: TableDefinition<'_, [u8; 32], (u64, u32)> = TableDefinition::new("keys");
/// Shares of a verified epoch that another lease claims as well.
const CONTESTED: TableDefinition<'_, (u64, u32), u64> = TableDefinition::new("contested");
/// Lease and sequence of a job that the lease lost → the lease that has its work, and when.
const LOST: TableDefinition<'_, (u64, u64), (u64, u64)> = TableDefinition::new("lost");
/// Lease and sequence of a job whose work another lease claims as well, whoever has it.
const DISPUTED: TableDefinition<'_, (u64, u64), ()> = TableDefinition::new("disputed");
/// Shares that were shown before their epoch's evidence: key → lease.
const SHOWN: TableDefinition<'_, [u8; 32], u64> = TableDefinition::new("shown");
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
    /// Arrival of the first of `signed`.
    pub(crate) received: UnixMillis,
    /// The provider's claims, the newest one last: each names the same root and count, and another
    /// place of the evidence.
    pub(crate) signed: Vec<SignedEpochRoot>,
    /// A second root or count under the same signature.
    pub(crate) rival: Option<SignedEpochRoot>,
    /// What other members signed who had it in time, by their keys.
    pub(crate) receipts: BTreeMap<Address, RootReceipt>,
    pub(crate) outcome: Outcome,
    /// Shares of it that another lease was first to show: they are left out of the count.
    pub(crate) left_out: u64,
    /// Bytes charged for failed attempts.
    pub(crate) fetched: u64,
    /// Attempts that failed through the provider's fault.
    pub(crate) failed: u32,
}

impl StoredRoot {
    pub(crate) fn new(received: UnixMillis, root: SignedEpochRoot) -> Self {
        Self {
            received,
            signed: vec![root],
            rival: None,
            receipts: BTreeMap::new(),
            outcome: Outcome::Pending,
            left_out: 0,
            fetched: 0,
            failed: 0,
        }
    }

    /// Root and count.
    pub(crate) fn commitment(&self) -> Commitment {
        self.signed.first().map(|signed| signed.root.commitment).unwrap_or_default()
    }

    pub(crate) fn entry(&self, id: EpochId) -> Result<Entry, StoreError> {
        Ok(Entry::Root { id, bytes: serde_json::to_vec(self)? })
    }
}

/// A job of a lease's log, or a note that more came than are counted.
#[derive(Clone, Debug)]
pub(crate) struct TakenJob {
    pub(crate) index: u64,
    pub(crate) received: UnixMillis,
    pub(crate) job: Option<SignedJob>,
}

/// What is written durably, one after the other.
#[derive(Debug)]
pub(crate) enum Entry {
    Taken {
        lease: LeaseId,
        index: u64,
        received: UnixMillis,
        bytes: Vec<u8>,
    },
    Root {
        id: EpochId,
        bytes: Vec<u8>,
    },
    /// So many more shares of the epoch are contested.
    Contested {
        id: EpochId,
        more: u64,
    },
    /// A lease lost a job.
    Lost {
        lease: LeaseId,
        job: LostJob,
    },
    /// Another lease claims the work of a job as well.
    Disputed {
        lease: LeaseId,
        sequence: u64,
    },
    /// A share was shown.
    Shown {
        lease: LeaseId,
        key: B256,
    },
}

impl TakenJob {
    pub(crate) fn entry(&self, lease: LeaseId) -> Result<Entry, StoreError> {
        let bytes = self.job.as_ref().map(serde_json::to_vec).transpose()?.unwrap_or_default();
        Ok(Entry::Taken { lease, index: self.index, received: self.received, bytes })
    }

    fn read(index: u64, received: u64, bytes: &[u8]) -> Result<Self, StoreError> {
        let job = if bytes.is_empty() { None } else { Some(serde_json::from_slice(bytes)?) };
        Ok(Self { index, received: UnixMillis::new(received), job })
    }
}

/// What a count found besides the root's own keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Keys that another lease was first to show.
    pub(crate) left_out: u64,
    /// Whose they are: shares of each of these epochs are contested from now on.
    pub(crate) contested: BTreeMap<EpochId, u64>,
}

/// The database.
#[derive(Debug)]
pub(crate) struct Store {
    database: Database,
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

/// What the store has of one lease.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Its log.
    pub(crate) jobs: Vec<TakenJob>,
    /// Due seconds of each epoch, if its jobs were dropped.
    pub(crate) dropped: Option<Vec<(UnixSeconds, u64)>>,
    pub(crate) roots: Vec<(u32, StoredRoot)>,
    /// Numbers of contested shares of its epochs.
    pub(crate) contested: Vec<(u32, u64)>,
    /// The jobs that it lost.
    pub(crate) lost: Vec<LostJob>,
    /// Sequences of its jobs whose work another lease claims as well.
    pub(crate) disputed: Vec<u64>,
}

impl Store {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let database = Database::builder().set_cache_size(CACHE).create(path)?;
        let write = database.begin_write()?;
        write.open_table(TAKEN)?;
        write.open_table(DUE)?;
        write.open_table(ROOTS)?;
        write.open_table(KEYS)?;
        write.open_table(CONTESTED)?;
        write.open_table(LOST)?;
        write.open_table(DISPUTED)?;
        write.open_table(SHOWN)?;
        write.commit()?;
        Ok(Self { database })
    }

    /// Everything but the keys, by lease.
    pub(crate) fn load(&self) -> Result<BTreeMap<LeaseId, Loaded>, StoreError> {
        let read = self.database.begin_read()?;
        let mut leases: BTreeMap<LeaseId, Loaded> = BTreeMap::new();
        for entry in read.open_table(DUE)?.iter()? {
            let (lease, seconds) = entry?;
            leases.entry(LeaseId(lease.value())).or_default().dropped =
                Some(serde_json::from_slice(seconds.value())?);
        }
        for entry in read.open_table(TAKEN)?.iter()? {
            let (key, value) = entry?;
            let ((lease, index), (received, bytes)) = (key.value(), value.value());
            leases.entry(LeaseId(lease)).or_default().jobs.push(TakenJob::read(index, received, bytes)?);
        }
        for entry in read.open_table(ROOTS)?.iter()? {
            let (key, value) = entry?;
            let (lease, epoch) = key.value();
            leases
                .entry(LeaseId(lease))
                .or_default()
                .roots
                .push((epoch, serde_json::from_slice(value.value())?));
        }
        for entry in read.open_table(CONTESTED)?.iter()? {
            let (key, value) = entry?;
            let (lease, epoch) = key.value();
            leases.entry(LeaseId(lease)).or_default().contested.push((epoch, value.value()));
        }
        for entry in read.open_table(LOST)?.iter()? {
            let (key, value) = entry?;
            let ((lease, sequence), (by, at)) = (key.value(), value.value());
            let job = LostJob { sequence, by: LeaseId(by), at: UnixMillis::new(at) };
            leases.entry(LeaseId(lease)).or_default().lost.push(job);
        }
        for entry in read.open_table(DISPUTED)?.iter()? {
            let (lease, sequence) = entry?.0.value();
            leases.entry(LeaseId(lease)).or_default().disputed.push(sequence);
        }
        Ok(leases)
    }

    /// Jobs of a lease's log after the place `after`: as many as take at most `most` bytes, at
    /// least one if there is one.
    pub(crate) fn taken_after(
        &self,
        lease: LeaseId,
        after: u64,
        most: usize,
    ) -> Result<Vec<TakenJob>, StoreError> {
        let mut jobs = Vec::new();
        let mut left = most;
        let table = self.database.begin_read()?.open_table(TAKEN)?;
        for entry in table.range((lease.0, after.saturating_add(1))..=(lease.0, u64::MAX))? {
            let (key, value) = entry?;
            let (received, bytes) = value.value();
            if bytes.is_empty() {
                continue;
            }
            match left.checked_sub(bytes.len()) {
                Some(rest) => left = rest,
                None if jobs.is_empty() => left = 0,
                None => break,
            }
            jobs.push(TakenJob::read(key.value().1, received, bytes)?);
        }
        Ok(jobs)
    }

    /// Writes all of these or none.
    pub(crate) fn write<'a>(&self, entries: impl Iterator<Item = &'a Entry>) -> Result<(), StoreError> {
        let write = self.database.begin_write()?;
        {
            let (mut taken, mut roots) = (write.open_table(TAKEN)?, write.open_table(ROOTS)?);
            let mut contested = write.open_table(CONTESTED)?;
            let (mut lost, mut disputed) = (write.open_table(LOST)?, write.open_table(DISPUTED)?);
            let mut shown = write.open_table(SHOWN)?;
            for entry in entries {
                match entry {
                    Entry::Taken { lease, index, received, bytes } => {
                        taken.insert((lease.0, *index), (received.get(), bytes.as_slice()))?;
                    }
                    Entry::Root { id, bytes } => {
                        roots.insert((id.lease.0, id.epoch), bytes.as_slice())?;
                    }
                    Entry::Contested { id, more } => {
                        let key = (id.lease.0, id.epoch);
                        let before = contested.get(key)?.map_or(0, |before| before.value());
                        contested.insert(key, before.saturating_add(*more))?;
                    }
                    Entry::Lost { lease, job: LostJob { sequence, by, at } } => {
                        lost.insert((lease.0, *sequence), (by.0, at.get()))?;
                    }
                    Entry::Disputed { lease, sequence } => drop(disputed.insert((lease.0, *sequence), ())?),
                    Entry::Shown { lease, key } => {
                        if shown.get(key.0)?.is_none() {
                            shown.insert(key.0, lease.0)?;
                        }
                    }
                }
            }
        }
        Ok(write.commit()?)
    }

    /// Drops a lease's jobs and keeps the seconds that they made due.
    pub(crate) fn drop_jobs(&self, lease: LeaseId, due: &[(UnixSeconds, u64)]) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(due)?;
        loop {
            let write = self.database.begin_write()?;
            let mut batch = Vec::new();
            {
                let mut jobs = write.open_table(TAKEN)?;
                for entry in jobs.range((lease.0, 0)..=(lease.0, u64::MAX))?.take(BATCH) {
                    batch.push(entry?.0.value());
                }
                for key in &batch {
                    jobs.remove(key)?;
                }
                write.open_table(LOST)?.retain_in((lease.0, 0)..=(lease.0, u64::MAX), |_, _| false)?;
                write.open_table(DISPUTED)?.retain_in((lease.0, 0)..=(lease.0, u64::MAX), |_, ()| false)?;
                write.open_table(DUE)?.insert(lease.0, bytes.as_slice())?;
            }
            write.commit()?;
            if batch.len() < BATCH {
                return Ok(());
            }
        }
    }

    /// Counts the keys of an epoch, 32 bytes each in `keys`. A key belongs to the epoch that was
    /// first to show it, once that epoch's root is stored as verified; the rows left by a failed
    /// count take no key from others. Keys of other epochs are left out. The caller stores the root
    /// as verified before it starts the next count: two at once could each mistake the other's
    /// keys for those of a failed one.
    ///
    /// # Errors
    /// [`StoreError::KeyCut`] and [`StoreError::KeyCount`] if these are not the keys of the root;
    /// [`StoreError::Ended`] once `go_on` returns `false`.
    pub(crate) fn count(
        &self,
        id: EpochId,
        mut keys: impl Read,
        expected: u64,
        go_on: impl Fn() -> bool,
    ) -> Result<Counted, StoreError> {
        let own = (id.lease.0, id.epoch);
        let mut got = 0u64;
        let mut verified = HashMap::new();
        let mut counted = Counted::default();
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
            if batch.is_empty() {
                return Ok(counted);
            }
            let write = self.database.begin_write()?;
            {
                let mut table = write.open_table(KEYS)?;
                let (roots, shown) = (write.open_table(ROOTS)?, write.open_table(SHOWN)?);
                for key in batch {
                    if shown.get(key)?.is_some_and(|first| first.value() != own.0) {
                        // its evidence may come later than this one's
                        counted.left_out = counted.left_out.saturating_add(1);
                        continue;
                    }
                    let holder = table.get(key)?.map(|holder| holder.value()).filter(|holder| *holder != own);
                    match holder {
                        Some(holder) if holds(&roots, &mut verified, holder)? => {
                            counted.left_out = counted.left_out.saturating_add(1);
                            let holder = EpochId::new(LeaseId(holder.0), holder.1);
                            let contested = counted.contested.entry(holder).or_default();
                            *contested = contested.saturating_add(1);
                        }
                        _ => drop(table.insert(key, own)?),
                    }
                }
            }
            write.commit()?;
        }
    }
}

/// Whether the epoch that is noted for a key holds it: its root is verified.
fn holds(
    roots: &redb::Table<'_, (u64, u32), &[u8]>,
    known: &mut HashMap<(u64, u32), bool>,
    holder: (u64, u32),
) -> Result<bool, StoreError> {
    if let Some(known) = known.get(&holder) {
        return Ok(*known);
    }
    // no key is stored before its root; without one, better leave the key out than count it twice
    let holds = roots.get(holder)?.map_or(Ok(true), |root| {
        serde_json::from_slice(root.value())
            .map(|root: StoredRoot| matches!(root.outcome, Outcome::Verified(_)))
    })?;
    known.insert(holder, holds);
    Ok(holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, keccak256};
    use hashlease_primitives::EpochRoot;

    fn verified(lease: u64, count: u64) -> StoredRoot {
        let commitment = Commitment { root: B256::ZERO, count };
        let id = EpochId::new(LeaseId(lease), 0);
        let root = EpochRoot { id, commitment, evidence: String::new() };
        let root = SignedEpochRoot { root, signature: [0; 65] };
        StoredRoot { outcome: Outcome::Verified(commitment), ..StoredRoot::new(UnixMillis::new(1), root) }
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

    /// Stores a lease's root of so many keys, counts these, and stores it as verified.
    fn count_as(store: &Store, lease: u64, count: u64, keys: &[u8]) -> Result<Counted, StoreError> {
        let (id, verified) = (EpochId::new(LeaseId(lease), 0), verified(lease, count));
        let put = |root: StoredRoot| store.write([root.entry(id).unwrap()].iter());
        put(StoredRoot { outcome: Outcome::Pending, ..verified.clone() })?;
        let counted = store.count(id, keys, count, || true)?;
        put(verified)?;
        Ok(counted)
    }

    #[test]
    fn a_key_belongs_to_the_lease_that_was_first_to_show_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("member.redb")).unwrap();
        let count =
            |lease: u64, keys: &[u8]| count_as(&store, lease, u64::try_from(keys.len() / 32).unwrap(), keys);
        let batch = u64::try_from(BATCH).unwrap();
        assert_eq!(count(1, &keys(0..10)).unwrap(), Counted::default());
        // the keys of the first lease are in the last of several transactions
        let mixed = [keys(10..10 + 3 * batch), keys(5..7)].concat();
        let counted = count(2, &mixed).unwrap();
        let of = |lease| EpochId::new(LeaseId(lease), 0);
        assert_eq!(counted, Counted { left_out: 2, contested: [(of(1), 2)].into() });
        // the other way round nothing changes hands
        assert_eq!(count(1, &keys(0..11)).unwrap(), Counted { left_out: 1, contested: [(of(2), 1)].into() });
        let ended = store.count(of(4), &[][..], 0, || false).unwrap_err();
        assert!(matches!(ended, StoreError::Ended), "{ended}");
    }

    #[test]
    fn keys_that_are_not_all_of_the_roots_take_none_from_others() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("member.redb")).unwrap();
        let batch = u64::try_from(BATCH).unwrap();
        for (lease, count) in (1..).step_by(2).zip([3, batch, batch + 3]) {
            let first = lease * 100_000;
            let (all, more) = (keys(first..first + count), keys(first..first + count + 1));
            let cut = count_as(&store, lease, count, &all[..all.len() - 1]).unwrap_err();
            assert!(matches!(cut, StoreError::KeyCut { bytes: 31 }), "{count}: {cut}");
            let long = count_as(&store, lease, count, &[&all[..], &[1]].concat()).unwrap_err();
            assert!(matches!(long, StoreError::KeyCut { bytes: 1 }), "{count}: {long}");
            let few = count_as(&store, lease, count, &all[..all.len() - 32]).unwrap_err();
            let StoreError::KeyCount { expected, got } = few else { panic!("{few}") };
            assert_eq!((expected, got), (count, count - 1));
            let many = count_as(&store, lease, count, &more).unwrap_err();
            let StoreError::KeyCount { expected, got } = many else { panic!("{many}") };
            assert_eq!((expected, got), (count, count + 1));
            // another lease is free to show them
            assert_eq!(count_as(&store, lease + 1, count, &all).unwrap(), Counted::default());
            let late = count_as(&store, lease, count, &all).unwrap();
            assert_eq!(late.left_out, count);
        }
    }
}
