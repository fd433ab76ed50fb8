//! Numbers of miner sessions. No number is given out twice, and no two live sessions share the low
//! bytes by which a job may tell them apart.

use crate::extranonce::{ONE_BYTE, Sizes, TWO_BYTES};
use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write as _},
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};
use tracing::warn;

/// Numbers reserved by one write to disk.
const BLOCK: u64 = 4_096;
/// Once fewer are left, the next write begins.
const FEW: u64 = BLOCK / 2;

/// Gives out session numbers. The end of a reserved block is on disk before any of its numbers is
/// used; it is written ahead, so that no session waits for the disk.
#[derive(Clone, Debug)]
pub(crate) struct SessionNumbers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    // held during a write
    file: Mutex<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: u64,
    reserved: u64,
    extending: bool,
    /// For each live session, the numbers of spaces and its place among them.
    live: HashSet<(NonZeroU64, u64)>,
}

/// A number that is in use until this is dropped.
#[derive(Debug)]
pub(crate) struct SessionNumber {
    number: u64,
    sizes: Sizes,
    from: Arc<Shared>,
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

/// Where a session with these sizes must differ from all others: jobs tell those with one byte of
/// extranonce1 apart by one byte or more, and the others by two bytes or more.
fn places(sizes: Sizes, number: u64) -> impl Iterator<Item = (NonZeroU64, u64)> {
    let one = (sizes.sessions() == ONE_BYTE).then_some(ONE_BYTE);
    one.into_iter().chain([TWO_BYTES]).map(move |spaces| (spaces, number % spaces))
}

impl SessionNumbers {
    /// Continues after every number that an earlier run may have used.
    ///
    /// # Errors
    /// When the file can't be read or written, or does not hold a number.
    pub(crate) fn open(path: PathBuf) -> Result<Self, SessionNumberError> {
        let next = match fs::read_to_string(&path) {
            Ok(text) => text
                .trim()
                .parse()
                .map_err(|_| SessionNumberError::NotANumber(text.trim().chars().take(48).collect()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 1,
            Err(error) => return Err(error.into()),
        };
        let state = State { next, reserved: next, extending: false, live: HashSet::new() };
        let shared = Arc::new(Shared { file: Mutex::new(path), state: Mutex::new(state) });
        shared.extend()?;
        Ok(Self(shared))
    }

    /// Reserves the next number whose low bytes no live session has.
    ///
    /// # Errors
    /// When it can't be made durable, or all numbers of this length are in use.
    pub(crate) fn reserve(&self, sizes: Sizes) -> Result<SessionNumber, SessionNumberError> {
        let spaces = sizes.sessions();
        for _ in 0..spaces.get() {
            let number = self.next()?;
            let mut state = self.0.state()?;
            if places(sizes, number).any(|place| state.live.contains(&place)) {
                continue;
            }
            state.live.extend(places(sizes, number));
            return Ok(SessionNumber { number, sizes, from: Arc::clone(&self.0) });
        }
        Err(SessionNumberError::AllInUse { spaces })
    }

    fn next(&self) -> Result<u64, SessionNumberError> {
        if self.0.state()?.is_used_up() {
            // so many sessions came that the write ahead was too late
            self.0.extend()?;
        }
        let mut state = self.0.state()?;
        let number = state.next;
        state.next = number.saturating_add(1);
        if state.has_few() && !state.extending {
            state.extending = true;
            drop(state);
            self.extend_ahead();
        }
        Ok(number)
    }

    /// Reserves the next block on a thread of its own.
    fn extend_ahead(&self) {
        let shared = Arc::clone(&self.0);
        let extend = move || {
            if let Err(error) = shared.extend() {
                warn!(%error, "session numbers can't be written ahead");
            }
            if let Ok(mut state) = shared.state() {
                state.extending = false;
            }
        };
        if let Err(error) = thread::Builder::new().name("session-numbers".into()).spawn(extend) {
            warn!(%error, "no thread to write session numbers ahead");
            if let Ok(mut state) = self.0.state() {
                state.extending = false;
            }
        }
    }
}

impl State {
    const fn is_used_up(&self) -> bool {
        self.next >= self.reserved
    }

    const fn has_few(&self) -> bool {
        self.reserved.saturating_sub(self.next) < FEW
    }
}

impl Shared {
    fn state(&self) -> Result<MutexGuard<'_, State>, SessionNumberError> {
        self.state.lock().map_err(|_| SessionNumberError::Poisoned)
    }

    /// Writes the end of the next block, unless another thread just did.
    fn extend(&self) -> Result<(), SessionNumberError> {
        let file = self.file.lock().map_err(|_| SessionNumberError::Poisoned)?;
        let (few, end) = {
            let state = self.state()?;
            (state.has_few(), state.reserved.max(state.next).saturating_add(BLOCK))
        };
        if few {
            store(&file, end)?;
            self.state()?.reserved = end;
        }
        Ok(())
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
        if let Ok(mut state) = self.from.state() {
            for place in places(self.sizes, self.number) {
                state.live.remove(&place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Sizes = Sizes { extranonce1: 2, extranonce2: 4 };
    const SHORT: Sizes = Sizes { extranonce1: 1, extranonce2: 2 };

    fn open(dir: &tempfile::TempDir) -> SessionNumbers {
        SessionNumbers::open(dir.path().join("sessions")).unwrap()
    }

    #[test]
    fn a_file_that_holds_no_number_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sessions");
        fs::write(&path, "seven\n").unwrap();
        let error = SessionNumbers::open(path).unwrap_err();
        assert_eq!(error.to_string(), "expected a number, got \"seven\"");
    }

    #[test]
    fn a_restart_never_repeats_a_number() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(&dir);
        let used: Vec<u64> = (0..2 * BLOCK).map(|_| first.reserve(LONG).unwrap().get()).collect();
        // two runs never write at once: the directory is locked
        while first.0.state().unwrap().extending {
            std::thread::yield_now();
        }
        // without a clean shutdown: the second run has only the file
        assert!(open(&dir).reserve(LONG).unwrap().get() > *used.iter().max().unwrap());
        assert_eq!(used.iter().collect::<HashSet<_>>().len(), used.len());
    }

    #[test]
    fn live_sessions_keep_their_space() {
        let dir = tempfile::tempdir().unwrap();
        let numbers = open(&dir);
        let live: Vec<SessionNumber> = (0..256).map(|_| numbers.reserve(SHORT).unwrap()).collect();
        assert!(numbers.reserve(SHORT).is_err(), "a 257th session would share a space");
        drop(live);
        assert!(numbers.reserve(SHORT).is_ok());
    }

    #[test]
    fn the_end_of_one_session_frees_no_space_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let numbers = open(&dir);
        let live: Vec<SessionNumber> = (0..256).map(|_| numbers.reserve(SHORT).unwrap()).collect();
        // some numbers drawn from the larger space have the same low byte as numbers of the smaller
        // one
        drop((0..300).map(|_| numbers.reserve(LONG).unwrap()).collect::<Vec<_>>());
        assert!(numbers.reserve(SHORT).is_err(), "all 256 are still in use");
        drop(live);
    }

    #[test]
    fn sessions_of_both_lengths_differ_where_a_job_tells_them_apart_by_two_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let numbers = open(&dir);
        let short = numbers.reserve(SHORT).unwrap();
        let mut taken = HashSet::from([short.get() % TWO_BYTES]);
        let mut live = Vec::new();
        for _ in 1..TWO_BYTES.get() {
            let long = numbers.reserve(LONG).unwrap();
            assert!(taken.insert(long.get() % TWO_BYTES), "{}", long.get());
            live.push(long);
        }
        assert!(numbers.reserve(LONG).is_err(), "the last space is the short one's");
    }
}
