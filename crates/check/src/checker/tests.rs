//! What becomes of shares whose check panics.
#![allow(clippy::arithmetic_side_effects)]

#[path = "../../../share/tests/common/mod.rs"]
mod common;

use super::*;
use hashlease_primitives::HeaderJob;
use hashlease_share::HeaderShare;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn a_panic_ends_no_thread_and_leaves_nobody_waiting() {
    static CHECKED: AtomicUsize = AtomicUsize::new(0);
    let checker = ShareChecker::with(1, |waiting| {
        assert_ne!(CHECKED.fetch_add(1, Ordering::Relaxed) % 2, 0, "every other panics");
        check(waiting);
    });
    let terms = common::terms(Algorithm::Scrypt, 1, 10_000, 0);
    let job = HeaderJob {
        lease: terms.id,
        sequence: 1,
        prev_hash: Default::default(),
        n_bits: 0x1d00_ffff,
        version: 0,
        version_mask: 0,
        not_before: 10_000,
        not_after: 10_100,
        coinbase_prefix: vec![1; 50].into(),
        tail_length: 1,
        coinbase_suffix: vec![2; 60].into(),
        branch: vec![],
    };
    let job = Arc::new(common::verified(&terms, job));
    for nonce in 0..4 {
        let tail = [1].as_slice().try_into().unwrap();
        let share = HeaderShare { tail, ntime: 10_000, nonce, version: 0 }.into();
        let verdict = checker.open(&job, &share, terms.end).await.unwrap();
        assert_eq!(verdict.hash(), job.open(&share, terms.end).unwrap().hash());
    }
    assert_eq!(CHECKED.load(Ordering::Relaxed), 4, "by its thread");
}
