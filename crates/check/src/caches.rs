//! Who has which cache, who builds it, and who waits for it.

use crate::{
    cache_file::{self, FileError},
    dag_epochs::{EpochError, Epochs},
};
use hashlease_pow::ethash::{BuildCancelled, EthashEpoch, LightCache};
use hashlease_primitives::Algorithm;
use std::{
    collections::{HashMap, VecDeque},
    io,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tracing::{debug, info, warn};

/// Troubles kept until somebody takes them. The oldest go first; all were logged.
const TROUBLES_KEPT: usize = 32;

/// A cache that nobody used for so long may go in favour of one that is only expected to be of use.
const IDLE: Duration = Duration::from_secs(600);

/// How much to keep, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where caches are kept between runs; nowhere if none. Made when missing. Several processes can share one.
    pub directory: Option<PathBuf>,
    /// Caches in memory at most, those being built among them. Two for each chain served, this epoch and the next,
    /// and one more where chains may go back a block at the border of epochs. What users hold beyond that is theirs.
    pub in_memory: NonZeroUsize,
    /// Files in the directory at most.
    pub on_disk: NonZeroUsize,
}

impl Default for Settings {
    /// In memory only, for two chains.
    fn default() -> Self {
        let four = NonZeroUsize::MIN.saturating_add(3);
        Self { directory: None, in_memory: four, on_disk: four.saturating_add(4) }
    }
}

/// Something went wrong with a file. The cache itself is there all the same.
#[derive(Debug)]
pub struct Trouble {
    /// The epoch whose file it was about.
    pub epoch: EthashEpoch,
    /// What went wrong.
    pub error: FileError,
}

/// A cache could not be had.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildFailed {
    /// The system gave no thread to build on.
    #[error("no thread to build a light cache on: {0}")]
    Thread(Arc<io::Error>),
    /// The thread ended before its time.
    #[error("the thread that built the light cache of epoch {} ended before its time", .0.index())]
    Died(EthashEpoch),
}

/// How far a cache is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Status {
    /// Neither there nor under way.
    Absent,
    /// Under way; the part of it that is done, from 0 to 1.
    Building(f64),
    /// There.
    Ready,
}

/// How caches were come by, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Built from their seeds.
    pub built: u64,
    /// Read from files.
    pub loaded: u64,
    /// Written to files.
    pub saved: u64,
    /// Dropped from memory in favour of others.
    pub evicted: u64,
}

/// The caches of a process. Share it behind an [`Arc`]; all methods take `&self`.
///
/// Dropping it calls off the builds under way and waits until files being written are whole.
#[derive(Debug)]
pub struct Caches {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    state: Mutex<State>,
    /// Told when a build ends.
    ended: Condvar,
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<EthashEpoch, Entry>,
    /// Counts uses, to tell which is the longest ago.
    uses: u64,
    counts: Counts,
    troubles: VecDeque<Trouble>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Entry {
    build: Arc<Build>,
    /// Which use in a row, and when: clocks may not tell two apart.
    last_use: (u64, Instant),
}

/// One build, which any number of askers wait for.
#[derive(Debug, Default)]
struct Build {
    outcome: OnceLock<Result<Arc<LightCache>, BuildFailed>>,
    /// The part that is done, as the bits of an `f64`.
    done: AtomicU64,
}

/// What an asker finds.
enum Found {
    /// The build, ended or not.
    Build(Arc<Build>),
    /// All places are taken by what has to stay.
    Full,
}

impl Caches {
    /// No caches yet. Reads nothing until asked.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let (state, ended, stop) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        Self { shared: Arc::new(Shared { settings, state, ended, stop }) }
    }

    /// The cache of an epoch, waiting for it if need be: a fraction of a second from a file, up to seconds if built.
    ///
    /// When as many are under way as may be in memory, waits for one of those first.
    ///
    /// # Errors
    /// When there was no thread to build on, or it died.
    pub fn get(&self, epoch: EthashEpoch) -> Result<Arc<LightCache>, BuildFailed> {
        let mut state = self.shared.lock();
        loop {
            match self.shared.find_or_start(&mut state, epoch, Duration::ZERO) {
                Found::Full => state = self.shared.wait(state),
                Found::Build(build) => loop {
                    if let Some(outcome) = build.outcome.get() {
                        return outcome.clone();
                    }
                    state = self.shared.wait(state);
                },
            }
        }
    }

    /// The cache of an epoch if it is in memory. Starts nothing and never waits for a build.
    #[must_use]
    pub fn try_get(&self, epoch: EthashEpoch) -> Option<Arc<LightCache>> {
        let mut state = self.shared.lock();
        let build = Arc::clone(state.used(epoch)?);
        drop(state);
        build.outcome.get()?.as_ref().ok().map(Arc::clone)
    }

    /// Sees to it that the cache of an epoch will be there, and returns at once. `false` if it will not, since all
    /// places are taken by builds under way; ask again later.
    pub fn prepare(&self, epoch: EthashEpoch) -> bool {
        let mut state = self.shared.lock();
        matches!(self.shared.find_or_start(&mut state, epoch, Duration::ZERO), Found::Build(_))
    }

    /// Prepares for a chain at this block: its epoch and the one after. Cheap enough to be called for every block.
    ///
    /// The one after takes no place of a cache that was in use within ten minutes. Where there are too few places for
    /// all chains, it is built when it is asked for.
    ///
    /// # Errors
    /// When there are no caches for that.
    pub fn follow(&self, algorithm: Algorithm, block: u64) -> Result<Epochs, EpochError> {
        let epochs = Epochs::at(algorithm, block)?;
        let mut state = self.shared.lock();
        self.shared.find_or_start(&mut state, epochs.current, Duration::ZERO);
        if let Some(next) = epochs.next {
            self.shared.find_or_start(&mut state, next, IDLE);
        }
        drop(state);
        Ok(epochs)
    }

    /// How far the cache of an epoch is.
    #[must_use]
    pub fn status(&self, epoch: EthashEpoch) -> Status {
        match self.shared.lock().entries.get(&epoch) {
            None => Status::Absent,
            Some(Entry { build, .. }) => match build.outcome.get() {
                None => Status::Building(f64::from_bits(build.done.load(Ordering::Relaxed))),
                Some(Ok(_)) => Status::Ready,
                Some(Err(_)) => Status::Absent,
            },
        }
    }

    /// How many caches are in memory or under way; never more than the settings say.
    #[must_use]
    pub fn in_memory(&self) -> usize {
        self.shared.lock().entries.len()
    }

    /// How caches were come by.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts
    }

    /// What went wrong with files since the last time this was asked, the latest 32 of it.
    #[must_use]
    pub fn take_troubles(&self) -> Vec<Trouble> {
        self.shared.lock().troubles.drain(..).collect()
    }
}

impl Drop for Caches {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let threads = std::mem::take(&mut self.shared.lock().threads);
        for thread in threads {
            // One that died was reported when it did.
            let _ = thread.join();
        }
    }
}

impl State {
    /// The build of an epoch, marked as used now.
    fn used(&mut self, epoch: EthashEpoch) -> Option<&Arc<Build>> {
        let entry = self.entries.get_mut(&epoch)?;
        self.uses = self.uses.saturating_add(1);
        entry.last_use = (self.uses, Instant::now());
        Some(&entry.build)
    }

    /// Makes room for one more by dropping what was used the longest ago, and not within `idle`. `false` if there is
    /// no such one.
    fn make_room(&mut self, places: NonZeroUsize, idle: Duration) -> bool {
        while self.entries.len() >= places.get() {
            let ready = self.entries.iter().filter(|(_, entry)| {
                entry.build.outcome.get().is_some() && entry.last_use.1.elapsed() >= idle
            });
            let Some(epoch) = ready.min_by_key(|(_, entry)| entry.last_use).map(|(epoch, _)| *epoch) else {
                return false;
            };
            debug!(index = epoch.index(), "light cache dropped from memory");
            self.entries.remove(&epoch);
            self.counts.evicted = self.counts.evicted.saturating_add(1);
        }
        true
    }
}

impl Shared {
    /// Nothing is done under the lock that can leave the state half changed, so a poisoned one is as good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.ended.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn find_or_start(self: &Arc<Self>, state: &mut State, epoch: EthashEpoch, idle: Duration) -> Found {
        if let Some(build) = state.used(epoch) {
            return Found::Build(Arc::clone(build));
        }
        if !state.make_room(self.settings.in_memory, idle) {
            return Found::Full;
        }
        let build = Arc::new(Build::default());
        state.entries.insert(epoch, Entry { build: Arc::clone(&build), last_use: (0, Instant::now()) });
        state.used(epoch);
        // What is owed begins with the thread. Dropped here, when there is none, it would wait for the lock that is held.
        let (shared, its_build) = (Arc::clone(self), Arc::clone(&build));
        let thread = thread::Builder::new().name(format!("light-cache-{}", epoch.index()));
        match thread.spawn(move || Ending { shared, build: its_build, epoch }.work()) {
            Ok(thread) => {
                state.threads.retain(|thread| !thread.is_finished());
                state.threads.push(thread);
            }
            Err(error) => {
                warn!(index = epoch.index(), %error, "no thread to build a light cache on");
                state.entries.remove(&epoch);
                let _ = build.outcome.set(Err(BuildFailed::Thread(Arc::new(error))));
            }
        }
        Found::Build(build)
    }

    fn report(&self, epoch: EthashEpoch, error: FileError) {
        warn!(index = epoch.index(), seed_rounds = epoch.seed_rounds(), %error, "trouble with the file of a light cache");
        let mut state = self.lock();
        if state.troubles.len() >= TROUBLES_KEPT {
            state.troubles.pop_front();
        }
        state.troubles.push_back(Trouble { epoch, error });
    }
}

/// What a building thread owes those who wait, paid when it is dropped, however that comes.
struct Ending {
    shared: Arc<Shared>,
    build: Arc<Build>,
    epoch: EthashEpoch,
}

impl Ending {
    fn work(self) {
        let (shared, epoch) = (Arc::clone(&self.shared), self.epoch);
        let directory = shared.settings.directory.as_deref();
        let loaded = directory.and_then(|directory| {
            cache_file::load(directory, epoch).unwrap_or_else(|error| {
                shared.report(epoch, error);
                None
            })
        });
        if let Some(cache) = loaded {
            info!(index = epoch.index(), seed_rounds = epoch.seed_rounds(), "light cache loaded");
            self.end(cache, |counts| counts.loaded = counts.loaded.saturating_add(1));
            return;
        }
        let start = Instant::now();
        let built = LightCache::build_with(epoch, &mut |done| {
            self.build.done.store(done.to_bits(), Ordering::Relaxed);
            !shared.stop.load(Ordering::Relaxed)
        });
        let cache = match built {
            Ok(cache) => cache,
            Err(BuildCancelled) => return,
        };
        let seconds = start.elapsed().as_secs_f64();
        info!(index = epoch.index(), seed_rounds = epoch.seed_rounds(), seconds, "light cache built");
        let cache = self.end(cache, |counts| counts.built = counts.built.saturating_add(1));
        // Nobody waits for this any more.
        let Some(directory) = directory else { return };
        match cache_file::save(directory, &cache) {
            Ok(()) => {
                let mut state = shared.lock();
                state.counts.saved = state.counts.saved.saturating_add(1);
            }
            Err(error) => return shared.report(epoch, error),
        }
        if let Err(error) = cache_file::prune(directory, shared.settings.on_disk.get()) {
            shared.report(epoch, error);
        }
    }

    /// Hands the cache to all who wait.
    fn end(self, cache: LightCache, count: impl FnOnce(&mut Counts)) -> Arc<LightCache> {
        let cache = Arc::new(cache);
        count(&mut self.shared.lock().counts);
        let _ = self.build.outcome.set(Ok(Arc::clone(&cache)));
        cache
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if self.build.outcome.get().is_none() {
            // Whoever asks next has it tried again.
            state.entries.remove(&self.epoch);
            let _ = self.build.outcome.set(Err(BuildFailed::Died(self.epoch)));
        }
        drop(state);
        self.shared.ended.notify_all();
    }
}
