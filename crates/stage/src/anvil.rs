//! The local chain: anvil, and the deployment on it by the forge script.

#[cfg(unix)]
use crate::tied::Group;
use crate::tied::{tied, tied_like};
use alloy_primitives::{Address, U256};
use anyhow::{Context as _, Result, bail, ensure};
use hashlease_chain::Deployment;
use hashlease_deploy::{forge_script, lock};
use hashlease_toolchain::Toolchain;
use serde_json::{Value, json};
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
    time::timeout,
};
use url::Url;

/// First of anvil's published development keys; worthless on any other chain.
const DEPLOYER: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// Arguments that make a script send transactions from the development key.
pub const DEPLOY: [&str; 4] = ["--broadcast", "--non-interactive", "--private-key", DEPLOYER];

/// A running chain. Dropping it ends the process.
#[derive(Debug)]
pub struct Anvil {
    child: Child,
    url: Url,
    client: reqwest::Client,
}

/// Parameters of a deployment.
#[derive(Clone, Debug)]
pub struct DeployOptions<'a> {
    /// Name of the file in `script/deployments`.
    pub name: &'a str,
    /// Owners of the committee's seats.
    pub owners: &'a [Address],
    /// Their signing keys.
    pub keys: &'a [Address],
    /// Signatures that a statement needs.
    pub threshold: usize,
    /// Credit window, seconds.
    pub window: u32,
    /// Fee on released money, basis points.
    pub fee_bps: u16,
    /// Recipient of the fee.
    pub payee: Address,
}

fn list(addresses: &[Address]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

impl Anvil {
    /// Starts a chain with id 31337 and a block every `block_time` seconds, on `port` of the
    /// loopback interface; 0 takes a free port.
    ///
    /// # Errors
    /// If anvil does not start.
    pub async fn start(tools: &Toolchain, block_time: u32, port: u16) -> Result<Self> {
        let arguments = ["--port", &port.to_string(), "--block-time", &block_time.to_string()];
        Self::spawn(tools, &arguments).await
    }

    /// Starts a chain with id `chain_id` whose blocks count from `first`, and a block for each
    /// transaction, on a free port of the loopback interface.
    ///
    /// # Errors
    /// If anvil does not start.
    pub async fn posing_as(tools: &Toolchain, chain_id: u64, first: u64) -> Result<Self> {
        let arguments = ["--port", "0", "--chain-id", &chain_id.to_string(), "--number", &first.to_string()];
        Self::spawn(tools, &arguments).await
    }

    async fn spawn(tools: &Toolchain, arguments: &[&str]) -> Result<Self> {
        let mut child = tied(tools.tool("anvil")?.as_os_str())
            .args(["--host", "127.0.0.1", "--hardfork", "cancun"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("starting anvil")?;
        let stdout = child.stdout.take().context("anvil's output")?;
        let mut lines = BufReader::new(stdout).lines();
        let listening = timeout(Duration::from_secs(30), async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, address)) = line.split_once("Listening on ") {
                    return Ok(address.trim().to_owned());
                }
            }
            bail!(
                "anvil ended before it listened ({arguments:?}): if another program has the port, pass --rpc-port with a free one"
            )
        });
        let address = listening.await.context("anvil did not listen within 30 s")??;
        // keep reading, because anvil blocks when its pipe is full
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let url = format!("http://{address}").parse().context("anvil's address")?;
        Ok(Self { child, url, client: reqwest::Client::new() })
    }

    /// RPC endpoint.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends an RPC request.
    ///
    /// # Errors
    /// Errors of the endpoint.
    pub async fn rpc(&self, method: &str, params: Value) -> Result<Value> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let response =
            self.client.post(self.url.clone()).json(&body).send().await.context(method.to_owned())?;
        let mut answer: Value = response.json().await.context(method.to_owned())?;
        ensure!(answer.get("error").is_none_or(Value::is_null), "{method}: {}", answer["error"]);
        Ok(answer["result"].take())
    }

    /// Gives an account native currency for gas.
    ///
    /// # Errors
    /// As [`Anvil::rpc`].
    pub async fn fund(&self, account: Address) -> Result<()> {
        let wei = U256::from(1_000_000_000_000_000_000_u64).saturating_mul(U256::from(1_000));
        self.rpc("anvil_setBalance", json!([account, wei])).await.map(drop)
    }

    /// Deploys with the forge script and reads the file that the script writes.
    ///
    /// # Errors
    /// If forge fails; the error has its output.
    pub async fn deploy(
        &self,
        tools: &Toolchain,
        options: &DeployOptions<'_>,
        log: &Path,
    ) -> Result<Deployment> {
        let env = [
            ("HASHLEASE_COMMITTEE_OWNERS", list(options.owners)),
            ("HASHLEASE_COMMITTEE_KEYS", list(options.keys)),
            ("HASHLEASE_COMMITTEE_THRESHOLD", options.threshold.to_string()),
            ("HASHLEASE_ORACLE_WINDOW", options.window.to_string()),
            ("HASHLEASE_ORACLE_FEE_BPS", options.fee_bps.to_string()),
            ("HASHLEASE_ORACLE_PAYEE", options.payee.to_string()),
            ("HASHLEASE_DEPLOYMENT_NAME", options.name.to_owned()),
        ];
        let (succeeded, said) = run_script(tools, &self.url, "script/Deploy.s.sol", &env, &DEPLOY).await?;
        std::fs::write(log, &said).with_context(|| log.display().to_string())?;
        ensure!(succeeded, "forge script failed:\n{said}");
        let path = tools.root().join("script/deployments").join(format!("{}.toml", options.name));
        Deployment::read(&path).context("deployment")
    }
}

/// Runs a forge script of the release profile against a chain. Returns whether it succeeded, and
/// its output.
///
/// # Errors
/// If forge does not start.
pub async fn run_script(
    tools: &Toolchain,
    rpc: &Url,
    script: &str,
    env: &[(&str, String)],
    arguments: &[&str],
) -> Result<(bool, String)> {
    let root = tools.root().to_owned();
    let waiting = tokio::task::spawn_blocking(move || lock(&root));
    let _alone = waiting.await.context("waiting for another forge script")??;
    let mut forge = tied_like(&forge_script(tools, rpc.as_str(), script)?);
    forge.args(arguments).envs(env.iter().map(|(name, value)| (name, value)));
    forge.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // forge starts compilers, which must not outlive a script that is given up
    #[cfg(unix)]
    forge.process_group(0);
    let forge = forge.spawn().context("starting forge")?;
    #[cfg(unix)]
    let group = Group::of(&forge);
    let output = forge.wait_with_output().await.context("forge")?;
    #[cfg(unix)]
    group.has_ended();
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}
