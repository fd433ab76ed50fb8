//! The writer thread: the only one that touches the files.

use crate::{
    JournalError, Options,
    disk::Disk,
    segment::{self, HEADER, MAX_PAYLOAD, as_u64},
    torn_tail,
};
use std::{
    fs::File,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::{mpsc, oneshot};
use tracing::error;

/// Largest number of appends in one group.
const GROUP: usize = 16_384;

/// Records that become durable together.
pub(crate) struct Append {
    /// Encoded records, see [`segment::put_record`]; at most [`MAX_PAYLOAD`] bytes.
    pub(crate) payload: Vec<u8>,
    /// Number of records.
    pub(crate) count: u32,
    /// Receives the result.
    pub(crate) done: oneshot::Sender<Result<(), JournalError>>,
}

/// How an operation on the disk failed.
enum Fault {
    /// It had no effect and may be tried again later.
    Refused(io::Error),
    /// The content of the disk is unknown.
    Unknown(io::Error),
}

/// The segment being written.
pub(crate) struct Segment {
    path: PathBuf,
    file: File,
    length: u64,
    mark: u64,
}

impl Segment {
    fn create(disk: &mut impl Disk, dir: &Path, first: u64) -> Result<Self, (PathBuf, Fault)> {
        let path = segment::path_of(dir, first);
        // random by the system's seed; zero would look like a page that was never written
        let mark = RandomState::new().build_hasher().finish().max(1);
        let mut make = || {
            let mut file = disk.create(&path).map_err(Fault::Refused)?;
            disk.write(&mut file, &segment::header(mark, first)).map_err(Fault::Refused)?;
            disk.sync(&file).map_err(Fault::Unknown)?;
            // the file's name must survive a power cut, too
            disk.sync_dir(dir).map_err(Fault::Unknown)?;
            Ok(file)
        };
        match make() {
            Ok(file) => Ok(Self { path, file, length: as_u64(HEADER), mark }),
            Err(fault) => Err((path, fault)),
        }
    }

    /// Creates the first segment of a journal, or replaces one whose header never became durable.
    pub(crate) fn begin(disk: &mut impl Disk, dir: &Path, first: u64) -> Result<Self, JournalError> {
        Self::create(disk, dir, first).map_err(|(path, fault)| match fault {
            Fault::Refused(source) | Fault::Unknown(source) => JournalError::io(path)(source),
        })
    }

    /// Opens a segment to append after its first `length` bytes, and cuts off the rest.
    pub(crate) fn reopen(
        disk: &mut impl Disk,
        path: PathBuf,
        length: usize,
        mark: u64,
    ) -> Result<Self, JournalError> {
        let length = as_u64(length);
        let file = torn_tail::cut(disk, &path, length).map_err(JournalError::io(&path))?;
        Ok(Self { path, file, length, mark })
    }
}

/// Owns the segment and the lock.
pub(crate) struct Writer<D> {
    pub(crate) disk: D,
    pub(crate) options: Options,
    pub(crate) segment: Segment,
    /// Number of the next record.
    pub(crate) next: u64,
    /// The failure after which nothing may be written.
    pub(crate) poisoned: Option<Arc<io::Error>>,
    /// Held until the thread ends.
    pub(crate) _lock: File,
}

impl<D: Disk> Writer<D> {
    /// Runs until the last handle is dropped and the queue is empty.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Append>) {
        let mut group = Vec::new();
        while queue.blocking_recv_many(&mut group, GROUP) != 0 {
            let mut waiting = std::mem::take(&mut group);
            while !waiting.is_empty() {
                // an append is never split over two frames
                let mut length = 0usize;
                let fit = waiting.iter().take_while(|append| {
                    length = length.saturating_add(append.payload.len());
                    length <= MAX_PAYLOAD
                });
                let fit = fit.count().clamp(1, waiting.len());
                let rest = waiting.split_off(fit);
                let result = self.append(&waiting);
                for append in waiting {
                    // it fails if the caller is gone
                    let _ = append.done.send(result.clone());
                }
                waiting = rest;
            }
        }
    }

    /// Writes and syncs all of them as one frame.
    fn append(&mut self, appends: &[Append]) -> Result<(), JournalError> {
        if let Some(failed) = &self.poisoned {
            return Err(JournalError::Poisoned(Arc::clone(failed)));
        }
        if self.segment.length >= self.options.segment_bytes.max(as_u64(HEADER).saturating_add(1)) {
            self.segment = match Segment::create(&mut self.disk, &self.options.dir, self.next) {
                Ok(segment) => segment,
                Err((path, Fault::Refused(source))) => {
                    error!(segment = %path.display(), %source, "journal segment can't be created");
                    return Err(JournalError::io(path)(source));
                }
                Err((_, Fault::Unknown(source))) => return Err(self.poison(source)),
            };
        }
        let payload: Vec<&[u8]> = appends.iter().map(|append| append.payload.as_slice()).collect();
        // never saturates: a record takes at least four bytes of a payload of at most 4 MiB
        let count = appends.iter().fold(0u32, |sum, append| sum.saturating_add(append.count));
        let frame = segment::frame(self.segment.mark, self.next, count, &payload);
        if let Err(source) = self.disk.write(&mut self.segment.file, &frame) {
            error!(segment = %self.segment.path.display(), %source, "journal can't be written");
            // a partial write is removed durably: a torn frame before a later segment would be
            // damage
            let (file, length) = (&mut self.segment.file, self.segment.length);
            if let Err(undo) = self.disk.cut(file, length).and_then(|()| self.disk.sync(file)) {
                return Err(self.poison(undo));
            }
            return Err(JournalError::io(&self.segment.path)(source));
        }
        if let Err(source) = self.disk.sync(&self.segment.file) {
            return Err(self.poison(source));
        }
        self.segment.length = self.segment.length.saturating_add(as_u64(frame.len()));
        self.next = self.next.saturating_add(u64::from(count));
        Ok(())
    }

    fn poison(&mut self, source: io::Error) -> JournalError {
        error!(segment = %self.segment.path.display(), %source, "disk failed, journal is closed");
        let source = Arc::new(source);
        self.poisoned = Some(Arc::clone(&source));
        JournalError::Poisoned(source)
    }
}
