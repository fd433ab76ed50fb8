//! The evidence of closed epochs as files: each is written once, from what the journal says, and served from disk.
//!
//! A file that is missing, or is not what the journal says, is made again: it may be deleted at any time. What is under a
//! file's own name is whole, since it gets that name only when it is durable.

use hashlease_evidence::{EvidenceError, EvidenceReader, EvidenceWriteError};
use hashlease_ledger::{Book, BookError};
use hashlease_primitives::{Commitment, EpochId};
use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufWriter},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinError,
};
use tracing::{info, warn};

/// Shares that are read at a time to see whether a file is whole.
const PIECE: usize = 4_096;
/// How long a file that could not be made is not tried again: strangers ask for it.
const AGAIN: Duration = Duration::from_secs(10);

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The book has no such epoch, or can't be read.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The shares make no file.
    #[error(transparent)]
    Write(#[from] EvidenceWriteError),
    /// The disk refuses.
    #[error("evidence file: {0}")]
    Io(#[from] io::Error),
    /// The limit of files that are served at once is reached.
    #[error("as many files as may be are being served: ask again")]
    Busy,
    /// A try a moment ago failed.
    #[error("the file could not be made a moment ago: ask again")]
    FailedBefore,
    /// The task that made the file ended early.
    #[error("making the file ended early: {0}")]
    Ended(#[from] JoinError),
}

/// How a file looked when it was found to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    length: u64,
    modified: Option<SystemTime>,
}

impl Look {
    fn at(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { length: metadata.len(), modified: metadata.modified().ok() })
    }
}

#[derive(Clone, Copy, Debug)]
enum Known {
    Whole(Look),
    Failed(Instant),
}

/// A file that is being served. As long as it is kept, it takes a place.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) length: u64,
    pub(crate) place: OwnedSemaphorePermit,
}

/// The evidence files of a node.
#[derive(Clone, Debug)]
pub struct EvidenceFiles {
    book: Book,
    dir: Arc<Path>,
    known: Arc<Mutex<HashMap<EpochId, Known>>>,
    places: Arc<Semaphore>,
    // one is made at a time
    making: Arc<tokio::sync::Mutex<()>>,
}

impl EvidenceFiles {
    /// Files in `dir`; at most `at_once` are served at the same time.
    ///
    /// # Errors
    /// When the directory can't be made or read.
    pub fn open(book: Book, dir: PathBuf, at_once: usize) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            // one that was being written when the node was killed
            if path.extension().is_some_and(|extension| extension == "new") {
                fs::remove_file(path)?;
            }
        }
        Ok(Self {
            book,
            dir: dir.into(),
            known: Arc::default(),
            places: Arc::new(Semaphore::new(at_once)),
            making: Arc::default(),
        })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<EpochId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: EpochId) -> PathBuf {
        self.dir.join(format!("lease-{}-epoch-{}.hlev", id.lease, id.epoch))
    }

    /// The evidence of a closed epoch.
    ///
    /// # Errors
    /// [`FileError`].
    pub(crate) async fn get(&self, id: EpochId) -> Result<Opened, FileError> {
        let claimed = self.book.closed(id)?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| FileError::Busy)?;
        if let Some((file, length)) = self.at_hand(id) {
            return Ok(Opened { file, length, place });
        }
        let one = Arc::clone(&self.making).lock_owned().await;
        let files = self.clone();
        let finding = tokio::task::spawn_blocking(move || {
            let found = files.find(id, claimed);
            // only now, also when nobody waits any more: the next one finds what was made
            drop(one);
            found
        });
        let (file, length) = finding.await??;
        Ok(Opened { file, length, place })
    }

    /// Forgets that a file was whole: what was read of it is not.
    pub(crate) fn damaged(&self, id: EpochId) {
        warn!(%id, "evidence file is damaged and is made again when it is asked for");
        self.known().remove(&id);
    }

    /// A file that was found to be whole and has not changed since.
    fn at_hand(&self, id: EpochId) -> Option<(File, u64)> {
        let Some(Known::Whole(before)) = self.known().get(&id).copied() else { return None };
        let file = File::open(self.path(id)).ok()?;
        let look = Look::at(&file).ok()?;
        (look == before).then_some((file, look.length))
    }

    fn find(&self, id: EpochId, claimed: Commitment) -> Result<(File, u64), FileError> {
        if let Some(found) = self.at_hand(id) {
            return Ok(found);
        }
        let known = self.known().get(&id).copied();
        if let Some(Known::Failed(at)) = known
            && at.elapsed() < AGAIN
        {
            return Err(FileError::FailedBefore);
        }
        let path = self.path(id);
        if let Some(found) = self.whole(&path, id, claimed) {
            return Ok(found);
        }
        let made = self.make(&path, id, claimed);
        let known = match &made {
            Ok((file, _)) => Known::Whole(Look::at(file)?),
            Err(error) => {
                warn!(%id, %error, "evidence file can't be made");
                Known::Failed(Instant::now())
            }
        };
        self.known().insert(id, known);
        made
    }

    /// The file that is there, if it is whole and of this claim.
    fn whole(&self, path: &Path, id: EpochId, claimed: Commitment) -> Option<(File, u64)> {
        let file = File::open(path).ok()?;
        let look = Look::at(&file).ok()?;
        match is_whole(&file, id, claimed) {
            Ok(true) => {}
            Ok(false) => {
                warn!(%id, file = %path.display(), "evidence file is of another claim: it is made again");
                return None;
            }
            Err(error) => {
                warn!(%id, file = %path.display(), %error, "evidence file is damaged: it is made again");
                return None;
            }
        }
        self.known().insert(id, Known::Whole(look));
        // a handle of its own, at the begin
        Some((File::open(path).ok()?, look.length))
    }

    fn make(&self, path: &Path, id: EpochId, claimed: Commitment) -> Result<(File, u64), FileError> {
        let shares = self.book.shares(id)?;
        let jobs = self.book.jobs(id.lease, &shares.jobs());
        let fresh = path.with_extension("new");
        let file = File::create(&fresh)?;
        shares.write(claimed, jobs, BufWriter::new(&file))?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        File::open(&self.dir)?.sync_all()?;
        let length = file.metadata()?.len();
        info!(%id, bytes = length, "evidence file written");
        Ok((File::open(path)?, length))
    }
}

fn is_whole(file: &File, id: EpochId, claimed: Commitment) -> Result<bool, EvidenceError> {
    let mut reader = EvidenceReader::open(file)?;
    let head = reader.head();
    let fits = (EpochId::new(head.terms.id, head.epoch), head.commitment) == (id, claimed);
    let fits = fits && reader.left() == claimed.count;
    let mut shares = Vec::new();
    while fits && reader.next(&mut shares, PIECE)? {}
    Ok(fits)
}
