//! The deployment script on a local chain of every chain id that it knows, run twice and checked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use alloy_primitives::{Address, U256};
use anyhow::{Context as _, Result, ensure};
use hashlease_chain::Deployment;
use hashlease_e2e::tools;
use hashlease_stage::{Anvil, DEPLOY, Toolchain};
use serde_json::json;
use std::{collections::BTreeSet, fs, path::Path};

const LOCAL: u64 = 31_337;
/// First of anvil's development accounts, whose key deploys.
const DEPLOYER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
/// A contract that answers nothing, in the place of tokens that a fresh local chain does not have.
const ANY_CODE: &str = "0x00";

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

/// Addresses in a chain's file.
fn addresses(root: &Path, chain_id: u64) -> Result<Vec<Address>> {
    let text = fs::read_to_string(root.join(format!("script/chains/{chain_id}.toml")))?;
    let quoted = text.split('"').filter(|part| part.starts_with("0x"));
    quoted
        .map(|address| {
            // a wrong digit breaks the checksum
            Address::parse_checksummed(address, None).with_context(|| format!("{chain_id}.toml: {address}"))
        })
        .collect()
}

struct Run<'a> {
    anvil: &'a Anvil,
    tools: &'a Toolchain,
    env: Vec<(&'static str, String)>,
}

impl Run<'_> {
    async fn deploy(&self) -> Result<(bool, String)> {
        self.anvil.script(self.tools, "script/Deploy.s.sol", &self.env, &DEPLOY).await
    }

    async fn check(&self) -> Result<(bool, String)> {
        self.anvil.script(self.tools, "script/Check.s.sol", &self.env, &[]).await
    }
}

/// Seats, people and the name of the file.
fn environment(name: &str) -> Vec<(&'static str, String)> {
    let seats: Vec<String> = (1..=3).map(|n| Address::repeat_byte(n).to_string()).collect();
    let person = |n: u8| Address::repeat_byte(n).to_string();
    vec![
        ("HASHLEASE_COMMITTEE_OWNERS", seats.join(",")),
        ("HASHLEASE_COMMITTEE_KEYS", seats.join(",")),
        ("HASHLEASE_COMMITTEE_THRESHOLD", "2".into()),
        ("HASHLEASE_ORACLE_PAYEE", person(0x11)),
        ("HASHLEASE_GOVERNOR", person(0x12)),
        ("HASHLEASE_GUARDIAN", person(0x13)),
        ("HASHLEASE_TREASURY", person(0x14)),
        ("HASHLEASE_DEPLOYMENT_NAME", name.to_owned()),
    ]
}

async fn deploy_on(tools: &Toolchain, chain_id: u64) -> Result<Deployment> {
    let anvil = Anvil::posing_as(tools, chain_id).await?;
    let facts = addresses(tools.root(), chain_id)?;
    let name = format!("local-dry-run-{chain_id}");
    let file = tools.root().join(format!("script/deployments/{name}.toml"));
    let _ = fs::remove_file(&file);
    let run = Run { anvil: &anvil, tools, env: environment(&name) };
    if let Some(first) = facts.first() {
        // without its tokens the chain can't be what its id says
        let (done, said) = run.deploy().await?;
        ensure!(!done && said.contains("no contract at"), "{chain_id}: {said}");
        ensure!(said.contains(&first.to_string()), "{chain_id}: {said}");
    }
    for token in &facts {
        anvil.rpc("anvil_setCode", json!([token, ANY_CODE])).await?;
    }
    let (done, said) = run.deploy().await?;
    ensure!(done, "{chain_id}: {said}");
    let written = fs::read_to_string(&file)?;
    let (done, said) = run.check().await?;
    ensure!(done && said.contains("all is as it should be"), "{chain_id}: {said}");

    // again: nothing to do, and the file stays as it is
    let nonce = anvil.rpc("eth_getTransactionCount", json!([DEPLOYER, "latest"])).await?;
    let (done, said) = run.deploy().await?;
    ensure!(done, "{chain_id}, again: {said}");
    ensure!(nonce == anvil.rpc("eth_getTransactionCount", json!([DEPLOYER, "latest"])).await?, "{said}");
    if chain_id != LOCAL {
        ensure!(written == fs::read_to_string(&file)?, "{chain_id}: the second run moved the file");
    }

    let deployment = Deployment::read(&file)?;
    // the check can fail: a registry whose first slots are gone is not what was deployed
    anvil.rpc("anvil_setCode", json!([deployment.directory, "0x"])).await?;
    let (done, said) = run.check().await?;
    ensure!(!done && said.contains("FAILED Directory exists"), "{chain_id}: {said}");
    fs::remove_file(&file)?;
    Ok(deployment)
}

#[tokio::test]
async fn every_known_chain_is_deployed_to_and_checked_at_the_same_addresses() -> Result<()> {
    let tools = tools()?;
    let ids = chain_ids(tools.root())?;
    for wanted in [1, 10, 137, 8_453, 42_161, 80_002, 84_532, 421_614, 11_155_111, 11_155_420, LOCAL] {
        assert!(ids.contains(&wanted), "script/chains/{wanted}.toml is missing");
    }
    let mut public: Option<Deployment> = None;
    for id in ids {
        let found = deploy_on(&tools, id).await?;
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

/// After the hand-over the deployer can do nothing, and the governor only what it announced two days before.
#[tokio::test]
async fn the_governor_has_a_timelock_and_the_deployer_nothing() -> Result<()> {
    use alloy_primitives::hex;
    let tools = tools()?;
    let anvil = Anvil::posing_as(&tools, 11_155_111).await?;
    let name = "local-dry-run-rights";
    for token in addresses(tools.root(), 11_155_111)? {
        anvil.rpc("anvil_setCode", json!([token, ANY_CODE])).await?;
    }
    let run = Run { anvil: &anvil, tools: &tools, env: environment(name) };
    let (done, said) = run.deploy().await?;
    ensure!(done, "{said}");
    let file = tools.root().join(format!("script/deployments/{name}.toml"));
    let found = Deployment::read(&file)?;
    fs::remove_file(&file)?;

    let call = |from: Address, to: Address, data: String| {
        let anvil = &anvil;
        async move {
            anvil.fund(from).await?;
            anvil.rpc("anvil_impersonateAccount", json!([from])).await?;
            let transaction = json!({"from": from, "to": to, "data": data});
            if anvil.rpc("eth_call", json!([transaction, "latest"])).await.is_err() {
                return Ok::<bool, anyhow::Error>(false);
            }
            anvil.rpc("eth_sendTransaction", json!([transaction])).await?;
            Ok(true)
        }
    };
    let keccak = |signature: &str| hex::encode(&alloy_primitives::keccak256(signature)[..4]);
    let word = |value: U256| hex::encode(value.to_be_bytes::<32>());
    let token = Address::repeat_byte(0x77).into_word();
    let listing =
        format!("{}{}{}", keccak("listToken(address,bool)"), hex::encode(token), word(U256::from(1)));
    let (governor, guardian) = (Address::repeat_byte(0x12), Address::repeat_byte(0x13));
    let deployer: Address = DEPLOYER.parse()?;
    let data = format!("0x{listing}");
    for nobody in [deployer, guardian, governor] {
        assert!(!call(nobody, found.registry, data.clone()).await?, "{nobody} listed a token at once");
    }
    assert!(!call(governor, found.registry, format!("0x{}", keccak("pause()"))).await?);
    assert!(call(guardian, found.registry, format!("0x{}", keccak("pause()"))).await?, "the guardian pauses");

    // schedule(address target, bytes data, uint48 when), then two days, then the call itself
    let padded = format!("{listing:0<192}");
    let schedule = format!(
        "0x{}{}{}{}{}{padded}",
        keccak("schedule(address,bytes,uint48)"),
        hex::encode(found.registry.into_word()),
        word(U256::from(0x60)),
        word(U256::ZERO),
        word(U256::from(listing.len() / 2)),
    );
    assert!(call(governor, found.access_manager, schedule).await?, "the governor announces");
    assert!(!call(governor, found.registry, data.clone()).await?, "too early");
    anvil.rpc("evm_increaseTime", json!([172_801])).await?;
    anvil.rpc("anvil_mine", json!([1])).await?;
    assert!(call(governor, found.registry, data).await?, "two days later");
    Ok(())
}
