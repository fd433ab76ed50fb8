//! Checks shares on threads of their own, so that a role that serves sockets never blocks.
//!
//! A SHA-256d share takes less time to check than to hand over, so it is checked on the caller's
//! thread. A scrypt share takes a hundred microseconds and an Ethash share milliseconds: those wait
//! in a queue, from which each thread takes a batch and checks it in one call of [`open_many`],
//! several times as fast as one by one. So the busier the checker is, the less a share costs.

use hashlease_primitives::{Algorithm, UnixSeconds};
use hashlease_share::{EvidenceReason, OpenedShare, Share, VerifiedJob, open_many};
use std::{
    collections::VecDeque,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};
use tokio::sync::oneshot;
use tracing::{error, warn};

/// Largest batch, in shares: enough to fill the vectors of every kernel, few enough for an answer
/// within milliseconds.
const MAX_BATCH: usize = 64;

type Verdict = Result<OpenedShare, EvidenceReason>;

/// A share in the queue.
struct QueuedShare {
    job: Arc<VerifiedJob>,
    share: Share,
    /// End of the lease.
    end: UnixSeconds,
    answer: oneshot::Sender<Verdict>,
}

#[derive(Default)]
struct Queue {
    shares: VecDeque<QueuedShare>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Notified when a share is queued, and when the queue closes.
    changed: Condvar,
}

impl Shared {
    /// Ignores poisoning: no change under this lock can be left half done.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for shares and takes a batch for one of `threads` threads; empty once the queue has
    /// closed.
    fn next_batch(&self, threads: usize) -> Vec<QueuedShare> {
        let mut queue = self.lock();
        while queue.shares.is_empty() && !queue.closed {
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        // the rest is for the other threads
        let size = queue.shares.len().div_ceil(threads.max(1)).min(MAX_BATCH);
        let batch = queue.shares.drain(..size).collect();
        if !queue.shares.is_empty() {
            self.changed.notify_one();
        }
        batch
    }
}

/// Threads that check shares. They end when it is dropped, which waits for the batches under way.
pub struct ShareChecker {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for ShareChecker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShareChecker").field("threads", &self.threads.len()).finish_non_exhaustive()
    }
}

impl ShareChecker {
    /// A checker with this many threads, or fewer where the system refuses to start them. With
    /// none, every share is checked on its caller's thread.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self::with(threads, check)
    }

    /// A checker with one thread for each core.
    #[must_use]
    pub fn on_all_cores() -> Self {
        // where the number of cores can't be read, one thread keeps checks off the sockets
        Self::new(thread::available_parallelism().map_or(1, NonZero::get))
    }

    fn with(threads: usize, check: impl Fn(Vec<QueuedShare>) + Clone + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let start = |number: usize| {
            let (shared, check) = (Arc::clone(&shared), check.clone());
            let work = move || {
                loop {
                    let mut batch = shared.next_batch(threads);
                    if batch.is_empty() {
                        return;
                    }
                    // a miner that disconnected must not cost the others their turn
                    batch.retain(|queued| !queued.answer.is_closed());
                    // after a panic, the callers of this batch check their shares themselves, and
                    // the thread continues with the next batch
                    if catch_unwind(AssertUnwindSafe(|| check(batch))).is_err() {
                        error!("checking shares panicked");
                    }
                }
            };
            let thread = thread::Builder::new().name(format!("share-check-{number}")).spawn(work);
            thread.inspect_err(|error| warn!(%error, "no thread to check shares on")).ok()
        };
        let threads = (0..threads).filter_map(start).collect();
        Self { shared, threads }
    }

    /// [`VerifiedJob::open`], on the caller's thread where that takes microseconds.
    ///
    /// # Errors
    /// As [`VerifiedJob::open`].
    pub async fn open(&self, job: &Arc<VerifiedJob>, share: &Share, end: UnixSeconds) -> Verdict {
        if job.terms().algorithm == Algorithm::Sha256d || self.threads.is_empty() {
            return job.open(share, end);
        }
        let (answer, verdict) = oneshot::channel();
        self.shared.lock().shares.push_back(QueuedShare {
            job: Arc::clone(job),
            share: share.clone(),
            end,
            answer,
        });
        self.shared.changed.notify_one();
        match verdict.await {
            Ok(verdict) => verdict,
            // the check of its batch panicked
            Err(_) => job.open(share, end),
        }
    }
}

impl Drop for ShareChecker {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        // `open` borrows the checker, so nobody waits for these any more
        queue.shares.clear();
        drop(queue);
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                warn!("a thread that checked shares had died");
            }
        }
    }
}

/// Checks a batch, whose leases may end at different times, and answers the callers.
fn check(batch: Vec<QueuedShare>) {
    let mut verdicts = Vec::with_capacity(batch.len());
    for same_end in batch.chunk_by(|one, next| one.end == next.end) {
        let Some(first) = same_end.first() else { continue };
        let offset = verdicts.len();
        verdicts.extend(same_end.iter().map(|_| None));
        let shares = same_end.iter().map(|queued| (queued.job.as_ref(), &queued.share));
        open_many(first.end, shares, |index, verdict| {
            if let Some(place) = verdicts.get_mut(offset.saturating_add(index)) {
                *place = Some(verdict);
            }
        });
    }
    for (queued, verdict) in batch.into_iter().zip(verdicts) {
        if let Some(verdict) = verdict {
            // fails if the caller is gone
            let _ = queued.answer.send(verdict);
        }
    }
}

#[cfg(test)]
mod tests;
