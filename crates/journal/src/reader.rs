//! Reading without the lock, for tools.

use crate::{JournalError, Record, segment};
use std::{fs, path::Path};

/// Reads all records of a journal. A torn tail is left out; nothing is changed on disk.
///
/// # Errors
/// [`JournalError`] as when opening, but for the lock.
pub fn read(dir: &Path) -> Result<Vec<Record>, JournalError> {
    let mut records = Vec::new();
    let segments = segment::list(dir)?;
    let mut next = None;
    for (position, (first, path)) in segments.iter().enumerate() {
        if next.is_some_and(|next| next != *first) {
            return Err(missing(path, next.unwrap_or_default(), *first));
        }
        let bytes = fs::read(path).map_err(JournalError::io(path))?;
        let (number, end) = segment::scan(path, &bytes, *first, |_, record| {
            records.push(record);
            Ok(())
        })?;
        let last = position.saturating_add(1) == segments.len();
        if let (segment::End::Torn(offset), false) = (end, last) {
            return Err(torn_inside(path, offset));
        }
        next = Some(number);
    }
    Ok(records)
}

pub(crate) fn missing(path: &Path, expected: u64, actual: u64) -> JournalError {
    JournalError::Damaged {
        path: path.to_owned(),
        offset: 0,
        message: format!("a segment is missing: expected one from record {expected}, got {actual}"),
    }
}

pub(crate) fn torn_inside(path: &Path, offset: usize) -> JournalError {
    JournalError::Damaged {
        path: path.to_owned(),
        offset: u64::try_from(offset).unwrap_or(u64::MAX),
        message: "the segment ends in the middle although another follows".into(),
    }
}
