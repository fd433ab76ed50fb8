//! A chain of the test's own, its deployment, and the scripts run against it.

use crate::endpoint::ArbitrumEndpoint;
use alloy_primitives::{Address, U256, hex, keccak256};
use anyhow::{Context as _, Result, ensure};
use hashlease_chain::Deployment;
use hashlease_deploy::Environment;
use hashlease_e2e::tools;
use hashlease_stage::{Anvil, DEPLOY, run_script};
use hashlease_toolchain::Toolchain;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

pub(crate) const LOCAL: u64 = 31_337;
pub(crate) const SEPOLIA: u64 = 11_155_111;
const ARBITRUM: [u64; 2] = [42_161, 421_614];
/// First block of a chain here: far above the number of the chain below.
pub(crate) const FIRST: u64 = 400_000_000;
/// First of anvil's development accounts, whose key deploys.
pub(crate) const DEPLOYER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
/// The second one.
pub(crate) const OTHER_DEPLOYER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
pub(crate) const PAYEE: Address = Address::repeat_byte(0x11);
pub(crate) const GOVERNOR: Address = Address::repeat_byte(0x12);
pub(crate) const GUARDIAN: Address = Address::repeat_byte(0x13);
pub(crate) const EVIL: Address = Address::repeat_byte(0x66);
/// A contract that returns nothing, in place of the tokens that a fresh local chain lacks.
pub(crate) const ANY_CODE: &str = "0x00";

/// The addresses in a chain's file.
pub(crate) fn addresses(root: &Path, chain_id: u64) -> Result<Vec<Address>> {
    let text = fs::read_to_string(root.join(format!("script/chains/{chain_id}.toml")))?;
    let quoted = text.split('"').filter(|part| part.starts_with("0x"));
    quoted.map(|address| address.parse().with_context(|| format!("{chain_id}.toml: {address}"))).collect()
}

/// Calldata of a call whose arguments are single words.
pub(crate) fn call(signature: &str, words: &[U256]) -> Vec<u8> {
    let mut data = keccak256(signature)[..4].to_vec();
    for word in words {
        data.extend(word.to_be_bytes::<32>());
    }
    data
}

pub(crate) fn word(address: Address) -> U256 {
    address.into_word().into()
}

/// The environment of a deployment: seats, people and the name of its file.
fn environment(name: &str) -> Vec<(&'static str, String)> {
    let seats: Vec<String> = (1..=3).map(|n| Address::repeat_byte(n).to_string()).collect();
    vec![
        ("HASHLEASE_COMMITTEE_OWNERS", seats.join(",")),
        ("HASHLEASE_COMMITTEE_KEYS", seats.join(",")),
        ("HASHLEASE_COMMITTEE_THRESHOLD", "2".into()),
        ("HASHLEASE_ORACLE_PAYEE", PAYEE.to_string()),
        ("HASHLEASE_GOVERNOR", GOVERNOR.to_string()),
        ("HASHLEASE_GUARDIAN", GUARDIAN.to_string()),
        ("HASHLEASE_TREASURY", Address::repeat_byte(0x14).to_string()),
        ("HASHLEASE_DEPLOYMENT_NAME", name.to_owned()),
    ]
}

/// A chain, and the settings with which scripts run against it.
pub(crate) struct Stand {
    pub(crate) anvil: Anvil,
    pub(crate) tools: Toolchain,
    pub(crate) arbitrum: Option<ArbitrumEndpoint>,
    pub(crate) env: Vec<(&'static str, String)>,
    file: PathBuf,
}

impl Stand {
    /// A chain that says it is `chain_id`, with code wherever its tokens are.
    pub(crate) async fn new(chain_id: u64, name: &str) -> Result<Self> {
        let stand = Self::empty(chain_id, name).await?;
        stand.tokens_exist(chain_id).await?;
        Ok(stand)
    }

    /// The same without its tokens.
    pub(crate) async fn empty(chain_id: u64, name: &str) -> Result<Self> {
        let tools = tools()?;
        let anvil = Anvil::posing_as(&tools, chain_id, FIRST).await?;
        let mut arbitrum = None;
        if ARBITRUM.contains(&chain_id) {
            arbitrum = Some(ArbitrumEndpoint::start(anvil.url()).await?);
        }
        let file = tools.root().join(format!("script/deployments/{name}.toml"));
        let stand = Self { anvil, tools, arbitrum, env: environment(name), file };
        stand.clear();
        Ok(stand)
    }

    pub(crate) async fn tokens_exist(&self, chain_id: u64) -> Result<()> {
        for token in addresses(self.tools.root(), chain_id)? {
            self.anvil.rpc("anvil_setCode", json!([token, ANY_CODE])).await?;
        }
        Ok(())
    }

    /// Another value of a variable from now on.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.env.retain(|(other, _)| *other != name);
        self.env.push((name, value.into()));
    }

    pub(crate) fn environment(&self) -> Environment {
        self.env.iter().cloned().collect()
    }

    /// What scripts connect to.
    pub(crate) fn url(&self) -> &Url {
        self.arbitrum.as_ref().map_or_else(|| self.anvil.url(), ArbitrumEndpoint::url)
    }

    pub(crate) async fn script(&self, name: &str, arguments: &[&str]) -> Result<(bool, String)> {
        run_script(&self.tools, self.url(), &format!("script/{name}.s.sol"), &self.env, arguments).await
    }

    /// Sends with the development key, one transaction per block.
    pub(crate) async fn deploy(&self) -> Result<(bool, String)> {
        self.script("Deploy", &[&DEPLOY[..], &["--slow"]].concat()).await
    }

    /// Deploys without sending anything.
    pub(crate) async fn dry_run(&self, deployer: &str) -> Result<(bool, String)> {
        self.script("Deploy", &["--sender", deployer]).await
    }

    pub(crate) async fn check(&self) -> Result<(bool, String)> {
        self.script("Check", &[]).await
    }

    /// The deployment's file.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) fn written(&self) -> Result<String> {
        fs::read_to_string(&self.file).with_context(|| self.file.display().to_string())
    }

    pub(crate) fn deployment(&self) -> Result<Deployment> {
        Ok(Deployment::read(&self.file)?)
    }

    pub(crate) async fn height(&self) -> Result<u64> {
        let height = self.anvil.rpc("eth_blockNumber", json!([])).await?;
        Ok(u64::from_str_radix(height.as_str().unwrap().trim_start_matches("0x"), 16)?)
    }

    pub(crate) async fn nonce(&self) -> Result<Value> {
        self.anvil.rpc("eth_getTransactionCount", json!([DEPLOYER, "latest"])).await
    }

    /// Sends a transaction; returns whether it succeeded.
    pub(crate) async fn send(&self, from: Address, to: Address, data: &[u8]) -> Result<bool> {
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
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("{hash} is not mined")
    }

    /// `schedule(address target, bytes data, uint48 when)` with the shortest delay.
    pub(crate) async fn announce(&self, to: Address, data: &[u8]) -> Result<bool> {
        self.send(
            GOVERNOR,
            self.deployment()?.access_manager,
            &wrapped("schedule(address,bytes,uint48)", to, data),
        )
        .await
    }

    /// What the governor can do without the script: announce, wait, and do.
    pub(crate) async fn govern(&self, to: Address, data: &[u8]) -> Result<()> {
        ensure!(self.announce(to, data).await?, "announcing");
        self.two_days_later().await?;
        ensure!(self.send(GOVERNOR, to, data).await?, "doing it");
        Ok(())
    }

    pub(crate) async fn two_days_later(&self) -> Result<()> {
        self.anvil.rpc("evm_increaseTime", json!([172_801])).await?;
        self.anvil.rpc("anvil_mine", json!([1])).await.map(drop)
    }

    /// Requires that the check fails with this message.
    pub(crate) async fn sees(&self, wrong: &str) -> Result<()> {
        let (done, said) = self.check().await?;
        ensure!(!done && said.contains(&format!("FAILED {wrong}")), "expected: FAILED {wrong}\n{said}");
        Ok(())
    }

    pub(crate) async fn is_sound(&self) -> Result<String> {
        let (done, said) = self.check().await?;
        ensure!(done && said.contains("all is as it should be"), "{said}");
        Ok(said)
    }

    fn clear(&self) {
        let _ = fs::remove_file(&self.file);
        let _ = fs::remove_dir_all(self.file.with_extension(""));
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A call with a target, data and zero.
fn wrapped(signature: &str, to: Address, data: &[u8]) -> Vec<u8> {
    let head = [word(to), U256::from(0x60), U256::ZERO, U256::from(data.len())];
    let mut whole = call(signature, &head);
    whole.extend(data);
    whole.resize((whole.len() - 4).next_multiple_of(32) + 4, 0);
    whole
}

/// A deployment on a chain that says it is Sepolia, handed over to its governor.
pub(crate) async fn handed_over(name: &str) -> Result<Stand> {
    let stand = Stand::new(SEPOLIA, name).await?;
    let (done, said) = stand.deploy().await?;
    ensure!(done, "{said}");
    Ok(stand)
}
