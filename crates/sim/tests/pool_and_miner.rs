//! Pool and miner against each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hashlease_fixtures::until;
use hashlease_sim::{
    miner::{MinerConfig, MinerHandle},
    pool::{PoolConfig, PoolHandle, PoolStep},
    sha256d,
};
use std::{collections::HashSet, time::Duration};
use tokio::time::sleep;

/// About 4,096 hashes a share.
const EASY: f64 = 1e-6;

async fn pool() -> PoolHandle {
    PoolHandle::start(PoolConfig { difficulty: EASY, ..PoolConfig::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_are_real_and_counted_once() {
    let pool = pool().await;
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("shares.jsonl");
    let config = MinerConfig {
        share_log: Some(log.clone()),
        hash_rate: Some(2e6),
        threads: 2,
        ..MinerConfig::new(pool.address(), "w")
    };
    let miner = MinerHandle::start(config).unwrap();
    until("100 shares", || pool.accepted() > 100).await;
    pool.new_block();
    until("100 more", || pool.accepted() > 200).await;
    miner.pause();
    sleep(Duration::from_millis(300)).await;
    let stats = miner.stats();
    // 6 sigma around the number of shares that the difficulty predicts
    let expected = stats.hashes as f64 / (EASY * 4_295_032_833.0);
    let shares = pool.shares().iter().filter(|share| share.digest.is_some()).count() as f64;
    assert!((shares - expected).abs() < 6.0 * expected.sqrt() + 2.0, "{shares} shares, expected {expected}");
    // the log proves the work on its own
    let text = std::fs::read_to_string(&log).unwrap();
    let mut hashes = HashSet::new();
    for line in text.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        if entry["event"] == "accepted" {
            let header = hex::decode(entry["header"].as_str().unwrap()).unwrap();
            let mut digest = sha256d(&header);
            digest.reverse();
            assert_eq!(hex::encode(digest), entry["hash"].as_str().unwrap());
            assert!(hashes.insert(digest), "twice");
        }
    }
    assert_eq!(hashes.len() as u64, stats.accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miner_comes_back_after_every_loss() {
    let pool = pool().await;
    let miner =
        MinerHandle::start(MinerConfig { hash_rate: Some(1e6), ..MinerConfig::new(pool.address(), "w") })
            .unwrap();
    until("work", || pool.accepted() > 5).await;
    pool.set_down(true);
    until("a loss", || !miner.stats().working).await;
    let before = pool.accepted();
    pool.set_down(false);
    until("work again", || pool.accepted() > before + 5).await;
    miner.pause();
    until("a pause", || !miner.stats().working).await;
    sleep(Duration::from_millis(300)).await;
    let hashes = miner.stats().hashes;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(miner.stats().hashes, hashes, "a paused miner does not hash");
    miner.resume();
    until("work after the pause", || miner.stats().hashes > hashes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_harder_pool_refuses_shares_below_its_new_difficulty() {
    let pool = pool().await;
    let miner =
        MinerHandle::start(MinerConfig { hash_rate: Some(1e6), ..MinerConfig::new(pool.address(), "w") })
            .unwrap();
    until("work", || pool.accepted() > 20).await;
    pool.set_difficulty(EASY * 16.0);
    pool.set_difficulty(EASY * 32.0);
    pool.new_block();
    let before = pool.accepted();
    until("work at the new difficulty", || pool.accepted() > before + 3).await;
    assert!(miner.stats().accepted > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_follows_its_schedule() {
    let schedule = vec![
        (Duration::from_millis(50), PoolStep::Refuses(true)),
        (Duration::from_millis(100), PoolStep::Blocks(2)),
    ];
    let config = PoolConfig { difficulty: EASY, refuses: false, schedule, ..PoolConfig::default() };
    let pool = PoolHandle::start(config).await.unwrap();
    let _miner =
        MinerHandle::start(MinerConfig { hash_rate: Some(1e6), ..MinerConfig::new(pool.address(), "w") })
            .unwrap();
    until("refusals", || pool.refusals().contains_key("Refused")).await;
    pool.act(&PoolStep::Refuses(false));
    until("work", || pool.accepted() > 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miner_follows_a_pool_that_changes_its_layout() {
    let pool = pool().await;
    let _miner =
        MinerHandle::start(MinerConfig { hash_rate: Some(1e6), ..MinerConfig::new(pool.address(), "w") })
            .unwrap();
    until("work", || pool.accepted() > 5).await;
    for step in [PoolStep::Extranonce(4), PoolStep::Mask(0x0000_e000), PoolStep::CleanFlags(3)] {
        pool.act(&step);
        let before = pool.accepted();
        until("work after the change", || pool.accepted() > before + 5).await;
    }
}
