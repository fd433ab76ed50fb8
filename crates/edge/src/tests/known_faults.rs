//! Known faults towards miners.
//!
//! Each test passes while its fault is there and fails once it is mended: turn it into the test of
//! the right result then.

use super::{
    miner::refusal,
    world::{World, job, sign, terms, until},
};
use alloy_primitives::{Address, B256};
use hashlease_ledger::Book;
use hashlease_primitives::{Domain, EpochId, HeaderJob, SystemClock, Terms};

/// Today: the node uses a data directory for another deployment without an error: the new lease
/// inherits the terms of the old lease of the same number, and the node refuses its jobs and
/// shares. Right: the node does not start, and names the deployment that the data belongs to.
#[tokio::test]
async fn known_fault_data_of_another_deployment_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let old = world.terms(1);
    world.book.job(&sign(&old, job(&old, 1))).await.unwrap();
    world.book.close(EpochId::new(old.id, 0)).await.unwrap();
    world.stop().await;

    let domain = Domain { chain_id: 31_337, contract: Address::repeat_byte(0x77) };
    let new = Terms { domain, ..terms(1) };
    let world = World::start(dir.path(), [new.clone()]).await;
    assert_eq!(world.terms(1).domain, domain);
    let other = HeaderJob { prev_hash: B256::repeat_byte(3), ..job(&new, 1) };
    let error = world.book.job(&sign(&new, other)).await.unwrap_err().to_string();
    assert!(error.contains("sequence"), "{error}");
    world.offer(job(&new, 2)).await;
    let (mut miner, told) = world.working().await;
    let answer = miner.submit(&told.mine()).await;
    assert_eq!(refusal(&answer).1, "not-durable");
}

/// Today: a restart forgets an epoch that was closed without a share. The node then writes a late
/// share of it to disk and refuses it, and no later start succeeds. Right: a restart restores
/// closed epochs, and the node writes nothing that a start would refuse.
#[tokio::test]
async fn known_fault_share_of_an_epoch_closed_empty_ends_all_starts() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let lease = world.terms(1);
    world.book.close(EpochId::new(lease.id, 0)).await.unwrap();
    world.stop().await;
    let world = World::start(dir.path(), [lease.clone()]).await;
    world.offer(job(&lease, 1)).await;
    let (mut miner, told) = world.working().await;
    let answer = miner.submit(&told.mine()).await;
    assert_eq!(refusal(&answer).1, "not-durable");
    drop(miner);
    world.stop().await;
    until("the journal is refused", || {
        let opened = Book::open(&dir.path().join("journal"), SystemClock::shared()).map(drop);
        opened.is_err_and(|error| error.to_string().contains("does not add up"))
    })
    .await;
}
