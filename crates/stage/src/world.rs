//! The whole system on one machine: a chain with the contracts, committee, gateway and node, each
//! as a process, and a simulated pool.

use crate::{Actors, Anvil, DeployOptions, Relay, Renting, Role, secret};
use alloy_primitives::Address;
use anyhow::{Context as _, Result, ensure};
use hashlease_chain::{Chain, Committee};
use hashlease_primitives::LeaseId;
use hashlease_sim::pool::{PoolConfig, PoolHandle};
use hashlease_toolchain::Toolchain;
use serde_json::Value;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use url::Url;

/// Seconds between two blocks of the local chain.
pub const BLOCK_TIME: u32 = 1;

/// A pool that runs elsewhere.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// `host:port`.
    pub pool: String,
    /// The renter's worker there.
    pub worker: String,
}

/// Parameters of a world.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// The `hashlease` binary.
    pub binary: PathBuf,
    /// Directory for the data directories and the logs.
    pub dir: PathBuf,
    /// Name of the deployment's file. Worlds that run at the same time need different names.
    pub name: String,
    /// Number of committee members.
    pub members: usize,
    /// Signatures that a statement needs.
    pub threshold: usize,
    /// Credit window, seconds.
    pub window: u32,
    /// Fee on released money, basis points.
    pub fee_bps: u16,
    /// The renter's simulated pool.
    pub pool: PoolConfig,
    /// A pool elsewhere instead of the simulated one.
    pub upstream: Option<Upstream>,
    /// Port of the chain's RPC endpoint; 0 takes a free one.
    pub chain_port: u16,
    /// Address for miners; port 0 takes a free one.
    pub stratum: SocketAddr,
}

impl WorldOptions {
    /// Three members who must all sign, a credit window of a minute, free ports.
    #[must_use]
    pub fn new(binary: PathBuf, dir: PathBuf, name: &str) -> Self {
        Self {
            binary,
            dir,
            name: name.to_owned(),
            members: 3,
            threshold: 3,
            window: 60,
            fee_bps: 100,
            pool: PoolConfig::default(),
            upstream: None,
            chain_port: 0,
            stratum: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }
}

/// A running world. Dropping it ends its processes.
#[derive(Debug)]
pub struct World {
    options: WorldOptions,
    deployment_file: DeploymentFile,
    /// The local chain.
    pub anvil: Anvil,
    /// The contracts.
    pub chain: Chain,
    /// Everybody's keys.
    pub actors: Actors,
    /// Recipient of the oracle's fee.
    pub payee: Address,
    /// The renter's simulated pool.
    pub pool: PoolHandle,
    /// Relay between the node and the chain.
    pub node_rpc: Relay,
    /// Committee members.
    pub members: Vec<Role>,
    /// The gateway.
    pub gateway: Role,
    /// The provider's node.
    pub node: Role,
}

fn address_of(url: &Url) -> Result<SocketAddr> {
    let address = format!("{}:{}", url.host_str().unwrap_or("127.0.0.1"), url.port().unwrap_or(80));
    address.parse().with_context(|| format!("{url}: expected an address and a port"))
}

/// Arguments that all roles share.
fn common(role: &str, rpc: &str, deployment: &Path, data: &Path) -> Vec<String> {
    let text = |path: &Path| path.display().to_string();
    [role, "--rpc", rpc, "--deployment", &text(deployment), "--data-dir", &text(data)]
        .into_iter()
        .chain(["--confirmations", "0", "--poll", "1"])
        .map(str::to_owned)
        .collect()
}

impl World {
    /// Starts everything; `step` is called with a description of each step. There is no lease yet.
    ///
    /// # Errors
    /// If a part does not start; the error has its output.
    pub async fn start(options: WorldOptions, tools: &Toolchain, step: impl Fn(&str)) -> Result<Self> {
        let logs = options.dir.join("logs");
        std::fs::create_dir_all(&logs).with_context(|| logs.display().to_string())?;
        step("starting the chain");
        let anvil = Anvil::start(tools, BLOCK_TIME, options.chain_port).await?;
        let actors = Actors::generate(options.members);
        let payee = alloy::signers::local::PrivateKeySigner::random().address();
        actors.fund(&anvil).await?;
        step("deploying the contracts with forge script");
        let members = actors.member_addresses();
        let deploy = DeployOptions {
            name: &options.name,
            owners: &members,
            keys: &members,
            threshold: options.threshold,
            window: options.window,
            fee_bps: options.fee_bps,
            payee,
        };
        // before the script runs, which may be interrupted once it has written the file
        let file = tools.root().join(format!("script/deployments/{}.toml", options.name));
        let deployment_file = DeploymentFile(file);
        let deployment = anvil.deploy(tools, &deploy, &logs.join("forge.log")).await?;
        let chain = Chain::new(anvil.url(), deployment)?;
        let pool = PoolHandle::start(options.pool.clone()).await.context("simulated pool")?;
        let node_rpc = Relay::start(address_of(anvil.url())?).await?;

        step("starting committee members, gateway and node");
        let mut seats = Vec::new();
        for (index, key) in actors.members.iter().enumerate() {
            let name = format!("member-{index}");
            let data = options.dir.join(&name);
            let mut arguments = common("member", anvil.url().as_str(), &deployment_file.0, &data);
            arguments.extend(["--listen", "127.0.0.1:0", "--announce"].map(str::to_owned));
            let environment = [("HASHLEASE_MEMBER_KEY", secret(key))];
            let log = logs.join(format!("{name}.log"));
            seats.push(Role::start(&options.binary, &name, &arguments, &environment, &log).await?);
        }
        let data = options.dir.join("gateway");
        let mut arguments = common("gateway", anvil.url().as_str(), &deployment_file.0, &data);
        arguments.extend(["--listen", "127.0.0.1:0", "--api", "127.0.0.1:0"].map(str::to_owned));
        let environment = [
            ("HASHLEASE_JOB_KEY", secret(&actors.job_signer)),
            ("HASHLEASE_NODE_KEY", actors.gateway_key.to_hex().reveal().to_owned()),
        ];
        let log = logs.join("gateway.log");
        let gateway = Role::start(&options.binary, "gateway", &arguments, &environment, &log).await?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let node =
            start_node(&options, &actors, &deployment_file.0, node_rpc.address(), (options.stratum, any))
                .await?;
        let world = Self {
            options,
            deployment_file,
            anvil,
            chain,
            actors,
            payee,
            pool,
            node_rpc,
            members: seats,
            gateway,
            node,
        };
        step("waiting for the committee to announce itself");
        world.committee_is_announced().await?;
        Ok(world)
    }

    async fn committee_is_announced(&self) -> Result<Committee> {
        let started = Instant::now();
        loop {
            let committee = self.chain.committee(self.chain.deployment().oracle).await?;
            if committee.urls().len() == committee.members.len() {
                return Ok(committee);
            }
            ensure!(started.elapsed() < Duration::from_secs(30), "the members did not announce their URLs");
            sleep(Duration::from_millis(250)).await;
        }
    }

    /// Address for miners.
    ///
    /// # Errors
    /// If the node did not report it.
    pub fn stratum(&self) -> Result<SocketAddr> {
        self.node.address("stratum")
    }

    /// File with the contracts' addresses.
    #[must_use]
    pub fn deployment_file(&self) -> &Path {
        &self.deployment_file.0
    }

    /// Data directory of the node.
    #[must_use]
    pub fn node_data(&self) -> PathBuf {
        self.options.dir.join("node")
    }

    /// A lease on the world's gateway and pool; rate, price, epochs and lead are 0, for the caller
    /// to set.
    ///
    /// # Errors
    /// If the gateway did not report its address.
    pub fn renting(&self) -> Result<Renting> {
        let upstream = self
            .options
            .upstream
            .clone()
            .unwrap_or_else(|| Upstream { pool: self.pool.address().to_string(), worker: "renter.1".into() });
        Ok(Renting {
            rate: hashlease_primitives::HashRate::new(0),
            price: 0,
            epoch_length: 0,
            epochs: 0,
            lead: 0,
            bond_bps: 2_000,
            gateway: self.gateway.address("link")?.to_string(),
            pool: upstream.pool,
            worker: upstream.worker,
        })
    }

    /// Kills the node, as `kill -9` does.
    ///
    /// # Errors
    /// If the system refuses.
    pub async fn kill_node(&mut self) -> Result<()> {
        self.node.kill().await
    }

    /// Starts the node again, on the same data and ports.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart_node(&mut self) -> Result<()> {
        let places = (self.node.address("stratum")?, self.node.address("api")?);
        let rpc = self.node_rpc.address();
        self.node = start_node(&self.options, &self.actors, &self.deployment_file.0, rpc, places).await?;
        Ok(())
    }

    /// The evidence file of a closed epoch, from the node's API.
    ///
    /// # Errors
    /// Errors of the node.
    pub async fn evidence(&self, lease: LeaseId, epoch: u32) -> Result<Vec<u8>> {
        let api = self.node.address("api")?;
        let url = format!("http://{api}/v1/leases/{lease}/epochs/{epoch}/evidence");
        let answer = reqwest::get(&url).await.with_context(|| url.clone())?;
        let status = answer.status();
        let body = answer.bytes().await.with_context(|| url.clone())?;
        ensure!(status.is_success(), "{url}: {status}: {}", String::from_utf8_lossy(&body));
        Ok(body.to_vec())
    }

    /// The node's report about itself and its leases.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn node_status(&self) -> Result<Value> {
        let api = self.node.address("api")?;
        let url = format!("http://{api}/v1/status");
        Ok(reqwest::get(&url).await.with_context(|| url.clone())?.json().await?)
    }
}

/// The file that a deployment wrote. Dropping it removes the file: it is named after this world, so
/// nobody else reads it.
#[derive(Debug)]
struct DeploymentFile(PathBuf);

impl Drop for DeploymentFile {
    fn drop(&mut self) {
        // there is none if the world ended before it was written
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn start_node(
    options: &WorldOptions,
    actors: &Actors,
    deployment: &Path,
    rpc: SocketAddr,
    (stratum, api): (SocketAddr, SocketAddr),
) -> Result<Role> {
    let mut arguments = common("node", &format!("http://{rpc}"), deployment, &options.dir.join("node"));
    arguments.extend(["--stratum".to_owned(), stratum.to_string(), "--api".to_owned(), api.to_string()]);
    let environment = [
        ("HASHLEASE_PROVIDER_KEY", secret(&actors.provider)),
        ("HASHLEASE_NODE_KEY", actors.node_key.to_hex().reveal().to_owned()),
    ];
    Role::start(&options.binary, "node", &arguments, &environment, &options.dir.join("logs/node.log")).await
}
