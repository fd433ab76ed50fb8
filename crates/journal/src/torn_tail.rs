//! The torn tail of a journal: a frame at the very end that a kill or a power cut left half
//! written. Its records were never acknowledged, so it is cut off. A half-written frame in the
//! middle of a journal is damage.

use crate::{
    disk::Disk,
    error::JournalError,
    segment::{self, End},
};
use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};
use tracing::warn;

/// Length of the intact part of a segment that is `length` bytes long.
///
/// # Errors
/// [`JournalError`] when it is torn and not the journal's last one.
pub(crate) fn intact_length(
    path: &Path,
    end: End,
    length: usize,
    is_last: bool,
) -> Result<usize, JournalError> {
    match end {
        End::Whole => Ok(length),
        End::Torn(offset) if is_last => {
            let lost = length.saturating_sub(offset);
            warn!(segment = %path.display(), offset, lost, "cut off a torn tail that was never acknowledged");
            Ok(offset)
        }
        End::Torn(offset) => Err(segment::torn_inside(path, offset)),
    }
}

/// Opens a segment for writing after its first `length` bytes, and cuts off the rest.
///
/// # Errors
/// The system's error.
pub(crate) fn cut(disk: &mut impl Disk, path: &Path, length: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let torn = file.metadata()?.len() != length;
    disk.cut(&mut file, length)?;
    if torn {
        disk.sync(&file)?;
    }
    Ok(file)
}
