//! No two sessions ever search the same headers.

use super::{
    miner::{Mined, Miner},
    world::{World, job, terms, with_tail},
};
use std::collections::HashSet;

/// Connects `count` miners and records the spaces they get.
async fn join(world: &World, count: usize, spaces: &mut HashSet<(String, String)>) -> Vec<(Miner, Mined)> {
    let mut miners = Vec::new();
    for number in 0..count {
        let mut miner = world.miner(&format!("1.rig{number}")).await;
        let job = miner.job().await;
        assert!(spaces.insert(job.space()), "space given out twice: {:?}", job.space());
        miners.push((miner, job));
    }
    miners
}

#[tokio::test]
async fn the_same_choices_of_several_miners_are_different_headers_and_all_count() {
    for tail in [2, 3, 4, 5, 6, 8, 16, 32] {
        let dir = tempfile::tempdir().unwrap();
        let world = World::start(dir.path(), [terms(1)]).await;
        world.offer(with_tail(job(&world.terms(1), 1), tail)).await;
        let mut miners = join(&world, 12, &mut HashSet::new()).await;
        let ntime = miners[0].1.ntime;
        let mut keys = HashSet::new();
        for (miner, job) in &mut miners {
            job.ntime = ntime;
            job.extranonce2.fill(0xff);
            let share = job.mine();
            assert_eq!(miner.submit(&share).await["result"], true, "tail of {tail}");
            keys.insert(share.key);
        }
        assert_eq!(keys.len(), miners.len());
        assert_eq!(world.counted(1), miners.len() as u128);
    }
}

#[tokio::test]
async fn a_returning_miner_gets_a_new_space() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let mut spaces = HashSet::new();
    let stays = join(&world, 3, &mut spaces).await;
    for _ in 0..10 {
        drop(join(&world, 3, &mut spaces).await);
    }
    assert_eq!(spaces.len(), 33);
    for (mut miner, job) in stays {
        world.counts(&mut miner, &job).await;
    }
}

#[tokio::test]
async fn a_restart_gives_no_space_out_again() {
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let handed_out = job(&terms, 1);
    let mut spaces = HashSet::new();
    for _ in 0..3 {
        let world = World::start(dir.path(), [terms.clone()]).await;
        world.offer(handed_out.clone()).await;
        let mut miners = join(&world, 5, &mut spaces).await;
        for (miner, job) in &mut miners {
            world.counts(miner, job).await;
        }
        world.stop().await;
    }
    assert_eq!(spaces.len(), 15);
}

#[tokio::test]
async fn when_all_spaces_are_in_use_one_more_is_refused_and_gets_the_first_that_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    // one byte distinguishes the sessions
    world.offer(with_tail(job(&world.terms(1), 1), 2)).await;
    let mut miners = join(&world, 256, &mut HashSet::new()).await;
    let mut late = Miner::connect(world.address).await;
    let answer = late.ask("mining.subscribe", serde_json::json!([])).await;
    assert_eq!(super::miner::refusal(&answer), (20, "no-extranonce".to_owned()));
    assert_eq!(late.rest().await.len(), 0);
    let (gone, job) = miners.pop().unwrap();
    drop(gone);
    let free = job.space();
    let begun = std::time::Instant::now();
    loop {
        let mut again = Miner::connect(world.address).await;
        let answer = again.ask("mining.subscribe", serde_json::json!([])).await;
        if answer["error"].is_null() {
            again.subscribed(&answer);
            assert_eq!(again.authorise("1.again").await["result"], true);
            assert_eq!(again.job().await.space(), free);
            break;
        }
        assert!(begun.elapsed() < super::world::PATIENCE, "{free:?} never became free");
    }
    let (miner, job) = &mut miners[0];
    world.counts(miner, job).await;
}
