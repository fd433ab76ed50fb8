//! Pool, chain and peers at their worst, in one lease.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use anyhow::{Context as _, Result, ensure};
use hashlease_e2e::{at, binary, counted, miner, recounted, rent, settled, until, world};
use hashlease_sim::fault;
use hashlease_stage::World;
use std::{process::Command, time::Duration};

fn log(world: &World, name: &str) -> Result<String> {
    let path = world.node_data().with_file_name("logs").join(format!("{name}.log"));
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_survives_its_surroundings() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut world = world(dir.path(), "faults", 2).await?;
    // one of three members is down from the start, which leaves the threshold of two
    let mut dead = world.members.pop().context("three members")?;
    dead.kill().await?;
    world.pool.set_down(true);
    let lease = rent(&world, 4, 5).await?;
    let (id, terms) = (lease.terms.id, lease.terms.clone());
    let miner = miner(&world, "rig", 1.1, None)?;

    // epoch 0: the pool is down at first
    at((terms.start + 5).get()).await;
    let said = log(&world, "gateway")?;
    ensure!(said.contains("no session at the pool"), "the gateway does not log it:\n{said}");
    assert_eq!(miner.stats().accepted, 0, "a share without a job was accepted");
    world.pool.set_down(false);
    let progress = async |what: &str| {
        let before = counted(&world, id).await?;
        until(what, Duration::from_secs(25), async || {
            counted(&world, id).await.ok().filter(|now| *now > before + 20 * terms.weight.work().hashes())
        })
        .await
    };
    progress("shares once the pool is up").await?;

    // epoch 1: the node's RPC is cut; shares are still counted
    at((terms.epoch_start(1) + 1).get()).await;
    world.node_rpc.set_cut(true);
    tokio::time::sleep(Duration::from_secs(3)).await;
    progress("shares without a chain").await?;
    // until after the epoch's end: its root reaches the members in time, with or without the chain
    at((terms.root_deadline(1) + 1).get()).await;
    let behind = world.chain.lease(id).await?;
    ensure!(behind.as_of <= terms.epoch_end(0), "a credit without a chain: {behind:?}");
    world.node_rpc.set_cut(false);

    // epoch 2: the pool drops the gateway, which returns with another extranonce1
    world.pool.drop_connections();
    progress("shares after a new session at the pool").await?;
    until("credits catch up", Duration::from_secs(30), async || {
        let lease = world.chain.lease(id).await.ok()?;
        (lease.as_of >= terms.epoch_end(1)).then_some(())
    })
    .await?;

    // epoch 3: peers that misbehave, and a second node on the same data
    let stratum = world.stratum()?;
    let garbage = tokio::spawn(fault::garbage(stratum, 10_000));
    let endless = tokio::spawn(fault::endless_line(stratum, 1 << 22, 1 << 12));
    ensure!(garbage.await?? < 10_000, "a peer that speaks garbage was not dropped");
    ensure!(endless.await??.0 < 1 << 22, "a peer that never ends its line was not dropped");
    progress("shares despite bad peers").await?;
    let second = Command::new(binary()?)
        .args([
            "node",
            "--rpc",
            world.anvil.url().as_str(),
            "--stratum",
            "127.0.0.1:0",
            "--api",
            "127.0.0.1:0",
        ])
        .args(["--deployment", &world.deployment_file().display().to_string()])
        .args(["--data-dir", &world.node_data().display().to_string()])
        .env("HASHLEASE_PROVIDER_KEY", format!("{:x}", world.actors.provider.to_bytes()))
        .env("HASHLEASE_NODE_KEY", "22".repeat(32))
        .output()?;
    let said = String::from_utf8_lossy(&second.stderr);
    ensure!(!second.status.success() && said.contains("in use by another process"), "{said}");

    let settled = settled(&world, id).await?;
    drop(miner);
    let recounted = recounted(&world, &settled).await?;
    let work: u128 = recounted.iter().map(|(_, report, _)| report.work.hashes()).sum();
    assert_eq!(settled.credited.hashes(), work.min(terms.committed().hashes()));
    // time without jobs is not due: at least five seconds of the first epoch, and the time of the
    // gateway's retries; nor are three seconds after each of the pool's blocks
    let missing = terms.committed().hashes() - settled.due.hashes();
    let second = terms.rate.per_second();
    ensure!(missing >= 5 * second && missing <= 30 * second, "{} s are not due", missing / second);
    ensure!(settled.last, "the members signed a last statement");
    Ok(())
}
