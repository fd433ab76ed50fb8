//! Opening, replaying and appending.

use crate::{
    JournalError, OpenError, Options, Record,
    disk::{Disk, System},
    segment::{self, Cursor, MAX_PAYLOAD},
    torn_tail,
    writer::{Append, Segment, Writer},
};
use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    thread,
};
use tokio::sync::{mpsc, oneshot};
use tracing::info;

/// Largest number of appends in the writer's queue. Further callers wait for room, so a slow disk
/// slows them down.
const QUEUE: usize = 65_536;

/// A handle to an open journal. Clones share it; the lock is held until the last one is dropped and
/// all their appends are written.
#[derive(Clone, Debug)]
pub struct Journal {
    appends: mpsc::Sender<Append>,
}

impl Journal {
    /// Takes the lock, passes every record to `replay` in order, cuts off a torn tail, and starts
    /// the writer.
    ///
    /// # Errors
    /// [`OpenError::Journal`]: locked or damaged. [`OpenError::Replay`]: `replay` returned an
    /// error; nothing is changed on disk then.
    pub fn open<E>(
        options: Options,
        replay: impl FnMut(u64, Record) -> Result<(), E>,
    ) -> Result<Self, OpenError<E>> {
        Self::open_on(System, options, replay)
    }

    pub(crate) fn open_on<E>(
        mut disk: impl Disk,
        options: Options,
        replay: impl FnMut(u64, Record) -> Result<(), E>,
    ) -> Result<Self, OpenError<E>> {
        let dir = &options.dir.clone();
        fs::create_dir_all(dir).map_err(JournalError::io(dir))?;
        let lock = lock(dir)?;
        let (last, next) = replay_all(dir, replay)?;
        let segment = match last {
            Some(Tail { path, length, mark: Some(mark) }) => Segment::reopen(&mut disk, path, length, mark)?,
            _ => Segment::begin(&mut disk, dir, next)?,
        };
        info!(dir = %dir.display(), records = next, "journal replayed");
        let (appends, queue) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new().name("journal".into());
        let writer = Writer { disk, options, segment, next, poisoned: None, _lock: lock };
        thread.spawn(move || writer.run(queue)).map_err(JournalError::io(dir))?;
        Ok(Self { appends })
    }

    /// Appends one record, which is durable when this returns. If the future is dropped, the record
    /// may still be written.
    ///
    /// # Errors
    /// [`JournalError`]. The record is then not in the journal, except after
    /// [`JournalError::Poisoned`], when it may be.
    pub async fn append(&self, record: Record) -> Result<(), JournalError> {
        self.append_all(vec![record]).await
    }

    /// Appends records in one frame: after a power cut either all of them are there or none.
    ///
    /// # Errors
    /// As [`Journal::append`], and [`JournalError::BatchTooLong`] if they take more than 4 MiB.
    pub async fn append_all(&self, records: Vec<Record>) -> Result<(), JournalError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut payload = Vec::with_capacity(records.len().saturating_mul(160));
        for record in &records {
            segment::put_record(&mut payload, record)?;
        }
        if payload.len() > MAX_PAYLOAD {
            return Err(JournalError::BatchTooLong { length: payload.len(), max: MAX_PAYLOAD });
        }
        // no fallback in practice: a record takes at least four bytes of a payload of at most 4 MiB
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let (done, durable) = oneshot::channel();
        self.appends.send(Append { payload, count, done }).await.map_err(|_| JournalError::Closed)?;
        durable.await.map_err(|_| JournalError::Closed)?
    }

    /// Number of appends that the writer has not taken yet.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.appends.max_capacity().saturating_sub(self.appends.capacity())
    }
}

fn lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join("lock");
    let lock = File::create(&path).map_err(JournalError::io(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(JournalError::io(&path)(source)),
    }
}

/// The intact part of the last segment.
struct Tail {
    path: PathBuf,
    length: usize,
    mark: Option<u64>,
}

/// Passes every record to `replay`; returns the last segment and the number of the next record.
fn replay_all<E>(
    dir: &Path,
    mut replay: impl FnMut(u64, Record) -> Result<(), E>,
) -> Result<(Option<Tail>, u64), OpenError<E>> {
    let mut replay = |number, record| {
        let refused = |source| OpenError::Replay { path: dir.to_owned(), number, source };
        replay(number, record).map_err(refused)
    };
    let mut next = 0;
    let mut last = None;
    let mut segments = segment::list(dir)?.into_iter();
    while let Some((first, path)) = segments.next() {
        if first != next {
            return Err(segment::missing(&path, next, first).into());
        }
        let mut cursor = Cursor::open(&path, first)?;
        let end = loop {
            if let Some(end) = cursor.next(&mut replay)? {
                break end;
            }
        };
        let length = torn_tail::intact_length(&path, end, cursor.length(), segments.len() == 0)?;
        next = cursor.number();
        last = Some(Tail { path, length, mark: cursor.mark() });
    }
    Ok((last, next))
}
