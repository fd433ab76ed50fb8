//! A member of a committee: what it verifies, counts and signs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "member/evidence.rs"]
mod evidence;
#[path = "member/fetching.rs"]
mod fetching;
#[path = "member/jobs.rs"]
mod jobs;
#[path = "member/roots.rs"]
mod roots;
#[path = "member/shares.rs"]
mod shares;
#[path = "member/statements.rs"]
mod statements;
#[allow(unreachable_pub)]
mod world;

use hashlease_committee::{EpochState, Seat, gather};
use hashlease_primitives::{EpochId, HashRate, LeaseId, SettlementWeight, Statement, Work, recover_signer};
use std::time::Duration;
use world::*;

#[tokio::test]
async fn an_honest_epoch_is_verified_stated_and_signed() {
    let world = World::start(1, 1).await;
    let lease = lease(1, 2, 3, 60);
    let terms = &lease.terms;
    world.show(&lease);
    let file = evidence(terms, 1, &[(&job_in(terms, 1, 1), 25), (&job_in(terms, 1, 2), 15)]);
    world.deliver(terms, &file).await;
    let view = world.verified(0, terms.id, 1).await;
    assert_eq!(view.epochs[0].state, EpochState::Missing, "no root of epoch 0 arrived in time");
    let (zero, one) = (&view.epochs[0], &view.epochs[1]);
    assert_eq!((zero.count, zero.root, zero.work.as_str()), (0, EMPTY.root, "0"));
    assert_eq!((one.count, one.root, one.work.as_str()), (40, file.head.commitment.root, "320"));
    assert!(!view.pending);
    let expected = Statement {
        lease: LeaseId(1),
        as_of: terms.epoch_end(1),
        work: Work::new(320),
        due: Work::ZERO,
        evidence: chain(&[EMPTY, file.head.commitment]),
        last: false,
    };
    assert_eq!(view.statement, expected);

    let signed = world.client(0).sign(&[expected]).await.unwrap();
    assert_eq!(signed.signer, member_signer(0).address());
    let signature: [u8; 65] = signed.signature.as_ref().try_into().unwrap();
    let batch = Statement::batch(&[expected]);
    assert_eq!(recover_signer(&terms.oracle_domain().digest(&batch), &signature), Some(signed.signer));
    assert_ne!(recover_signer(&terms.domain.digest(&batch), &signature), Some(signed.signer));
}

#[tokio::test]
async fn an_epoch_without_shares_is_evidence_too() {
    let world = World::start(1, 1).await;
    let lease = lease(1, 1, 2, 60);
    world.show(&lease);
    world.deliver(&lease.terms, &evidence(&lease.terms, 0, &[])).await;
    let view = world.verified(0, LeaseId(1), 0).await;
    assert_eq!((view.statement.work, view.statement.evidence), (Work::ZERO, chain(&[EMPTY])));
    world.client(0).sign(&[view.statement]).await.unwrap();
}

#[tokio::test]
async fn an_epoch_contributes_at_most_a_quarter_more_than_its_promise() {
    let world = World::start(1, 1).await;
    let mut lease = lease(1, 1, 2, 60);
    lease.terms.weight = SettlementWeight::from_log2(7).unwrap();
    lease.terms.rate = HashRate::new(2);
    world.show(&lease);
    let terms = &lease.terms;
    // 71 × 128 = 9,088 hashes, of which 1.25 × 2 × 3,600 = 9,000 are counted
    world.deliver(terms, &evidence(terms, 0, &[(&job_in(terms, 0, 1), 71)])).await;
    let view = world.verified(0, terms.id, 0).await;
    assert_eq!((view.epochs[0].count, view.epochs[0].work.as_str()), (71, "9000"));
    assert_eq!(view.statement.work, Work::new(9_000));
}

async fn views(world: &World, members: std::ops::Range<usize>) -> Vec<hashlease_committee::StatementView> {
    let mut views = Vec::new();
    for index in members {
        views.push(world.verified(index, LeaseId(1), 0).await);
    }
    views
}

#[tokio::test]
async fn three_of_three_members_sign_one_statement() {
    let world = World::start(3, 3).await;
    let lease = lease(1, 1, 2, 60);
    let terms = &lease.terms;
    world.show(&lease);
    world.deliver(terms, &evidence(terms, 0, &[(&job_in(terms, 0, 1), 10)])).await;
    let statement = strongest(terms, &views(&world, 0..3).await, 3).unwrap();
    assert_eq!(statement.work, Work::new(80));
    // the oracle wants ascending seats, in whatever order the members are asked
    let mut seats = world.seats();
    seats.reverse();
    let signatures = gather(&seats, &[statement], &terms.oracle_domain(), 3).await.unwrap();
    let digest = terms.oracle_domain().digest(&Statement::batch(&[statement]));
    let signers: Vec<_> = signatures
        .chunks(65)
        .map(|signature| recover_signer(&digest, signature.try_into().unwrap()).unwrap())
        .collect();
    assert_eq!(signers, [0, 1, 2].map(|index| member_signer(index).address()));
}

#[tokio::test]
async fn two_of_three_members_suffice_when_one_is_dead() {
    let mut world = World::start(3, 2).await;
    let lease = lease(1, 1, 2, 60);
    let terms = &lease.terms;
    world.show(&lease);
    world.kill(0);
    world.deliver(terms, &evidence(terms, 0, &[(&job_in(terms, 0, 1), 10)])).await;
    let views = views(&world, 1..3).await;
    assert_eq!(strongest(terms, &views, 3), None, "two members can't reach a threshold of three");
    let statement = strongest(terms, &views, 2).unwrap();
    let seats = world.seats();
    let domain = terms.oracle_domain();
    let signatures = gather(&seats, &[statement], &domain, 2).await.unwrap();
    let digest = domain.digest(&Statement::batch(&[statement]));
    for (signature, index) in signatures.chunks(65).zip([1, 2]) {
        let signer = recover_signer(&digest, signature.try_into().unwrap()).unwrap();
        assert_eq!(signer, member_signer(index).address());
    }
    assert_eq!(signatures.len(), 130);
    let error = gather(&seats, &[statement], &domain, 3).await.unwrap_err();
    // it waits for nobody once the threshold can't be reached
    assert_eq!((error.threshold, error.missing.len()), (3, 1));
    assert!(error.missing[0].to_string().contains("can't be reached"), "{error}");
}

#[tokio::test]
async fn a_signature_of_another_key_than_the_seats_is_not_gathered() {
    let world = World::start(2, 2).await;
    let lease = lease(1, 1, 2, 60);
    let terms = &lease.terms;
    world.show(&lease);
    world.deliver(terms, &evidence(terms, 0, &[(&job_in(terms, 0, 1), 3)])).await;
    let statement = strongest(terms, &views(&world, 0..2).await, 2).unwrap();
    let mut seats = world.seats();
    // one member in two seats
    seats[1] = Seat { client: seats[0].client.clone(), ..seats[1].clone() };
    let error = gather(&seats, &[statement], &terms.oracle_domain(), 2).await.unwrap_err();
    assert_eq!(error.got, 1);
    assert!(error.missing[0].to_string().contains("signature is not by its key"), "{error}");
}

#[tokio::test]
async fn a_root_whose_evidence_was_pending_is_verified_after_a_restart() {
    let mut world = World::start(1, 1).await;
    let lease = lease(1, 1, 2, 60);
    let terms = &lease.terms;
    world.show(&lease);
    let file = evidence(terms, 0, &[(&job_in(terms, 0, 1), 10)]);
    world.files.serve("file", Served::Status(500));
    let signed = root(terms, 0, file.head.commitment, &world.files.url("file"));
    let receipt = world.client(0).post_root(&signed).await.unwrap();
    until_some("a first attempt", async || (world.files.hits("file") > 0).then_some(())).await;
    assert_eq!(world.state(0, terms.id, 0).await, EpochState::Pending);

    world.restart(0).await;
    let kept = world.client(0).root(EpochId::new(terms.id, 0)).await.unwrap();
    assert_eq!((kept.received, kept.in_time, kept.root), (receipt.received, true, signed));
    let before = world.files.hits("file");
    until_some("another attempt", async || (world.files.hits("file") > before).then_some(())).await;
    assert_eq!(world.state(0, terms.id, 0).await, EpochState::Pending);
    world.files.serve("file", Served::Bytes(file.encode().unwrap()));
    assert_eq!(world.verified(0, terms.id, 0).await.statement.work, Work::new(80));
}

#[tokio::test]
async fn a_verdict_survives_a_restart_without_another_look() {
    let mut world = World::start(1, 1).await;
    let (good, bad) = (lease(1, 1, 2, 60), lease(2, 1, 2, 60));
    world.show(&good);
    world.show(&bad);
    world.deliver(&good.terms, &evidence(&good.terms, 0, &[(&job_in(&good.terms, 0, 1), 10)])).await;
    let mut file = evidence(&bad.terms, 0, &[(&job_in(&bad.terms, 0, 1), 10)]);
    file.shares.pop();
    world.deliver(&bad.terms, &file).await;
    let before = (world.verified(0, LeaseId(1), 0).await, world.refused(0, LeaseId(2), 0).await);
    world.restart(0).await;
    let after = (world.verified(0, LeaseId(1), 0).await, world.refused(0, LeaseId(2), 0).await);
    assert_eq!(before, after);
    assert_eq!((world.files.hits("1-0"), world.files.hits("2-0")), (1, 1));
}

#[tokio::test]
async fn a_root_of_a_lease_that_is_not_confirmed_yet_after_a_restart_waits_for_it() {
    let mut world = World::start(1, 1).await;
    let lease = lease(1, 1, 2, 60);
    let terms = &lease.terms;
    world.show(&lease);
    let file = evidence(terms, 0, &[(&job_in(terms, 0, 1), 10)]);
    world.files.serve("file", Served::Status(503));
    let signed = root(terms, 0, file.head.commitment, &world.files.url("file"));
    world.client(0).post_root(&signed).await.unwrap();
    world.forget(terms.id);
    world.restart(0).await;
    assert_eq!(code(world.client(0).statement(EpochId::new(terms.id, 0)).await), "unknown-lease");
    world.files.serve("file", Served::Bytes(file.encode().unwrap()));
    world.show(&lease);
    assert_eq!(world.verified(0, terms.id, 0).await.statement.work, Work::new(80));
}

#[tokio::test]
async fn a_dropped_member_lets_go_of_its_connections_and_its_store() {
    let mut world = World::start(1, 1).await;
    let lease = lease(1, 1, 2, 60);
    let terms = &lease.terms;
    world.show(&lease);
    // a fetch under way, and a client that waits for a job
    let signed = root(terms, 0, EMPTY, &world.files.url("nothing"));
    world.client(0).post_root(&signed).await.unwrap();
    let client = world.client(0).clone();
    let waiting = tokio::spawn(async move { client.jobs(LeaseId(1), 0, 30).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let old = world.client(0).clone();
    world.restart(0).await;
    assert_eq!(waiting.await.unwrap().unwrap().jobs, []);
    assert!(old.statement(EpochId::new(terms.id, 0)).await.is_err(), "the old address still answers");
    assert_eq!(world.state(0, terms.id, 0).await, EpochState::Pending);
}
