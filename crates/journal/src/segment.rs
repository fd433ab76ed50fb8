//! Segments and frames as bytes.

use crate::{JournalError, MAX_BODY, Record, RecordError, wire::Reader};
use std::{
    fs,
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 8] = b"HLJOURNL";
const FRAME_MAGIC: &[u8; 4] = b"HLFR";
const VERSION: u16 = 1;
/// Length of a segment's header, bytes.
pub(crate) const HEADER: usize = 24;
const FRAME_HEADER: usize = 24;
/// Longest payload of a frame, bytes.
pub(crate) const MAX_PAYLOAD: usize = 4 * 1_024 * 1_024;

pub(crate) fn path_of(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.hlj"))
}

/// Segments of a directory in order.
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

pub(crate) fn header(first: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER);
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend([0; 2]);
    out.extend(first.to_le_bytes());
    out.extend(crc32c::crc32c(&out).to_le_bytes());
    out
}

/// Builds one frame of encoded records.
pub(crate) struct FrameBuilder {
    bytes: Vec<u8>,
    first: u64,
    count: u32,
}

impl FrameBuilder {
    pub(crate) fn new(first: u64) -> Self {
        Self { bytes: vec![0; FRAME_HEADER], first, count: 0 }
    }

    pub(crate) fn fits(&self, body: &[u8]) -> bool {
        let payload = self.bytes.len().saturating_sub(FRAME_HEADER);
        self.count == 0 || payload.saturating_add(body.len()).saturating_add(4) <= MAX_PAYLOAD
    }

    pub(crate) fn push(&mut self, body: &[u8]) {
        self.bytes.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.bytes.extend(body);
        self.count = self.count.saturating_add(1);
    }

    pub(crate) fn finish(mut self) -> (Vec<u8>, u64) {
        let length = u32::try_from(self.bytes.len().saturating_sub(FRAME_HEADER)).unwrap_or(u32::MAX);
        let mut head = Vec::with_capacity(FRAME_HEADER);
        head.extend(FRAME_MAGIC);
        head.extend(self.first.to_le_bytes());
        head.extend(self.count.to_le_bytes());
        head.extend(length.to_le_bytes());
        let crc =
            checksum(head.get(4..).unwrap_or_default(), self.bytes.get(FRAME_HEADER..).unwrap_or_default());
        head.extend(crc.to_le_bytes());
        if let Some(place) = self.bytes.get_mut(..FRAME_HEADER) {
            place.copy_from_slice(&head);
        }
        (self.bytes, u64::from(self.count))
    }
}

fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(head), payload)
}

/// A frame that is whole: number of its first record, payload, its length in the file.
struct Frame<'a> {
    first: u64,
    count: u32,
    payload: &'a [u8],
    length: usize,
}

fn frame(bytes: &[u8]) -> Result<Frame<'_>, String> {
    let short = |error: RecordError| error.to_string();
    let mut fields = Reader(bytes);
    if fields.bytes(4).map_err(short)? != FRAME_MAGIC {
        return Err("no frame begins here".into());
    }
    let (first, count) = (fields.u64().map_err(short)?, fields.u32().map_err(short)?);
    let length = usize::try_from(fields.u32().map_err(short)?).unwrap_or(usize::MAX);
    let expected = fields.u32().map_err(short)?;
    if length > MAX_PAYLOAD.saturating_add(MAX_BODY) {
        return Err(format!("frame of {length} bytes"));
    }
    let payload = fields.bytes(length).map_err(short)?;
    let actual = checksum(bytes.get(4..20).unwrap_or_default(), payload);
    if actual != expected {
        return Err(format!("checksum: expected {expected:08x}, got {actual:08x}"));
    }
    Ok(Frame { first, count, payload, length: FRAME_HEADER.saturating_add(length) })
}

/// What a segment's end looks like.
pub(crate) enum End {
    /// Everything is whole.
    Whole,
    /// From here on only bytes that were never acknowledged.
    Torn(usize),
}

/// Hands out the records of a segment in order.
pub(crate) fn scan(
    path: &Path,
    bytes: &[u8],
    first: u64,
    mut take: impl FnMut(u64, Record) -> Result<(), JournalError>,
) -> Result<(u64, End), JournalError> {
    let damaged = |offset: usize, message: String| JournalError::Damaged {
        path: path.to_owned(),
        offset: u64::try_from(offset).unwrap_or(u64::MAX),
        message,
    };
    if bytes.len() < HEADER || bytes.iter().all(|byte| *byte == 0) {
        // the header is written and synced before any frame
        return Ok((first, End::Torn(0)));
    }
    let expected = header(first);
    if bytes.get(..HEADER) != Some(expected.as_slice()) {
        let version = bytes.get(8..10).and_then(|bytes| bytes.try_into().ok()).map(u16::from_le_bytes);
        if bytes.starts_with(MAGIC) && version != Some(VERSION) {
            let version = version.unwrap_or_default();
            return Err(damaged(8, format!("format version: expected {VERSION}, got {version}")));
        }
        return Err(damaged(0, format!("header: expected that of the segment from record {first}")));
    }
    let (mut offset, mut number) = (HEADER, first);
    while let Some(rest) = bytes.get(offset..).filter(|rest| !rest.is_empty()) {
        let found = frame(rest).and_then(|frame| {
            if frame.first == number {
                Ok(frame)
            } else {
                Err(format!("expected record {number}, got {}", frame.first))
            }
        });
        let found = match found {
            Ok(found) => found,
            Err(message) if later_frame(rest) => return Err(damaged(offset, message)),
            Err(_) => return Ok((number, End::Torn(offset))),
        };
        let mut payload = Reader(found.payload);
        for _ in 0..found.count {
            let record_error = |source| JournalError::Record {
                path: path.to_owned(),
                offset: u64::try_from(offset).unwrap_or(u64::MAX),
                source,
            };
            let length = payload.u32().map_err(record_error)?;
            let body = payload.bytes(usize::try_from(length).unwrap_or(usize::MAX)).map_err(record_error)?;
            take(number, Record::decode(body).map_err(record_error)?)?;
            number = number.saturating_add(1);
        }
        payload.end().map_err(|error| damaged(offset, error.to_string()))?;
        offset = offset.saturating_add(found.length);
    }
    Ok((number, End::Whole))
}

/// Whether a whole frame begins anywhere after the first byte.
fn later_frame(bytes: &[u8]) -> bool {
    let candidates = bytes.windows(4).enumerate().skip(1).filter(|(_, window)| window == FRAME_MAGIC);
    candidates.map(|(at, _)| bytes.get(at..).unwrap_or_default()).any(|rest| frame(rest).is_ok())
}
