//! Reads a journal without its lock, for tools.

use crate::{
    JournalError, Record,
    segment::{self, Cursor, End},
};
use std::{
    path::{Path, PathBuf},
    vec,
};

/// Reads all records of a journal in order, even while a node has it open. A torn tail, or a frame
/// that the node is just writing, is left out. Nothing is changed on disk. An error is the last
/// item.
pub fn read(dir: &Path) -> impl Iterator<Item = Result<Record, JournalError>> + use<> {
    let (segments, error) = match segment::list(dir) {
        Ok(segments) => (segments, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    Records { segments: segments.into_iter(), next: 0, open: None, ready: Vec::new().into_iter(), error }
}

struct Records {
    segments: vec::IntoIter<(u64, PathBuf)>,
    /// Number of the first record expected in the next segment.
    next: u64,
    open: Option<(PathBuf, Cursor)>,
    /// Records of the current frame not returned yet.
    ready: vec::IntoIter<Record>,
    /// Returned after `ready`.
    error: Option<JournalError>,
}

impl Records {
    /// Fills `ready` from the next frame; `false` at the end of the journal.
    fn refill(&mut self) -> Result<bool, JournalError> {
        let Some((path, cursor)) = &mut self.open else {
            let Some((first, path)) = self.segments.next() else { return Ok(false) };
            if first != self.next {
                return Err(segment::missing(&path, self.next, first));
            }
            let cursor = Cursor::open(&path, first)?;
            self.open = Some((path, cursor));
            return Ok(true);
        };
        let mut records = Vec::new();
        let step = cursor.next(|_, record| {
            records.push(record);
            Ok::<_, JournalError>(())
        });
        self.ready = records.into_iter();
        match step? {
            None => return Ok(true),
            Some(End::Torn(offset)) if self.segments.len() > 0 => {
                return Err(segment::torn_inside(path, offset));
            }
            Some(End::Torn(_) | End::Whole) => {}
        }
        self.next = cursor.number();
        self.open = None;
        Ok(true)
    }
}

impl Iterator for Records {
    type Item = Result<Record, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.ready.next() {
                return Some(Ok(record));
            }
            if let Some(error) = self.error.take() {
                self.segments = Vec::new().into_iter();
                self.open = None;
                return Some(Err(error));
            }
            match self.refill() {
                Ok(true) => {}
                Ok(false) => return None,
                // first come the records before the bad one in its frame
                Err(error) => self.error = Some(error),
            }
        }
    }
}
