//! Known faults towards miners.
//!
//! Each test passes while its fault is there and fails once it is mended: turn it into the test of
//! the right result then.

use super::{
    miner::{Miner, refusal},
    world::{World, http_get, job, now as unix_seconds, sign, terms, until, with_tail},
};
use crate::gateway_link::accept_job;
use alloy_primitives::Bytes;
use hashlease_journal::Record;
use hashlease_ledger::Book;
use hashlease_net::Tcp;
use hashlease_primitives::{EpochId, HeaderJob, SignedJob, SystemClock, Target};
use hashlease_stratum::client::{ConnectOptions, connect};

impl World {
    /// A job of lease 1, received from its gateway.
    async fn receive_job(&self, signed: SignedJob) {
        accept_job(&self.served(1), &self.book, &self.terms(1), signed, None, true).await;
    }

    /// Sequences of all journalled jobs.
    fn journalled_jobs(&self) -> Vec<u64> {
        let jobs = self.journal().into_iter().filter_map(|record| match record {
            Record::Job { signed, .. } => Some(signed.job.sequence()),
            _ => None,
        });
        jobs.collect()
    }
}

/// Today: the node hands out a job whose sequence exceeds 32 bits and refuses every share of it,
/// because a share names its job by the low 32 bits. Right: the node and the members refuse such a
/// job, or its shares count.
#[tokio::test]
async fn known_fault_shares_of_a_large_sequence_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    world.receive_job(sign(&world.terms(1), job(&world.terms(1), 1 << 32))).await;
    let (mut miner, told) = world.working().await;
    let answer = miner.submit(&told.mine()).await;
    assert_eq!(refusal(&answer).1, "unknown-job");
    assert_eq!(world.counted(1), 0);
}

/// Today: the node accepts and journals a job whose sequence is below that of an earlier one, as
/// members do, but never hands it out. Right: the node and the members refuse it, or the node hands
/// it out.
#[tokio::test]
async fn known_fault_job_of_a_lower_sequence_is_never_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let (served, terms) = (world.served(1), world.terms(1));
    world.receive_job(sign(&terms, job(&terms, 1_000))).await;
    world.receive_job(sign(&terms, job(&terms, 5))).await;
    assert_eq!(world.journalled_jobs(), [1_000, 5]);
    assert!(served.job(5).is_some());
    assert_eq!(served.jobs().borrow().as_ref().map(|job| job.sequence()), Some(1_000));
}

/// Today: a job whose window opens in 400 s replaces the job that can be mined, and its shares are
/// refused. Right: the node holds it back until its window opens.
#[tokio::test]
async fn known_fault_job_of_a_later_window_is_handed_out_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let terms = world.terms(1);
    world.receive_job(sign(&terms, job(&terms, 1))).await;
    let (mut miner, told) = world.working().await;
    world.counts(&mut miner, &told).await;
    let now = unix_seconds();
    let later = HeaderJob { not_before: now + 400, not_after: now + 500, ..job(&terms, 2) };
    world.receive_job(sign(&terms, later)).await;
    let told = miner.job().await;
    assert!(u64::from(told.ntime) >= (now + 400).get(), "{told:?}");
    assert!(told.clean, "the miner drops the job that could be mined");
    let answer = miner.submit(&told.mine()).await;
    assert_eq!(refusal(&answer).1, "ntime-far-from-clock");
}

/// Today: the node writes every job from a gateway to disk and keeps it, however many arrive at
/// once. Right: the node accepts at most one job a second, as members do.
#[tokio::test]
async fn known_fault_number_of_jobs_has_no_limit() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let terms = world.terms(1);
    for sequence in 1..=300 {
        let prefix = [vec![1, 0, 0, 0, 1], vec![0xaa; 400]].concat();
        let long = HeaderJob { coinbase_prefix: Bytes::from(prefix), ..job(&terms, sequence) };
        world.receive_job(sign(&terms, long)).await;
    }
    assert_eq!(world.journalled_jobs().len(), 300);
}

/// Today: each job that changes the size of the free part disconnects a stock miner, as often as
/// the pool or the job signer likes. Right: after a few changes a minute, the lease's time is no
/// longer due and its miners stay connected.
#[tokio::test]
async fn known_fault_each_size_of_the_free_part_disconnects_stock_miners() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    world.offer(job(&world.terms(1), 1)).await;
    for sequence in 2..6 {
        let mut miner = world.miner("1.rig").await;
        miner.job().await;
        let tail = if sequence % 2 == 0 { 3 } else { 8 };
        world.offer(with_tail(job(&world.terms(1), sequence), tail)).await;
        let rest = miner.rest().await;
        let told = rest.iter().any(|message| message["method"] == "client.reconnect");
        assert!(told, "job {sequence}: {rest:?}");
    }
}

/// Today: the node passes a pool's difficulty on without a lower limit: here the pool asks for
/// shares of one hash in a lease whose share is worth 64. Right: the difficulty is never much below
/// that of the settlement target.
#[tokio::test]
async fn known_fault_difficulty_of_a_pool_has_no_floor() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    world.offer_as(job(&world.terms(1), 1), Some(Target::MAX), true).await;
    let mut miner = Miner::start(world.address, "1.rig").await;
    let told = miner.job().await;
    assert_eq!(world.terms(1).weight.work().hashes(), 64);
    assert_eq!(told.target.work().hashes(), 1);
}

/// Today: the node refuses a share that was under way when the extranonce changed, though its job
/// is not superseded. Right: the share counts under the layout of its own job.
#[tokio::test]
async fn known_fault_share_under_way_at_a_change_of_extranonce_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    world.offer(job(&world.terms(1), 1)).await;
    let mut miner = Miner::start_extranonce(world.address, "1.rig").await;
    let found = miner.job().await.mine();
    world.offer(with_tail(job(&world.terms(1), 2), 4)).await;
    miner.job().await;
    let answer = miner.submit(&found).await;
    assert_eq!(refusal(&answer).1, "extranonce-length");
}

/// Today: while the link is down, `/v1/status` shows the gateway's address, which the renter sealed
/// to the node. Right: `/v1/status` shows the problem without the address.
#[tokio::test]
async fn known_fault_status_shows_the_address_of_the_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let options = ConnectOptions::new("127.0.0.1:9", "node/test");
    let error = connect(&Tcp, options).await.err().unwrap();
    // as `gateway_link::run_link` does
    world.served(1).set_link_state(error.to_string());
    let (api, _) = world.api(4).await;
    let status = String::from_utf8(http_get(api, "v1/status").await.body).unwrap();
    assert!(status.contains("127.0.0.1:9"), "{status}");
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
