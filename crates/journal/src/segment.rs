//! The binary format of segments and frames.

use crate::{Damage, JournalError, MAX_BODY, Record};
use hashlease_share::wire::{Fields, WireError};
use std::{
    fs,
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 8] = b"HLJOURNL";
const VERSION: u16 = 1;
/// Length of a segment's header, bytes.
pub(crate) const HEADER: usize = 32;
const FRAME_HEADER: usize = 28;
/// Longest payload of a frame, bytes.
pub(crate) const MAX_PAYLOAD: usize = 4 * 1_024 * 1_024;

/// Lossless: no platform's `usize` has more than 64 bits.
pub(crate) fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

pub(crate) fn path_of(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.hlj"))
}

/// Segments of a directory in order, each with the number of its first record.
///
/// # Errors
/// [`JournalError::ForeignFile`]: a segment that is passed over would take acknowledged records
/// with it.
pub(crate) fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(JournalError::io(dir))? {
        let entry = entry.map_err(JournalError::io(dir))?;
        let (name, path) = (entry.file_name(), entry.path());
        if !name.as_encoded_bytes().ends_with(b".hlj") {
            continue;
        }
        let first = name.to_str().and_then(|name| name.strip_suffix(".hlj")?.parse().ok());
        match first.filter(|first| path == path_of(dir, *first)) {
            Some(first) => found.push((first, path)),
            None => return Err(JournalError::ForeignFile(path)),
        }
    }
    found.sort();
    Ok(found)
}

/// A segment's header.
pub(crate) fn header(mark: u64, first: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER);
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend([0; 2]);
    out.extend(mark.to_le_bytes());
    out.extend(first.to_le_bytes());
    out.extend(crc32c::crc32c(&out).to_le_bytes());
    out
}

/// One frame around a payload of encoded records.
pub(crate) fn frame(mark: u64, first: u64, count: u32, payload: &[&[u8]]) -> Vec<u8> {
    let length = payload.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(FRAME_HEADER.saturating_add(length));
    out.extend(mark.to_le_bytes());
    out.extend(first.to_le_bytes());
    out.extend(count.to_le_bytes());
    // never the fallback: a payload has at most `MAX_PAYLOAD` bytes
    out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    let crc = payload.iter().fold(crc32c::crc32c(&out), |crc, part| crc32c::crc32c_append(crc, part));
    out.extend(crc.to_le_bytes());
    for part in payload {
        out.extend_from_slice(part);
    }
    out
}

/// Appends a record to a payload: `u32` length, body.
pub(crate) fn put_record(payload: &mut Vec<u8>, record: &Record) -> Result<(), JournalError> {
    let at = payload.len();
    payload.extend([0; 4]);
    let body = at.saturating_add(4);
    record.encode(payload).map_err(JournalError::Unwritable)?;
    let length = payload.len().saturating_sub(body);
    if length > MAX_BODY {
        return Err(JournalError::TooLong(length));
    }
    // always there: its four bytes were appended above
    if let Some(place) = payload.get_mut(at..body) {
        // never the fallback: a body has at most `MAX_BODY` bytes
        place.copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }
    Ok(())
}

/// An intact frame.
struct Frame {
    first: u64,
    count: u32,
    /// Length of its payload, bytes.
    length: usize,
}

/// Reads the frame at the start of `bytes`.
fn parse(mark: u64, bytes: &[u8]) -> Result<Frame, Damage> {
    let mut fields = Fields::new(bytes);
    if fields.u64("frame's mark")? != mark {
        return Err(Damage::NoFrame);
    }
    let (first, count) = (fields.u64("frame's first record")?, fields.u32("frame's records")?);
    // a length that this platform can't hold is above the limit checked below
    let length = usize::try_from(fields.u32("frame's length")?).unwrap_or(usize::MAX);
    let expected = fields.u32("frame's checksum")?;
    if length > MAX_PAYLOAD {
        return Err(Damage::FrameTooLong { length, max: MAX_PAYLOAD });
    }
    let payload = fields.take("frame's payload", length)?;
    // never the fallback: its fields were just read
    let head = bytes.get(..FRAME_HEADER.saturating_sub(4)).unwrap_or_default();
    let actual = crc32c::crc32c_append(crc32c::crc32c(head), payload);
    if actual != expected {
        return Err(Damage::Checksum { expected, actual });
    }
    Ok(Frame { first, count, length })
}

/// State of a segment's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The last frame is intact.
    Whole,
    /// The bytes from this offset on were never acknowledged.
    Torn(usize),
}

/// Reads a segment frame by frame.
pub(crate) struct Cursor {
    path: PathBuf,
    bytes: Vec<u8>,
    offset: usize,
    number: u64,
    mark: Option<u64>,
}

impl Cursor {
    /// Reads the file of the segment whose first record is `first`, and checks its header.
    pub(crate) fn open(path: &Path, first: u64) -> Result<Self, JournalError> {
        let bytes = fs::read(path).map_err(JournalError::io(path))?;
        let mut cursor = Self { path: path.to_owned(), bytes, offset: 0, number: first, mark: None };
        let bytes = &cursor.bytes;
        // a header is written and synced before any frame, so only a segment without frames may
        // lack it
        if bytes.len() < HEADER || (bytes.len() == HEADER && bytes.iter().all(|byte| *byte == 0)) {
            return Ok(cursor);
        }
        let (Some(version), Some(mark)) =
            (field(bytes, 8).map(u16::from_le_bytes), field(bytes, 12).map(u64::from_le_bytes))
        else {
            return Ok(cursor);
        };
        if !bytes.starts_with(&header(mark, first)) {
            if bytes.starts_with(MAGIC) && version != VERSION {
                return Err(cursor.damaged(8, Damage::Version { expected: VERSION, actual: version }));
            }
            return Err(cursor.damaged(0, Damage::Header { first }));
        }
        cursor.mark = Some(mark);
        cursor.offset = HEADER;
        Ok(cursor)
    }

    /// Length of the file, bytes.
    pub(crate) const fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Number of the next record.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Mark at the start of each of the segment's frames; none if even the header is torn.
    pub(crate) const fn mark(&self) -> Option<u64> {
        self.mark
    }

    /// Passes the records of the next frame to `take`; returns how the segment ends if there is no
    /// further one.
    pub(crate) fn next<E: From<JournalError>>(
        &mut self,
        mut take: impl FnMut(u64, Record) -> Result<(), E>,
    ) -> Result<Option<End>, E> {
        let Some(mark) = self.mark else { return Ok(Some(End::Torn(0))) };
        // never the fallback: the offset is that of the end of a frame
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(Some(End::Whole));
        }
        let found = parse(mark, rest).and_then(|frame| {
            if frame.first == self.number {
                Ok(frame)
            } else {
                Err(Damage::OtherRecord { expected: self.number, actual: frame.first })
            }
        });
        let found = match found {
            Ok(found) => found,
            Err(damage) if later_frame(mark, rest) => return Err(self.damaged(self.offset, damage).into()),
            Err(_) => return Ok(Some(End::Torn(self.offset))),
        };
        let start = self.offset.saturating_add(FRAME_HEADER);
        let end = start.saturating_add(found.length);
        // never the fallback: `parse` has read all of the payload
        let mut payload = Fields::new(self.bytes.get(start..end).unwrap_or_default());
        for _ in 0..found.count {
            let at = start.saturating_add(payload.offset());
            let unreadable =
                |source| JournalError::Record { path: self.path.clone(), offset: as_u64(at), source };
            let wire = |error: WireError| unreadable(error.into());
            let length = payload.u32("record's length").map_err(wire)?;
            // too long for this platform is longer than the payload
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let body = payload.take("record", length).map_err(wire)?;
            take(self.number, Record::decode(body).map_err(unreadable)?)?;
            self.number = self.number.saturating_add(1);
        }
        payload.end().map_err(|error| self.damaged(self.offset, error.into()))?;
        self.offset = end;
        Ok(None)
    }

    fn damaged(&self, offset: usize, damage: Damage) -> JournalError {
        damaged(&self.path, offset, damage)
    }
}

/// A field of a segment's header; none if the header ends before it.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn damaged(path: &Path, offset: usize, damage: Damage) -> JournalError {
    JournalError::Damaged { path: path.to_owned(), offset: as_u64(offset), damage }
}

/// The error for a gap before the segment whose first record is `actual`.
pub(crate) fn missing(path: &Path, expected: u64, actual: u64) -> JournalError {
    damaged(path, 0, Damage::SegmentMissing { expected, actual })
}

/// The error for a torn segment that is not the last one.
pub(crate) fn torn_inside(path: &Path, offset: usize) -> JournalError {
    damaged(path, offset, Damage::TornInside)
}

/// Whether an intact frame starts anywhere after the first byte.
fn later_frame(mark: u64, bytes: &[u8]) -> bool {
    let mark_bytes = mark.to_le_bytes();
    let candidates = bytes.windows(8).enumerate().skip(1).filter(|(_, window)| *window == mark_bytes);
    candidates.filter_map(|(at, _)| bytes.get(at..)).any(|rest| parse(mark, rest).is_ok())
}
