//! The deployment scripts on local chains: for every known chain id, with senseless settings, after
//! interruptions, and the governor's calls afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod asked;
mod check;
mod endpoint;
mod govern;
mod stand;

use anyhow::{Context as _, Result, ensure};
use hashlease_chain::Deployment;
use hashlease_e2e::tools;
use serde_json::json;
use stand::{DEPLOYER, FIRST, GOVERNOR, GUARDIAN, LOCAL, Stand, addresses, call, handed_over, word};
use std::{collections::BTreeSet, fs, path::Path};

/// Ids of `script/chains`.
fn chain_ids(root: &Path) -> Result<BTreeSet<u64>> {
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(root.join("script/chains"))? {
        let name = entry?.file_name().into_string().unwrap();
        if let Some(id) = name.strip_suffix(".toml") {
            ids.insert(id.parse().with_context(|| name.clone())?);
        }
    }
    Ok(ids)
}

async fn deploy_on(chain_id: u64) -> Result<Deployment> {
    let stand = Stand::empty(chain_id, &format!("local-dry-run-{chain_id}")).await?;
    let facts = addresses(stand.tools.root(), chain_id)?;
    if !facts.is_empty() {
        // a chain without its tokens can't be the chain of that id
        let (done, said) = stand.deploy().await?;
        ensure!(!done, "{chain_id}: {said}");
        for fact in facts {
            let told = format!("expected a contract at {fact}, got no code");
            ensure!(said.contains(&told), "{chain_id}: {told}\n{said}");
        }
        ensure!(!stand.file().exists(), "{chain_id}: a file of a deployment that failed");
        stand.tokens_exist(chain_id).await?;
    }
    let (done, said) = stand.deploy().await?;
    ensure!(done, "{chain_id}: {said}");
    let written = stand.written()?;
    let found = stand.deployment()?;
    let height = stand.height().await?;
    ensure!((FIRST..height).contains(&found.block), "{chain_id}: block {} of {height}", found.block);
    stand.is_sound().await?;
    if let Some(arbitrum) = &stand.arbitrum {
        let first = json!(format!("{:#x}", found.block));
        let logs = arbitrum.logs();
        ensure!(logs.iter().any(|query| query["fromBlock"] == first), "{chain_id}: {logs:?}");
    }

    // a second run has nothing to do and leaves the file unchanged
    let nonce = stand.nonce().await?;
    let (done, said) = stand.deploy().await?;
    ensure!(done, "{chain_id}, again: {said}");
    ensure!(nonce == stand.nonce().await?, "{said}");
    ensure!(written == stand.written()?, "{chain_id}: the second run moved the file");

    // the check can fail: here the deployed directory has lost its code
    stand.anvil.rpc("anvil_setCode", json!([found.directory, "0x"])).await?;
    stand.sees("Directory exists").await?;
    Ok(found)
}

#[tokio::test]
async fn every_known_chain_is_deployed_to_and_checked_at_the_same_addresses() -> Result<()> {
    let ids = chain_ids(tools()?.root())?;
    for wanted in [1, 10, 137, 8_453, 42_161, 80_002, 84_532, 421_614, 11_155_111, 11_155_420, LOCAL] {
        assert!(ids.contains(&wanted), "script/chains/{wanted}.toml is missing");
    }
    let mut public: Option<Deployment> = None;
    for id in ids {
        let found = deploy_on(id).await?;
        assert_eq!(found.chain_id, id);
        if id == LOCAL {
            continue;
        }
        let same = public.get_or_insert_with(|| found.clone());
        assert_eq!(found.escrow, same.escrow, "{id}");
        assert_eq!(found.registry, same.registry, "{id}");
        assert_eq!(found.oracle, same.oracle, "{id}");
        assert_eq!(found.access_manager, same.access_manager, "{id}");
        assert_eq!((found.lens, found.directory), (same.lens, same.directory), "{id}");
    }
    Ok(())
}

/// After the hand-over the deployer can do nothing, and the governor can do only what it announced
/// two days before.
#[tokio::test]
async fn the_governor_has_a_timelock_and_the_deployer_nothing() -> Result<()> {
    let stand = handed_over("local-dry-run-rights").await?;
    let registry = stand.deployment()?.registry;
    let token = alloy_primitives::Address::repeat_byte(0x77);
    let listing = call("listToken(address,bool)", &[word(token), alloy_primitives::U256::from(1)]);
    for nobody in [DEPLOYER.parse()?, GUARDIAN, GOVERNOR] {
        assert!(!stand.send(nobody, registry, &listing).await?, "{nobody} listed a token without delay");
    }
    let pause = call("pause()", &[]);
    assert!(!stand.send(GOVERNOR, registry, &pause).await?);
    assert!(stand.send(GUARDIAN, registry, &pause).await?, "the guardian pauses");
    assert!(stand.announce(registry, &listing).await?, "the governor announces");
    assert!(!stand.send(GOVERNOR, registry, &listing).await?, "too early");
    stand.two_days_later().await?;
    assert!(stand.send(GOVERNOR, registry, &listing).await?, "two days later");
    Ok(())
}

#[tokio::test]
async fn an_interrupted_deployment_is_finished_by_the_next_run() -> Result<()> {
    let stand = handed_over("local-dry-run-interrupted").await?;
    let whole = stand.written()?;
    // each transaction is a block, so a rollback is like a connection lost after some of them
    for depth in [1, 5, 12] {
        stand.anvil.rpc("anvil_rollback", json!([depth])).await?;
        let (done, said) = stand.check().await?;
        ensure!(!done, "the check passes with {depth} blocks less:\n{said}");
        let (done, said) = stand.deploy().await?;
        ensure!(done, "{said}");
        stand.is_sound().await?;
        ensure!(whole == stand.written()?, "the file moved");
    }
    Ok(())
}
