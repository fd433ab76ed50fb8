//! Every bad share is refused with its stable code and number and is not counted; the connection
//! continues.

use super::world::now as unix_seconds;
use super::{
    miner::{Miner, refusal},
    world::{World, job, terms, until},
};
use crate::{
    open_jobs::STALE_GRACE,
    share_intake::{CLOCK_TOLERANCE, PreparedShare, count_share},
};
use alloy_primitives::B256;
use hashlease_check::ShareChecker;
use hashlease_fixtures::ManualClock;
use hashlease_primitives::{Algorithm, EpochId, HeaderJob, LeaseId, Target, Terms};
use hashlease_share::{HeaderShare, SubmittedHeader};
use std::{
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, time::sleep};

#[tokio::test]
async fn a_job_that_nobody_handed_out_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    for id in ["1ffffffff", "100000000", "900000001", "", "0", "6b035e4900000001", "job", "é", "10000000g"] {
        let mut share = job.mine();
        share.job = id.to_owned();
        world.refuses(&mut miner, &job, &share, 21, "unknown-job").await;
    }
    let mut share = job.mine();
    share.job = "1".repeat(4_000);
    world.refuses(&mut miner, &job, &share, 21, "unknown-job").await;
}

#[tokio::test]
async fn a_job_of_another_session_is_unknown_here() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1), terms(2)]).await;
    world.offer(job(&world.terms(1), 1)).await;
    world.offer(job(&world.terms(2), 1)).await;
    let (mut miner, job) = world.working().await;
    for worker in ["1.other", "2.rig"] {
        let mut share = job.mine();
        share.job = world.miner(worker).await.job().await.id;
        world.refuses(&mut miner, &job, &share, 21, "unknown-job").await;
    }
    assert_eq!(world.counted(2), 0);
}

#[tokio::test]
async fn an_extranonce_of_another_length_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    for extranonce2 in ["", "000000", "0000000000", &"00".repeat(64)] {
        let mut share = job.mine();
        share.extranonce2 = extranonce2.to_owned();
        world.refuses(&mut miner, &job, &share, 20, "extranonce-length").await;
    }
}

#[tokio::test]
async fn fields_of_the_wrong_form_are_malformed() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    let good = job.mine();
    for bad in [
        "",
        "0",
        "0000000",
        "000000000",
        "0000000g",
        "-0000001",
        "+0000001",
        " 0000001",
        "0x00001",
        "1e-00001",
    ] {
        let mut share = good.clone();
        share.ntime = bad.to_owned();
        world.refuses(&mut miner, &job, &share, 20, "malformed").await;
        let mut share = good.clone();
        share.nonce = bad.to_owned();
        world.refuses(&mut miner, &job, &share, 20, "malformed").await;
        let mut share = good.clone();
        share.bits = Some(bad.to_owned());
        world.refuses(&mut miner, &job, &share, 20, "malformed").await;
    }
    for bad in ["0", "0000000", "0000000g", "zzzzzzzz", "00 00 00", &"00".repeat(65)] {
        let mut share = good.clone();
        share.extranonce2 = bad.to_owned();
        world.refuses(&mut miner, &job, &share, 20, "malformed").await;
    }
    assert_eq!(miner.submit(&good).await["result"], true, "no refusal consumed the share");
}

#[tokio::test]
async fn a_time_before_or_after_the_window_of_the_job_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let window = world.served(1).job(1).unwrap().verified.job().clone();
    let (mut miner, job) = world.working().await;
    let mut early = job.clone();
    early.ntime = u32::try_from(window.not_before() - 1).unwrap();
    world.refuses(&mut miner, &job, &early.mine(), 20, "ntime-too-early").await;
    early.ntime += 1;
    world.counts(&mut miner, &early).await;
    let mut late = job.clone();
    late.ntime = u32::try_from(window.not_after() + 1).unwrap();
    world.refuses(&mut miner, &job, &late.mine(), 20, "ntime-too-late").await;
    late.ntime = u32::MAX;
    world.refuses(&mut miner, &job, &late.mine(), 20, "ntime-too-late").await;
    early.ntime = 0;
    world.refuses(&mut miner, &job, &early.mine(), 20, "ntime-too-early").await;
}

#[tokio::test]
async fn a_time_far_from_the_clock_is_refused_even_inside_the_window() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let window = world.served(1).job(1).unwrap().verified.job().clone();
    let (mut miner, job) = world.working().await;
    let mut far = job.clone();
    far.ntime = u32::try_from(window.not_after()).unwrap();
    assert!(window.not_after() > unix_seconds() + CLOCK_TOLERANCE, "otherwise the test shows nothing");
    world.refuses(&mut miner, &job, &far.mine(), 20, "ntime-far-from-clock").await;
    let mut rolled = job.clone();
    rolled.ntime += 100;
    world.counts(&mut miner, &rolled).await;
}

#[tokio::test]
async fn a_time_after_the_lease_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let now = unix_seconds();
    let world = World::start(dir.path(), [Terms { start: now - 10, end: now + 200, ..terms(1) }]).await;
    world.offer(job(&world.terms(1), 1)).await;
    let (mut miner, job) = world.working().await;
    for ntime in [now + 200, now + 300] {
        let mut outside = job.clone();
        outside.ntime = u32::try_from(ntime).unwrap();
        world.refuses(&mut miner, &job, &outside.mine(), 20, "outside-epoch").await;
    }
}

#[tokio::test]
async fn a_hash_above_the_target_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let settlement = world.terms(1).weight.target();
    let (mut miner, job) = world.working().await;
    let share = job.mine_where(|hash| !settlement.is_met_by(hash));
    world.refuses(&mut miner, &job, &share, 23, "above-target").await;
    let next = Target(settlement.0 << 1);
    let share = job.mine_where(|hash| !settlement.is_met_by(hash) && next.is_met_by(hash));
    world.refuses(&mut miner, &job, &share, 23, "above-target").await;
}

#[tokio::test]
async fn a_job_is_superseded_once_the_grace_after_a_clean_one_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, old) = world.working().await;
    let begun = Instant::now();
    world.offer(HeaderJob { prev_hash: B256::repeat_byte(9), ..job(&world.terms(1), 2) }).await;
    let new = miner.job_of(1, 2).await;
    assert!(new.clean);
    loop {
        let before = world.counted(1);
        let answer = miner.submit(&old.mine()).await;
        if answer["result"] == true {
            assert_eq!(world.counted(1), before + 1);
            assert!(begun.elapsed() < super::world::PATIENCE, "an old job counts without end");
            continue;
        }
        // an honest miner's late share counts because jobs are accepted within the grace
        assert!(begun.elapsed() > STALE_GRACE, "{answer}");
        assert_eq!(refusal(&answer), (21, "job-superseded".to_owned()));
        assert_eq!(world.counted(1), before);
        break;
    }
    world.counts(&mut miner, &new).await;
}

#[tokio::test]
async fn a_share_may_come_two_seconds_after_the_window_of_its_job() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(unix_seconds().millis());
    let world = World::at(dir.path(), [terms(1)], clock.clone()).await;
    let now = unix_seconds();
    world.offer(HeaderJob { not_before: now - 5, not_after: now + 5, ..job(&world.terms(1), 1) }).await;
    let (mut miner, told) = world.working().await;
    clock.advance(std::time::Duration::from_secs(7));
    world.counts(&mut miner, &told).await;
    clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(refusal(&miner.submit(&told.mine()).await), (21, "job-window-over".to_owned()));
    assert_eq!(world.counted(1), 1);
}

#[tokio::test]
async fn a_job_still_counts_after_a_newer_one_on_the_same_block() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, old) = world.working().await;
    world.offer(job(&world.terms(1), 2)).await;
    let new = miner.job_of(1, 2).await;
    assert!(!new.clean);
    tokio::time::sleep(STALE_GRACE + std::time::Duration::from_millis(100)).await;
    world.counts(&mut miner, &old).await;
    world.counts(&mut miner, &new).await;
}

#[tokio::test]
async fn nothing_is_accepted_before_subscribe_and_authorise() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (_other, job) = world.working().await;
    let mut miner = Miner::connect(world.address).await;
    let answer = miner.submit(&job.mine()).await;
    assert_eq!(refusal(&answer), (25, "not-subscribed".to_owned()));
    miner.subscribe().await;
    let answer = miner.submit(&job.mine()).await;
    assert_eq!(refusal(&answer), (24, "unauthorized".to_owned()));
    assert_eq!(world.counted(1), 0);
    assert_eq!(miner.authorise("1.late").await["result"], true);
    let job = miner.job().await;
    world.counts(&mut miner, &job).await;
}

#[tokio::test]
async fn authorising_does_not_subscribe() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (_other, job) = world.working().await;
    let mut miner = Miner::connect(world.address).await;
    assert_eq!(miner.authorise("1.rig").await["result"], true);
    assert_eq!(refusal(&miner.submit(&job.mine()).await), (25, "not-subscribed".to_owned()));
    assert_eq!(world.counted(1), 0);
    // this order of requests works, too
    miner.subscribe().await;
    let job = miner.job().await;
    world.counts(&mut miner, &job).await;
}

#[tokio::test]
async fn a_worker_that_did_not_authorise_here_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    assert_eq!(miner.authorise("1.somebody").await["result"], true);
    let mut foreign = job.mine();
    foreign.worker = "1.anybody".into();
    world.refuses(&mut miner, &job, &foreign, 24, "unauthorized").await;
    // whatever case the firmware gives the name
    let mut shouted = job.mine();
    shouted.worker = "1.RIG".into();
    assert_eq!(miner.submit(&shouted).await["result"], true);
    world.counts(&mut miner, &job).await;
}

#[tokio::test]
async fn a_closed_epoch_takes_no_more_shares() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    world.counts(&mut miner, &job).await;
    let commitment = world.book.close(EpochId::new(LeaseId(1), 0)).await.unwrap();
    assert_eq!(commitment.count, 1);
    for _ in 0..2 {
        let answer = miner.submit(&job.mine()).await;
        assert_eq!(refusal(&answer), (20, "epoch-closed".to_owned()));
    }
    assert_eq!(world.counted(1), 1);
    assert_eq!(world.book.close(EpochId::new(LeaseId(1), 0)).await.unwrap(), commitment);
}

#[tokio::test]
async fn a_miner_that_sends_only_worthless_shares_stays_connected() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let settlement = world.terms(1).weight.target();
    let (mut miner, job) = world.working().await;
    for _ in 0..100 {
        let share = job.mine_where(|hash| !settlement.is_met_by(hash));
        assert_eq!(refusal(&miner.submit(&share).await).0, 23);
    }
    world.counts(&mut miner, &job).await;
    until("only the good share counts", || world.counted(1) == 1).await;
}

/// A share of lease 1's first job that meets no target, and never went through a socket.
fn worthless(world: &World) -> PreparedShare {
    let lease = world.served(1);
    let job = lease.job(1).unwrap();
    let window = job.verified.job().clone();
    let ntime = u32::try_from(window.not_before()).unwrap();
    let submitted = SubmittedHeader { tail: &[0; 8], ntime, nonce: 7, version_bits: None };
    let share = HeaderShare::submitted(window.header().unwrap(), 0, submitted).unwrap();
    let told = lease.terms().weight.target();
    PreparedShare { job, told, worker: "1.rig".into(), share: share.into(), lease }
}

#[tokio::test]
async fn only_a_slow_hash_waits_for_a_place_of_its_address() {
    for (algorithm, waits) in [(Algorithm::Sha256d, false), (Algorithm::Scrypt, true)] {
        let dir = tempfile::tempdir().unwrap();
        let terms = Terms { algorithm, weight: hashlease_fixtures::weight(60), ..terms(1) };
        let world = World::start(dir.path(), [terms]).await;
        world.offer(job(&world.terms(1), 1)).await;
        let (checker, places) = (ShareChecker::new(1), Semaphore::new(0));
        let mut checked = pin!(count_share(worthless(&world), &world.book, &checker, &places));
        let at_once = futures::poll!(checked.as_mut());
        assert_eq!(at_once.is_pending(), waits, "{algorithm}");
        let result = match at_once {
            Poll::Ready(result) => result,
            Poll::Pending => {
                // long enough for a checker without such places
                sleep(Duration::from_millis(100)).await;
                assert!(futures::poll!(checked.as_mut()).is_pending(), "it has no place");
                places.add_permits(1);
                checked.await
            }
        };
        assert_eq!(result.map_err(|refusal| refusal.code()), Err("above-target"));
        assert_eq!(places.available_permits(), usize::from(waits), "the place is given back");
    }
}
