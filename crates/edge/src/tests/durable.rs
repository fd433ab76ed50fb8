//! Acknowledged means durable.

use super::{
    miner::refusal,
    world::{World, job, terms, until},
};
use hashlease_journal::Record;
use hashlease_ledger::Book;
use hashlease_primitives::{EpochId, SystemClock};
use std::collections::HashSet;

fn keys(world: &World) -> HashSet<[u8; 32]> {
    world
        .journal()
        .into_iter()
        .filter_map(|record| match record {
            Record::Share { key, .. } => Some(key.0),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_share_answered_true_is_in_the_journal_by_then() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    for _ in 0..50 {
        let share = job.mine();
        assert!(!keys(&world).contains(&share.key));
        assert_eq!(miner.submit(&share).await["result"], true);
        assert!(keys(&world).contains(&share.key), "answered before it was written");
    }
    let last = world.journal().pop().unwrap();
    let Record::Share { lease, job, epoch, worker, .. } = last else { panic!("{last:?}") };
    assert_eq!((lease.0, job, epoch, worker.as_str()), (1, 1, 0, "1.rig"));
}

#[tokio::test]
async fn a_job_is_in_the_journal_before_a_miner_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (_miner, job) = world.working().await;
    let jobs = world.journal().into_iter().filter_map(|record| match record {
        Record::Job { signed, .. } => Some((1, signed.job.sequence())),
        _ => None,
    });
    assert!(jobs.collect::<Vec<_>>().contains(&job.of()));
}

#[tokio::test]
async fn acknowledged_shares_are_counted_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let terms = world.terms(1);
    let (mut miner, job) = world.working().await;
    for _ in 0..20 {
        world.counts(&mut miner, &job).await;
    }
    let root = world.book.read(terms.id, |lease| lease.commitment(0).unwrap()).unwrap();
    world.stop().await;
    let again = World::start(dir.path(), [terms.clone()]).await;
    assert_eq!(again.counted(1), 20);
    assert_eq!(again.book.read(terms.id, |lease| lease.commitment(0).unwrap()), Some(root));
}

#[tokio::test]
async fn a_share_whose_miner_is_gone_before_the_answer_is_counted_or_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let terms = world.terms(1);
    for _ in 0..20 {
        let (mut miner, job) = world.working().await;
        let params = job.mine().params();
        miner.line(&format!("{{\"id\":4,\"method\":\"mining.submit\",\"params\":{params}}}")).await;
        drop(miner);
    }
    let (mut miner, job) = world.working().await;
    assert_eq!(miner.submit(&job.mine()).await["result"], true);
    world.stop().await;
    // a second world on the same directory knows only what the journal holds
    let again = World::start(dir.path(), [terms]).await;
    assert!(again.counted(1) >= 1);
    assert_eq!(again.counted(1), keys(&again).len() as u128);
}

/// A restart restores epochs that were closed without a share, and the node writes nothing that
/// contradicts them.
#[tokio::test]
async fn a_share_of_an_epoch_closed_empty_is_refused_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let lease = world.terms(1);
    world.book.close(EpochId::new(lease.id, 0)).await.unwrap();
    world.stop().await;
    let world = World::start(dir.path(), [lease.clone()]).await;
    world.offer(job(&lease, 1)).await;
    let (mut miner, told) = world.working().await;
    let answer = miner.submit(&told.mine()).await;
    assert_eq!(refusal(&answer).1, "epoch-closed");
    drop(miner);
    world.stop().await;
    until("the journal opens again", || {
        Book::open(&dir.path().join("journal"), SystemClock::shared()).is_ok()
    })
    .await;
}
