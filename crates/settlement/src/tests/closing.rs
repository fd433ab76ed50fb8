//! Known faults of closing epochs and delivering roots.
//!
//! Each test passes while its fault is there and fails once it is mended: turn it into the test of
//! the right result then.

use super::chain::chain_at;
use crate::{
    close_epochs::{Delivered, close_in_time, deliver},
    context::{Context, EvidenceBase},
};
use alloy::signers::local::PrivateKeySigner;
use axum::{Json, Router, routing::post};
use hashlease_chain::{Committees, Sender};
use hashlease_committee::{MemberClient, Seat};
use hashlease_fixtures::{ManualClock, job_signer, lease, now, terms, until};
use hashlease_ledger::Book;
use hashlease_net::{HttpClient, Tcp};
use hashlease_primitives::{Commitment, EpochId, EpochRoot, SharedClock, SignedEpochRoot};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};

/// Today: the wall clock alone closes an epoch for good, so a clock that is ahead once loses all
/// epochs up to its time. Right: an epoch is closed only if the newest block's time agrees.
#[tokio::test]
async fn known_fault_epoch_is_closed_by_the_wall_clock_alone() {
    let dir = tempfile::tempdir().unwrap();
    let running = terms(1_700_000_000, 7_200, 3_600);
    // by the wall clock epoch 0 ended over an hour ago, by the chain's clock the lease has just
    // started
    let clock: SharedClock = ManualClock::at((running.start + 7_000).millis());
    let book = Book::open(dir.path(), clock.clone()).unwrap();
    book.lease(&running).await.unwrap();
    let chain = chain_at((running.start + 10).get()).await;
    let context = Context {
        book: book.clone(),
        chain: chain.clone(),
        committees: Committees::new(chain.clone(), Duration::from_secs(60)),
        http: HttpClient::new(Tcp::shared()),
        sender: Sender::new(chain, PrivateKeySigner::from_slice(&[7; 32]).unwrap()),
        provider: job_signer().clone(),
        evidence: EvidenceBase::new("http://127.0.0.1/".parse().unwrap()).unwrap(),
        clock,
    };
    let (_leases, followed) = watch::channel(lease(running.clone()));
    let closing = tokio::spawn(close_in_time(Arc::new(context), followed));
    until("epoch 0 is closed", || book.closed(EpochId::new(running.id, 0)).is_ok()).await;
    closing.abort();
}

/// A member that confirms each root after `delay`, and how many it has confirmed.
async fn confirming(delay: Duration) -> (MemberClient, Arc<AtomicUsize>) {
    let confirmed = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&confirmed);
    let confirm = move || async move {
        tokio::time::sleep(delay).await;
        count.fetch_add(1, Ordering::SeqCst);
        Json(json!({"received": 1, "inTime": true, "signature": format!("0x{}", "00".repeat(65))}))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/roots", post(confirm))).await });
    (MemberClient::new(url.parse().unwrap(), HttpClient::new(Tcp::shared())), confirmed)
}

/// Today: a lease's next epoch is neither closed nor sent to any member before the slowest member
/// has answered for all roots. Right: closing and each member's deliveries proceed independently.
#[tokio::test]
async fn known_fault_slow_member_holds_up_all_deliveries() {
    let terms = terms(now().get() - 100, 7_200, 3_600);
    let roots = (0..3).map(|epoch| {
        let evidence = "http://127.0.0.1/".into();
        let root =
            EpochRoot { id: EpochId::new(terms.id, epoch), commitment: Commitment::default(), evidence };
        let signature = job_signer().sign(&root.digest(&terms.oracle_domain())).unwrap();
        SignedEpochRoot { root, signature }
    });
    let roots: Vec<_> = roots.collect();
    let (fast, confirmed) = confirming(Duration::ZERO).await;
    let (slow, confirmed_late) = confirming(Duration::from_millis(500)).await;
    let key = job_signer().address();
    let seats = [Seat { index: 0, key, client: fast }, Seat { index: 1, key, client: slow }];
    let mut delivered = Delivered::default();
    deliver(&terms, &roots, &seats, &mut delivered).await;
    let counts = (confirmed.load(Ordering::SeqCst), confirmed_late.load(Ordering::SeqCst));
    assert_eq!(counts, (3, 3), "it comes back only after the slow member's last answer");
}
