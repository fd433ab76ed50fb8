//! Opening, replaying and appending.

use crate::{
    JournalError, Record,
    disk::{Disk, System},
    segment::{self, Cursor, End, MAX_PAYLOAD},
    writer::{Append, Segment, Writer},
};
use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    thread,
};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

/// Appends that may wait for the writer; more wait for room, so a slow disk slows its callers.
const QUEUE: usize = 65_536;

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

/// An open journal. Cloning gives another handle to the same; the lock is held until the last is gone and what they
/// appended is written.
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
        replay: impl FnMut(u64, Record) -> Result<(), E>,
    ) -> Result<Self, JournalError> {
        Self::open_on(System, options, replay)
    }

    pub(crate) fn open_on<E: std::fmt::Display>(
        mut disk: impl Disk,
        options: Options,
        replay: impl FnMut(u64, Record) -> Result<(), E>,
    ) -> Result<Self, JournalError> {
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

    /// Appends one record; when this returns, it is durable. If the future is dropped, the record may still be
    /// written.
    ///
    /// # Errors
    /// [`JournalError`]; the record is not in the journal then, but for [`JournalError::Poisoned`], where nobody
    /// knows.
    pub async fn append(&self, record: Record) -> Result<(), JournalError> {
        self.append_all(vec![record]).await
    }

    /// Appends records next to each other, durable as one: after a power cut all of them are there or none.
    ///
    /// # Errors
    /// As [`Journal::append`]; [`JournalError::BatchTooLong`] when they take more than 4 MiB.
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
        // a record takes at least one byte of the payload
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let (done, durable) = oneshot::channel();
        self.appends.send(Append { payload, count, done }).await.map_err(|_| JournalError::Closed)?;
        durable.await.map_err(|_| JournalError::Closed)?
    }

    /// Appends that the writer did not take yet.
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

/// The last segment, as far as it is whole.
struct Tail {
    path: PathBuf,
    length: usize,
    mark: Option<u64>,
}

/// Hands out every record; gives the last segment and the number of the next record.
fn replay_all<E: std::fmt::Display>(
    dir: &Path,
    mut replay: impl FnMut(u64, Record) -> Result<(), E>,
) -> Result<(Option<Tail>, u64), JournalError> {
    let mut take = |number, record| {
        replay(number, record).map_err(|refused| JournalError::Refused {
            path: dir.to_owned(),
            number,
            message: refused.to_string(),
        })
    };
    let mut next = 0;
    let mut last = None;
    let mut segments = segment::list(dir)?.into_iter();
    while let Some((first, path)) = segments.next() {
        if first != next {
            return Err(segment::missing(&path, next, first));
        }
        let mut cursor = Cursor::open(&path, first)?;
        let end = loop {
            if let Some(end) = cursor.next(&mut take)? {
                break end;
            }
        };
        let length = match end {
            End::Whole => cursor.length(),
            End::Torn(offset) if segments.len() == 0 => {
                let lost = cursor.length().saturating_sub(offset);
                warn!(segment = %path.display(), offset, lost, "cut off bytes that were never acknowledged");
                offset
            }
            End::Torn(offset) => return Err(segment::torn_inside(&path, offset)),
        };
        next = cursor.number();
        last = Some(Tail { path, length, mark: cursor.mark() });
    }
    Ok((last, next))
}
