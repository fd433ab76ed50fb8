//! Repeated `kill -9` of the node midway, with a recount from the miners' own logs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use anyhow::{Result, ensure};
use hashlease_e2e::{
    EPOCH, acknowledged, at, miner, no_root_on_its_way, recounted, rent, settled, until, world,
};
use hashlease_journal::read;
use hashlease_ledger::Ledger;
use std::{collections::BTreeSet, time::Duration};

/// Number of kills; more in long runs.
fn kills() -> u64 {
    std::env::var("HASHLEASE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_share_is_credited_exactly_once() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut world = world(dir.path(), "kill", 3).await?;
    let kills = kills();
    // time for every kill with a few seconds in between, and no kill around the first epoch's end
    let epochs = u32::try_from(2 + kills * 7 / u64::from(EPOCH) + 1)?;
    let lease = rent(&world, epochs, 6).await?;
    let (id, terms) = (lease.terms.id, lease.terms.clone());
    let logs = [dir.path().join("a.jsonl"), dir.path().join("b.jsonl")];
    let miners = [
        miner(&world, "rig-a", 0.55, Some(logs[0].clone()))?,
        miner(&world, &format!("{id}.rig-b"), 0.55, Some(logs[1].clone()))?,
    ];
    at((terms.start + 5).get()).await;
    for round in 0..kills {
        // each kill comes at another moment within a second
        tokio::time::sleep(Duration::from_millis(137 * (round % 7))).await;
        no_root_on_its_way(&terms).await;
        world.kill_node().await?;
        world.restart_node().await?;
        let before: u64 = miners.iter().map(|miner| miner.stats().accepted).sum();
        until("shares after a restart", Duration::from_secs(20), async || {
            let taken: u64 = miners.iter().map(|miner| miner.stats().accepted).sum();
            (taken > before + 50).then_some(())
        })
        .await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    // the evidence of an epoch that was closed before a kill is unchanged after it
    at((terms.root_deadline(0) + 1).get()).await;
    let before = world.evidence(id, 0).await?;
    no_root_on_its_way(&terms).await;
    world.kill_node().await?;
    world.restart_node().await?;
    ensure!(world.evidence(id, 0).await? == before, "the evidence of epoch 0 changed");
    let settled = settled(&world, id).await?;
    drop(miners);
    let recounted = recounted(&world, &settled).await?;

    let mut counted = BTreeSet::new();
    for (.., keys) in &recounted {
        for key in keys {
            ensure!(counted.insert(*key), "{key} is in the evidence twice");
        }
    }
    let weight = terms.weight.work().hashes();
    let mut told = BTreeSet::new();
    for log in &logs {
        told.extend(acknowledged(log, weight)?);
    }
    ensure!(told.len() > 1_000, "too few shares for a result: {}", told.len());
    let lost: Vec<_> = told.difference(&counted).collect();
    ensure!(
        lost.is_empty(),
        "{} of {} acknowledged shares are not in the evidence: {lost:?}",
        lost.len(),
        told.len()
    );
    // counted but never acknowledged: shares in flight during a kill
    let in_flight = counted.len() - told.len();
    let most = usize::try_from(kills + 1)? * 600;
    ensure!(in_flight <= most, "{in_flight} shares were counted but never acknowledged");

    let work: u128 = recounted.iter().map(|(_, report, _)| report.work.hashes()).sum();
    assert_eq!(settled.credited.hashes(), work.min(terms.committed().hashes()), "all work is credited, once");

    // the journal alone gives the same roots
    world.kill_node().await?;
    let mut ledger = Ledger::default();
    for record in read(&world.node_data().join("journal")) {
        ledger.apply(&record?)?;
    }
    let folded = ledger.lease(id).unwrap();
    for (evidence, report, _) in &recounted {
        assert_eq!(folded.commitment(evidence.head.epoch)?, report.rebuilt);
    }
    Ok(())
}
