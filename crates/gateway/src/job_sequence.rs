//! Job sequences of a lease. None is used twice, even if the process is killed.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Numbers reserved by one write to disk.
const BLOCK: u64 = 1_024;

/// The next sequence, and the end of the block that is reserved on disk.
#[derive(Debug)]
pub(crate) struct JobSequence {
    path: PathBuf,
    next: u64,
    reserved: u64,
}

/// Why a lease's sequences can't be continued.
#[derive(Debug, thiserror::Error)]
pub enum JobSequenceError {
    /// The file can't be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file holds something else.
    #[error("expected a number, got {0:?}")]
    NotANumber(String),
}

impl JobSequence {
    /// Continues after every sequence that an earlier run may have used.
    pub(crate) fn open(path: &Path) -> Result<Self, JobSequenceError> {
        let next = match fs::read_to_string(path) {
            Ok(text) => text
                .trim()
                .parse()
                .map_err(|_| JobSequenceError::NotANumber(text.trim().chars().take(48).collect()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 1,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { path: path.to_owned(), next, reserved: next })
    }

    /// The next sequence; it is reserved on disk.
    pub(crate) fn reserve(&mut self) -> Result<u64, JobSequenceError> {
        if self.next >= self.reserved {
            let reserved = self.next.saturating_add(BLOCK);
            let fresh = self.path.with_extension("new");
            let mut file = File::create(&fresh)?;
            writeln!(file, "{reserved}")?;
            file.sync_all()?;
            fs::rename(&fresh, &self.path)?;
            if let Some(dir) = self.path.parent() {
                File::open(dir)?.sync_all()?;
            }
            self.reserved = reserved;
        }
        let sequence = self.next;
        self.next = sequence.saturating_add(1);
        Ok(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_no_number_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lease-1.sequence");
        fs::write(&path, "seven\n").unwrap();
        let error = JobSequence::open(&path).unwrap_err();
        assert_eq!(error.to_string(), "expected a number, got \"seven\"");
    }

    #[test]
    fn no_sequence_repeats_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lease-1.sequence");
        let mut last = 0;
        for _ in 0..3 {
            let mut sequence = JobSequence::open(&path).unwrap();
            for _ in 0..1_500 {
                let next = sequence.reserve().unwrap();
                assert!(next > last);
                last = next;
            }
        }
    }
}
