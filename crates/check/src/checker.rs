//! Checks shares on threads of their own, for whoever serves sockets and must not stand still meanwhile.
//!
//! A share of SHA-256d takes less time than handing it over, so it is checked where it comes in. One of scrypt takes a
//! hundred microseconds, and one of Ethash milliseconds: those wait in a queue, and a thread takes as many as wait to
//! check them together, which is several times as fast as one by one ([`open_many`]). So the busier it is, the less a
//! share costs.

use hashlease_primitives::Algorithm;
use hashlease_share::{OpenedShare, Reason, Share, VerifiedJob, open_many};
use std::{
    collections::VecDeque,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::{self, JoinHandle},
};
use tokio::sync::oneshot;
use tracing::{error, warn};

/// Most shares that a thread takes at a time: full vectors for every kernel, and an answer within milliseconds.
const MOST: usize = 64;

type Verdict = Result<OpenedShare, Reason>;

/// A share that waits.
struct Waiting {
    job: Arc<VerifiedJob>,
    share: Share,
    end: u64,
    answer: oneshot::Sender<Verdict>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    ended: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Told when a share comes, or the end.
    came: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next shares for one of so many threads; none at the end.
    fn take(&self, threads: usize) -> Vec<Waiting> {
        let mut queue = self.lock();
        while queue.waiting.is_empty() && !queue.ended {
            queue = self.came.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        // the others have theirs to do, too
        let part = queue.waiting.len().div_ceil(threads.max(1)).min(MOST);
        let taken = queue.waiting.drain(..part).collect();
        if !queue.waiting.is_empty() {
            self.came.notify_one();
        }
        taken
    }
}

/// Threads that check shares. Dropping it waits until what was handed over is done.
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
    /// So many threads. Where the system gives fewer, it has fewer; with none, shares are checked where they come in.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self::with(threads, check)
    }

    fn with(threads: usize, check: fn(Vec<Waiting>)) -> Self {
        let shared = Arc::new(Shared::default());
        let start = |number: usize| {
            let shared = Arc::clone(&shared);
            let work = move || {
                loop {
                    let waiting = shared.take(threads);
                    if waiting.is_empty() {
                        return;
                    }
                    // who waits for these checks them alone, and the thread is there for the next
                    if catch_unwind(AssertUnwindSafe(|| check(waiting))).is_err() {
                        error!("checking shares panicked");
                    }
                }
            };
            let thread = thread::Builder::new().name(format!("checker-{number}")).spawn(work);
            thread.inspect_err(|error| warn!(%error, "no thread to check shares on")).ok()
        };
        let threads = (0..threads).filter_map(start).collect();
        Self { shared, threads }
    }

    /// The one of this process, with a thread for each core. It starts with the first call.
    pub fn of_process() -> &'static Self {
        static ONE: OnceLock<ShareChecker> = OnceLock::new();
        ONE.get_or_init(|| Self::new(thread::available_parallelism().map_or(1, NonZero::get)))
    }

    /// [`VerifiedJob::open`], on the caller's thread where that takes microseconds.
    ///
    /// # Errors
    /// As [`VerifiedJob::open`].
    pub async fn open(&self, job: &Arc<VerifiedJob>, share: &Share, end: u64) -> Verdict {
        if job.terms().algorithm == Algorithm::Sha256d || self.threads.is_empty() {
            return job.open(share, end);
        }
        let (answer, verdict) = oneshot::channel();
        self.shared.lock().waiting.push_back(Waiting {
            job: Arc::clone(job),
            share: share.clone(),
            end,
            answer,
        });
        self.shared.came.notify_one();
        match verdict.await {
            Ok(verdict) => verdict,
            // its check panicked
            Err(_) => job.open(share, end),
        }
    }
}

impl Drop for ShareChecker {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.came.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                warn!("a thread that checked shares had died");
            }
        }
    }
}

/// Checks shares, of leases that may end at different times, and answers who waits for them.
fn check(waiting: Vec<Waiting>) {
    let mut answers = Vec::with_capacity(waiting.len());
    for of_one_end in waiting.chunk_by(|one, next| one.end == next.end) {
        let Some(first) = of_one_end.first() else { continue };
        let begin = answers.len();
        answers.extend(of_one_end.iter().map(|_| None));
        let shares = of_one_end.iter().map(|waiting| (waiting.job.as_ref(), &waiting.share));
        open_many(first.end, shares, |at, verdict| {
            if let Some(answer) = answers.get_mut(begin.saturating_add(at)) {
                *answer = Some(verdict);
            }
        });
    }
    for (waiting, verdict) in waiting.into_iter().zip(answers) {
        if let Some(verdict) = verdict {
            // who asked may have gone
            let _ = waiting.answer.send(verdict);
        }
    }
}

#[cfg(test)]
mod tests;
