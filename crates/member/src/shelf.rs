//! Verified evidence that a member keeps, so that other members need not depend on the provider's
//! server. The newest files stay; the oldest go when the disk's share is used up.

use hashlease_primitives::{EpochId, LeaseId};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

/// Files of evidence in a directory.
#[derive(Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
    // bytes in all
    most: u64,
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
struct Files {
    // from the oldest to the newest
    by_age: BTreeMap<u64, (EpochId, u64)>,
    numbers: BTreeMap<EpochId, u64>,
    next: u64,
    bytes: u64,
}

impl Files {
    fn add(&mut self, id: EpochId, length: u64) {
        self.remove(id);
        self.by_age.insert(self.next, (id, length));
        self.numbers.insert(id, self.next);
        self.next = self.next.saturating_add(1);
        self.bytes = self.bytes.saturating_add(length);
    }

    fn remove(&mut self, id: EpochId) {
        if let Some((_, length)) = self.numbers.remove(&id).and_then(|number| self.by_age.remove(&number)) {
            self.bytes = self.bytes.saturating_sub(length);
        }
    }
}

impl Shelf {
    /// The files that are in the directory already, and room for `most` bytes.
    ///
    /// # Errors
    /// If the directory can't be made or read.
    pub(crate) fn open(dir: PathBuf, most: u64) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            // whatever else lies there is not this member's
            if let Some(id) = id_of(&entry.path()) {
                let metadata = entry.metadata()?;
                found.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), id, metadata.len()));
            }
        }
        found.sort_by_key(|(modified, id, _)| (*modified, *id));
        let mut files = Files::default();
        for (_, id, length) in found {
            files.add(id, length);
        }
        let shelf = Self { dir, most, files: Mutex::new(files) };
        shelf.make_room(&mut shelf.files(), 0);
        Ok(shelf)
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        // never poisoned: nothing panics under this lock
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: EpochId) -> PathBuf {
        self.dir.join(format!("{}-{}.hlev", id.lease, id.epoch))
    }

    /// Moves a whole file here. One that is longer than all the room is left where it is.
    ///
    /// # Errors
    /// If it can't be moved.
    pub(crate) fn keep(&self, id: EpochId, file: &Path) -> io::Result<()> {
        let length = fs::metadata(file)?.len();
        if length > self.most {
            return Ok(());
        }
        let mut files = self.files();
        // the same epoch again takes its own room
        files.remove(id);
        self.make_room(&mut files, length);
        fs::rename(file, self.path(id))?;
        files.add(id, length);
        Ok(())
    }

    /// Removes the oldest files until `more` bytes fit.
    fn make_room(&self, files: &mut Files, more: u64) {
        while files.bytes.saturating_add(more) > self.most {
            let Some((_, (id, length))) = files.by_age.pop_first() else { return };
            files.numbers.remove(&id);
            files.bytes = files.bytes.saturating_sub(length);
            // a file that stays in spite of this takes room until the next start
            let _ = fs::remove_file(self.path(id));
        }
    }

    /// Drops a file that turned out to be damaged.
    pub(crate) fn drop_file(&self, id: EpochId) {
        self.files().remove(id);
        // a file that stays in spite of this is read again at the next start
        let _ = fs::remove_file(self.path(id));
    }

    /// The file of an epoch, with its length.
    pub(crate) fn open_file(&self, id: EpochId) -> Option<(File, u64)> {
        let known = self.files().numbers.contains_key(&id);
        if !known {
            return None;
        }
        let file = File::open(self.path(id)).ok()?;
        let length = file.metadata().ok()?.len();
        Some((file, length))
    }
}

fn id_of(path: &Path) -> Option<EpochId> {
    if path.extension()? != "hlev" {
        return None;
    }
    let (lease, epoch) = path.file_stem()?.to_str()?.split_once('-')?;
    Some(EpochId::new(LeaseId(lease.parse().ok()?), epoch.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, fresh) = (dir.path().join("kept"), dir.path().join("fresh"));
        let id = |epoch| EpochId::new(LeaseId(7), epoch);
        let keep = |shelf: &Shelf, epoch: u32, length: usize| {
            fs::write(&fresh, vec![u8::try_from(epoch).unwrap(); length]).unwrap();
            shelf.keep(id(epoch), &fresh).unwrap();
        };
        let there =
            |shelf: &Shelf| (0..6).filter(|epoch| shelf.open_file(id(*epoch)).is_some()).collect::<Vec<_>>();
        let shelf = Shelf::open(kept.clone(), 100).unwrap();
        keep(&shelf, 0, 40);
        keep(&shelf, 1, 40);
        keep(&shelf, 2, 20);
        assert_eq!(there(&shelf), [0, 1, 2]);
        keep(&shelf, 3, 30);
        assert_eq!(there(&shelf), [1, 2, 3]);
        keep(&shelf, 2, 25);
        assert_eq!((there(&shelf), shelf.files().bytes), (vec![1, 2, 3], 95));
        keep(&shelf, 4, 101);
        assert_eq!(there(&shelf), [1, 2, 3], "longer than all the room");
        fs::write(kept.join("notes.txt"), "mine").unwrap();
        let shelf = Shelf::open(kept.clone(), 60).unwrap();
        assert!(shelf.files().bytes <= 60);
        assert_eq!(there(&shelf).len(), 2);
        assert!(kept.join("notes.txt").exists());
    }
}
