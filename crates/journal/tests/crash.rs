//! What a power cut, a bad disk and a second process may do to a journal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::B256;
use hashlease_journal::{Journal, JournalError, Options, Record, read};
use hashlease_primitives::LeaseId;
use proptest::prelude::*;
use std::{convert::Infallible, fs, path::PathBuf};

fn record(n: u64) -> Record {
    Record::Verdict {
        at: n,
        lease: LeaseId(1),
        key: B256::with_last_byte(n as u8),
        accepted: true,
        code: "x".into(),
    }
}

fn options(dir: &tempfile::TempDir) -> Options {
    Options::new(dir.path())
}

fn open(dir: &tempfile::TempDir) -> Result<(Journal, Vec<Record>), JournalError> {
    let mut seen = Vec::new();
    // the lock goes with the writer thread, which ends a moment after the last handle
    for _ in 0..200 {
        seen.clear();
        let opened = Journal::open(options(dir), |_, record| {
            seen.push(record);
            Ok::<(), Infallible>(())
        });
        match opened {
            Err(JournalError::Locked(_)) => std::thread::sleep(std::time::Duration::from_millis(5)),
            other => return other.map(|journal| (journal, seen)),
        }
    }
    Err(JournalError::Locked(dir.path().to_owned()))
}

async fn filled(count: u64) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(&dir).unwrap();
    for n in 0..count {
        journal.append(record(n)).await.unwrap();
    }
    drop(journal);
    drop(open(&dir).unwrap());
    let path = dir.path().join(format!("{:020}.hlj", 0));
    (dir, path)
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let (dir, _) = filled(20).await;
    let (journal, seen) = open(&dir).unwrap();
    assert_eq!(seen, (0..20).map(record).collect::<Vec<_>>());
    journal.append(record(20)).await.unwrap();
    assert_eq!(read(dir.path()).unwrap().len(), 21);
}

#[tokio::test]
async fn many_appends_at_once_keep_each_record_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(&dir).unwrap();
    let writes = (0..500).map(|n| {
        let journal = journal.clone();
        async move { journal.append(record(n)).await }
    });
    for written in futures_all(writes).await {
        written.unwrap();
    }
    assert_eq!(read(dir.path()).unwrap().len(), 500);
}

async fn futures_all<F: Future<Output: Send + 'static> + Send + 'static>(
    all: impl Iterator<Item = F>,
) -> Vec<F::Output> {
    let tasks: Vec<_> = all.map(tokio::spawn).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

#[tokio::test]
async fn a_torn_tail_is_cut_off_at_every_byte() {
    let (dir, path) = filled(3).await;
    let whole = fs::read(&path).unwrap();
    let (two, two_path) = filled(2).await;
    let before = fs::read(&two_path).unwrap().len();
    drop(two);
    for length in before..whole.len() {
        for zeros in [0usize, 100] {
            let mut torn = whole[..length].to_vec();
            torn.extend(vec![0; zeros]);
            fs::write(&path, &torn).unwrap();
            let (journal, seen) = open(&dir).unwrap();
            assert_eq!(seen, [record(0), record(1)], "cut at {length}");
            drop(journal);
        }
    }
    // and it goes on from there
    let (journal, _) = open(&dir).unwrap();
    journal.append(record(9)).await.unwrap();
    drop(journal);
    assert_eq!(open(&dir).unwrap().1, [record(0), record(1), record(9)]);
}

#[tokio::test]
async fn damage_in_the_middle_is_refused_with_its_place() {
    let (dir, path) = filled(5).await;
    let mut bytes = fs::read(&path).unwrap();
    bytes[24 + 30] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let Err(JournalError::Damaged { offset, path: found, .. }) = open(&dir) else { panic!("opened") };
    assert_eq!((offset, found), (24, path));
}

#[tokio::test]
async fn segments_are_cut_and_a_missing_one_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let small = Options { segment_bytes: 200, ..options(&dir) };
    let journal = Journal::open(small, |_, _| Ok::<(), Infallible>(())).unwrap();
    for n in 0..20 {
        journal.append(record(n)).await.unwrap();
    }
    drop(journal);
    assert_eq!(open(&dir).unwrap().1.len(), 20);
    let mut segments: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "hlj"))
        .collect();
    segments.sort();
    assert!(segments.len() > 3);
    fs::remove_file(&segments[1]).unwrap();
    assert!(matches!(open(&dir), Err(JournalError::Damaged { .. })));
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_journal, _) = open(&dir).unwrap();
    let second = Journal::open(options(&dir), |_, _| Ok::<(), Infallible>(()));
    assert!(matches!(second, Err(JournalError::Locked(_))));
}

#[tokio::test]
async fn a_record_too_long_is_refused_and_the_next_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(&dir).unwrap();
    let hash = B256::ZERO;
    let long = Record::Job {
        at: 0,
        signed: hashlease_primitives::SignedJob {
            job: hashlease_primitives::Job {
                lease: LeaseId(1),
                sequence: 1,
                prev_hash: hash,
                n_bits: 0,
                version: 0,
                version_mask: 0,
                not_before: 0,
                not_after: 0,
                coinbase_prefix: vec![0; 65_535].into(),
                tail_length: 0,
                coinbase_suffix: vec![0; 65_535].into(),
                branch: vec![],
            },
            signature: [0; 65],
        },
    };
    assert!(matches!(journal.append(long).await, Err(JournalError::TooLong(_))));
    journal.append(record(1)).await.unwrap();
    assert_eq!(read(dir.path()).unwrap(), [record(1)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_flipped_bit_never_changes_a_record(at in 0usize..10_000, bit in 0u8..8) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (dir, path) = runtime.block_on(filled(6));
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        if let Ok((_, seen)) = open(&dir) {
            // only the last frame may be lost, and only as a whole
            let expected: Vec<_> = (0..6).map(record).collect();
            prop_assert!(seen == expected || seen == expected[..5], "{} records", seen.len());
        }
    }
}
