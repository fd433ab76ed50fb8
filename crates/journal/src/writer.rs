//! The writer thread: the only one that touches the files.

use crate::{
    JournalError, Options,
    disk::Disk,
    segment::{self, HEADER, MAX_PAYLOAD},
};
use std::{
    fs::{File, OpenOptions},
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::{mpsc, oneshot};
use tracing::error;

/// Appends that one group takes at most.
const GROUP: usize = 16_384;

/// Records that wait to become durable as one.
pub(crate) struct Append {
    /// Encoded records, see [`segment::put_record`]; at most [`MAX_PAYLOAD`] bytes.
    pub(crate) payload: Vec<u8>,
    /// How many they are.
    pub(crate) count: u32,
    /// Whom to tell.
    pub(crate) done: oneshot::Sender<Result<(), JournalError>>,
}

/// How a step on the disk failed.
enum Fault {
    /// It did not happen; it may be tried again later.
    Refused(io::Error),
    /// Nobody knows what the disk holds.
    Unknown(io::Error),
}

/// The segment that is being written.
pub(crate) struct Segment {
    path: PathBuf,
    file: File,
    length: u64,
    mark: u64,
}

fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl Segment {
    fn create(disk: &mut impl Disk, dir: &Path, first: u64) -> Result<Self, (PathBuf, Fault)> {
        let path = segment::path_of(dir, first);
        // seeded by the system; zero would look like a part of the disk that was never written
        let mark = RandomState::new().build_hasher().finish().max(1);
        let mut make = || {
            let mut file = disk.create(&path).map_err(Fault::Refused)?;
            disk.write(&mut file, &segment::header(mark, first)).map_err(Fault::Refused)?;
            disk.sync(&file).map_err(Fault::Unknown)?;
            // the name must survive as well
            disk.sync_dir(dir).map_err(Fault::Unknown)?;
            Ok(file)
        };
        match make() {
            Ok(file) => Ok(Self { path, file, length: bytes(HEADER), mark }),
            Err(fault) => Err((path, fault)),
        }
    }

    /// The first segment of a journal, or one whose header never became durable.
    pub(crate) fn begin(disk: &mut impl Disk, dir: &Path, first: u64) -> Result<Self, JournalError> {
        Self::create(disk, dir, first).map_err(|(path, fault)| match fault {
            Fault::Refused(source) | Fault::Unknown(source) => JournalError::io(path)(source),
        })
    }

    /// Goes on behind the first `length` bytes; the rest is cut off.
    pub(crate) fn reopen(
        disk: &mut impl Disk,
        path: PathBuf,
        length: usize,
        mark: u64,
    ) -> Result<Self, JournalError> {
        let length = bytes(length);
        let mut open = || -> io::Result<File> {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            let torn = file.metadata()?.len() != length;
            disk.cut(&mut file, length)?;
            if torn {
                disk.sync(&file)?;
            }
            Ok(file)
        };
        let file = open().map_err(JournalError::io(&path))?;
        Ok(Self { path, file, length, mark })
    }
}

/// Owns the files and the lock.
pub(crate) struct Writer<D> {
    pub(crate) disk: D,
    pub(crate) options: Options,
    pub(crate) segment: Segment,
    /// Number of the next record.
    pub(crate) next: u64,
    /// Why nothing may be written any more.
    pub(crate) poisoned: Option<Arc<io::Error>>,
    /// Held until the thread ends.
    pub(crate) _lock: File,
}

impl<D: Disk> Writer<D> {
    /// Serves until the last handle is gone and the queue is empty.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Append>) {
        let mut group = Vec::new();
        while queue.blocking_recv_many(&mut group, GROUP) != 0 {
            let mut waiting = std::mem::take(&mut group);
            while !waiting.is_empty() {
                // what belongs to one append stays in one frame
                let mut length = 0usize;
                let fitting = waiting.iter().take_while(|append| {
                    length = length.saturating_add(append.payload.len());
                    length <= MAX_PAYLOAD
                });
                let fitting = fitting.count().clamp(1, waiting.len());
                let rest = waiting.split_off(fitting);
                let result = self.append(&waiting);
                for append in waiting {
                    // a caller that went away does not care
                    let _ = append.done.send(result.clone());
                }
                waiting = rest;
            }
        }
    }

    /// One write and one sync for all of them.
    fn append(&mut self, appends: &[Append]) -> Result<(), JournalError> {
        if let Some(failed) = &self.poisoned {
            return Err(JournalError::Poisoned(Arc::clone(failed)));
        }
        if self.segment.length >= self.options.segment_bytes.max(bytes(HEADER).saturating_add(1)) {
            self.segment = match Segment::create(&mut self.disk, &self.options.dir, self.next) {
                Ok(segment) => segment,
                Err((path, Fault::Refused(source))) => {
                    error!(segment = %path.display(), %source, "journal segment can't be begun");
                    return Err(JournalError::io(path)(source));
                }
                Err((_, Fault::Unknown(source))) => return Err(self.poison(source)),
            };
        }
        let payload: Vec<&[u8]> = appends.iter().map(|append| append.payload.as_slice()).collect();
        let count = appends.iter().fold(0u32, |sum, append| sum.saturating_add(append.count));
        let frame = segment::frame(self.segment.mark, self.next, count, &payload);
        if let Err(source) = self.disk.write(&mut self.segment.file, &frame) {
            error!(segment = %self.segment.path.display(), %source, "journal can't be written");
            // whatever part was written goes again, durably: a torn frame before a later segment would be damage
            let (file, length) = (&mut self.segment.file, self.segment.length);
            if let Err(undo) = self.disk.cut(file, length).and_then(|()| self.disk.sync(file)) {
                return Err(self.poison(undo));
            }
            return Err(JournalError::io(&self.segment.path)(source));
        }
        if let Err(source) = self.disk.sync(&self.segment.file) {
            return Err(self.poison(source));
        }
        self.segment.length = self.segment.length.saturating_add(bytes(frame.len()));
        self.next = self.next.saturating_add(u64::from(count));
        Ok(())
    }

    fn poison(&mut self, source: io::Error) -> JournalError {
        error!(segment = %self.segment.path.display(), %source, "the disk failed, journal is closed");
        let source = Arc::new(source);
        self.poisoned = Some(Arc::clone(&source));
        JournalError::Poisoned(source)
    }
}
