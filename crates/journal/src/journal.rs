//! Opening, replaying and appending.

use crate::{
    JournalError, MAX_BODY, Record,
    reader::{missing, torn_inside},
    segment::{self, End, FrameBuilder},
};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

/// Appends that may wait for the writer.
const QUEUE: usize = 65_536;
/// Appends that one group takes at most.
const GROUP: usize = 16_384;

/// Where a journal is and how it is cut.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory; made if missing.
    pub dir: PathBuf,
    /// Size from which a new segment is begun, bytes.
    pub segment_bytes: u64,
}

impl Options {
    /// With segments of 256 MiB.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), segment_bytes: 256 << 20 }
    }
}

type Done = oneshot::Sender<Result<(), JournalError>>;

struct Append {
    bodies: Vec<Vec<u8>>,
    done: Done,
}

/// An open journal. Cloning gives another handle to the same; the lock is held until the last is gone.
#[derive(Clone, Debug)]
pub struct Journal {
    appends: mpsc::Sender<Append>,
}

impl Journal {
    /// Takes the lock, hands every record to `replay` in order, cuts a torn tail off, and starts the writer.
    ///
    /// # Errors
    /// [`JournalError`]: locked, damaged, or a record that `replay` refuses.
    pub fn open<E: std::fmt::Display>(
        options: Options,
        mut replay: impl FnMut(u64, Record) -> Result<(), E>,
    ) -> Result<Self, JournalError> {
        let dir = options.dir.clone();
        fs::create_dir_all(&dir).map_err(JournalError::io(&dir))?;
        let lock_path = dir.join("lock");
        let lock = File::create(&lock_path).map_err(JournalError::io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Locked(dir)),
            Err(TryLockError::Error(source)) => return Err(JournalError::io(&lock_path)(source)),
        }
        let mut next = 0;
        let mut last = None;
        let segments = segment::list(&dir)?;
        let count = segments.len();
        for (position, (first, path)) in segments.into_iter().enumerate() {
            if first != next {
                return Err(missing(&path, next, first));
            }
            let bytes = fs::read(&path).map_err(JournalError::io(&path))?;
            let (number, end) = segment::scan(&path, &bytes, first, |number, record| {
                replay(number, record).map_err(|refused| JournalError::Refused {
                    path: dir.clone(),
                    number,
                    message: refused.to_string(),
                })
            })?;
            let length = match end {
                End::Whole => bytes.len(),
                End::Torn(offset) if position.saturating_add(1) == count => {
                    let lost = bytes.len().saturating_sub(offset);
                    warn!(segment = %path.display(), offset, lost, "cut off bytes that were never acknowledged");
                    offset
                }
                End::Torn(offset) => return Err(torn_inside(&path, offset)),
            };
            next = number;
            last = Some((path, length, first));
        }
        info!(dir = %dir.display(), records = next, "journal replayed");
        let segment = match last {
            Some((path, length, first)) => Segment::reopen(path, length, first)?,
            None => Segment::create(&dir, 0)?,
        };
        let (appends, queue) = mpsc::channel(QUEUE);
        let writer = Writer { options, segment, next, poisoned: None, _lock: lock };
        thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(queue))
            .map_err(JournalError::io(&dir))?;
        Ok(Self { appends })
    }

    /// Appends one record; when this returns, it is durable. If the future is dropped, the record may still be
    /// written.
    ///
    /// # Errors
    /// [`JournalError`]; the record is not in the journal then, but for [`JournalError::Poisoned`], where nobody
    /// knows.
    pub async fn append(&self, record: Record) -> Result<(), JournalError> {
        self.append_all(std::slice::from_ref(&record)).await
    }

    /// Appends records next to each other, durable as one.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub async fn append_all(&self, records: &[Record]) -> Result<(), JournalError> {
        let bodies: Vec<Vec<u8>> = records.iter().map(Record::encode).collect();
        if let Some(long) = bodies.iter().find(|body| body.len() > MAX_BODY) {
            return Err(JournalError::TooLong(long.len()));
        }
        let (done, durable) = oneshot::channel();
        self.appends.send(Append { bodies, done }).await.map_err(|_| JournalError::Closed)?;
        durable.await.map_err(|_| JournalError::Closed)?
    }
}

struct Segment {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Segment {
    fn create(dir: &Path, first: u64) -> Result<Self, JournalError> {
        let path = segment::path_of(dir, first);
        let make = || -> io::Result<File> {
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
            file.write_all(&segment::header(first))?;
            file.sync_all()?;
            // the name must survive as well
            File::open(dir)?.sync_all()?;
            Ok(file)
        };
        let file = make().map_err(JournalError::io(&path))?;
        Ok(Self { file, length: u64::try_from(segment::HEADER).unwrap_or_default(), path })
    }

    fn reopen(path: PathBuf, length: usize, first: u64) -> Result<Self, JournalError> {
        if length < segment::HEADER {
            let dir = path.parent().unwrap_or(Path::new(".")).to_owned();
            return Self::create(&dir, first);
        }
        let open = || -> io::Result<(File, u64)> {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            let length = u64::try_from(length).map_err(io::Error::other)?;
            if file.metadata()?.len() != length {
                file.set_len(length)?;
                file.sync_all()?;
            }
            file.seek(SeekFrom::End(0))?;
            Ok((file, length))
        };
        let (file, length) = open().map_err(JournalError::io(&path))?;
        Ok(Self { path, file, length })
    }
}

struct Writer {
    options: Options,
    segment: Segment,
    next: u64,
    poisoned: Option<Arc<io::Error>>,
    _lock: File,
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Append>) {
        let mut group = Vec::new();
        while queue.blocking_recv_many(&mut group, GROUP) != 0 {
            self.group(std::mem::take(&mut group));
        }
    }

    /// Writes what waits in as few frames as possible.
    fn group(&mut self, mut waiting: Vec<Append>) {
        while !waiting.is_empty() {
            let mut builder = FrameBuilder::new(self.next);
            let mut taken = 0usize;
            for append in &waiting {
                // the records of one append stay in one frame, so that they become durable as one
                if taken > 0 && !append.bodies.iter().all(|body| builder.fits(body)) {
                    break;
                }
                for body in &append.bodies {
                    builder.push(body);
                }
                taken = taken.saturating_add(1);
            }
            let rest = waiting.split_off(taken.min(waiting.len()));
            let result = self.frame(builder);
            for append in waiting {
                let _ = append.done.send(result.clone());
            }
            waiting = rest;
        }
    }

    fn frame(&mut self, builder: FrameBuilder) -> Result<(), JournalError> {
        if let Some(failed) = &self.poisoned {
            return Err(JournalError::Poisoned(Arc::clone(failed)));
        }
        if self.segment.length >= self.options.segment_bytes {
            self.segment = Segment::create(&self.options.dir, self.next)?;
        }
        let (bytes, count) = builder.finish();
        if let Err(source) = self.segment.file.write_all(&bytes) {
            // whatever part was written goes again; if even that fails, nothing may follow it
            error!(segment = %self.segment.path.display(), %source, "journal can't be written");
            let undo = self.segment.file.set_len(self.segment.length);
            let undo = undo.and_then(|()| self.segment.file.seek(SeekFrom::End(0)).map(drop));
            if let Err(failed) = undo {
                self.poisoned = Some(Arc::new(failed));
            }
            return Err(JournalError::io(&self.segment.path)(source));
        }
        if let Err(source) = self.segment.file.sync_data() {
            error!(segment = %self.segment.path.display(), %source, "fdatasync failed, journal is closed");
            let source = Arc::new(source);
            self.poisoned = Some(Arc::clone(&source));
            return Err(JournalError::Poisoned(source));
        }
        self.segment.length =
            self.segment.length.saturating_add(u64::try_from(bytes.len()).unwrap_or_default());
        self.next = self.next.saturating_add(count);
        Ok(())
    }
}
