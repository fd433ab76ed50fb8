//! `hashlease demo`: one lease rented, mined, verified and paid, on this machine and on real work.
//!
//! Contracts, committee, gateway and node are the product; the roles run as separate processes on a
//! local chain. Pool and miners are simulators, but they compute every hash, and the roles check
//! every share.

mod books;
mod live;
mod probe;
mod report;
mod signals;

use anyhow::{Context as _, Result, bail};
use books::Books;
use clap::Args;
use hashlease_primitives::{Clock as _, HashRate, Lease, LeaseId, SystemClock, UnixSeconds};
use hashlease_sim::{
    measure_hash_rate,
    miner::{MinerConfig, MinerHandle},
};
use hashlease_stage::{Upstream, World, WorldOptions, outlived_by_none, secret};
use hashlease_toolchain::Toolchain;
use live::{Live, complain};
use report::{Outcome, PoolTally};
use signals::Signals;
use std::{
    io::{IsTerminal as _, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};
use tokio::time::sleep;

/// Approximate price of the lease, base units of the demo token (6 decimals).
const PAYMENT: u128 = 250_000_000;
/// Deposit of the provider, from which bonds are locked, base units.
const DEPOSIT: u128 = 1_000_000_000;
/// Seconds between renting and the start of the lease.
const LEAD: u64 = 6;
/// Rented part of this machine's hash rate. Checking every share twice needs the rest.
const SHARE_OF_MACHINE: f64 = 0.25;
/// Miners' hash rate, as a multiple of the rented one: a little more, so that chance does not make
/// them fall short.
const MINER_SURPLUS: f64 = 1.05;
/// When in the second epoch the provider goes idle, as a part of the epoch.
const IDLE_FROM: f64 = 0.1;
/// Credit window for epochs of next to no length, seconds.
const SHORTEST_WINDOW: u32 = 60;

/// The least part of the promise that is due: the pool's blocks cost miners the rest.
#[cfg(test)]
const DUE: f64 = 0.8;

/// How long the provider goes idle, epochs: so long that more is missing than the tolerance (a
/// twentieth of what is due), the miners' surplus (as much again) and the time that is not due (up
/// to a fifth) make up for.
fn idle_for(epochs: u32) -> f64 {
    0.33 * f64::from(epochs) + 0.15
}

/// The oracle's credit window, seconds. Half of it is left for evidence, so that half exceeds the
/// time for an epoch's root, a quarter of an epoch and at most 15 minutes.
fn window(epoch_length: u32) -> u32 {
    SHORTEST_WINDOW.saturating_add((epoch_length / 4).min(900).saturating_mul(2))
}

/// Arguments of `hashlease demo`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hashlease demo                     three epochs of 20 s, then a table of who got what
  hashlease demo --keep              keeps everything running, with a lease to mine for
  hashlease demo --json | jq .money")]
pub struct DemoArgs {
    /// Keep everything running with a second lease of an hour, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Print one JSON object instead of the tables.
    #[arg(long)]
    json: bool,
    /// Epochs of the lease.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=20))]
    epochs: u32,
    /// Length of an epoch, seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(15..=3_600))]
    epoch_length: u32,
    /// Hashes per second to rent; else a quarter of this machine's hash rate.
    #[arg(long, value_name = "HASHES", value_parser = clap::value_parser!(u64).range(10_000..=1_000_000_000))]
    rate: Option<u64>,
    /// A pool of your own instead of the simulated one, `host:port`.
    #[arg(long, value_name = "ADDRESS", requires = "worker")]
    pool: Option<String>,
    /// Your worker at that pool; its password is `x`.
    #[arg(long, value_name = "NAME", requires = "pool")]
    worker: Option<String>,
    /// Directory for data, logs and evidence; else a new one under target/demo.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Address for miners.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    stratum: SocketAddr,
    /// Port of the embedded chain's RPC; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    rpc_port: u16,
}

/// Runs the demo and writes its result to `out`. The exit code is 0 when the money adds up, the
/// evidence holds and independent counts agree; 1 when they don't, or when the given pool can't be
/// used; 128 and the signal's number when one ended the demo. Its processes have then ended, too.
///
/// # Errors
/// When a part of the system does not start, the lease is not settled in time, or `out` can't be
/// written.
pub async fn run(arguments: DemoArgs, out: &mut (dyn Write + Send)) -> Result<ExitCode> {
    // before the first process, so that no signal leaves one behind
    let mut signals = Signals::listen().context("signals")?;
    tokio::select! {
        // the signals first: a demo that has just ended because its terminal closed is no success
        biased;
        ending = signals.next() => {
            complain(&format!("{}: ending every process of the demo", ending.words()));
            Ok(ExitCode::from(ending.status()))
        }
        done = probe_and_play(&arguments, out) => done,
    }
}

async fn probe_and_play(arguments: &DemoArgs, out: &mut (dyn Write + Send)) -> Result<ExitCode> {
    if let (Some(pool), Some(worker)) = (&arguments.pool, &arguments.worker)
        && let Err(error) = probe::probe(pool, worker).await
    {
        complain(&format!("error: {error}"));
        return Ok(ExitCode::from(1));
    }
    let outcome = play(arguments, out).await?;
    Ok(if outcome.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Rounds down to two digits, so that figures are easy to read.
fn round(rate: f64) -> u64 {
    let unit = 10f64.powf(rate.log10().floor() - 1.0);
    ((rate / unit).floor() * unit) as u64
}

async fn play(arguments: &DemoArgs, out: &mut (dyn Write + Send)) -> Result<Outcome> {
    let live = Live::new(!arguments.json && std::io::stderr().is_terminal());
    let simulated = if arguments.pool.is_some() { "the miners are" } else { "pool and miners are" };
    live.say(&format!("{simulated} SIMULATED, but really hash; everything else is the product"));
    live.step("looking for forge, anvil and solc");
    let tools = tokio::task::spawn_blocking(Toolchain::find).await.context("toolchain")??;
    live.say(&format!("contracts and tools: those of the checkout {}", tools.root().display()));
    if !outlived_by_none() {
        live.say("this system can't end the demo's processes if the demo itself is killed with -9");
    }
    let dir = arguments.dir.clone().unwrap_or_else(|| tools.root().join(own_dir(std::process::id())));
    std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    let dir = dir.canonicalize().with_context(|| dir.display().to_string())?;
    let binary = std::env::current_exe().context("own binary")?;
    let name = format!("demo-{}", std::process::id());
    let mut options = WorldOptions::new(binary, dir.clone(), &name);
    options.chain_port = arguments.rpc_port;
    options.stratum = arguments.stratum;
    options.window = window(arguments.epoch_length);
    // easier than the settlement target, so the node gives miners the pool's difficulty
    options.pool.difficulty = 2e-5;
    options.pool.varying = true;
    options.upstream =
        arguments.pool.clone().zip(arguments.worker.clone()).map(|(pool, worker)| Upstream { pool, worker });
    let world = World::start(options, &tools, |step| live.step(step))
        .await
        .with_context(|| format!("the system did not start; logs are in {}", dir.join("logs").display()))?;

    let rate = match arguments.rate {
        Some(rate) => rate,
        None => {
            live.step("measuring this machine's hash rate");
            let measure = || measure_hash_rate(2, Duration::from_secs(1));
            let measured = tokio::task::spawn_blocking(measure).await.context("measuring")?;
            round((measured * SHARE_OF_MACHINE).clamp(50_000.0, 4_000_000.0))
        }
    };
    let lease = rent(&world, arguments, rate, &live).await?;
    let run = LeaseRun { world: &world, lease, live: &live, rate, pool: arguments.pool.as_deref() };
    let mut outcome =
        run.complete().await.with_context(|| format!("logs are in {}", dir.join("logs").display()))?;
    outcome.dir = dir;
    live.finish();
    if arguments.json {
        writeln!(out, "{}", outcome.as_json())?;
    } else {
        writeln!(out, "{}", outcome.lines().join("\n"))?;
    }
    out.flush()?;
    if arguments.keep {
        writeln!(out, "\n{}", kept(&world, rate, arguments.pool.is_none()).await?.join("\n"))?;
        out.flush()?;
        // until a signal
        std::future::pending::<()>().await;
    }
    Ok(outcome)
}

/// Directory of one run within the checkout: demos that start in one second have different ids.
fn own_dir(process: u32) -> PathBuf {
    PathBuf::from(format!("target/demo/{}-{process}", SystemClock.seconds()))
}

/// The provider deposits and signs an offer; the renter accepts it.
async fn rent(world: &World, arguments: &DemoArgs, rate: u64, live: &Live) -> Result<Lease> {
    live.step("provider deposits and signs an offer; renter rents");
    world.actors.deposit(&world.chain, DEPOSIT).await?;
    let mut wanted = world.renting()?;
    wanted.rate = HashRate::new(rate);
    wanted.epoch_length = arguments.epoch_length;
    wanted.epochs = arguments.epochs;
    wanted.lead = LEAD;
    let work = wanted.rate.over(u64::from(arguments.epoch_length) * u64::from(arguments.epochs)).hashes();
    wanted.price = PAYMENT.saturating_mul(hashlease_escrow_model::PRICE_UNIT) / work;
    let id = world.actors.rent(&world.chain, &wanted).await?;
    let lease = world.chain.lease(id).await?;
    live.say(&format!(
        "lease {id}: {} for {} epochs of {} s, a share is worth {} hashes, payment {}, bond {}",
        report::rate(rate),
        arguments.epochs,
        arguments.epoch_length,
        lease.terms.weight.work(),
        report::money(lease.payment),
        report::money(lease.bond),
    ));
    Ok(lease)
}

/// The demo's lease and everything that acts on it.
struct LeaseRun<'a> {
    world: &'a World,
    lease: Lease,
    live: &'a Live,
    rate: u64,
    /// Address of the pool, unless it is the simulated one.
    pool: Option<&'a str>,
}

impl LeaseRun<'_> {
    const fn id(&self) -> LeaseId {
        self.lease.terms.id
    }

    /// Two miners: the node chooses the lease of the first, the second is pinned to the demo's
    /// lease.
    fn miners(&self) -> Result<[MinerHandle; 2]> {
        let server = self.world.stratum()?;
        let start = |user: &str| {
            let mut config = MinerConfig::new(server, user);
            config.hash_rate = Some(self.rate as f64 * MINER_SURPLUS / 2.0);
            MinerHandle::start(config).with_context(|| format!("simulated miner {user}"))
        };
        Ok([start("rig-1")?, start(&format!("{}.rig-2", self.id()))?])
    }

    /// Mines for the lease, waits until it is settled, and accounts for every base unit.
    async fn complete(&self) -> Result<Outcome> {
        let miners = self.miners()?;
        let terms = &self.lease.terms;
        let idle_begins = terms.epoch_start(1).get() as f64 + IDLE_FROM * f64::from(terms.epoch_length);
        let idle_ends = idle_begins + idle_for(terms.epochs()) * f64::from(terms.epoch_length);
        let deadline = self.lease.settle_after() + 30;
        let mut idle = false;
        let mut status = NodeStatus::default();
        let settled = loop {
            let now = SystemClock.now().get() as f64 / 1_000.0;
            let wanted = (idle_begins..idle_ends).contains(&now);
            if wanted != idle {
                idle = wanted;
                if idle {
                    self.live.say("the provider goes idle for a while, so the lease falls short");
                    miners.iter().for_each(MinerHandle::pause);
                } else {
                    self.live.say("the provider is back");
                    miners.iter().for_each(MinerHandle::resume);
                }
            }
            let lease = self.world.chain.lease(self.id()).await?;
            status = self.node_status().await.unwrap_or(status);
            self.live.show(
                &lease,
                status.counted,
                miners.iter().map(|miner| miner.stats().hashes).sum(),
                idle,
            );
            if lease.settled {
                break lease;
            }
            let now = SystemClock.seconds();
            if now > deadline {
                bail!("the lease was not settled {} s after its window", now.since(lease.settle_after()));
            }
            sleep(Duration::from_millis(250)).await;
        };
        self.live.say("settled; provider, renter and payee withdraw");
        let hashes: u64 = miners
            .iter()
            .flat_map(MinerHandle::hashes_by_second)
            .filter(|(second, _)| terms.is_active(UnixSeconds::new(u64::from(*second))))
            .map(|(_, hashes)| hashes)
            .sum();
        let shares = miners.iter().map(|miner| miner.stats().accepted).sum();
        drop(miners);
        let money = books::withdraw_all(self.world, &settled, DEPOSIT).await?;
        self.live.step("verifying the evidence again, offline");
        let books = Books::of(self.world, &settled).await?;
        let pool = self.tally(&status);
        Ok(Outcome::new(settled, books, money, hashes, shares, pool))
    }

    /// The pool's verdicts on the shares: from the simulated pool, or as the node recorded them.
    fn tally(&self, status: &NodeStatus) -> PoolTally {
        match self.pool {
            Some(pool) => PoolTally {
                name: pool.to_owned(),
                accepted: status.accepted,
                refused: status.refused,
                reasons: String::new(),
            },
            None => {
                let refusals = self.world.pool.refusals();
                PoolTally {
                    name: "simulated".to_owned(),
                    accepted: self.world.pool.accepted() as u64,
                    refused: refusals.values().sum::<usize>() as u64,
                    reasons: refusals
                        .iter()
                        .map(|(words, count)| format!("{count} × {words}"))
                        .collect::<Vec<_>>()
                        .join(", "),
                }
            }
        }
    }

    /// The lease as the node's API reports it.
    async fn node_status(&self) -> Option<NodeStatus> {
        let status = self.world.node_status().await.ok()?;
        let leases = status.get("leases")?.as_array()?;
        let lease = leases.iter().find(|lease| lease["lease"] == self.id().0)?;
        Some(NodeStatus {
            counted: lease["counted"].as_str()?.parse().ok()?,
            accepted: lease["poolAccepted"].as_u64()?,
            refused: lease["poolRefused"].as_u64()?,
        })
    }
}

/// A lease as its node sees it.
#[derive(Clone, Copy, Default)]
struct NodeStatus {
    counted: u128,
    accepted: u64,
    refused: u64,
}

/// Rents once more. Returns where everything that keeps running is found.
async fn kept(world: &World, rate: u64, simulated: bool) -> Result<Vec<String>> {
    world.actors.deposit(&world.chain, DEPOSIT).await?;
    let mut wanted = world.renting()?;
    wanted.rate = HashRate::new(rate);
    wanted.epoch_length = 60;
    wanted.epochs = 60;
    wanted.lead = LEAD;
    let work = wanted.rate.over(3_600).hashes();
    wanted.price = PAYMENT.saturating_mul(hashlease_escrow_model::PRICE_UNIT) / work;
    let id = world.actors.rent(&world.chain, &wanted).await?;
    let Some(stratum) = world.stratum().ok() else { bail!("the node reported no Stratum address") };
    let deployment = world.chain.deployment();
    let mut lines = vec![
        format!("running until Ctrl-C, with lease {id} of {} for an hour:", report::rate(rate)),
        format!("  stratum   stratum+tcp://{stratum}  (any worker, or {id}.<name> for this lease only)"),
        format!("            minerd -a sha256d -o stratum+tcp://{stratum} -u rig -p x"),
        format!("  RPC       {} (chain id {})", world.anvil.url(), deployment.chain_id),
        format!(
            "  contracts escrow {}, oracle {}, token {}",
            deployment.escrow, deployment.oracle, deployment.token
        ),
        format!("            {}", world.deployment_file().display()),
        format!("  node      http://{}/v1/status", world.node.address("api")?),
    ];
    for member in &world.members {
        lines.push(format!("  {}  http://{}/v1/status", member.name(), member.address("api")?));
    }
    let kind = if simulated { "simulated".to_owned() } else { format!("yours, as {}", wanted.worker) };
    lines.push(format!("  pool      {} ({kind})", wanted.pool));
    lines.push(format!(
        "  renter    {} with key {} (worth nothing on any other chain)",
        world.actors.renter.address(),
        secret(&world.actors.renter)
    ));
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashlease_escrow_model::missing;
    use hashlease_primitives::Work;

    #[test]
    fn the_window_leaves_time_for_the_last_root_and_its_evidence() {
        for epoch_length in 15..=3_600 {
            let terms = hashlease_fixtures::terms(1_000, epoch_length * 3, epoch_length);
            let for_root = terms.root_deadline(2).since(terms.end);
            assert!(for_root + 30 <= u64::from(window(epoch_length) / 2), "{epoch_length}: {for_root}");
        }
    }

    #[test]
    fn an_idle_provider_is_short_beyond_the_tolerance() {
        for epochs in 2..=20 {
            let idle = idle_for(epochs);
            assert!(IDLE_FROM + idle <= f64::from(epochs - 1), "it comes back: {epochs}");
            let due = DUE * 1_000_000.0 * f64::from(epochs);
            let done = (f64::from(epochs) - idle) * 1_000_000.0 * MINER_SURPLUS;
            let (due, done) = (Work::new(due as u64), Work::new(done as u64));
            let beyond = missing(due, done, Work::new(64)).hashes();
            assert!(beyond > 150_000, "{epochs} epochs: {beyond}");
        }
    }

    #[test]
    fn demos_of_one_second_have_directories_of_their_own() {
        assert_ne!(own_dir(1), own_dir(2));
    }
}
