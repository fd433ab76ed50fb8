//! Numbers of miner sessions. No number is given out twice, and no two live sessions share low
//! bytes.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write as _},
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// Numbers reserved by one write to disk.
const BLOCK: u64 = 256;

/// Gives out session numbers. The end of a reserved block is on disk before any of its numbers is
/// used.
#[derive(Clone, Debug)]
pub(crate) struct SessionNumbers(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    next: u64,
    reserved: u64,
    /// For each live session, the number of spaces and its place among them.
    live: HashSet<(NonZeroU64, u64)>,
}

/// A number that is in use until this is dropped.
#[derive(Debug)]
pub(crate) struct SessionNumber {
    number: u64,
    spaces: NonZeroU64,
    from: SessionNumbers,
}

fn store(path: &Path, reserved: u64) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    writeln!(file, "{reserved}")?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// Why there is no number for a session.
#[derive(Debug, thiserror::Error)]
pub enum SessionNumberError {
    /// The file can't be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file holds something else.
    #[error("expected a number, got {0:?}")]
    NotANumber(String),
    /// A panic left the numbers in an unknown state.
    #[error("session numbers are poisoned")]
    Poisoned,
    /// Every space belongs to a live session.
    #[error("all {spaces} sessions are in use")]
    AllInUse {
        /// How many there are.
        spaces: NonZeroU64,
    },
}

impl SessionNumbers {
    /// Continues after every number that an earlier run may have used.
    ///
    /// # Errors
    /// When the file can't be read or does not hold a number.
    pub(crate) fn open(path: PathBuf) -> Result<Self, SessionNumberError> {
        let next = match fs::read_to_string(&path) {
            Ok(text) => text
                .trim()
                .parse()
                .map_err(|_| SessionNumberError::NotANumber(text.trim().chars().take(48).collect()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 1,
            Err(error) => return Err(error.into()),
        };
        Ok(Self(Arc::new(Mutex::new(Inner { path, next, reserved: next, live: HashSet::new() }))))
    }

    /// Reserves the next number whose low bytes no live session has.
    ///
    /// # Errors
    /// When it can't be made durable, or all of `spaces` are in use.
    pub(crate) fn reserve(&self, spaces: NonZeroU64) -> Result<SessionNumber, SessionNumberError> {
        let mut inner = self.0.lock().map_err(|_| SessionNumberError::Poisoned)?;
        for _ in 0..spaces.get() {
            let number = inner.next;
            if number >= inner.reserved {
                let reserved = number.saturating_add(BLOCK);
                store(&inner.path, reserved)?;
                inner.reserved = reserved;
            }
            inner.next = number.saturating_add(1);
            if inner.live.insert((spaces, number % spaces)) {
                return Ok(SessionNumber { number, spaces, from: self.clone() });
            }
        }
        Err(SessionNumberError::AllInUse { spaces })
    }
}

impl SessionNumber {
    /// The number.
    #[must_use]
    pub(crate) const fn get(&self) -> u64 {
        self.number
    }
}

impl Drop for SessionNumber {
    fn drop(&mut self) {
        // after a panic no number is handed out any more, so none needs to be freed
        if let Ok(mut inner) = self.from.0.lock() {
            inner.live.remove(&(self.spaces, self.number % self.spaces));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_no_number_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions");
        fs::write(&path, "seven\n").unwrap();
        let error = SessionNumbers::open(path).unwrap_err();
        assert_eq!(error.to_string(), "expected a number, got \"seven\"");
    }

    fn spaces(count: u64) -> NonZeroU64 {
        NonZeroU64::new(count).unwrap()
    }

    #[test]
    fn a_restart_never_repeats_a_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions");
        let first = SessionNumbers::open(path.clone()).unwrap();
        let used: Vec<u64> = (0..300).map(|_| first.reserve(spaces(1 << 16)).unwrap().get()).collect();
        // without a clean shutdown: the second run has only the file
        let second = SessionNumbers::open(path).unwrap();
        assert!(second.reserve(spaces(1 << 16)).unwrap().get() > *used.iter().max().unwrap());
    }

    #[test]
    fn live_sessions_keep_their_space() {
        let dir = tempfile::tempdir().unwrap();
        let numbers = SessionNumbers::open(dir.path().join("sessions")).unwrap();
        let live: Vec<SessionNumber> = (0..256).map(|_| numbers.reserve(spaces(256)).unwrap()).collect();
        assert!(numbers.reserve(spaces(256)).is_err(), "a 257th session would share a space");
        drop(live);
        assert!(numbers.reserve(spaces(256)).is_ok());
    }

    #[test]
    fn the_end_of_one_session_frees_no_space_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let numbers = SessionNumbers::open(dir.path().join("sessions")).unwrap();
        let live: Vec<SessionNumber> = (0..256).map(|_| numbers.reserve(spaces(256)).unwrap()).collect();
        // some numbers drawn from the larger space have the same low byte as numbers of the smaller
        // one
        drop((0..300).map(|_| numbers.reserve(spaces(1 << 16)).unwrap()).collect::<Vec<_>>());
        assert!(numbers.reserve(spaces(256)).is_err(), "all 256 are still in use");
        drop(live);
    }
}
