//! Miners whose work does not count, for want of a job or for another reason: none is kept for
//! nothing.

use super::{
    miner::{Miner, refusal},
    world::{World, job_at, now, terms},
};
use crate::miner_messages::{NO_JOB, REFUSED_SHARES};
use hashlease_fixtures::ManualClock;
use hashlease_primitives::{Clock as _, HashRate, HeaderJob, Terms, UnixSeconds};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc, time::Duration};

/// A world whose clock stands still, with lease 1 and a job that ends in ten seconds.
async fn short_job(dir: &Path, more: Option<Terms>) -> (World, Arc<ManualClock>, UnixSeconds) {
    let clock = ManualClock::at(now().millis());
    let world = World::at(dir, [terms(1)].into_iter().chain(more), Arc::clone(&clock) as _).await;
    let begin = clock.seconds();
    let job = job_at(&world.terms(1), 1, begin.get());
    world.offer(HeaderJob { not_after: begin + 10, ..job }).await;
    (world, clock, begin + 10)
}

/// Lets time pass, faster than it does, until this is dropped.
async fn pass(clock: &ManualClock) {
    loop {
        clock.advance(Duration::from_secs(1));
        // a session looks each half second: each 20 s of the clock
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

fn said(message: Option<&Value>) -> Option<(&Value, &Value)> {
    message.map(|message| (&message["method"], &message["params"]))
}

#[tokio::test]
async fn a_share_is_refused_two_seconds_after_its_jobs_window() {
    let dir = tempfile::tempdir().unwrap();
    let (world, clock, _) = short_job(dir.path(), None).await;
    let (mut miner, job) = world.working().await;
    clock.advance(Duration::from_secs(12));
    world.counts(&mut miner, &job).await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(refusal(&miner.submit(&job.mine()).await), (21, "job-window-over".to_owned()));
    assert_eq!(world.counted(1), 1);
}

#[tokio::test]
async fn a_job_that_stands_is_told_again_with_a_fresh_time() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(now().millis());
    let world = World::at(dir.path(), [terms(1)], Arc::clone(&clock) as _).await;
    world.offer(job_at(&world.terms(1), 1, clock.seconds().get())).await;
    let (mut miner, first) = world.working().await;
    clock.advance(Duration::from_secs(30));
    let again = miner.job().await;
    assert_eq!((again.of(), again.ntime, again.clean), ((1, 1), first.ntime + 30, false));
    assert_ne!(again.id, first.id);
    for job in [first, again] {
        world.counts(&mut miner, &job).await;
    }
}

#[tokio::test]
async fn a_miner_without_a_job_is_let_go_after_two_minutes() {
    let dir = tempfile::tempdir().unwrap();
    let (world, clock, until) = short_job(dir.path(), None).await;
    let (mut miner, _) = world.working().await;
    let rest = tokio::select! {
        rest = miner.rest() => rest,
        () = pass(&clock) => unreachable!(),
    };
    assert_eq!(said(rest.last()), Some((&json!("client.show_message"), &json!([NO_JOB]))));
    assert!(clock.seconds() >= until + 120, "let go too early");
}

#[tokio::test]
async fn a_miner_without_a_job_moves_to_a_lease_that_has_one() {
    let dir = tempfile::tempdir().unwrap();
    let smaller = Terms { rate: HashRate::new(1_000), ..terms(2) };
    let (world, clock, until) = short_job(dir.path(), Some(smaller)).await;
    let mut miner = world.miner("rig").await;
    assert_eq!(miner.job().await.of(), (1, 1));
    world.offer(job_at(&world.terms(2), 1, clock.seconds().get())).await;
    let moved = tokio::select! {
        moved = miner.job_of(2, 1) => moved,
        () = pass(&clock) => unreachable!(),
    };
    assert!(clock.seconds() >= until + 120, "moved too early");
    world.counts_for(2, &mut miner, &moved).await;
}

#[tokio::test]
async fn a_miner_whose_shares_are_all_refused_is_told_and_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    let miss = || job.mine_where(|hash| !job.target.is_met_by(hash));
    let good = job.mine();
    for _ in 1..256 {
        assert_eq!(refusal(&miner.submit(&miss()).await).1, "above-target");
    }
    // one good share makes up for all
    assert_eq!(miner.submit(&good).await["result"], true);
    for _ in 1..256 {
        assert_eq!(refusal(&miner.submit(&miss()).await).1, "above-target");
    }
    let last = json!({"id": 1, "method": "mining.submit", "params": miss().params()});
    miner.line(&last.to_string()).await;
    let rest = miner.rest().await;
    assert_eq!(said(rest.last()), Some((&json!("client.show_message"), &json!([REFUSED_SHARES]))));
}

#[tokio::test]
async fn a_long_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let mut miner = Miner::connect(world.address).await;
    miner.subscribe().await;
    let answer = miner.authorise(&"x".repeat(256)).await;
    assert_eq!(refusal(&answer), (24, "worker-name-too-long".to_owned()));
    assert_eq!(miner.authorise(&"x".repeat(255)).await["result"], true);
}
