//! Segments of the journal: every record read from any bytes is the one they encode, and bytes
//! after a whole frame never remove any of its records.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use hashlease_fuzz::bytes;
use hashlease_journal::{Record, read};
use hashlease_primitives::JobKind;
use hashlease_share::wire::{put_job, put_share, put_terms};
use libfuzzer_sys::fuzz_target;
use std::{fs, path::PathBuf, sync::LazyLock};

const MARK: u64 = 0x0123_4567_89ab_cdef;

/// One folder per process; each input rewrites the segment in it.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

#[derive(Debug)]
struct Segment {
    frames: Vec<Vec<Vec<u8>>>,
    tail: Vec<u8>,
}

impl<'a> Arbitrary<'a> for Segment {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let body = |u: &mut Unstructured<'a>| {
            // most start like a record
            let mut body = if u.ratio(15, 16)? { vec![u.int_in_range(1..=7)?, 1] } else { vec![] };
            body.extend(bytes(u, 512)?);
            Ok(body)
        };
        let frame = |u: &mut Unstructured<'a>| {
            (0..u.int_in_range(0..=3)?).map(|_| body(u)).collect::<arbitrary::Result<Vec<_>>>()
        };
        let frames = (0..u.int_in_range(1..=3)?).map(|_| frame(u)).collect::<arbitrary::Result<_>>()?;
        Ok(Self { frames, tail: bytes(u, 64)? })
    }
}

/// The record's bytes, written independently from the format's description.
fn encoded(record: &Record) -> Vec<u8> {
    let mut out = vec![0, 1];
    let text = |out: &mut Vec<u8>, text: &str| {
        out.push(text.len().try_into().unwrap());
        out.extend(text.as_bytes());
    };
    out[0] = match record {
        Record::Lease(terms) => {
            put_terms(&mut out, terms);
            1
        }
        Record::Job { at, signed } => {
            out.extend(at.get().to_le_bytes());
            out.extend(signed.job.lease().0.to_le_bytes());
            put_job(&mut out, signed).unwrap();
            if signed.job.kind() == JobKind::Header { 2 } else { 6 }
        }
        Record::Share { at, lease, job, key, epoch, share, worker, .. } => {
            for number in [at.get(), lease.0, *job] {
                out.extend(number.to_le_bytes());
            }
            out.extend(key);
            out.extend(epoch.to_le_bytes());
            put_share(&mut out, share);
            text(&mut out, worker);
            if share.kind() == JobKind::Header { 3 } else { 7 }
        }
        Record::Verdict { at, lease, key, accepted, code } => {
            out.extend(at.get().to_le_bytes());
            out.extend(lease.0.to_le_bytes());
            out.extend(key);
            out.push((*accepted).into());
            text(&mut out, code);
            4
        }
        Record::EpochClosed { at, lease, epoch, commitment } => {
            out.extend(at.get().to_le_bytes());
            out.extend(lease.0.to_le_bytes());
            out.extend(epoch.to_le_bytes());
            out.extend(commitment.root);
            out.extend(commitment.count.to_le_bytes());
            5
        }
    };
    out
}

fn checked(mut bytes: Vec<u8>, rest: &[u8]) -> Vec<u8> {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes), rest);
    bytes.extend(crc.to_le_bytes());
    bytes.extend(rest);
    bytes
}

fn file(segment: &Segment) -> Vec<u8> {
    let mut out = b"HLJOURNL\x01\0\0\0".to_vec();
    out.extend(MARK.to_le_bytes());
    out.extend(0u64.to_le_bytes());
    let mut out = checked(out, &[]);
    let mut first = 0u64;
    for bodies in &segment.frames {
        let mut payload = Vec::new();
        for body in bodies {
            payload.extend((body.len() as u32).to_le_bytes());
            payload.extend(body);
        }
        let mut frame = MARK.to_le_bytes().to_vec();
        frame.extend(first.to_le_bytes());
        frame.extend((bodies.len() as u32).to_le_bytes());
        frame.extend((payload.len() as u32).to_le_bytes());
        out.extend(checked(frame, &payload));
        first += bodies.len() as u64;
    }
    out.extend(&segment.tail);
    out
}

fn path() -> PathBuf {
    FOLDER.path().join(format!("{:020}.hlj", 0))
}

fuzz_target!(|input: (Segment, &[u8])| {
    let (segment, raw) = input;
    fs::write(path(), raw).unwrap();
    read(FOLDER.path()).for_each(drop);

    fs::write(path(), file(&segment)).unwrap();
    let mut found = read(FOLDER.path());
    for body in segment.frames.iter().flatten() {
        match found.next() {
            Some(Ok(record)) => assert_eq!(&encoded(&record), body),
            // an unreadable record is the last one
            Some(Err(_)) => return assert!(found.next().is_none()),
            None => panic!("a record of a whole frame is missing"),
        }
    }
});
