//! The target of each connection: no stranger's number is passed on unbounded.

use super::{
    gateway::Gateway,
    miner::{Miner, refusal},
    world::{World, job, target, terms},
};
use hashlease_primitives::{Difficulty, DifficultyBase, HashRate, Target, Terms};
use serde_json::json;

/// A lease of 100 hashes per second whose share is worth 2^12: a share takes about 40 s of it.
fn slow() -> Terms {
    Terms { weight: hashlease_fixtures::weight(12), rate: HashRate::new(100), ..terms(1) }
}

/// A target as the miner reads it from a decimal difficulty.
fn told(target: Target) -> Target {
    Difficulty::of_target(target, DifficultyBase::Bitcoin).target(DifficultyBase::Bitcoin)
}

#[tokio::test]
async fn a_pools_difficulty_brings_no_more_than_ten_messages_a_second() {
    for pool in [Target::MAX, target(1), target(3)] {
        let dir = tempfile::tempdir().unwrap();
        let world = World::start(dir.path(), [slow()]).await;
        world.offer_for(job(&world.terms(1), 1), Some(pool)).await;
        let mut miner = world.miner("1.rig").await;
        let job = miner.job().await;
        // a tenth of a second of the lease's rate
        assert!((9..=10).contains(&job.target.work().hashes()), "{pool:?}");
    }
}

#[tokio::test]
async fn a_share_that_meets_only_the_nodes_target_is_answered_true_and_not_counted() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [slow()]).await;
    let gateway = Gateway::start().await;
    world.served(1).set_link(Some(gateway.handle.clone()));
    let (pool, settlement) = (target(20), slow().weight.target());
    world.offer_for(job(&world.terms(1), 1), Some(pool)).await;
    let mut miner = world.miner("1.rig").await;
    let job = miner.job().await;
    assert!((999..=1_000).contains(&job.target.work().hashes()), "ten seconds of the lease's rate");
    let easy = job.mine_where(|hash| job.target.is_met_by(hash) && !settlement.is_met_by(hash));
    assert_eq!(miner.submit(&easy).await["result"], true);
    assert_eq!(refusal(&miner.submit(&easy).await), (22, "duplicate".to_owned()));
    let miss = job.mine_where(|hash| !job.target.is_met_by(hash));
    assert_eq!(refusal(&miner.submit(&miss).await), (23, "above-target".to_owned()));
    assert_eq!((world.counted(1), world.served(1).counts.own_target()), (0, 1));
    let counted = job.mine_where(|hash| settlement.is_met_by(hash));
    assert_eq!(miner.submit(&counted).await["result"], true);
    assert_eq!(world.counted(1), 1);
    // the gateway got only the one that counts
    assert_eq!(gateway.submits(1).await.len(), 1);
}

#[tokio::test]
async fn a_share_for_a_pool_that_is_not_linked_is_not_answered_true() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [Terms { rate: HashRate::new(100_000), ..terms(1) }]).await;
    let pool = target(2);
    world.offer_for(job(&world.terms(1), 1), Some(pool)).await;
    let mut miner = world.miner("1.rig").await;
    let job = miner.job().await;
    let share = job.mine_where(|hash| pool.is_met_by(hash) && !target(6).is_met_by(hash));
    assert_eq!(refusal(&miner.submit(&share).await), (23, "above-target".to_owned()));
    let gateway = Gateway::start().await;
    world.served(1).set_link(Some(gateway.handle.clone()));
    assert_eq!(miner.submit(&share).await["result"], true, "now it is forwarded");
    assert_eq!(gateway.submits(1).await.len(), 1);
    assert_eq!(world.served(1).counts.forwarded_only(), 1);
}

#[tokio::test]
async fn a_connection_that_sends_too_much_gets_a_harder_target_with_its_next_job() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [slow()]).await;
    world.offer(job(&world.terms(1), 1)).await;
    let mut miner = world.miner("1.rig").await;
    let first = miner.job().await;
    let easy = |job: &super::miner::Mined| job.mine_where(|hash| job.target.is_met_by(hash));
    let mut sent = 0;
    let harder = loop {
        // thousands of hashes at once: far more than the lease's rate
        miner.submit(&easy(&first)).await;
        sent += 1;
        assert!(sent < 40, "the target stays");
        if let Some(job) = miner.waiting_job() {
            break job;
        }
    };
    assert!(harder.target.work() > first.target.work());
    assert!(harder.target >= told(slow().weight.target()), "never harder than what counts");
    assert!(!harder.clean, "the work under way is good");
    assert_eq!(harder.of(), (1, 1));
    // the earlier target still holds for the job that came with it
    assert_eq!(miner.submit(&easy(&first)).await["result"], true);
}

#[tokio::test]
async fn firmware_that_keeps_whole_difficulties_loses_no_share() {
    let dir = tempfile::tempdir().unwrap();
    // difficulty 15.9998 at the settlement target: firmware works at 15
    let rate = HashRate::new(1 << 40);
    let lease = Terms { weight: hashlease_fixtures::weight(36), rate, ..terms(1) };
    let world = World::start(dir.path(), [lease]).await;
    world.offer(job(&world.terms(1), 1)).await;
    let mut miner = Miner::connect(world.address).await;
    miner.subscribe().await;
    assert_eq!(miner.authorise("1.rig").await["result"], true);
    let told = miner.message().await.unwrap();
    assert_eq!((&told["method"], &told["params"]), (&json!("mining.set_difficulty"), &json!([15])));
}

#[tokio::test]
async fn a_suggestion_changes_no_target() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [slow()]).await;
    world.offer(job(&world.terms(1), 1)).await;
    let mut miner = Miner::connect(world.address).await;
    miner.line(r#"{"id":9,"method":"mining.suggest_difficulty","params":[0.0000000001]}"#).await;
    assert_eq!(miner.answer().await["result"], true);
    miner.subscribe().await;
    assert_eq!(miner.authorise("1.rig").await["result"], true);
    let job = miner.job().await;
    assert!((999..=1_000).contains(&job.target.work().hashes()));
    assert_eq!(miner.heard, ["mining.set_difficulty", "mining.notify"]);
}
