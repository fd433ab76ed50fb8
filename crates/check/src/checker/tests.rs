//! The behaviour of the threads, observed where they check a batch. No test depends on a clock.
#![allow(clippy::arithmetic_side_effects)]

use super::*;
use futures::{FutureExt as _, future::join_all, poll};
use hashlease_fixtures::{header_job, terms, verified, weight};
use hashlease_primitives::Terms;
use hashlease_share::HeaderShare;
use std::{
    pin::Pin,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};
use tokio::time::timeout;

const TIME: u64 = 10_000;

fn job(algorithm: Algorithm) -> Arc<VerifiedJob> {
    let terms = Terms { algorithm, weight: weight(1), ..terms(TIME - 1_800, 7_200, 3_600) };
    Arc::new(verified(&terms, header_job(&terms, 1, TIME..=TIME + 100)))
}

fn share(nonce: u32) -> Share {
    let tail = [1; 4].as_slice().try_into().unwrap();
    HeaderShare { tail, ntime: TIME as u32, nonce, version: 0x2000_0000 }.into()
}

fn hash(verdict: Verdict) -> alloy_primitives::U256 {
    verdict.unwrap().hash()
}

/// A checker whose threads report the size of each batch and then wait until the test lets them go
/// on.
struct Gated {
    // dropped first, so that after a failed assertion no thread keeps waiting
    leave: mpsc::Sender<()>,
    sizes: mpsc::Receiver<usize>,
    /// Batches checked to their end.
    finished: Arc<AtomicUsize>,
    checker: ShareChecker,
}

type Asked<'a> = Pin<Box<dyn Future<Output = Verdict> + 'a>>;

impl Gated {
    fn new(threads: usize) -> Self {
        let (report, sizes) = mpsc::channel();
        let (leave, given) = mpsc::channel();
        let given = Arc::new(Mutex::new(given));
        let finished = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&finished);
        let checker = ShareChecker::with(threads, move |batch| {
            report.send(batch.len()).unwrap();
            given.lock().unwrap().recv().unwrap();
            check(batch);
            counter.fetch_add(1, Ordering::Relaxed);
        });
        Self { leave, sizes, finished, checker }
    }

    /// Queues shares.
    async fn ask<'a>(&'a self, job: &'a Arc<VerifiedJob>, shares: &'a [Share]) -> Vec<Asked<'a>> {
        let mut asked = Vec::new();
        for share in shares {
            let mut verdict: Asked<'_> = Box::pin(self.checker.open(job, share, job.terms().end));
            assert!(poll!(verdict.as_mut()).is_pending(), "it is queued");
            asked.push(verdict);
        }
        asked
    }

    /// Lets one batch be checked.
    fn let_go(&self) {
        self.leave.send(()).unwrap();
    }

    /// Size of the next batch that a thread has taken.
    fn next_size(&self) -> usize {
        self.sizes.recv().unwrap()
    }
}

#[tokio::test]
async fn a_panic_ends_no_thread_and_leaves_nobody_waiting() {
    let checked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&checked);
    let checker = ShareChecker::with(1, move |batch| {
        assert_ne!(counter.fetch_add(1, Ordering::Relaxed) % 2, 0, "every other batch panics");
        check(batch);
    });
    let job = job(Algorithm::Scrypt);
    for nonce in 0..4 {
        let share = share(nonce);
        // a dead thread would never answer
        let verdict = timeout(Duration::from_secs(60), checker.open(&job, &share, job.terms().end));
        let verdict = verdict.await.expect("its thread is alive");
        assert_eq!(hash(verdict), hash(job.open(&share, job.terms().end)));
    }
    assert_eq!(checked.load(Ordering::Relaxed), 4, "by its thread");
}

#[tokio::test]
async fn shares_that_wait_together_are_checked_together() {
    let gated = Gated::new(1);
    let job = job(Algorithm::Scrypt);
    let shares: Vec<_> = (0..71).map(share).collect();
    let mut asked = gated.ask(&job, &shares[..1]).await;
    assert_eq!(gated.next_size(), 1);
    asked.extend(gated.ask(&job, &shares[1..]).await);
    gated.let_go();
    assert_eq!(gated.next_size(), 64, "as many as wait, up to the largest batch");
    gated.let_go();
    assert_eq!(gated.next_size(), 6);
    gated.let_go();
    for (verdict, share) in join_all(asked).await.into_iter().zip(&shares) {
        assert_eq!(hash(verdict), hash(job.open(share, job.terms().end)));
    }
}

#[tokio::test]
async fn a_thread_leaves_work_for_the_others() {
    let gated = Gated::new(2);
    let job = job(Algorithm::Scrypt);
    let shares: Vec<_> = (0..12).map(share).collect();
    // both threads are busy with one share each
    let mut asked = Vec::new();
    for at in 0..2 {
        asked.extend(gated.ask(&job, &shares[at..=at]).await);
        assert_eq!(gated.next_size(), 1);
    }
    asked.extend(gated.ask(&job, &shares[2..]).await);
    for size in [5, 3, 1, 1] {
        gated.let_go();
        assert_eq!(gated.next_size(), size, "half of those that wait, rounded up");
    }
    gated.let_go();
    gated.let_go();
    assert!(join_all(asked).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn sha256d_shares_never_wait_in_the_queue() {
    let batches = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&batches);
    let checker = ShareChecker::with(1, move |batch| {
        counter.fetch_add(1, Ordering::Relaxed);
        check(batch);
    });
    let job = job(Algorithm::Sha256d);
    for nonce in 0..10 {
        let share = share(nonce);
        let verdict = checker.open(&job, &share, job.terms().end).now_or_never().expect("no await");
        assert_eq!(hash(verdict), hash(job.open(&share, job.terms().end)));
    }
    drop(checker);
    assert_eq!(batches.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn callers_that_disappear_do_not_affect_the_others() {
    let gated = Gated::new(1);
    let job = job(Algorithm::Scrypt);
    let shares: Vec<_> = (0..5).map(share).collect();
    let being_checked = gated.ask(&job, &shares[..1]).await;
    assert_eq!(gated.next_size(), 1);
    let queued = gated.ask(&job, &shares[1..3]).await;
    let staying = gated.ask(&job, &shares[3..]).await;
    drop((being_checked, queued));
    gated.let_go();
    assert_eq!(gated.next_size(), 2, "shares that nobody waits for are not checked");
    assert_eq!(gated.finished.load(Ordering::Relaxed), 1, "the first, though nobody took its verdict");
    gated.let_go();
    for (verdict, share) in join_all(staying).await.into_iter().zip(&shares[3..]) {
        assert_eq!(hash(verdict), hash(job.open(share, job.terms().end)));
    }
}

#[test]
fn dropping_it_ends_its_threads() {
    let checker = ShareChecker::new(4);
    assert_eq!(checker.threads.len(), 4);
    // each thread holds it to its end
    let shared = Arc::downgrade(&checker.shared);
    drop(checker);
    assert_eq!(shared.strong_count(), 0, "threads that still run");
}
