//! Which lease a miner works for, and what the node sends when that changes.

use super::world::now as unix_seconds;
use super::{
    miner::{Mined, Miner, refusal},
    world::{World, job, terms, until, with_tail},
};
use hashlease_primitives::{Algorithm, HashRate, Terms};
use serde_json::{Value, json};

/// Two leases with one job each; the first lease lacks more hash rate.
async fn two_leases(dir: &std::path::Path, tails: [u8; 2]) -> World {
    let smaller = Terms { rate: HashRate::new(1_000), ..terms(2) };
    let world = World::start(dir, [terms(1), smaller]).await;
    for (lease, tail) in [1, 2].into_iter().zip(tails) {
        world.offer(with_tail(job(&world.terms(lease), 1), tail)).await;
    }
    world
}

#[tokio::test]
async fn a_worker_is_pinned_to_the_lease_in_its_name_and_others_get_the_largest_deficit() {
    let dir = tempfile::tempdir().unwrap();
    let world = two_leases(dir.path(), [8, 8]).await;
    for (worker, lease) in [
        ("1.rig", 1),
        ("1", 1),
        ("2.rig", 2),
        ("2", 2),
        ("2.a.b", 2),
        ("rig", 1),
        ("rig.2", 1),
        ("", 1),
        ("0", 1),
    ] {
        let mut miner = world.miner(worker).await;
        let job = miner.job().await;
        assert_eq!(job.of(), (lease, 1), "{worker:?}");
        world.counts_for(lease, &mut miner, &job).await;
    }
}

#[tokio::test]
async fn a_lease_without_a_job_is_not_chosen_while_another_has_one() {
    let dir = tempfile::tempdir().unwrap();
    let smaller = Terms { rate: HashRate::new(1_000), ..terms(2) };
    let world = World::start(dir.path(), [terms(1), smaller]).await;
    world.offer(job(&world.terms(2), 1)).await;
    let mut miner = world.miner("rig").await;
    assert_eq!(miner.job().await.of(), (2, 1));
}

#[tokio::test]
async fn a_worker_of_an_unknown_lease_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let now = unix_seconds();
    let later = Terms { start: now + 3_000, end: now + 6_000, ..terms(4) };
    let over = Terms { start: now - 3_000, end: now - 10, ..terms(5) };
    let world = World::start(dir.path(), [terms(1), later, over]).await;
    world.offer(job(&world.terms(1), 1)).await;
    for worker in ["3.rig", "18446744073709551615", "4.rig", "5.rig"] {
        let mut miner = Miner::connect(world.address).await;
        miner.subscribe().await;
        let answer = miner.authorise(worker).await;
        assert_eq!(refusal(&answer), (24, "no-active-lease".to_owned()), "{worker}");
        assert_eq!(miner.rest().await, Vec::<Value>::new(), "so that its own failover takes over");
    }
}

#[tokio::test]
async fn only_workers_of_a_lease_that_is_about_to_start_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let now = unix_seconds();
    let soon = Terms { start: now + 3, end: now + 600, ..terms(2) };
    let world = World::start(dir.path(), [soon]).await;
    let mut wrong = Miner::connect(world.address).await;
    wrong.subscribe().await;
    assert_eq!(refusal(&wrong.authorise("3.rig").await), (24, "no-active-lease".to_owned()));
    let mut miners = [world.miner("2.rig").await, world.miner("rig").await];
    world.offer(job(&world.terms(2), 1)).await;
    for miner in &mut miners {
        assert_eq!(miner.job().await.of(), (2, 1));
    }
    assert!(unix_seconds() >= now + 3, "not before the lease starts");
}

#[tokio::test]
async fn a_connection_mines_for_one_lease() {
    let dir = tempfile::tempdir().unwrap();
    let world = two_leases(dir.path(), [8, 8]).await;
    let mut miner = world.miner("2.rig").await;
    let job = miner.job().await;
    let answer = miner.ask("mining.authorize", json!(["1.rig", "x"])).await;
    assert_eq!(refusal(&answer), (24, "connection-of-other-lease".to_owned()));
    // other workers of the same lease and workers without a lease are accepted
    for worker in ["2.second", "rig"] {
        assert_eq!(miner.ask("mining.authorize", json!([worker, "x"])).await["result"], true);
    }
    let mut foreign = job.mine();
    foreign.worker = "1.rig".into();
    assert_eq!(refusal(&miner.submit(&foreign).await), (24, "unauthorized".to_owned()));
    world.counts_for(2, &mut miner, &job).await;
    assert_eq!(world.counted(1), 0);
}

#[tokio::test]
async fn a_connection_has_its_limit_of_workers() {
    let dir = tempfile::tempdir().unwrap();
    let world = two_leases(dir.path(), [8, 8]).await;
    let mut miner = world.miner("rig0").await;
    for number in 1..64 {
        assert_eq!(miner.authorise(&format!("rig{number}")).await["result"], true);
    }
    assert_eq!(refusal(&miner.authorise("rig64").await), (24, "too-many-workers".to_owned()));
    assert_eq!(miner.authorise("rig63").await["result"], true, "an authorised worker may authorise again");
}

#[tokio::test]
async fn an_unpinned_miner_moves_to_another_lease_when_its_own_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let world = two_leases(dir.path(), [8, 8]).await;
    let mut free = world.miner("rig").await;
    let old = free.job().await;
    world.counts_for(1, &mut free, &old).await;
    let mut pinned = world.miner("1.rig").await;
    pinned.job().await;
    world.end(1);
    let new = free.job_of(2, 1).await;
    assert!(new.clean, "the miner's old work is worthless now");
    assert_eq!(new.extranonce1, old.extranonce1);
    assert_eq!(free.heard, ["mining.set_difficulty", "mining.notify", "mining.notify"]);
    world.counts_for(2, &mut free, &new).await;
    // a share that was under way at the lease's end is that lease's
    let under_way = Mined { ntime: old.ntime - 1, ..old };
    assert_eq!(free.submit(&under_way.mine()).await["result"], true);
    // the miner pinned to lease 1 gets a message and is disconnected
    let rest = pinned.rest().await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(rest[0]["method"], "client.show_message");
    assert_eq!((world.counted(1), world.counted(2)), (2, 1));
}

#[tokio::test]
async fn a_subscribed_miner_gets_the_extranonce_of_the_next_lease() {
    let dir = tempfile::tempdir().unwrap();
    let world = two_leases(dir.path(), [8, 4]).await;
    let mut miner = Miner::start_extranonce(world.address, "rig").await;
    let old = miner.job().await;
    assert_eq!((old.extranonce1.len(), old.extranonce2.len()), (2, 4), "all bytes of this lease");
    world.counts_for(1, &mut miner, &old).await;
    miner.heard.clear();
    world.end(1);
    let new = miner.job_of(2, 1).await;
    assert_eq!(miner.heard, ["mining.set_extranonce", "mining.notify"]);
    assert_eq!((new.extranonce1.len(), new.extranonce2.len()), (2, 2));
    world.counts_for(2, &mut miner, &new).await;
}

#[tokio::test]
async fn a_stock_miner_reconnects_once_and_then_fits() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, _) = world.working().await;
    // the renter moves to a pool that leaves fewer bytes
    world.offer(with_tail(job(&world.terms(1), 2), 4)).await;
    let rest = miner.rest().await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!((&rest[0]["method"], &rest[0]["params"]), (&json!("client.reconnect"), &json!([])));
    let (mut miner, job) = world.working().await;
    assert_eq!((job.of(), job.extranonce2.len()), ((1, 2), 2));
    world.counts(&mut miner, &job).await;
}

#[tokio::test]
async fn a_share_under_way_at_a_change_of_extranonce_counts() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let mut miner = Miner::start_extranonce(world.address, "1.rig").await;
    let under_way = miner.job().await.mine();
    world.offer(with_tail(job(&world.terms(1), 2), 4)).await;
    let told = miner.job_of(1, 2).await;
    assert_eq!(told.extranonce2.len(), 2);
    assert_eq!(miner.submit(&under_way).await["result"], true, "the layout is its job's");
    world.counts(&mut miner, &told).await;
}

#[tokio::test]
async fn a_stream_of_layouts_makes_a_stock_miner_connect_again_at_most_once() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, _) = world.working().await;
    world.offer(with_tail(job(&world.terms(1), 2), 4)).await;
    assert_eq!(miner.rest().await.last().map(|last| &last["method"]), Some(&json!("client.reconnect")));
    let (mut miner, told) = world.working().await;
    assert_eq!(told.of(), (1, 2));
    for sequence in 3..20 {
        let tail = if sequence % 2 == 0 { 3 } else { 8 };
        world.offer(with_tail(job(&world.terms(1), sequence), tail)).await;
        let (tail, _) = world.served(1).current_job().unwrap().face().layout;
        assert_eq!(tail, 4, "the layout that the miner has");
    }
    world.counts(&mut miner, &told).await;
    assert!(!miner.heard.contains(&"client.reconnect".to_owned()), "{:?}", miner.heard);
}

#[tokio::test]
async fn a_stock_miner_of_the_lease_with_less_room_does_not_reconnect_forever() {
    let dir = tempfile::tempdir().unwrap();
    // it subscribes before it names its lease, and the other lease lacks more hash rate
    let world = two_leases(dir.path(), [8, 4]).await;
    let mut miner = world.miner("2.rig").await;
    let job = miner.job().await;
    world.counts_for(2, &mut miner, &job).await;
    assert_eq!(miner.heard, ["mining.set_difficulty", "mining.notify"]);
}

#[tokio::test]
async fn a_stock_miner_takes_a_lease_with_more_room_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let world = two_leases(dir.path(), [4, 8]).await;
    let mut miner = world.miner("rig").await;
    let old = miner.job().await;
    assert_eq!(old.extranonce2.len(), 2);
    world.end(1);
    let mut new = miner.job_of(2, 1).await;
    assert_eq!(new.extranonce2.len(), 2, "the miner never got another length");
    new.extranonce2 = vec![0xff, 0xff];
    world.counts_for(2, &mut miner, &new).await;
    // a second miner has all of the bytes, in another space
    let mut wide = world.miner("2.wide").await;
    let mut other = wide.job().await;
    other.extranonce2.fill(0xff);
    assert_ne!(other.space(), new.space());
    world.counts_for(2, &mut wide, &other).await;
    let long = super::miner::Found { extranonce2: "00000000".into(), ..new.mine() };
    assert_eq!(refusal(&miner.submit(&long).await), (20, "extranonce-length".to_owned()));
}

/// A running lease for scrypt.
fn scrypt(id: u64) -> Terms {
    Terms { algorithm: Algorithm::Scrypt, ..terms(id) }
}

#[tokio::test]
async fn each_address_has_its_own_algorithm() {
    let dir = tempfile::tempdir().unwrap();
    // its deficit in hashes is the smaller one
    let world = World::start(dir.path(), [terms(1), Terms { rate: HashRate::new(1_000), ..scrypt(2) }]).await;
    for lease in [1, 2] {
        world.offer(job(&world.terms(lease), 1)).await;
    }
    for (address, worker, lease) in [
        (world.address, "rig", 1),
        (world.address, "1.rig", 1),
        (world.scrypt, "rig", 2),
        (world.scrypt, "2.rig", 2),
    ] {
        let mut miner = Miner::start(address, worker).await;
        assert_eq!(miner.job().await.of(), (lease, 1), "{worker}");
    }
    let mut wrong = Miner::connect(world.address).await;
    wrong.subscribe().await;
    assert_eq!(refusal(&wrong.authorise("2.rig").await), (24, "lease-of-other-algorithm".to_owned()));
    let rest = wrong.rest().await;
    let words = "lease 2 is for scrypt: its miners connect at an address of its own";
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!((&rest[0]["method"], &rest[0]["params"]), (&json!("client.show_message"), &json!([words])));
}

#[tokio::test]
async fn a_later_lease_takes_over_from_one_that_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let mut miner = world.miner("rig").await;
    miner.job().await;
    world.add(terms(7)).await;
    world.offer(job(&world.terms(7), 1)).await;
    world.end(1);
    let job = miner.job_of(7, 1).await;
    world.counts_for(7, &mut miner, &job).await;
    // once that lease ends too, the connection ends
    world.end(7);
    assert_eq!(miner.rest().await.last().map(|last| &last["method"]), Some(&json!("client.show_message")));
    until("nothing more is counted", || world.counted(7) == 1).await;
}
