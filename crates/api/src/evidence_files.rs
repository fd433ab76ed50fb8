//! The evidence of closed epochs as files: each is written once from the journal and then served
//! from disk.
//!
//! A file that is missing, or that differs from the journal, is written again, so it may be deleted
//! at any time. A file gets its final name only when it is durable, so under that name it is always
//! whole.

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

/// Shares read at a time when checking that a file is complete.
const PIECE: usize = 4_096;
/// Pause after a failed attempt to write a file, because any stranger may request it.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceFileError {
    /// The book has no such closed epoch, or can't be read.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The file can't be written.
    #[error(transparent)]
    Write(#[from] EvidenceWriteError),
    /// The disk failed.
    #[error("evidence file: {0}")]
    Io(#[from] io::Error),
    /// The limit of files that are served at once is reached.
    #[error("too many files are being served: try again later")]
    Busy,
    /// An attempt less than ten seconds ago failed.
    #[error("writing the file failed a moment ago: try again later")]
    FailedBefore,
    /// The task that wrote the file panicked.
    #[error("the task that writes the file failed: {0}")]
    Ended(#[from] JoinError),
}

/// Length and modification time of a file when it was last found complete.
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

/// A file that is being served. It takes one of the places until it is dropped.
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
    // one file is written at a time
    making: Arc<tokio::sync::Mutex<()>>,
}

impl EvidenceFiles {
    /// Files in `dir`; at most `at_once` are served at the same time.
    ///
    /// # Errors
    /// If the directory can't be created or read.
    pub fn open(book: Book, dir: PathBuf, at_once: usize) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            // left over from a node that was killed while it wrote the file
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
    /// [`EvidenceFileError`].
    pub(crate) async fn get(&self, id: EpochId) -> Result<Opened, EvidenceFileError> {
        let claimed = self.book.closed(id)?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| EvidenceFileError::Busy)?;
        if let Some((file, length)) = self.unchanged_file(id) {
            return Ok(Opened { file, length, place });
        }
        let one = Arc::clone(&self.making).lock_owned().await;
        let files = self.clone();
        let finding = tokio::task::spawn_blocking(move || {
            let found = files.find(id, claimed);
            // held until the file is found, even if the caller is gone, so the next caller finds it
            drop(one);
            found
        });
        let (file, length) = finding.await??;
        Ok(Opened { file, length, place })
    }

    /// Forgets that a file was whole, after reading it has shown damage.
    pub(crate) fn damaged(&self, id: EpochId) {
        warn!(%id, "evidence file is damaged and will be written again on the next request");
        self.known().remove(&id);
    }

    /// A file that was found to be whole and has not changed since.
    fn unchanged_file(&self, id: EpochId) -> Option<(File, u64)> {
        let Some(Known::Whole(before)) = self.known().get(&id).copied() else { return None };
        let file = File::open(self.path(id)).ok()?;
        let look = Look::at(&file).ok()?;
        (look == before).then_some((file, look.length))
    }

    fn find(&self, id: EpochId, claimed: Commitment) -> Result<(File, u64), EvidenceFileError> {
        if let Some(found) = self.unchanged_file(id) {
            return Ok(found);
        }
        let known = self.known().get(&id).copied();
        if let Some(Known::Failed(at)) = known
            && at.elapsed() < RETRY_AFTER
        {
            return Err(EvidenceFileError::FailedBefore);
        }
        let path = self.path(id);
        if let Some(found) = self.existing_file(&path, id, claimed) {
            return Ok(found);
        }
        let made = self.write_file(&path, id, claimed);
        let known = match &made {
            Ok((file, _)) => Known::Whole(Look::at(file)?),
            Err(error) => {
                warn!(%id, %error, "writing the evidence file failed");
                Known::Failed(Instant::now())
            }
        };
        self.known().insert(id, known);
        made
    }

    /// The existing file, if it is whole and has this claim.
    fn existing_file(&self, path: &Path, id: EpochId, claimed: Commitment) -> Option<(File, u64)> {
        let file = File::open(path).ok()?;
        let look = Look::at(&file).ok()?;
        match is_whole(&file, id, claimed) {
            Ok(true) => {}
            Ok(false) => {
                warn!(%id, file = %path.display(), "evidence file has another claim and is written again");
                return None;
            }
            Err(error) => {
                warn!(%id, file = %path.display(), %error, "evidence file is damaged and is written again");
                return None;
            }
        }
        self.known().insert(id, Known::Whole(look));
        // a new handle, at the start of the file
        Some((File::open(path).ok()?, look.length))
    }

    fn write_file(
        &self,
        path: &Path,
        id: EpochId,
        claimed: Commitment,
    ) -> Result<(File, u64), EvidenceFileError> {
        let shares = self.book.shares(id)?;
        let jobs = self.book.jobs(id.lease, &shares.jobs())?;
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
