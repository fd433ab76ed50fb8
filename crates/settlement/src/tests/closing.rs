//! When epochs close, and how their roots reach the members.

use super::chain::chain_at;
use crate::{
    close_epochs::close_due,
    context::{Context, EvidenceBase},
    deliver_roots::{Roots, deliver_to},
    error::SettleError,
};
use alloy::signers::local::PrivateKeySigner;
use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use hashlease_chain::{Committees, Sender};
use hashlease_committee::{MemberClient, Seat};
use hashlease_fixtures::{ManualClock, job_signer, lease, patiently, terms, until};
use hashlease_ledger::Book;
use hashlease_net::{HttpClient, Tcp};
use hashlease_primitives::{
    AgreedClock, Commitment, EpochId, EpochRoot, HashRate, Lease, SignedEpochRoot, Terms, UnixSeconds,
};
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};

/// A node that closes epochs of one lease, `wall` seconds into it by its clock.
struct Closing {
    context: Context,
    lease: Lease,
    wall: Arc<ManualClock>,
    roots: watch::Sender<Roots>,
}

impl Closing {
    async fn start(dir: &Path, terms: Terms, wall: u64) -> Self {
        let wall = ManualClock::at((terms.start + wall).millis());
        let book = Book::open(dir, wall.clone()).unwrap();
        book.lease(&terms).await.unwrap();
        let chain = chain_at(terms.start.get()).await;
        let context = Context {
            book,
            chain: chain.clone(),
            committees: Committees::new(chain.clone(), Duration::from_secs(60)),
            http: HttpClient::new(Tcp::shared()),
            sender: Sender::new(chain, PrivateKeySigner::from_slice(&[7; 32]).unwrap()),
            provider: job_signer().clone(),
            evidence: EvidenceBase::new("http://127.0.0.1/".parse().unwrap()).unwrap(),
            clock: Arc::new(AgreedClock::new(wall.clone())),
        };
        let lease = Lease { window: 90_000, ..lease(terms) };
        Self { context, lease, wall, roots: watch::Sender::new(Roots::new()) }
    }

    async fn close(&self) -> Result<(), SettleError> {
        close_due(&self.context, &self.lease, &self.roots).await
    }

    fn is_closed(&self, epoch: u32) -> bool {
        self.context.book.closed(EpochId::new(self.lease.terms.id, epoch)).is_ok()
    }

    /// Epochs whose roots are to be delivered.
    fn shown(&self) -> Vec<u32> {
        self.roots.borrow().keys().copied().collect()
    }
}

fn hours(count: u32) -> Terms {
    terms(1_700_000_000, 3_600 * count, 3_600)
}

#[tokio::test]
async fn a_wall_clock_that_is_ahead_of_the_chain_closes_no_epoch() {
    let dir = tempfile::tempdir().unwrap();
    // by the wall clock epoch 0 ended an hour ago, by the chain the lease has just started
    let closing = Closing::start(dir.path(), hours(2), 7_000).await;
    let start = closing.lease.terms.start;
    assert_eq!(closing.close().await.unwrap_err().code(), "clock-in-doubt", "no block was seen");
    closing.context.clock.see_block(start + 10);
    let error = closing.close().await.unwrap_err();
    assert_eq!(error.code(), "clock-in-doubt");
    assert!(error.to_string().contains("1700007000, the chain 1700000010"), "{error}");
    assert!(!closing.is_closed(0) && closing.shown().is_empty());
    closing.context.clock.see_block(start + 6_990);
    closing.close().await.unwrap();
    assert!(closing.is_closed(0) && !closing.is_closed(1));
    assert_eq!(closing.shown(), [0]);
    // a clock in doubt keeps no closed epoch's root back
    closing.wall.set((start + 90_000).millis());
    closing.roots.send_replace(Roots::new());
    assert_eq!(closing.close().await.unwrap_err().code(), "clock-in-doubt");
    assert_eq!(closing.shown(), [0]);
}

#[tokio::test]
async fn a_root_that_no_member_can_use_any_more_is_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let closing = Closing::start(dir.path(), hours(2), 5_000).await;
    let terms = &closing.lease.terms;
    closing.context.clock.see_block(terms.start + 5_000);
    closing.close().await.unwrap();
    let signed = closing.roots.borrow()[&0].clone();
    assert_eq!(signed.signer(&terms.oracle_domain()), Some(job_signer().address()));
    let at = |time: UnixSeconds| {
        closing.context.clock.see_block(time);
        closing.wall.set(time.millis());
    };
    let last = terms.root_deadline(0).plus(closing.lease.half_window());
    at(last);
    closing.close().await.unwrap();
    assert!(closing.shown().contains(&0));
    at(last + 1);
    closing.close().await.unwrap();
    assert!(!closing.shown().contains(&0));
}

#[tokio::test]
async fn a_lease_of_another_deployment_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut closing = Closing::start(dir.path(), hours(2), 7_000).await;
    closing.context.clock.see_block(closing.lease.terms.start + 7_000);
    closing.lease.terms.rate = HashRate::new(77);
    let error = closing.close().await.unwrap_err();
    assert!(error.to_string().contains("another deployment"), "{error}");
    assert!(!closing.is_closed(0));
}

/// What a member does with a root.
#[derive(Clone, Copy)]
enum Answer {
    Confirms,
    Refuses,
    Hangs,
}

/// A member, and the epochs whose roots were posted to it.
async fn member(answer: fn(u64) -> Answer) -> (Seat, Arc<Mutex<Vec<u64>>>) {
    let posted = Arc::<Mutex<Vec<u64>>>::default();
    let seen = Arc::clone(&posted);
    let take = move |Json(root): Json<Value>| {
        let epoch = root["epoch"].as_u64().or_else(|| root["root"]["epoch"].as_u64()).unwrap();
        seen.lock().unwrap().push(epoch);
        async move { respond(answer(epoch)).await }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/roots", post(take))).await });
    let client = MemberClient::new(url.parse().unwrap(), HttpClient::new(Tcp::shared()));
    (Seat { index: 0, key: job_signer().address(), client }, posted)
}

async fn respond(answer: Answer) -> Response {
    let signature = format!("0x{}", "00".repeat(65));
    match answer {
        Answer::Confirms => {
            Json(json!({"received": 1, "inTime": true, "signature": signature})).into_response()
        }
        Answer::Refuses => {
            (StatusCode::CONFLICT, Json(json!({"code": "x", "message": "no"}))).into_response()
        }
        Answer::Hangs => std::future::pending().await,
    }
}

fn root(terms: &Terms, epoch: u32) -> SignedEpochRoot {
    let evidence = "http://127.0.0.1/".into();
    let root = EpochRoot { id: EpochId::new(terms.id, epoch), commitment: Commitment::default(), evidence };
    let signature = job_signer().sign(&root.digest(&terms.oracle_domain())).unwrap();
    SignedEpochRoot { root, signature }
}

#[tokio::test]
async fn a_member_that_hangs_holds_up_no_other() {
    let terms = hours(9);
    let roots = watch::Sender::new((0..3).map(|epoch| (epoch, root(&terms, epoch))).collect::<Roots>());
    let (fast, confirmed) = member(|_| Answer::Confirms).await;
    let (slow, asked) = member(|_| Answer::Hangs).await;
    let hanging = tokio::spawn(deliver_to(slow, terms.id, roots.subscribe()));
    let delivering = tokio::spawn(deliver_to(fast, terms.id, roots.subscribe()));
    until("the slow member is asked", || !asked.lock().unwrap().is_empty()).await;
    until("the fast one has all", || confirmed.lock().unwrap().len() == 3).await;
    assert_eq!(*confirmed.lock().unwrap(), [2, 1, 0], "the newest first");
    roots.send_modify(|roots| drop(roots.insert(3, root(&terms, 3))));
    until("the fast one has the next", || confirmed.lock().unwrap().len() == 4).await;
    assert_eq!(*asked.lock().unwrap(), [2]);
    hanging.abort();
    drop(roots);
    patiently("the delivery ends", delivering).await.unwrap();
    assert_eq!(*confirmed.lock().unwrap(), [2, 1, 0, 3], "each once");
}

#[tokio::test]
async fn a_root_that_a_member_refuses_holds_up_no_other_root() {
    let terms = hours(9);
    let roots = watch::Sender::new((0..3).map(|epoch| (epoch, root(&terms, epoch))).collect::<Roots>());
    let (seat, posted) = member(|epoch| if epoch == 1 { Answer::Refuses } else { Answer::Confirms }).await;
    let delivering = tokio::spawn(deliver_to(seat, terms.id, roots.subscribe()));
    until("all are posted", || posted.lock().unwrap().len() >= 3).await;
    roots.send_modify(|roots| drop(roots.insert(3, root(&terms, 3))));
    until("the refused one is posted again", || posted.lock().unwrap().len() >= 5).await;
    let posted = posted.lock().unwrap().clone();
    assert_eq!(posted[..3], [2, 1, 0]);
    assert!(posted[3..].contains(&3) && posted[3..].contains(&1), "{posted:?}");
    delivering.abort();
}
