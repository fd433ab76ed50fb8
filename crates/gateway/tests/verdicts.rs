//! The pool's verdicts against the simulated pool's own log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use hashlease_gateway::PoolState;
use hashlease_primitives::{Target, Terms};
use hashlease_share::VerifiedJob;
use hashlease_sim::pool::{PoolConfig, PoolHandle, PoolStep};
use std::time::Duration;
use world::*;

/// 256 hashes a share.
const EASY: f64 = 5.960_464_477_539_063e-8;

/// A pool that makes jobs only when it is told to.
fn quiet() -> PoolConfig {
    let never = Duration::from_secs(86_400);
    PoolConfig { difficulty: EASY, job_interval: never, block_interval: never, ..PoolConfig::default() }
}

/// The target that the last job came with.
fn announced(node: &Node) -> Target {
    Target(alloy_primitives::U256::from_str_radix(&node.pool_target, 16).unwrap())
}

/// Mines and submits shares that meet the job's own target; how many were accepted.
async fn submit(node: &mut Node, job: &VerifiedJob, terms: &Terms, count: usize) -> usize {
    let (target, mut next, mut accepted) = (announced(node), 0, 0);
    for _ in 0..count {
        let share = mine(job, terms, next, |share| share.meets(target));
        next = share.nonce + 1;
        accepted += usize::from(node.submit(terms.id.0, &share).await["result"] == true);
    }
    accepted
}

#[tokio::test]
async fn counts_agree_with_the_pools_own_log_while_its_difficulty_changes() {
    let pool = PoolHandle::start(quiet()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address())]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    let (mut job, _) = node.job(&terms).await;
    let mut forwarded = 4;
    let mut accepted = submit(&mut node, &job, &terms, 4).await;
    // harder and easier, between blocks and with one
    for (factor, is_block) in [(8.0, false), (4.0, false), (1.0, true), (16.0, true), (2.0, false)] {
        pool.set_difficulty(EASY * factor);
        let tip = job_tip(&job);
        if is_block {
            pool.new_block();
        }
        (job, _) = node.job_where(&terms, |job| !is_block || job_tip(job) != tip).await;
        forwarded += 4;
        accepted += submit(&mut node, &job, &terms, 4).await;
    }
    let status = world.status();
    let refused: u64 = status.verdicts.refused.values().sum();
    assert_eq!(status.verdicts.lost, 0);
    assert_eq!(status.verdicts.accepted, pool.accepted() as u64, "{status:?}");
    assert_eq!(accepted as u64, status.verdicts.accepted, "the node hears the pool's verdict");
    assert_eq!(status.verdicts.accepted + refused, forwarded as u64, "every forwarded share has a verdict");
    assert_eq!(pool.shares().len(), forwarded);
}

fn job_tip(job: &VerifiedJob) -> alloy_primitives::B256 {
    job.job().header().unwrap().prev_hash
}

/// A pool's extranonce, mask and sessions change on a schedule; its shares are accepted throughout.
#[tokio::test]
async fn a_pool_that_changes_its_layout_gets_shares_that_it_accepts() {
    let pool = PoolHandle::start(quiet()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address())]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    let (job, _) = node.job(&terms).await;
    assert_eq!(submit(&mut node, &job, &terms, 3).await, 3);
    pool.act(&PoolStep::Extranonce(4));
    let (job, _) = node.job_where(&terms, |job| job.job().header().unwrap().tail_length == 4).await;
    assert_eq!(submit(&mut node, &job, &terms, 3).await, 3);
    pool.act(&PoolStep::Mask(0x00ff_e000));
    let (job, _) =
        node.job_where(&terms, |job| job.job().header().unwrap().version_mask == 0x00ff_e000).await;
    assert_eq!(submit(&mut node, &job, &terms, 3).await, 3);
    pool.drop_connections();
    let sequence = job.job().sequence();
    world
        .until("a new session", |status| status.pool == PoolState::Connected && status.newest_job > sequence)
        .await;
    let newest = world.status().newest_job;
    let (job, _) = node.job_where(&terms, |job| job.job().sequence() >= newest).await;
    assert_eq!(submit(&mut node, &job, &terms, 3).await, 3);
    assert_eq!((pool.accepted(), pool.shares().len()), (12, 12));
}

/// The whole kind: a pool that closes on each optional request, and one that refuses every share.
#[tokio::test]
async fn simulated_pools_with_bad_manners_are_served_or_left_alone() {
    for method in ["mining.configure", "mining.extranonce.subscribe", "mining.suggest_difficulty"] {
        let config = PoolConfig { closes_on: vec![method], ..quiet() };
        let pool = PoolHandle::start(config).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let terms = terms(1);
        let world = start(dir.path(), vec![assignment(terms.clone(), pool.address())]).await;
        let mut node = Node::of(&world.gateway, 1).await;
        while pool.accepted() == 0 {
            let (job, _) = node.job(&terms).await;
            submit(&mut node, &job, &terms, 1).await;
        }
        drop(world);
    }
    for config in [PoolConfig { refuses: true, ..quiet() }, PoolConfig { closes_sessions: true, ..quiet() }] {
        let pool = PoolHandle::start(config).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let terms = terms(1);
        let world = start(dir.path(), vec![assignment(terms.clone(), pool.address())]).await;
        let mut node = Node::of(&world.gateway, 1).await;
        let (job, _) = node.job(&terms).await;
        submit(&mut node, &job, &terms, 25).await;
        world.until("it is left alone", |status| status.pool == PoolState::AtFault).await;
        assert_eq!(pool.accepted(), 0);
    }
}
