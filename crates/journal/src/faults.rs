//! Disks that are full, fail at `fdatasync`, or lose power between write and sync.

use crate::{
    Journal, JournalError, Options, Record,
    disk::{Disk, System},
    read,
};
use alloy_primitives::B256;
use hashlease_primitives::{LeaseId, UnixMillis};
use proptest::prelude::*;
use std::{
    convert::Infallible,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

#[derive(Default)]
struct Plan {
    /// Bytes of free space; none for no limit.
    space: Option<usize>,
    sync_fails: bool,
    cut_fails: bool,
    syncs: u32,
}

#[derive(Clone, Default)]
struct Faulty {
    plan: Arc<Mutex<Plan>>,
    /// Number of writes started.
    writes: Arc<AtomicUsize>,
}

impl Faulty {
    /// While the guard is held, the disk blocks before it writes.
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap()
    }

    fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }
}

impl Disk for Faulty {
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        let mut plan = self.plan();
        let written = plan.space.map_or(bytes.len(), |space| space.min(bytes.len()));
        System.write(file, &bytes[..written])?;
        if let Some(space) = &mut plan.space {
            *space -= written;
        }
        if written < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        self.plan().syncs += 1;
        if self.plan().sync_fails { Err(io::Error::other("bad sector")) } else { System.sync(file) }
    }

    fn cut(&mut self, file: &mut File, length: u64) -> io::Result<()> {
        if self.plan().cut_fails { Err(io::Error::other("bad sector")) } else { System.cut(file, length) }
    }
}

fn record(n: u64) -> Record {
    Record::Verdict {
        at: UnixMillis::new(n),
        lease: LeaseId(1),
        key: B256::ZERO,
        accepted: true,
        code: "x".into(),
    }
}

fn open(disk: &Faulty, dir: &Path, segment_bytes: u64) -> Journal {
    let options = Options { segment_bytes, ..Options::new(dir) };
    Journal::open_on(disk.clone(), options, |_, _| Ok::<(), Infallible>(())).unwrap()
}

fn all(dir: &Path) -> Vec<Record> {
    read(dir).collect::<Result<_, _>>().unwrap()
}

fn first_segment(dir: &Path) -> PathBuf {
    dir.join(format!("{:020}.hlj", 0))
}

#[tokio::test]
async fn a_full_disk_refuses_and_continues_once_there_is_room() {
    for space in [0, 1, 27, 28, 60, 84] {
        let (disk, dir) = (Faulty::default(), tempfile::tempdir().unwrap());
        let journal = open(&disk, dir.path(), 1 << 20);
        journal.append(record(0)).await.unwrap();
        let before = fs::read(first_segment(dir.path())).unwrap();
        disk.plan().space = Some(space);
        let error = journal.append(record(1)).await.unwrap_err();
        let JournalError::Io { path, source } = error else { panic!("{error}") };
        assert_eq!((path, source.kind()), (first_segment(dir.path()), io::ErrorKind::StorageFull));
        assert_eq!(fs::read(first_segment(dir.path())).unwrap(), before, "no partial write is left");
        disk.plan().space = None;
        journal.append(record(2)).await.unwrap();
        assert_eq!(all(dir.path()), [record(0), record(2)]);
    }
}

#[tokio::test]
async fn a_disk_too_full_for_a_new_segment_continues_once_there_is_room() {
    for space in [0, 5] {
        let (disk, dir) = (Faulty::default(), tempfile::tempdir().unwrap());
        let journal = open(&disk, dir.path(), 1);
        journal.append(record(0)).await.unwrap();
        disk.plan().space = Some(space);
        for _ in 0..2 {
            assert!(matches!(journal.append(record(1)).await, Err(JournalError::Io { .. })));
        }
        assert_eq!(all(dir.path()), [record(0)]);
        disk.plan().space = None;
        journal.append(record(2)).await.unwrap();
        assert_eq!(all(dir.path()), [record(0), record(2)]);
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_written_or_synced_again() {
    let (disk, dir) = (Faulty::default(), tempfile::tempdir().unwrap());
    let journal = open(&disk, dir.path(), 1 << 20);
    journal.append(record(0)).await.unwrap();
    disk.plan().sync_fails = true;
    let error = journal.append(record(1)).await.unwrap_err();
    assert!(
        matches!(error, JournalError::Poisoned(_)) && error.to_string().contains("bad sector"),
        "{error}"
    );
    disk.plan().sync_fails = false;
    let (syncs, bytes) = (disk.plan().syncs, fs::read(first_segment(dir.path())).unwrap());
    assert!(matches!(journal.append(record(2)).await, Err(JournalError::Poisoned(_))));
    assert_eq!((disk.plan().syncs, fs::read(first_segment(dir.path())).unwrap()), (syncs, bytes));
}

#[tokio::test]
async fn a_partial_write_that_cannot_be_undone_closes_the_journal() {
    for cut_fails in [true, false] {
        let (disk, dir) = (Faulty::default(), tempfile::tempdir().unwrap());
        let journal = open(&disk, dir.path(), 1 << 20);
        *disk.plan() = Plan { space: Some(9), cut_fails, sync_fails: !cut_fails, syncs: 0 };
        assert!(matches!(journal.append(record(1)).await, Err(JournalError::Poisoned(_))));
        *disk.plan() = Plan::default();
        assert!(matches!(journal.append(record(2)).await, Err(JournalError::Poisoned(_))));
        assert_eq!(all(dir.path()), []);
    }
}

#[tokio::test]
async fn a_new_segment_that_is_not_durable_closes_the_journal() {
    let (disk, dir) = (Faulty::default(), tempfile::tempdir().unwrap());
    let journal = open(&disk, dir.path(), 1);
    journal.append(record(0)).await.unwrap();
    disk.plan().sync_fails = true;
    assert!(matches!(journal.append(record(1)).await, Err(JournalError::Poisoned(_))));
    disk.plan().sync_fails = false;
    assert!(matches!(journal.append(record(2)).await, Err(JournalError::Poisoned(_))));
    assert_eq!(all(dir.path()), [record(0)]);
}

#[tokio::test]
async fn a_batch_waits_for_one_sync() {
    let (disk, dir) = (Faulty::default(), tempfile::tempdir().unwrap());
    let journal = open(&disk, dir.path(), 1 << 20);
    let before = disk.plan().syncs;
    journal.append_all((0..1_000).map(record).collect()).await.unwrap();
    assert_eq!(disk.plan().syncs, before + 1);
    assert_eq!(all(dir.path()).len(), 1_000);
}

/// Appends one record and, while the writer is blocked at it, batches. Returns how many syncs they
/// took.
fn syncs_of(batches: Vec<Vec<Record>>) -> (tempfile::TempDir, u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (disk, dir) = (Faulty::default(), tempfile::tempdir().unwrap());
    let journal = open(&disk, dir.path(), 1 << 30);
    let held = disk.plan();
    let (before, writes) = (held.syncs, disk.writes());
    let first = runtime.spawn({
        let journal = journal.clone();
        async move { journal.append(record(0)).await }
    });
    while disk.writes() == writes {
        std::thread::yield_now();
    }
    let count = batches.len();
    let mut tasks = vec![first];
    for batch in batches {
        let journal = journal.clone();
        tasks.push(runtime.spawn(async move { journal.append_all(batch).await }));
    }
    while journal.waiting() < count {
        std::thread::yield_now();
    }
    drop(held);
    for task in tasks {
        runtime.block_on(task).unwrap().unwrap();
    }
    let syncs = disk.plan().syncs - before;
    (dir, syncs)
}

#[test]
fn waiting_appends_become_durable_with_one_sync() {
    let (dir, syncs) = syncs_of((1..200).map(|n| vec![record(n)]).collect());
    // one for the first; the last may come too late for the sync of the others
    assert!(syncs == 2 || syncs == 3, "{syncs}");
    assert_eq!(all(dir.path()).len(), 200);
}

#[test]
fn waiting_batches_are_split_into_readable_frames() {
    // one batch fits in a frame, two don't
    let batch: Vec<Record> = (0..45_000).map(record).collect();
    let (dir, syncs) = syncs_of(vec![batch.clone(), batch.clone(), batch]);
    assert_eq!(syncs, 4);
    assert_eq!(all(dir.path()).len(), 3 * 45_000 + 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Power fails between write and sync: any page written since the last sync may be lost, and
    /// the file may have any length up to the written one.
    #[test]
    fn a_power_cut_loses_no_acknowledged_record(
        durable in 0u64..5,
        batch in 1u64..200,
        lost in prop::collection::vec(any::<bool>(), 64),
        length in any::<prop::sample::Index>(),
    ) {
        const PAGE: usize = 512;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (disk, dir) = (Faulty::default(), tempfile::tempdir().unwrap());
        let path = first_segment(dir.path());
        let journal = open(&disk, dir.path(), 1 << 20);
        let kept: Vec<Record> = (0..durable).map(record).collect();
        for record in &kept {
            runtime.block_on(journal.append(record.clone())).unwrap();
        }
        let synced = fs::read(&path).unwrap().len();
        disk.plan().sync_fails = true;
        let batch_records: Vec<Record> = (100..100 + batch).map(record).collect();
        runtime.block_on(journal.append_all(batch_records.clone())).unwrap_err();

        let mut bytes = fs::read(&path).unwrap();
        for (at, byte) in bytes.iter_mut().enumerate().skip(synced) {
            if lost[at / PAGE % lost.len()] {
                *byte = 0;
            }
        }
        bytes.truncate(synced + length.index(bytes.len() - synced + 1));
        let after = tempfile::tempdir().unwrap();
        fs::write(first_segment(after.path()), &bytes).unwrap();

        let mut seen = Vec::new();
        let options = Options::new(after.path());
        Journal::open(options, |_, record| { seen.push(record); Ok::<(), Infallible>(()) }).unwrap();
        let whole = [kept.clone(), batch_records].concat();
        prop_assert!(seen == kept || seen == whole, "{} of {} records", seen.len(), whole.len());
        prop_assert_eq!(all(after.path()), seen);
    }
}
