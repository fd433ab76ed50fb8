//! Segments and frames as bytes.

use crate::{JournalError, MAX_BODY, Record};
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

pub(crate) fn path_of(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.hlj"))
}

/// Segments of a directory in order: number of the first record, path.
pub(crate) fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(JournalError::io(dir))? {
        let path = entry.map_err(JournalError::io(dir))?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.len() == 20);
        if path.extension().is_some_and(|extension| extension == "hlj")
            && let Some(first) = stem.and_then(|stem| stem.parse().ok())
        {
            found.push((first, path));
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
    if let Some(place) = payload.get_mut(at..body) {
        place.copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }
    Ok(())
}

/// A frame that is whole.
struct Frame {
    first: u64,
    count: u32,
    /// Length of its payload, bytes.
    length: usize,
}

/// Reads the frame at the front of `bytes`.
fn parse(mark: u64, bytes: &[u8]) -> Result<Frame, String> {
    let short = |error: WireError| error.to_string();
    let mut fields = Fields::new(bytes);
    if fields.u64("frame's mark").map_err(short)? != mark {
        return Err("no frame begins here".into());
    }
    let (first, count) =
        (fields.u64("frame's first record").map_err(short)?, fields.u32("frame's records").map_err(short)?);
    let length = usize::try_from(fields.u32("frame's length").map_err(short)?).unwrap_or(usize::MAX);
    let expected = fields.u32("frame's checksum").map_err(short)?;
    if length > MAX_PAYLOAD {
        return Err(format!("frame of {length} bytes: expected at most {MAX_PAYLOAD}"));
    }
    let payload = fields.take("frame's payload", length).map_err(short)?;
    let head = bytes.get(..FRAME_HEADER.saturating_sub(4)).unwrap_or_default();
    let actual = crc32c::crc32c_append(crc32c::crc32c(head), payload);
    if actual != expected {
        return Err(format!("checksum: expected {expected:08x}, got {actual:08x}"));
    }
    Ok(Frame { first, count, length })
}

/// What a segment's end looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Everything is whole.
    Whole,
    /// From here on only bytes that were never acknowledged.
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
    /// Reads the file of the segment that begins with record `first`, and its header.
    pub(crate) fn open(path: &Path, first: u64) -> Result<Self, JournalError> {
        let bytes = fs::read(path).map_err(JournalError::io(path))?;
        let mut cursor = Self { path: path.to_owned(), bytes, offset: 0, number: first, mark: None };
        let bytes = &cursor.bytes;
        // a header is written and synced before any frame, so only a segment without frames may lack it
        if bytes.len() < HEADER || (bytes.len() == HEADER && bytes.iter().all(|byte| *byte == 0)) {
            return Ok(cursor);
        }
        let mark = bytes.get(12..20).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        let expected = header(mark.unwrap_or_default(), first);
        if bytes.get(..HEADER) != Some(expected.as_slice()) {
            let version = bytes.get(8..10).and_then(|bytes| bytes.try_into().ok()).map(u16::from_le_bytes);
            if bytes.starts_with(MAGIC) && version != Some(VERSION) {
                let version = version.unwrap_or_default();
                return Err(cursor.damaged(8, format!("format version: expected {VERSION}, got {version}")));
            }
            return Err(
                cursor.damaged(0, format!("header: expected that of the segment from record {first}"))
            );
        }
        cursor.mark = mark;
        cursor.offset = HEADER;
        Ok(cursor)
    }

    /// Bytes in the file.
    pub(crate) const fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Number of the next record.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// What begins each of the segment's frames; none when even the header is torn.
    pub(crate) const fn mark(&self) -> Option<u64> {
        self.mark
    }

    /// Hands out the records of the next frame; tells how the segment ends when there is none.
    pub(crate) fn next(
        &mut self,
        mut take: impl FnMut(u64, Record) -> Result<(), JournalError>,
    ) -> Result<Option<End>, JournalError> {
        let Some(mark) = self.mark else { return Ok(Some(End::Torn(0))) };
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(Some(End::Whole));
        }
        let found = parse(mark, rest).and_then(|frame| {
            if frame.first == self.number {
                Ok(frame)
            } else {
                Err(format!("expected record {}, got {}", self.number, frame.first))
            }
        });
        let found = match found {
            Ok(found) => found,
            Err(message) if later_frame(mark, rest) => return Err(self.damaged(self.offset, message)),
            Err(_) => return Ok(Some(End::Torn(self.offset))),
        };
        let begin = self.offset.saturating_add(FRAME_HEADER);
        let end = begin.saturating_add(found.length);
        let mut payload = Fields::new(self.bytes.get(begin..end).unwrap_or_default());
        for _ in 0..found.count {
            let at = begin.saturating_add(payload.offset());
            let unreadable = |source| JournalError::Record {
                path: self.path.clone(),
                offset: u64::try_from(at).unwrap_or(u64::MAX),
                source,
            };
            let wire = |error: WireError| unreadable(error.into());
            let length = payload.u32("record's length").map_err(wire)?;
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let body = payload.take("record", length).map_err(wire)?;
            take(self.number, Record::decode(body).map_err(unreadable)?)?;
            self.number = self.number.saturating_add(1);
        }
        payload.end().map_err(|error| self.damaged(self.offset, error.to_string()))?;
        self.offset = end;
        Ok(None)
    }

    fn damaged(&self, offset: usize, message: String) -> JournalError {
        damaged(&self.path, offset, message)
    }
}

fn damaged(path: &Path, offset: usize, message: String) -> JournalError {
    JournalError::Damaged {
        path: path.to_owned(),
        offset: u64::try_from(offset).unwrap_or(u64::MAX),
        message,
    }
}

/// The segment from record `expected` is not there.
pub(crate) fn missing(path: &Path, expected: u64, actual: u64) -> JournalError {
    damaged(path, 0, format!("a segment is missing: expected one from record {expected}, got {actual}"))
}

/// A segment is torn though another follows.
pub(crate) fn torn_inside(path: &Path, offset: usize) -> JournalError {
    damaged(path, offset, "the segment ends in the middle although another follows".into())
}

/// Whether a whole frame begins anywhere after the first byte.
fn later_frame(mark: u64, bytes: &[u8]) -> bool {
    let mark_bytes = mark.to_le_bytes();
    let candidates = bytes.windows(8).enumerate().skip(1).filter(|(_, window)| *window == mark_bytes);
    candidates.map(|(at, _)| bytes.get(at..).unwrap_or_default()).any(|rest| parse(mark, rest).is_ok())
}
