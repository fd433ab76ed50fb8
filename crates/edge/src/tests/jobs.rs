//! Which jobs a miner gets, and in which order.

use super::{
    miner::Miner,
    world::{World, job, target, terms},
};
use alloy_primitives::B256;
use hashlease_primitives::{Difficulty, DifficultyBase, HashRate, HeaderJob, Target, Terms, UnixSeconds};

/// A lease so slow that its miners get the pool's targets as they are.
fn slow() -> Terms {
    Terms { rate: HashRate::new(10), ..terms(1) }
}

/// A target as the miner reads it from a decimal difficulty.
fn told(target: Target) -> Target {
    Difficulty::of_target(target, DifficultyBase::Bitcoin).target(DifficultyBase::Bitcoin)
}

#[tokio::test]
async fn difficulty_comes_before_the_job_and_is_the_easier_of_the_two_targets() {
    let settlement = target(6);
    let cases: [(Option<Target>, Target); 4] = [
        (None, settlement),
        (Some(target(10)), settlement),
        (Some(target(6)), settlement),
        (Some(target(2)), target(2)),
    ];
    for (pool, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        let world = World::start(dir.path(), [slow()]).await;
        world.offer_for(job(&world.terms(1), 1), pool).await;
        let (miner, _) = world.working().await;
        assert_eq!(miner.heard, ["mining.set_difficulty", "mining.notify"]);
        assert!(miner.target >= expected, "never harder than what counts: {pool:?}");
        assert_eq!(miner.target, told(expected), "{pool:?}");
    }
}

#[tokio::test]
async fn difficulty_is_sent_again_only_when_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [slow()]).await;
    let terms = world.terms(1);
    world.offer(job(&terms, 1)).await;
    let (mut miner, first) = world.working().await;
    world.offer_for(job(&terms, 2), Some(target(9))).await;
    let second = miner.job_of(1, 2).await;
    assert_eq!(miner.heard, ["mining.set_difficulty", "mining.notify", "mining.notify"]);
    world.offer_for(job(&terms, 3), Some(target(2))).await;
    let third = miner.job_of(1, 3).await;
    assert_eq!(miner.heard[3..], ["mining.set_difficulty", "mining.notify"]);
    assert_eq!(miner.target, told(target(2)));
    for job in [first, second] {
        world.counts(&mut miner, &job).await;
    }
    let counted = third.mine_where(|hash| target(6).is_met_by(hash));
    assert_eq!(miner.submit(&counted).await["result"], true);
}

#[tokio::test]
async fn a_job_is_announced_as_it_was_signed() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let mut prev_hash = B256::ZERO;
    for (place, byte) in prev_hash.iter_mut().enumerate() {
        *byte = u8::try_from(place).unwrap();
    }
    let branch: Vec<B256> = (1..=16).map(B256::repeat_byte).collect();
    let offered =
        HeaderJob { prev_hash, branch, version: 0x3000_0004, n_bits: 0x1703_4219, ..job(&world.terms(1), 1) };
    world.offer(offered.clone()).await;
    let (mut miner, told) = world.working().await;
    assert_eq!(told.prev_hash, prev_hash.as_slice());
    assert_eq!(told.version, 0x3000_0004);
    assert!(told.clean, "the first job of a connection");
    assert!((offered.not_before..=offered.not_after).contains(&UnixSeconds::from(told.ntime)));
    assert!(told.coinb1.starts_with(&offered.coinbase_prefix));
    world.counts(&mut miner, &told).await;
}

#[tokio::test]
async fn a_clean_job_that_was_overtaken_makes_the_next_one_clean() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, _) = world.working().await;
    let terms = world.terms(1);
    let on_new_block = |sequence| HeaderJob { prev_hash: B256::repeat_byte(9), ..job(&terms, sequence) };
    let new_block = on_new_block(2);
    let clean = world.live(new_block, None).await;
    let fresher = world.live(on_new_block(3), None).await;
    // no task runs between the two calls, so the session sees only the second job
    world.served(1).add_job(clean);
    world.served(1).add_job(fresher);
    let told = miner.job().await;
    assert_eq!(told.of(), (1, 3));
    assert!(told.clean, "otherwise the miner would continue on the old block");
    world.offer(on_new_block(4)).await;
    assert!(!miner.job_of(1, 4).await.clean);
    world.counts(&mut miner, &told).await;
}

#[tokio::test]
async fn a_job_that_is_older_than_the_newest_is_not_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let terms = world.terms(1);
    world.offer(job(&terms, 5)).await;
    let (mut miner, newest) = world.working().await;
    world.offer(job(&terms, 4)).await;
    world.offer(job(&terms, 6)).await;
    assert_eq!(miner.job().await.of(), (1, 6));
    world.counts(&mut miner, &newest).await;
}

#[tokio::test]
async fn a_job_whose_window_is_over_is_not_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let terms = world.terms(1);
    let now = super::world::now();
    world.offer(HeaderJob { not_before: now - 50, not_after: now - 1, ..job(&terms, 1) }).await;
    let mut miner = world.miner("1.rig").await;
    world.offer(job(&terms, 2)).await;
    assert_eq!(miner.job().await.of(), (1, 2), "no job before it");
}

#[tokio::test]
async fn a_miner_that_came_before_the_first_job_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let mut early = world.miner("1.early").await;
    let mut unnamed = Miner::connect(world.address).await;
    unnamed.subscribe().await;
    world.offer(job(&world.terms(1), 1)).await;
    let told = early.job().await;
    world.counts(&mut early, &told).await;
    assert_eq!(unnamed.authorise("1.late").await["result"], true);
    let told = unnamed.job().await;
    world.counts(&mut unnamed, &told).await;
}
