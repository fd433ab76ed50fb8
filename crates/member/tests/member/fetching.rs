//! Slow, broken and hostile servers: each costs a member a bounded effort, and delays no other
//! server's files.

use crate::world::*;
use hashlease_committee::EpochState;
use hashlease_evidence::Evidence;
use hashlease_member::FetchLimits;
use hashlease_primitives::{Lease, LeaseId, Statement, Work};
use std::time::Duration;

fn honest(lease: &Lease) -> Evidence {
    evidence(&lease.terms, 0, &[(&job_in(&lease.terms, 0, 1), 10)])
}

/// Announces a file that the server serves as `name`.
async fn announce(world: &World, lease: &Lease, file: &Evidence, name: &str) {
    world.show(lease);
    let signed = root(&lease.terms, 0, file.head.commitment, &world.files.url(name));
    world.client(0).post_root(&signed).await.unwrap();
}

/// Announces a file of the maximum length whose checksum is wrong.
async fn announce_broken(world: &World, lease: &Lease, file: &Evidence, name: &str) {
    let mut bytes = file.encode().unwrap();
    bytes.resize(usize::try_from(MAX_EVIDENCE).unwrap(), 0);
    world.files.serve(name, Served::Bytes(bytes));
    announce(world, lease, file, name).await;
}

async fn asked(world: &World, name: &str, times: usize) {
    until_some("another attempt", async || (world.files.hits(name) >= times).then_some(())).await;
}

#[tokio::test]
async fn a_server_that_stalls_or_dribbles_holds_nobody_up() {
    let idle = Duration::from_millis(300);
    // each silence ends in time with one byte, but the whole file would take far too long
    let limits = FetchLimits { at_once: 1, idle, least_rate: 1 << 20, ..FetchLimits::default() };
    let world = World::with_limits(1, 1, 1, limits).await;
    let leases = [1, 2, 3, 4].map(|id| lease(id, 1, 2, 60));
    let [stalled, silent, dribbled, good] = &leases;
    let bytes = honest(stalled).encode().unwrap();
    world.files.serve("stalled", Served::Stalled(bytes[..bytes.len() - 1].to_vec()));
    world.files.serve("silent", Served::Stalled(Vec::new()));
    world.files.serve("dribbled", Served::Dribbled(honest(dribbled).encode().unwrap(), 20));
    announce(&world, stalled, &honest(stalled), "stalled").await;
    announce(&world, silent, &honest(silent), "silent").await;
    announce(&world, dribbled, &honest(dribbled), "dribbled").await;
    world.show(good);
    world.deliver(&good.terms, &honest(good)).await;
    assert_eq!(world.verified(0, LeaseId(4), 0).await.statement.work, Work::new(80));
    for (name, lease) in [("stalled", stalled), ("silent", silent), ("dribbled", dribbled)] {
        asked(&world, name, 2).await;
        assert_eq!(world.state(0, lease.terms.id, 0).await, EpochState::Pending, "{name}");
        // a server that serves the right file in the end has no disadvantage
        world.files.serve(name, Served::Bytes(honest(lease).encode().unwrap()));
    }
    for id in [1, 2, 3] {
        assert_eq!(world.verified(0, LeaseId(id), 0).await.statement.work, Work::new(80));
    }
}

/// Leases `ids` of a provider, each with a root whose file never arrives.
async fn announce_silent(world: &World, ids: std::ops::Range<u64>, seller: u8, age: u64, window: u32) {
    world.files.serve("silent", Served::Stalled(Vec::new()));
    for id in ids {
        let mut lease = lease(id, 1, 1, age);
        lease.terms.provider = provider_of(seller).address();
        lease.window = window;
        announce(world, &lease, &evidence(&lease.terms, 0, &[]), "silent").await;
    }
}

/// A good file of a lease that ends later than the leases with silent servers.
async fn announce_honest(world: &World, id: u64) {
    let mut lease = lease(id, 1, 3, 60);
    lease.terms.provider = provider_of(2).address();
    world.show(&lease);
    world.deliver(&lease.terms, &honest(&lease)).await;
}

#[tokio::test]
async fn one_provider_cannot_take_every_turn() {
    let limits = FetchLimits { at_once: 2, idle: Duration::from_secs(600), ..FetchLimits::default() };
    let world = World::with_limits(1, 1, 1, limits).await;
    announce_silent(&world, 1..6, 0, 60, 172_800).await;
    asked(&world, "silent", 1).await;
    for id in 6..10 {
        announce_honest(&world, id).await;
    }
    for id in 6..10 {
        world.verified(0, LeaseId(id), 0).await;
    }
    assert_eq!(world.files.hits("silent"), 1);
}

#[tokio::test]
async fn many_urgent_roots_without_files_do_not_hold_up_another_provider() {
    let limits = FetchLimits { at_once: 1, idle: Duration::from_millis(300), ..FetchLimits::default() };
    let world = World::with_limits(1, 1, 1, limits).await;
    // half of the window of these leases is over, so their epochs count as empty for now
    announce_silent(&world, 1..9, 1, 600, 1_000).await;
    announce_silent(&world, 9..17, 0, 60, 172_800).await;
    asked(&world, "silent", 2).await;
    soon_fetched(&world, 17).await;
}

/// Checks that at most two other roots are fetched before an honest one.
async fn soon_fetched(world: &World, id: u64) {
    announce_honest(world, id).await;
    let before = world.files.asked().len();
    world.verified(0, LeaseId(id), 0).await;
    let came = world.files.asked().iter().position(|name| *name == format!("{id}-0")).unwrap();
    assert!(came <= before + 2, "{:?}", world.files.asked());
}

#[tokio::test]
async fn roots_that_failed_before_a_restart_still_come_after_fresh_ones() {
    let limits = FetchLimits { at_once: 1, idle: Duration::from_millis(300), ..FetchLimits::default() };
    let mut world = World::with_limits(1, 1, 1, limits).await;
    announce_silent(&world, 1..9, 2, 60, 172_800).await;
    // the member has stored one failure of each
    asked(&world, "silent", 10).await;
    world.restart(0).await;
    soon_fetched(&world, 9).await;
}

#[tokio::test]
async fn an_unreadable_file_is_fetched_a_few_times_and_then_counts_as_empty() {
    let mut world = World::start(1, 1).await;
    let lease = lease(1, 1, 2, 60);
    let file = honest(&lease);
    announce_broken(&world, &lease, &file, "file").await;
    let given_up = async |world: &World| match world.state(0, LeaseId(1), 0).await {
        EpochState::NotFetched { code, reason } => Some((code, reason)),
        EpochState::Pending => None,
        other => panic!("{other:?}"),
    };
    let (code, reason) = until_some("a verdict", async || given_up(&world).await).await;
    assert_eq!(code, "evidence-unreadable");
    assert!(reason.starts_with("evidence file at byte"), "{reason}");
    assert_eq!(world.files.hits("file"), 4);
    let view = world.view(0, LeaseId(1), 0).await;
    assert_eq!(
        (view.pending, view.statement.work, view.statement.evidence),
        (false, Work::ZERO, chain(&[EMPTY]))
    );
    let claimed = Statement { evidence: chain(&[file.head.commitment]), ..view.statement };
    let (code, message) = world.not_signed(0, claimed).await;
    assert_eq!(code, "evidence-differs");
    assert!(message.contains("epoch 0 was not fetched: evidence file at byte"), "{message}");
    assert!(message.ends_with("(evidence-unreadable)"), "{message}");
    world.client(0).sign(&[view.statement]).await.unwrap();

    world.restart(0).await;
    assert_eq!(given_up(&world).await, Some(("evidence-unreadable".to_owned(), reason)));
    assert_eq!(world.files.hits("file"), 4, "the stored verdict was not kept");
}

#[tokio::test]
async fn failed_fetches_are_remembered_after_a_restart() {
    let mut world = World::start(1, 1).await;
    let lease = lease(1, 1, 2, 60);
    announce_broken(&world, &lease, &honest(&lease), "file").await;
    // the third fetch has started, so the member has stored two failures
    asked(&world, "file", 3).await;
    world.restart(0).await;
    let given_up =
        async || matches!(world.state(0, LeaseId(1), 0).await, EpochState::NotFetched { .. }).then_some(());
    until_some("a verdict", given_up).await;
    // the third fetch may have ended before the restart, or may have to be repeated
    assert!((4..=5).contains(&world.files.hits("file")), "{}", world.files.hits("file"));
}

#[tokio::test]
async fn many_files_are_checked_one_after_the_other_and_none_is_left_on_disk() {
    let limits = FetchLimits { at_once: 2, ..FetchLimits::default() };
    let world = World::with_limits(1, 1, 1, limits).await;
    for id in 1..=6 {
        let lease = lease(id, 1, 2, 60);
        world.show(&lease);
        let mut file = honest(&lease);
        if id == 6 {
            file.shares[3].job += 1;
        }
        world.deliver(&lease.terms, &file).await;
    }
    for id in 1..=5 {
        world.verified(0, LeaseId(id), 0).await;
    }
    assert!(world.refused(0, LeaseId(6), 0).await.ends_with("(unknown-job)"));
    until_some("the files to be gone", async || (world.scratch(0) == 0).then_some(())).await;
}
