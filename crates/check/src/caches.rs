//! The caches in memory, the threads that build them, and the callers that wait for them.

use crate::{
    cache_file::{self, CacheFileError},
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

/// Failures of files kept for [`Caches::take_failed_files`]. The oldest go first; all were logged.
const MAX_FAILED_FILES: usize = 32;

/// A cache unused for this long may make room for one that is only expected to be needed.
const IDLE: Duration = Duration::from_secs(600);

/// How many caches to keep, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// Directory that keeps caches between runs, created if missing; none to keep them in memory
    /// only. Several processes can share one.
    pub directory: Option<PathBuf>,
    /// Largest number of caches in memory, including those being built. Two for each chain served
    /// (this epoch and the next), and one more where a chain may reorganise across the border of
    /// two epochs. Caches that callers still hold after they were evicted are not counted.
    pub in_memory: NonZeroUsize,
    /// Largest number of files in the directory.
    pub on_disk: NonZeroUsize,
}

impl Default for CacheSettings {
    /// In memory only, for two chains.
    fn default() -> Self {
        let four = NonZeroUsize::MIN.saturating_add(3);
        Self { directory: None, in_memory: four, on_disk: four.saturating_add(4) }
    }
}

/// A cache file that could not be read, written or removed. The cache itself is available anyway.
#[derive(Debug)]
pub struct FailedFile {
    /// Epoch whose build met the failure.
    pub epoch: EthashEpoch,
    /// The failure.
    pub error: CacheFileError,
}

/// Why there is no cache.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildFailed {
    /// The system refused to start a thread.
    #[error("no thread to build a light cache on: {0}")]
    Thread(Arc<io::Error>),
    /// The thread panicked, or the build was cancelled.
    #[error("the thread building the light cache of DAG epoch {} ended early", .0.index())]
    Died(EthashEpoch),
}

/// State of one epoch's cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CacheStatus {
    /// Neither in memory nor being built.
    Absent,
    /// Being built; the fraction done, from 0 to 1.
    Building(f64),
    /// In memory.
    Ready,
}

/// What happened to caches since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Built from their seeds.
    pub built: u64,
    /// Read from files.
    pub loaded: u64,
    /// Written to files.
    pub saved: u64,
    /// Dropped from memory to make room for others.
    pub evicted: u64,
}

/// [`LightCache::build_with`], or a test's replacement for it.
type BuildCache =
    dyn Fn(EthashEpoch, &mut dyn FnMut(f64) -> bool) -> Result<LightCache, BuildCancelled> + Send + Sync;

/// Light caches, built once each. Share it behind an [`Arc`]; all methods take `&self`.
///
/// Dropping it cancels the builds under way and waits until files being written are complete.
pub struct Caches {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Caches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caches").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

struct Shared {
    settings: CacheSettings,
    build: Box<BuildCache>,
    state: Mutex<State>,
    /// Notified when a build ends.
    ended: Condvar,
    stop: AtomicBool,
}

#[derive(Default)]
struct State {
    entries: HashMap<EthashEpoch, Entry>,
    /// Number of uses so far, which orders them.
    uses: u64,
    counts: CacheCounts,
    failed_files: VecDeque<FailedFile>,
    threads: Vec<JoinHandle<()>>,
}

struct Entry {
    slot: Arc<Slot>,
    /// Number and time of the last use. Two uses may have the same time.
    last_use: (u64, Instant),
}

/// The outcome of one build, for which any number of callers wait.
#[derive(Default)]
struct Slot {
    outcome: OnceLock<Result<Arc<LightCache>, BuildFailed>>,
    /// The fraction done, as the bits of an `f64`.
    done: AtomicU64,
}

enum Found {
    /// The epoch's slot, whether its build has ended or not.
    Slot(Arc<Slot>),
    /// There is no room: every other cache has to stay.
    Full,
}

impl Caches {
    /// An empty set. It reads and builds nothing until asked.
    #[must_use]
    pub fn new(settings: CacheSettings) -> Self {
        Self::with(settings, LightCache::build_with)
    }

    fn with(
        settings: CacheSettings,
        build: impl Fn(EthashEpoch, &mut dyn FnMut(f64) -> bool) -> Result<LightCache, BuildCancelled>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let (state, ended, stop) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        Self { shared: Arc::new(Shared { settings, build: Box::new(build), state, ended, stop }) }
    }

    /// The cache of an epoch. Blocks until it is read, a fraction of a second, or built, up to
    /// several seconds.
    ///
    /// While as many caches are being built as may be in memory, it first waits for one of those.
    ///
    /// # Errors
    /// If there was no thread to build on, or it died.
    pub fn get(&self, epoch: EthashEpoch) -> Result<Arc<LightCache>, BuildFailed> {
        let mut state = self.shared.lock();
        loop {
            match self.shared.find_or_start(&mut state, epoch, Duration::ZERO) {
                Found::Full => state = self.shared.wait(state),
                Found::Slot(slot) => loop {
                    if let Some(outcome) = slot.outcome.get() {
                        return outcome.clone();
                    }
                    state = self.shared.wait(state);
                },
            }
        }
    }

    /// The cache of an epoch if it is in memory. Starts no build and never waits for one.
    #[must_use]
    pub fn try_get(&self, epoch: EthashEpoch) -> Option<Arc<LightCache>> {
        let mut state = self.shared.lock();
        let slot = Arc::clone(state.used(epoch)?);
        drop(state);
        slot.outcome.get()?.as_ref().ok().map(Arc::clone)
    }

    /// Starts to read or build the cache of an epoch and returns at once. `false` if there is no
    /// room because of other builds under way; try again later.
    pub fn prepare(&self, epoch: EthashEpoch) -> bool {
        let mut state = self.shared.lock();
        matches!(self.shared.find_or_start(&mut state, epoch, Duration::ZERO), Found::Slot(_))
    }

    /// Prepares for a chain at this block: its epoch and the next one. Cheap enough to be called
    /// for every block.
    ///
    /// The next epoch's cache evicts no cache used within the last ten minutes. Where there is too
    /// little room for all chains, it is built when it is asked for.
    ///
    /// # Errors
    /// If the algorithm has no light caches, or the block lies beyond the last epoch.
    pub fn prepare_for_block(&self, algorithm: Algorithm, block: u64) -> Result<Epochs, EpochError> {
        let epochs = Epochs::at(algorithm, block)?;
        let mut state = self.shared.lock();
        self.shared.find_or_start(&mut state, epochs.current, Duration::ZERO);
        if let Some(next) = epochs.next {
            self.shared.find_or_start(&mut state, next, IDLE);
        }
        drop(state);
        Ok(epochs)
    }

    /// State of an epoch's cache.
    #[must_use]
    pub fn status(&self, epoch: EthashEpoch) -> CacheStatus {
        match self.shared.lock().entries.get(&epoch) {
            None => CacheStatus::Absent,
            Some(Entry { slot, .. }) => match slot.outcome.get() {
                None => CacheStatus::Building(f64::from_bits(slot.done.load(Ordering::Relaxed))),
                Some(Ok(_)) => CacheStatus::Ready,
                Some(Err(_)) => CacheStatus::Absent,
            },
        }
    }

    /// Number of caches in memory or being built, at most [`CacheSettings::in_memory`].
    #[must_use]
    pub fn in_memory(&self) -> usize {
        self.shared.lock().entries.len()
    }

    /// What happened to caches so far.
    #[must_use]
    pub fn counts(&self) -> CacheCounts {
        self.shared.lock().counts
    }

    /// Failures of cache files since the last call, the latest 32 of them.
    #[must_use]
    pub fn take_failed_files(&self) -> Vec<FailedFile> {
        self.shared.lock().failed_files.drain(..).collect()
    }
}

impl Drop for Caches {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let threads = std::mem::take(&mut self.shared.lock().threads);
        for thread in threads {
            // the thread has already reported its own panic
            let _ = thread.join();
        }
    }
}

impl State {
    /// The slot of an epoch, marked as used now.
    fn used(&mut self, epoch: EthashEpoch) -> Option<&Arc<Slot>> {
        let entry = self.entries.get_mut(&epoch)?;
        self.uses = self.uses.saturating_add(1);
        entry.last_use = (self.uses, Instant::now());
        Some(&entry.slot)
    }

    /// Makes room for one more by dropping the least recently used cache that was not used for
    /// `idle`. `false` if there is none.
    fn make_room(&mut self, limit: NonZeroUsize, idle: Duration) -> bool {
        while self.entries.len() >= limit.get() {
            let ready = self.entries.iter().filter(|(_, entry)| {
                entry.slot.outcome.get().is_some() && entry.last_use.1.elapsed() >= idle
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
    /// Ignores poisoning: no change under this lock can be left half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.ended.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn find_or_start(self: &Arc<Self>, state: &mut State, epoch: EthashEpoch, idle: Duration) -> Found {
        if let Some(slot) = state.used(epoch) {
            return Found::Slot(Arc::clone(slot));
        }
        if !state.make_room(self.settings.in_memory, idle) {
            return Found::Full;
        }
        let slot = Arc::new(Slot::default());
        state.entries.insert(epoch, Entry { slot: Arc::clone(&slot), last_use: (0, Instant::now()) });
        state.used(epoch);
        // The guard is created on the thread: if none starts, dropping the guard here would wait
        // for the lock that is held.
        let (shared, filled) = (Arc::clone(self), Arc::clone(&slot));
        let thread = thread::Builder::new().name(format!("light-cache-{}", epoch.index()));
        match thread.spawn(move || BuildGuard { shared, slot: filled, epoch }.build()) {
            Ok(thread) => {
                state.threads.retain(|thread| !thread.is_finished());
                state.threads.push(thread);
            }
            Err(error) => {
                warn!(index = epoch.index(), %error, "no thread to build a light cache on");
                state.entries.remove(&epoch);
                let _ = slot.outcome.set(Err(BuildFailed::Thread(Arc::new(error))));
            }
        }
        Found::Slot(slot)
    }

    fn report(&self, epoch: EthashEpoch, error: CacheFileError) {
        warn!(index = epoch.index(), seed_rounds = epoch.seed_rounds(), %error, "light cache file failed");
        let mut state = self.lock();
        if state.failed_files.len() >= MAX_FAILED_FILES {
            state.failed_files.pop_front();
        }
        state.failed_files.push_back(FailedFile { epoch, error });
    }
}

/// Held by a building thread. When it is dropped, even by a panic, the slot has an outcome and
/// everyone who waits for it wakes up.
struct BuildGuard {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    epoch: EthashEpoch,
}

impl BuildGuard {
    /// Reads the cache from its file, or else builds it and writes the file.
    fn build(self) {
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
            self.finish(cache, |counts| counts.loaded = counts.loaded.saturating_add(1));
            return;
        }
        let start = Instant::now();
        let built = (shared.build)(epoch, &mut |done| {
            self.slot.done.store(done.to_bits(), Ordering::Relaxed);
            !shared.stop.load(Ordering::Relaxed)
        });
        let cache = match built {
            Ok(cache) => cache,
            Err(BuildCancelled) => return,
        };
        let seconds = start.elapsed().as_secs_f64();
        info!(index = epoch.index(), seed_rounds = epoch.seed_rounds(), seconds, "light cache built");
        let cache = self.finish(cache, |counts| counts.built = counts.built.saturating_add(1));
        // from here on nobody waits for this thread
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

    /// Hands the cache to everyone who waits for it.
    fn finish(self, cache: LightCache, count: impl FnOnce(&mut CacheCounts)) -> Arc<LightCache> {
        let cache = Arc::new(cache);
        count(&mut self.shared.lock().counts);
        let _ = self.slot.outcome.set(Ok(Arc::clone(&cache)));
        cache
    }
}

impl Drop for BuildGuard {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if self.slot.outcome.get().is_none() {
            // the next call tries again
            state.entries.remove(&self.epoch);
            let _ = self.slot.outcome.set(Err(BuildFailed::Died(self.epoch)));
        }
        drop(state);
        self.shared.ended.notify_all();
    }
}

#[cfg(test)]
mod tests;
