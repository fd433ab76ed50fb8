//! The deployment script on a local chain for every known chain id, run twice and checked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use alloy_primitives::{Address, U256, hex, keccak256};
use anyhow::{Context as _, Result, ensure};
use hashlease_chain::Deployment;
use hashlease_e2e::tools;
use hashlease_stage::{Anvil, DEPLOY};
use hashlease_toolchain::Toolchain;
use serde_json::json;
use std::{collections::BTreeSet, fs, path::Path};

const LOCAL: u64 = 31_337;
/// First of anvil's development accounts, whose key deploys.
const DEPLOYER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
/// A contract that returns nothing, in place of the tokens that a fresh local chain lacks.
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

/// The addresses in a chain's file.
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
        // one transaction per block
        let arguments = [&DEPLOY[..], &["--slow"]].concat();
        self.anvil.script(self.tools, "script/Deploy.s.sol", &self.env, &arguments).await
    }

    async fn check(&self) -> Result<(bool, String)> {
        self.anvil.script(self.tools, "script/Check.s.sol", &self.env, &[]).await
    }
}

/// The environment of a deployment: seats, people and the name of its file.
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
        // a chain without its tokens can't be the chain of that id
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

    // a second run has nothing to do and leaves the file unchanged
    let nonce = anvil.rpc("eth_getTransactionCount", json!([DEPLOYER, "latest"])).await?;
    let (done, said) = run.deploy().await?;
    ensure!(done, "{chain_id}, again: {said}");
    ensure!(nonce == anvil.rpc("eth_getTransactionCount", json!([DEPLOYER, "latest"])).await?, "{said}");
    if chain_id != LOCAL {
        ensure!(written == fs::read_to_string(&file)?, "{chain_id}: the second run moved the file");
    }

    let deployment = Deployment::read(&file)?;
    // the check can fail: here the deployed directory has lost its code
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

/// A deployment on a chain that says it is Sepolia, handed over to its governor.
struct HandedOver {
    anvil: Anvil,
    tools: Toolchain,
    name: &'static str,
    found: Deployment,
}

const SEPOLIA: u64 = 11_155_111;
const GOVERNOR: Address = Address::repeat_byte(0x12);
const GUARDIAN: Address = Address::repeat_byte(0x13);
const EVIL: Address = Address::repeat_byte(0x66);

/// Calldata of a call whose arguments are single words.
fn call(signature: &str, words: &[U256]) -> Vec<u8> {
    let mut data = keccak256(signature)[..4].to_vec();
    for word in words {
        data.extend(word.to_be_bytes::<32>());
    }
    data
}

fn word(address: Address) -> U256 {
    address.into_word().into()
}

impl HandedOver {
    async fn new(name: &'static str) -> Result<Self> {
        let tools = tools()?;
        let anvil = Anvil::posing_as(&tools, SEPOLIA).await?;
        for token in addresses(tools.root(), SEPOLIA)? {
            anvil.rpc("anvil_setCode", json!([token, ANY_CODE])).await?;
        }
        let file = tools.root().join(format!("script/deployments/{name}.toml"));
        let _ = fs::remove_file(&file);
        let (done, said) = Run { anvil: &anvil, tools: &tools, env: environment(name) }.deploy().await?;
        ensure!(done, "{said}");
        let found = Deployment::read(&file)?;
        Ok(Self { anvil, tools, name, found })
    }

    fn run(&self) -> Run<'_> {
        Run { anvil: &self.anvil, tools: &self.tools, env: environment(self.name) }
    }

    fn file(&self) -> std::path::PathBuf {
        self.tools.root().join(format!("script/deployments/{}.toml", self.name))
    }

    /// Sends a transaction; returns whether it succeeded.
    async fn send(&self, from: Address, to: Address, data: &[u8]) -> Result<bool> {
        self.anvil.fund(from).await?;
        self.anvil.rpc("anvil_impersonateAccount", json!([from])).await?;
        let transaction = json!({"from": from, "to": to, "data": hex::encode_prefixed(data)});
        if self.anvil.rpc("eth_call", json!([transaction, "latest"])).await.is_err() {
            return Ok(false);
        }
        let hash = self.anvil.rpc("eth_sendTransaction", json!([transaction])).await?;
        // the transaction is mined a moment later, and a jump of the clock must not come first
        for _ in 0..500 {
            let receipt = self.anvil.rpc("eth_getTransactionReceipt", json!([hash])).await?;
            if !receipt.is_null() {
                return Ok(receipt["status"] == "0x1");
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        anyhow::bail!("{hash} is not mined")
    }

    /// `schedule(address target, bytes data, uint48 when)` with the shortest delay.
    async fn announce(&self, to: Address, data: &[u8]) -> Result<bool> {
        let head = [word(to), U256::from(0x60), U256::ZERO, U256::from(data.len())];
        let mut scheduled = call("schedule(address,bytes,uint48)", &head);
        scheduled.extend(data);
        scheduled.resize(scheduled.len().next_multiple_of(32) + 4, 0);
        self.send(GOVERNOR, self.found.access_manager, &scheduled).await
    }

    async fn two_days_later(&self) -> Result<()> {
        self.anvil.rpc("evm_increaseTime", json!([172_801])).await?;
        self.anvil.rpc("anvil_mine", json!([1])).await.map(drop)
    }

    /// Requires that the check fails with this message.
    async fn sees(&self, wrong: &str) -> Result<()> {
        let (done, said) = self.run().check().await?;
        ensure!(!done && said.contains(&format!("FAILED {wrong}")), "expected: FAILED {wrong}\n{said}");
        Ok(())
    }

    async fn is_sound(&self) -> Result<()> {
        let (done, said) = self.run().check().await?;
        ensure!(done && said.contains("all is as it should be"), "{said}");
        Ok(())
    }
}

impl Drop for HandedOver {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.file());
    }
}

/// After the hand-over the deployer can do nothing, and the governor can do only what it announced
/// two days before.
#[tokio::test]
async fn the_governor_has_a_timelock_and_the_deployer_nothing() -> Result<()> {
    let stand = HandedOver::new("local-dry-run-rights").await?;
    let registry = stand.found.registry;
    let listing = call("listToken(address,bool)", &[word(Address::repeat_byte(0x77)), U256::from(1)]);
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
async fn the_check_sees_back_doors() -> Result<()> {
    let stand = HandedOver::new("local-dry-run-back-doors").await?;
    let Deployment { access_manager: manager, registry, directory, .. } = stand.found;
    stand.is_sound().await?;
    let doors: [(Vec<u8>, &str); 5] = [
        (
            call("grantRole(uint64,address,uint32)", &[U256::ZERO, word(EVIL), U256::ZERO]),
            "may have role 0: ",
        ),
        (
            call("grantRole(uint64,address,uint32)", &[U256::from(7), word(EVIL), U256::ZERO]),
            "may have role 7: ",
        ),
        (
            call("updateAuthority(address,address)", &[word(registry), word(directory)]),
            "the registry obeys the access manager",
        ),
        (
            call("setTargetClosed(address,bool)", &[word(registry), U256::from(1)]),
            "the registry is not closed",
        ),
        (
            call("setRoleAdmin(uint64,uint64)", &[U256::from(1), U256::from(7)]),
            "the governor names guardians",
        ),
    ];
    for (data, wrong) in doors {
        let before = stand.anvil.rpc("evm_snapshot", json!([])).await?;
        ensure!(stand.announce(manager, &data).await?, "announced: {wrong}");
        stand.two_days_later().await?;
        ensure!(stand.send(GOVERNOR, manager, &data).await?, "done: {wrong}");
        stand.sees(wrong).await?;
        stand.anvil.rpc("evm_revert", json!([before])).await?;
    }

    // the check also covers the addresses in the file, since nodes follow them
    let sound = fs::read_to_string(stand.file())?;
    for (key, address) in [
        ("escrow", stand.found.escrow),
        ("registry", registry),
        ("oracle", stand.found.oracle),
        ("lens", stand.found.lens),
        ("directory", directory),
        ("access_manager", manager),
    ] {
        let line = format!("\n{key} = \"{address}\"");
        ensure!(format!("\n{sound}").matches(&line).count() == 1, "expected {key} once in\n{sound}");
        let spoiled = format!("\n{sound}").replace(&line, &format!("\n{key} = \"{EVIL}\""));
        fs::write(stand.file(), spoiled)?;
        stand.sees(&format!("the file names the right .{key}")).await?;
    }
    // a later first block would hide earlier grants
    let late = stand.anvil.rpc("eth_blockNumber", json!([])).await?;
    let late = u64::from_str_radix(late.as_str().unwrap().trim_start_matches("0x"), 16)?;
    fs::write(
        stand.file(),
        sound.replace(&format!("block = {}", stand.found.block), &format!("block = {late}")),
    )?;
    stand.sees("the rights are known from the beginning").await?;
    fs::write(stand.file(), sound)?;
    stand.is_sound().await
}

#[tokio::test]
async fn an_interrupted_deployment_is_finished_by_the_next_run() -> Result<()> {
    let stand = HandedOver::new("local-dry-run-interrupted").await?;
    let whole = fs::read_to_string(stand.file())?;
    // each transaction is a block, so a rollback is like a connection lost after some of them
    for depth in [1, 5, 12] {
        stand.anvil.rpc("anvil_rollback", json!([depth])).await?;
        let (done, said) = stand.run().check().await?;
        ensure!(!done, "the check passes with {depth} blocks less:\n{said}");
        let (done, said) = stand.run().deploy().await?;
        ensure!(done, "{said}");
        stand.is_sound().await?;
        ensure!(whole == fs::read_to_string(stand.file())?, "the file moved");
    }
    Ok(())
}

#[tokio::test]
async fn after_the_hand_over_a_further_committee_needs_the_governor() -> Result<()> {
    let stand = HandedOver::new("local-dry-run-committee").await?;
    let before = fs::read_to_string(stand.file())?;
    let mut run = stand.run();
    for (name, value) in &mut run.env {
        if *name == "HASHLEASE_COMMITTEE_THRESHOLD" {
            *value = "3".into();
        }
    }
    let (done, said) = run.deploy().await?;
    ensure!(done && said.contains("The committee is not registered"), "{said}");
    ensure!(before == fs::read_to_string(stand.file())?, "a file with a committee that nobody can pin");
    stand.is_sound().await
}

#[tokio::test]
async fn a_governor_without_a_timelock_is_refused() -> Result<()> {
    let tools = tools()?;
    let anvil = Anvil::posing_as(&tools, SEPOLIA).await?;
    let mut env = environment("local-dry-run-governor");
    for (name, value) in &mut env {
        if *name == "HASHLEASE_GOVERNOR" {
            *value = DEPLOYER.into();
        }
    }
    let (done, said) = Run { anvil: &anvil, tools: &tools, env }.deploy().await?;
    ensure!(!done && said.contains("there would be no timelock"), "{said}");
    Ok(())
}
