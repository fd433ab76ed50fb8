//! A share gets the same verdict through the threads as alone, no matter how many ask at once.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_primitives::B256;
use futures::future::join_all;
use hashlease_check::ShareChecker;
use hashlease_fixtures::{header_job, terms, verified, weight};
use hashlease_primitives::{Algorithm, HeaderJob, Terms, UnixSeconds};
use hashlease_share::{HeaderShare, Share, VerifiedJob};
use std::sync::Arc;

const TIME: u64 = 1_700_000_000;

fn lease(algorithm: Algorithm) -> Terms {
    Terms { algorithm, weight: weight(1), ..terms(TIME - 1_800, 7_200, 3_600) }
}

fn job(terms: &Terms, sequence: u64) -> Arc<VerifiedJob> {
    let job = HeaderJob {
        coinbase_prefix: vec![sequence as u8; 50].into(),
        tail_length: 2,
        ..header_job(terms, sequence, TIME..=TIME + 100)
    };
    Arc::new(verified(terms, job))
}

fn share(nonce: u32) -> Share {
    // some are refused, some of them before they are hashed
    let ntime = TIME as u32 + nonce % 110;
    let tail = if nonce % 17 == 3 { vec![1] } else { vec![1, 2] };
    HeaderShare { tail: tail.as_slice().try_into().unwrap(), ntime, nonce, version: 0x2000_0000 }.into()
}

/// The comparable part of a verdict.
fn seen(
    verdict: Result<hashlease_share::OpenedShare, hashlease_share::EvidenceReason>,
) -> Result<(B256, String, bool), String> {
    let opened = verdict.map_err(|reason| reason.to_string())?;
    Ok((opened.key(), opened.hash().to_string(), opened.settle().is_ok()))
}

async fn all_as_alone(checker: &ShareChecker, algorithm: Algorithm, count: u32) {
    let terms = lease(algorithm);
    let jobs = [job(&terms, 1), job(&terms, 2)];
    // one end is earlier, as after a cancellation
    let ends = [terms.end, UnixSeconds::new(TIME + 50)];
    let asked: Vec<_> = (0..count)
        .map(|nonce| (&jobs[nonce as usize % 2], share(nonce), ends[nonce as usize / 3 % 2]))
        .collect();
    let verdicts = join_all(asked.iter().map(|(job, share, end)| checker.open(job, share, *end))).await;
    let mut good = 0;
    for ((job, share, end), verdict) in asked.iter().zip(verdicts) {
        let verdict = seen(verdict);
        good += usize::from(verdict.is_ok());
        assert_eq!(verdict, seen(job.open(share, *end)));
    }
    assert!((1..count as usize).contains(&good), "{good} of {count}");
}

#[tokio::test]
async fn verdicts_are_those_of_a_single_check() {
    let checker = ShareChecker::new(2);
    for count in [20, 60, 150] {
        all_as_alone(&checker, Algorithm::Scrypt, count).await;
    }
    all_as_alone(&checker, Algorithm::Sha256d, 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_ask_at_once() {
    let checker = Arc::new(ShareChecker::new(3));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let checker = Arc::clone(&checker);
            tokio::spawn(async move { all_as_alone(&checker, Algorithm::Scrypt, 40).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn without_threads_shares_are_checked_on_the_callers_thread() {
    all_as_alone(&ShareChecker::new(0), Algorithm::Scrypt, 20).await;
}
