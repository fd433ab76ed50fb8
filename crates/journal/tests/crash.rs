//! A journal after power cuts, on damaged disks, and with a second process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::B256;
use hashlease_fixtures::{header_job, terms};
use hashlease_journal::{Damage, Journal, JournalError, OpenError, Options, Record, RecordError, read};
use hashlease_primitives::{LeaseId, UnixMillis};
use proptest::prelude::*;
use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
};

/// Lengths of a segment's header, a frame's, and the body of [`record`].
const HEADER: usize = 32;
const FRAME: usize = 28;
const BODY: usize = 53;

fn record(n: u64) -> Record {
    Record::Verdict {
        at: UnixMillis::new(n),
        lease: LeaseId(1),
        key: B256::with_last_byte(n as u8),
        accepted: true,
        code: "x".into(),
    }
}

fn all(dir: &Path) -> Vec<Record> {
    read(dir).collect::<Result<_, _>>().unwrap()
}

fn options(dir: &tempfile::TempDir) -> Options {
    Options::new(dir.path())
}

/// Opens a journal once the writer thread of its last user, which holds the lock, has ended: a
/// moment after the last handle was dropped.
fn open_with<E>(
    dir: &tempfile::TempDir,
    mut replay: impl FnMut(u64, Record) -> Result<(), E>,
) -> Result<Journal, OpenError<E>> {
    for _ in 0..200 {
        match Journal::open(options(dir), &mut replay) {
            Err(OpenError::Journal(JournalError::Locked(_))) => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            opened => return opened,
        }
    }
    Err(JournalError::Locked(dir.path().to_owned()).into())
}

fn open(dir: &tempfile::TempDir) -> Result<(Journal, Vec<Record>), JournalError> {
    let mut seen = Vec::new();
    let opened = open_with(dir, |_, record| {
        seen.push(record);
        Ok::<(), Infallible>(())
    });
    match opened {
        Ok(journal) => Ok((journal, seen)),
        Err(OpenError::Journal(error)) => Err(error),
        Err(OpenError::Replay { source, .. }) => match source {},
    }
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
async fn acknowledged_records_survive_a_restart() {
    let (dir, _) = filled(20).await;
    let (journal, seen) = open(&dir).unwrap();
    assert_eq!(seen, (0..20).map(record).collect::<Vec<_>>());
    journal.append(record(20)).await.unwrap();
    assert_eq!(all(dir.path()).len(), 21);
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
    assert_eq!(all(dir.path()).len(), 500);
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
    // and appends continue from there
    let (journal, _) = open(&dir).unwrap();
    journal.append(record(9)).await.unwrap();
    drop(journal);
    assert_eq!(open(&dir).unwrap().1, [record(0), record(1), record(9)]);
}

#[tokio::test]
async fn damage_in_the_middle_is_an_error_with_its_offset() {
    let (dir, path) = filled(5).await;
    let mut bytes = fs::read(&path).unwrap();
    bytes[HEADER + 40] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let Err(JournalError::Damaged { offset, path: found, .. }) = open(&dir) else { panic!("opened") };
    assert_eq!((offset, found), (HEADER as u64, path));
    assert!(matches!(read(dir.path()).last(), Some(Err(JournalError::Damaged { .. }))));
}

#[tokio::test]
async fn segments_are_limited_in_size_and_a_missing_one_is_an_error() {
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
    assert_eq!(all(dir.path()).len(), 20);

    // only the last segment may have a torn tail
    let whole = fs::read(&segments[1]).unwrap();
    fs::write(&segments[1], &whole[..whole.len() - 1]).unwrap();
    let torn = |error: Option<JournalError>| {
        let Some(JournalError::Damaged { path, damage, .. }) = error else { panic!("{error:?}") };
        assert_eq!((path, damage), (segments[1].clone(), Damage::TornInside));
    };
    torn(open(&dir).err());
    torn(read(dir.path()).last().and_then(Result::err));
    fs::write(&segments[1], [&whole[..], &[0; 9]].concat()).unwrap();
    torn(open(&dir).err());
    torn(read(dir.path()).last().and_then(Result::err));
    fs::write(&segments[1], &whole).unwrap();
    assert_eq!(open(&dir).unwrap().1.len(), 20);

    // a segment under another's name
    fs::write(&segments[1], fs::read(&segments[2]).unwrap()).unwrap();
    assert!(matches!(open(&dir), Err(JournalError::Damaged { path, offset: 0, .. }) if path == segments[1]));
    fs::write(&segments[1], &whole).unwrap();

    for gone in [1, 0] {
        fs::remove_file(&segments[gone]).unwrap();
        for error in [open(&dir).err(), read(dir.path()).last().and_then(Result::err)] {
            let Some(JournalError::Damaged { damage, .. }) = error else {
                panic!("segment {gone}: {error:?}")
            };
            assert!(matches!(damage, Damage::SegmentMissing { .. }), "segment {gone}: {damage}");
        }
    }
}

#[tokio::test]
async fn a_segment_under_a_name_that_is_no_number_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let small = Options { segment_bytes: 1, ..options(&dir) };
    let journal = Journal::open(small, |_, _| Ok::<(), Infallible>(())).unwrap();
    for n in 0..2 {
        journal.append(record(n)).await.unwrap();
    }
    drop(journal);
    let newest = dir.path().join(format!("{:020}.hlj", 1));
    for name in ["1.hlj", "00000000000000000001 (copy).hlj", "+0000000000000000001.hlj", ".hlj"] {
        let renamed = dir.path().join(name);
        fs::rename(&newest, &renamed).unwrap();
        for error in [open(&dir).err(), read(dir.path()).last().and_then(Result::err)] {
            let Some(JournalError::ForeignFile(found)) = error else { panic!("{name}: {error:?}") };
            assert_eq!(found, renamed);
        }
        fs::rename(&renamed, &newest).unwrap();
    }
    // files of others don't concern the journal
    fs::write(dir.path().join("notes.txt"), "").unwrap();
    assert_eq!(open(&dir).unwrap().1, [record(0), record(1)]);
}

/// Appends a frame to a segment; returns the offset of its payload.
fn put_frame(path: &Path, mark: Option<[u8; 8]>, first: u64, bodies: &[&[u8]]) -> u64 {
    put_frame_of(path, mark, first, bodies.len() as u32, bodies)
}

/// [`put_frame`] that states a number of records.
fn put_frame_of(path: &Path, mark: Option<[u8; 8]>, first: u64, count: u32, bodies: &[&[u8]]) -> u64 {
    let mut bytes = fs::read(path).unwrap();
    let payload: Vec<u8> =
        bodies.iter().flat_map(|body| [&(body.len() as u32).to_le_bytes(), *body].concat()).collect();
    let mut frame = mark.unwrap_or(bytes[12..20].try_into().unwrap()).to_vec();
    frame.extend(first.to_le_bytes());
    frame.extend(count.to_le_bytes());
    frame.extend((payload.len() as u32).to_le_bytes());
    frame.extend(crc32c::crc32c(&[frame.as_slice(), &payload].concat()).to_le_bytes());
    let at = bytes.len() + frame.len();
    bytes.extend([frame, payload].concat());
    fs::write(path, bytes).unwrap();
    at as u64
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not this one")]
struct Unwanted;

#[tokio::test]
async fn a_record_that_the_replay_refuses_ends_it_with_the_replays_own_error() {
    let (dir, path) = filled(4).await;
    let torn = [fs::read(&path).unwrap(), vec![0; 9]].concat();
    fs::write(&path, &torn).unwrap();
    let mut seen = Vec::new();
    let opened = open_with(&dir, |number, _| {
        seen.push(number);
        if number == 2 { Err(Unwanted) } else { Ok(()) }
    });
    let Err(error) = opened else { panic!("opened") };
    assert_eq!(error.to_string(), format!("journal {}: record 2: not this one", dir.path().display()));
    let OpenError::Replay { path: of, number, source } = error else { panic!("{error}") };
    assert_eq!((of.as_path(), number, source), (dir.path(), 2, Unwanted));
    assert_eq!(seen, [0, 1, 2], "no record after it is passed on");
    assert_eq!(fs::read(&path).unwrap(), torn, "nothing is cut off");
}

#[tokio::test]
async fn damage_is_named() {
    let damage = |dir: &tempfile::TempDir| match open(dir).map(drop) {
        Err(JournalError::Damaged { damage, .. }) => damage,
        other => panic!("{other:?}"),
    };
    let (dir, path) = filled(2).await;
    let whole = fs::read(&path).unwrap();
    let second = HEADER + FRAME + 4 + BODY;
    let changed = |at: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        fs::write(&path, &changed).unwrap();
        damage(&dir)
    };
    assert_eq!(changed(8, &[2, 0]), Damage::Version { expected: 1, actual: 2 });
    assert_eq!(changed(20, &[1]), Damage::Header { first: 0 });
    assert_eq!(changed(HEADER, &[!whole[HEADER]]), Damage::NoFrame);
    let length = 5u32 << 20;
    let too_long = Damage::FrameTooLong { length: 5 << 20, max: 4 << 20 };
    assert_eq!(changed(HEADER + 20, &length.to_le_bytes()), too_long);
    let longer_than_the_file = changed(HEADER + 20, &1_000u32.to_le_bytes());
    assert!(matches!(&longer_than_the_file, Damage::Wire(error) if error.short), "{longer_than_the_file}");
    let checksum = changed(HEADER + FRAME + 10, &[9]);
    assert!(matches!(checksum, Damage::Checksum { .. }), "{checksum}");

    // the first frame twice
    fs::write(&path, [&whole[..second], &whole[HEADER..]].concat()).unwrap();
    assert_eq!(damage(&dir), Damage::OtherRecord { expected: 1, actual: 0 });
    // a frame of more bytes than its number of records says
    fs::write(&path, &whole).unwrap();
    let good = &whole[HEADER + FRAME + 4..second];
    put_frame_of(&path, None, 2, 1, &[good, good]);
    let more = damage(&dir);
    assert!(matches!(&more, Damage::Wire(error) if error.field == "end"), "{more}");
}

#[tokio::test]
async fn a_record_of_a_newer_program_is_an_error_with_its_offset_and_type() {
    for (body, expected) in [
        ([8, 1], RecordError::UnknownType(8)),
        ([3, 9], RecordError::UnknownVersion { kind: 3, expected: 1, actual: 9 }),
    ] {
        let (dir, path) = filled(2).await;
        let good = fs::read(&path).unwrap()[HEADER + FRAME + 4..][..BODY].to_vec();
        let at = put_frame(&path, None, 2, &[&good, &body]) + 4 + BODY as u64;
        let before = fs::read(&path).unwrap();
        let Err(error) = open(&dir) else { panic!("opened") };
        assert!(error.to_string().contains(&format!("{} at byte {at}: ", path.display())), "{error}");
        let JournalError::Record { source, .. } = error else { panic!("{error}") };
        assert_eq!(source, expected);
        assert_eq!(fs::read(&path).unwrap(), before, "nothing is cut off");
        let read: Vec<_> = read(dir.path()).collect();
        // the records before it in its frame are intact
        assert_eq!(read.len(), 4);
        assert_eq!(*read[2].as_ref().unwrap(), record(0));
        assert!(matches!(read[3], Err(JournalError::Record { .. })));
    }
}

#[tokio::test]
async fn a_frame_at_anothers_place_is_an_error() {
    let (dir, path) = filled(2).await;
    // as the last frame it could be the rest of an unfinished write
    put_frame(&path, None, 7, &[&[8, 1]]);
    assert_eq!(open(&dir).unwrap().1.len(), 2);
    put_frame(&path, Some([5; 8]), 2, &[&[8, 1]]);
    assert_eq!(open(&dir).unwrap().1.len(), 2);
    put_frame(&path, None, 7, &[&[8, 1]]);
    put_frame(&path, None, 8, &[&[8, 1]]);
    assert!(matches!(open(&dir), Err(JournalError::Damaged { .. })));
}

#[tokio::test]
async fn a_strangers_text_does_not_pass_for_a_frame() {
    // a text that is a whole frame except for the segment's mark
    let code = (1u64..)
        .find_map(|first| {
            let payload = [2, 0, 0, 0, 6, 1];
            let head = [&[b'm'; 8][..], &first.to_le_bytes(), &[1, 0, 0, 0], &[6, 0, 0, 0]].concat();
            let crc = crc32c::crc32c_append(crc32c::crc32c(&head), &payload);
            String::from_utf8([&head[..], &crc.to_le_bytes(), &payload, b"."].concat()).ok()
        })
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(&dir).unwrap();
    journal.append(record(0)).await.unwrap();
    let path = dir.path().join(format!("{:020}.hlj", 0));
    journal
        .append(Record::Verdict {
            at: UnixMillis::new(0),
            lease: LeaseId(1),
            key: B256::ZERO,
            accepted: false,
            code,
        })
        .await
        .unwrap();
    drop(journal);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(open(&dir).unwrap().1, [record(0)]);
}

#[tokio::test]
async fn zeros_in_place_of_acknowledged_frames_are_an_error() {
    let (dir, path) = filled(5).await;
    let length = fs::read(&path).unwrap().len();
    fs::write(&path, vec![0; length]).unwrap();
    assert!(matches!(open(&dir), Err(JournalError::Damaged { offset: 0, .. })));
    // a header that never became durable had no frames after it
    for torn in [0, 10, HEADER] {
        fs::write(&path, vec![0; torn]).unwrap();
        let (journal, seen) = open(&dir).unwrap();
        assert_eq!(seen, []);
        journal.append(record(1)).await.unwrap();
        drop(journal);
        assert_eq!(open(&dir).unwrap().1, [record(1)]);
    }
}

#[tokio::test]
async fn batches_of_any_size_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(&dir).unwrap();
    let batch = |length: u64| (0..length).map(record).collect::<Vec<_>>();
    journal.append_all(vec![]).await.unwrap();
    // one batch fits in a frame, two don't
    let big = 45_000;
    let tasks = (0..4).map(|_| {
        let (journal, records) = (journal.clone(), batch(big));
        async move { journal.append_all(records).await }
    });
    for written in futures_all(tasks).await {
        written.unwrap();
    }
    let error = journal.append_all(batch(2 * big)).await.unwrap_err();
    assert!(matches!(error, JournalError::BatchTooLong { .. }), "{error}");
    journal.append(record(5)).await.unwrap();
    drop(journal);
    assert_eq!(open(&dir).unwrap().1.len() as u64, 4 * big + 1);
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_journal, _) = open(&dir).unwrap();
    let second = Journal::open(options(&dir), |_, _| Ok::<(), Infallible>(()));
    let Err(error) = second else { panic!("opened") };
    assert!(matches!(&error, OpenError::Journal(JournalError::Locked(found)) if found == dir.path()));
    assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
}

#[tokio::test]
async fn a_record_that_is_too_long_is_refused_and_the_next_is_appended() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(&dir).unwrap();
    let hash = B256::ZERO;
    let long = Record::Job {
        at: UnixMillis::new(0),
        signed: hashlease_primitives::SignedJob {
            job: hashlease_primitives::HeaderJob {
                coinbase_prefix: vec![0; 65_535].into(),
                coinbase_suffix: vec![0; 65_535].into(),
                ..header_job(&terms(0, 100, 100), 1, 0..=0)
            }
            .into(),
            signature: [0; 65],
        },
    };
    assert!(matches!(journal.append(long.clone()).await, Err(JournalError::TooLong(_))));
    let mut branch = long.clone();
    let Record::Job { signed, .. } = &mut branch else { panic!() };
    signed.job.header_mut().unwrap().coinbase_prefix = vec![].into();
    signed.job.header_mut().unwrap().coinbase_suffix = vec![].into();
    signed.job.header_mut().unwrap().branch = vec![hash; 256];
    assert!(matches!(journal.append(branch).await, Err(JournalError::Unwritable(_))));
    journal.append(record(1)).await.unwrap();
    assert_eq!(all(dir.path()), [record(1)]);
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
