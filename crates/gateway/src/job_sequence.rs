//! Job sequences of a lease. None is used twice, even if the process is killed.

use hashlease_primitives::UnixSeconds;
use hashlease_share::MAX_SEQUENCE;
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Numbers per second of a lease. Far more than jobs are ever signed, so a gateway that lost its
/// files goes on with a number that it has not used.
const PER_SECOND: u64 = 16;
/// Numbers reserved by one write to disk: four seconds' worth.
const BLOCK: u64 = 64;

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
    /// Nodes and members take no larger one.
    #[error("{0} was reached: expected at most {MAX_SEQUENCE}")]
    UsedUp(u64),
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

    /// The next sequence of a lease that starts at `start`; it is reserved on disk.
    pub(crate) fn reserve(&mut self, start: UnixSeconds, now: UnixSeconds) -> Result<u64, JobSequenceError> {
        let sequence = self.next.max(now.since(start).saturating_mul(PER_SECOND));
        if sequence > MAX_SEQUENCE {
            return Err(JobSequenceError::UsedUp(sequence));
        }
        if sequence >= self.reserved {
            let reserved = sequence.saturating_add(BLOCK);
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
        self.next = sequence.saturating_add(1);
        Ok(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixSeconds = UnixSeconds::new(1_000);

    fn at(seconds: u64) -> UnixSeconds {
        START.plus(seconds)
    }

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
        for _ in 0..5 {
            let mut sequence = JobSequence::open(&path).unwrap();
            for _ in 0..3 {
                let next = sequence.reserve(START, START).unwrap();
                assert!(next > last, "{next} after {last}");
                last = next;
            }
        }
        // and none when the clock goes back
        let mut sequence = JobSequence::open(&path).unwrap();
        let late = sequence.reserve(START, at(5_000)).unwrap();
        assert_eq!(sequence.reserve(START, at(10)).unwrap(), late + 1);
    }

    #[test]
    fn a_gateway_that_lost_its_file_goes_on_with_larger_sequences() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lease-1.sequence");
        let mut sequence = JobSequence::open(&path).unwrap();
        let mut last = 0;
        // more jobs than are ever signed: two a second
        for half in 0..240 {
            last = sequence.reserve(START, at(half / 2)).unwrap();
        }
        fs::remove_file(&path).unwrap();
        let mut sequence = JobSequence::open(&path).unwrap();
        assert!(sequence.reserve(START, at(120)).unwrap() > last);
    }

    #[test]
    fn sequences_end_where_nobody_takes_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lease-1.sequence");
        fs::write(&path, "4294967295\n").unwrap();
        let mut sequence = JobSequence::open(&path).unwrap();
        assert_eq!(sequence.reserve(START, START).unwrap(), MAX_SEQUENCE);
        assert!(matches!(sequence.reserve(START, START), Err(JobSequenceError::UsedUp(_))));
    }
}
