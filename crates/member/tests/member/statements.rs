//! Statements that a member refuses to sign, and the words of each refusal.

use crate::world::*;
use alloy_primitives::B256;
use hashlease_committee::{ClientError, EpochState};
use hashlease_primitives::{EpochId, Lease, LeaseId, Statement, UnixSeconds, Work};
use serde_json::json;

/// A member that verified epoch 1 of a lease of three epochs, with epoch 0 missing; the lease; the
/// member's own statement.
async fn counted() -> (World, Lease, Statement) {
    let world = World::start(1, 1).await;
    let lease = lease(1, 2, 3, 60);
    world.show(&lease);
    let terms = &lease.terms;
    world.deliver(terms, &evidence(terms, 1, &[(&job_in(terms, 1, 1), 10)])).await;
    let own = world.verified(0, terms.id, 1).await.statement;
    assert_eq!(own.work, Work::new(80));
    (world, lease, own)
}

#[tokio::test]
async fn a_statement_is_refused_unless_as_of_is_the_end_of_a_past_epoch() {
    let (world, lease, own) = counted().await;
    let terms = &lease.terms;
    let refused = async |as_of| world.not_signed(0, Statement { as_of, ..own }).await.0;
    assert_eq!(refused(own.as_of - 1).await, "not-an-epoch-end");
    assert_eq!(refused(own.as_of + 1).await, "not-an-epoch-end");
    assert_eq!(refused(terms.start).await, "not-an-epoch-end");
    assert_eq!(refused(terms.start - u64::from(EPOCH)).await, "not-an-epoch-end");
    assert_eq!(refused(UnixSeconds::new(0)).await, "not-an-epoch-end");
    assert_eq!(refused(terms.end + u64::from(EPOCH)).await, "not-an-epoch-end");
    assert_eq!(refused(UnixSeconds::new(u64::MAX)).await, "not-an-epoch-end");
    assert_eq!(refused(terms.epoch_end(2)).await, "epoch-not-over");
    world.client(0).sign(&[own]).await.unwrap();
    // the member also signs its own figures of an earlier moment
    let earlier = world.view(0, terms.id, 0).await.statement;
    assert_eq!((earlier.as_of, earlier.evidence), (terms.epoch_end(0), chain(&[EMPTY])));
    world.client(0).sign(&[earlier]).await.unwrap();
}

#[tokio::test]
async fn a_statement_of_other_evidence_work_or_due_than_was_counted_is_refused() {
    let (world, _, own) = counted().await;
    let refused = async |statement| world.not_signed(0, statement).await;
    let (code, message) = refused(Statement { evidence: B256::repeat_byte(5), ..own }).await;
    assert_eq!(code, "evidence-differs");
    assert!(message.contains(&own.evidence.to_string()), "{message}");
    let (code, message) = refused(Statement { work: Work::new(81), ..own }).await;
    assert_eq!((code.as_str(), message.as_str()), ("work-above-verified", "work: verified 80, asked for 81"));
    let (code, message) = refused(Statement { due: Work::new(1), ..own }).await;
    assert_eq!((code.as_str(), message.as_str()), ("due-above-counted", "due: counted 0, asked for 1"));
    world.client(0).sign(&[own]).await.unwrap();
}

#[tokio::test]
async fn work_below_what_was_verified_is_not_signed_as_if_it_were_all() {
    let (world, mut lease, own) = counted().await;
    let (code, message) = world.not_signed(0, Statement { work: Work::new(79), ..own }).await;
    assert_eq!(code, "work-below-verified");
    assert_eq!(message, "work: verified 80, asked for only 79");
    // a renter with a last word about less work would settle on it at once
    lease.terms.end = own.as_of;
    world.show(&lease);
    assert_eq!(world.not_signed(0, Statement { work: Work::ZERO, ..own }).await.0, "work-below-verified");
}

#[tokio::test]
async fn the_last_word_is_refused_while_a_root_can_still_be_in_time() {
    let (world, mut lease, own) = counted().await;
    let last = Statement { last: true, ..own };
    assert_eq!(world.not_signed(0, last).await.0, "last-too-early", "the lease goes on");
    lease.terms.end = own.as_of;
    world.show(&lease);
    assert!(!world.view(0, LeaseId(1), 1).await.statement.last);
    assert_eq!(world.not_signed(0, last).await.0, "last-too-early", "within the 15 minutes after the end");
    world.client(0).sign(&[own]).await.unwrap();
}

#[tokio::test]
async fn the_last_word_is_given_at_the_end_once_no_root_can_be_in_time_any_more() {
    let world = World::start(1, 1).await;
    let over = lease(1, 2, 2, 1_000);
    world.show(&over);
    let own = world.view(0, LeaseId(1), 1).await;
    assert_eq!(own.epochs[1].state, EpochState::Missing);
    assert!(own.statement.last && !own.pending);
    world.client(0).sign(&[own.statement]).await.unwrap();
    let before_the_end = world.view(0, LeaseId(1), 0).await.statement;
    assert!(!before_the_end.last);
    let last = Statement { last: true, ..before_the_end };
    assert_eq!(world.not_signed(0, last).await.0, "last-too-early");
}

#[tokio::test]
async fn nothing_is_signed_while_a_root_is_awaited_or_being_checked() {
    let world = World::start(1, 1).await;
    let lease = lease(1, 1, 2, 60);
    let terms = &lease.terms;
    world.show(&lease);
    let own = world.view(0, terms.id, 0).await;
    assert_eq!((own.epochs[0].state.clone(), own.pending), (EpochState::Awaited, true));
    assert_eq!(world.not_signed(0, own.statement).await.0, "pending");
    world.files.serve("file", Served::Status(500));
    let signed = root(terms, 0, EMPTY, &world.files.url("file"));
    world.client(0).post_root(&signed).await.unwrap();
    assert_eq!(world.state(0, terms.id, 0).await, EpochState::Pending);
    assert_eq!(world.not_signed(0, own.statement).await.0, "pending");
}

#[tokio::test]
async fn one_unsignable_statement_stops_the_batch_and_is_named() {
    let (world, lease, own) = counted().await;
    let mut second = lease.clone();
    second.terms.id = LeaseId(2);
    world.show(&second);
    let terms = &second.terms;
    world.deliver(terms, &evidence(terms, 1, &[(&job_in(terms, 1, 1), 2)])).await;
    let other = world.verified(0, LeaseId(2), 1).await.statement;
    world.client(0).sign(&[own, other]).await.unwrap();
    let stranger = Statement { lease: LeaseId(3), ..own };
    let above = Statement { work: Work::new(17), ..other };
    match world.client(0).sign(&[own, above, stranger]).await {
        Err(ClientError::NotSigned { refusals, .. }) => {
            let named: Vec<_> = refusals.iter().map(|refusal| (refusal.lease.0, &*refusal.code)).collect();
            assert_eq!(named, [(2, "work-above-verified"), (3, "unknown-lease")]);
        }
        signed => panic!("expected a refusal, got {signed:?}"),
    }
    let (status, answer) = world.raw_post("v1/statements", r#"{"statements": []}"#).await;
    assert_eq!((status, answer), (409, json!({"refusals": []})), "there is nothing to sign");
}

#[tokio::test]
async fn a_batch_is_no_longer_than_the_contract_takes_and_names_no_lease_twice() {
    let (world, _, own) = counted().await;
    let of = |lease| Statement { lease: LeaseId(lease), ..own };
    let ask = async |statements: Vec<Statement>| {
        world.post_refused("v1/statements", &json!({ "statements": statements })).await
    };
    assert_eq!(ask((1..=101).map(of).collect()).await, (422, "too-many-statements".into()));
    assert_eq!(ask(vec![of(1), of(2), of(1)]).await, (422, "lease-twice".into()));
    let body = json!({"statements": (1..=100).map(of).collect::<Vec<_>>()}).to_string();
    let (status, answer) = world.raw_post("v1/statements", body).await;
    let refusals = answer["refusals"].as_array().unwrap();
    assert_eq!((status, refusals.len()), (409, 99), "all but that of lease 1, which it knows");
}

#[tokio::test]
async fn an_address_that_asks_too_much_is_told_to_wait() {
    let (world, _, own) = counted().await;
    let statements: Vec<_> = (2..=101).map(|lease| Statement { lease: LeaseId(lease), ..own }).collect();
    let body = json!({ "statements": statements }).to_string();
    // each costs as much as 101 questions, so this ends long before the machine is busy
    let told = until_some("a limit", async || {
        let (status, answer) = world.raw_post("v1/statements", body.clone()).await;
        (status == 429).then_some(answer)
    });
    assert_eq!(told.await["code"], "busy");
}

#[tokio::test]
async fn an_answer_shows_the_newest_epochs_only() {
    let world = World::start(1, 1).await;
    let mut lease = lease(1, 0, 1, 0);
    lease.terms.epoch_length = 10;
    lease.terms.start = UnixSeconds::new(now() - 4_000);
    lease.terms.duration = 4_000;
    lease.terms.end = lease.terms.start + 4_000;
    world.show(&lease);
    let view = world.view(0, LeaseId(1), 390).await;
    let shown: Vec<u32> = view.epochs.iter().map(|epoch| epoch.epoch).collect();
    assert_eq!(shown, (135..=390).collect::<Vec<_>>());
    assert_eq!(view.statement.evidence, chain(&[EMPTY; 391]), "of all epochs");
}

#[tokio::test]
async fn figures_of_unknown_leases_and_epochs_are_refused() {
    let (world, ..) = counted().await;
    assert_eq!(code(world.client(0).statement(EpochId::new(LeaseId(9), 0)).await), "unknown-lease");
    assert_eq!(code(world.client(0).statement(EpochId::new(LeaseId(1), 3)).await), "no-such-epoch");
    assert_eq!(code(world.client(0).jobs(LeaseId(9), 0, 0).await), "unknown-lease");
}
