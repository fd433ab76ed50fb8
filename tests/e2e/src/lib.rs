//! Shared by the end-to-end tests: a world of real processes with one lease, and independent
//! recounts.
//!
//! The tests take real time: a lease has epochs of seconds, on a chain whose clock runs normally.

use alloy_primitives::B256;
use anyhow::{Context as _, Result, ensure};
use hashlease_evidence::{Evidence, Report};
use hashlease_primitives::{Clock as _, HashRate, Lease, LeaseId, SystemClock, Terms, UnixSeconds};
use hashlease_sim::{
    miner::{MinerConfig, MinerHandle},
    sha256d,
};
use hashlease_stage::{World, WorldOptions};
use hashlease_toolchain::Toolchain;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::{Instant, sleep};

/// Hashes per second of the test leases: low, so that two cores are enough for all processes.
pub const RATE: u64 = 100_000;
/// Seconds of an epoch.
pub const EPOCH: u32 = 20;
/// Price at which a lease of a minute costs about 100 tokens of 6 decimals.
const PRICE: u128 = 16_666_666_666_666_667_000_000;

/// The `hashlease` binary of this build's profile.
///
/// # Errors
/// When it was not built: `cargo xtask test` builds it first.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("HASHLEASE_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().context("own path")?;
    let profile = own.parent().and_then(Path::parent).context("target directory")?;
    let path = profile.join(format!("hashlease{}", std::env::consts::EXE_SUFFIX));
    ensure!(
        path.is_file(),
        "{} is missing: run `cargo build -p hashlease-cli` first, with the profile of this test",
        path.display()
    );
    Ok(path)
}

/// The checkout's tools.
///
/// # Errors
/// When they can't be installed.
pub fn tools() -> Result<Toolchain> {
    Toolchain::find()
}

/// Unix seconds.
#[must_use]
pub fn now() -> UnixSeconds {
    SystemClock.seconds()
}

/// Waits until no root is on its way to the members. A kill would delay such a root beyond its
/// deadline; the rules then drop it, which shows nothing about durability.
pub async fn no_root_on_its_way(terms: &Terms) {
    for epoch in 0..terms.epochs() {
        if (terms.epoch_closes(epoch) - 2..=terms.root_deadline(epoch)).contains(&now()) {
            at((terms.root_deadline(epoch) + 1).get()).await;
        }
    }
}

/// Waits until a Unix second.
pub async fn at(second: u64) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    sleep(Duration::from_secs(second).saturating_sub(since)).await;
}

/// Starts a world in a folder of its own.
///
/// # Errors
/// Names the part that did not start.
pub async fn world(dir: &Path, name: &str, threshold: usize) -> Result<World> {
    let name = format!("local-{name}-{}", std::process::id());
    let mut options = WorldOptions::new(binary()?, dir.to_owned(), &name);
    options.threshold = threshold;
    options.pool.difficulty = 1e-6;
    options.pool.varying = true;
    World::start(options, &tools()?, |step| eprintln!("{step}")).await
}

/// Rents [`RATE`] for `epochs` epochs, starting in `lead` seconds.
///
/// # Errors
/// The chain's error.
pub async fn rent(world: &World, epochs: u32, lead: u64) -> Result<Lease> {
    world.actors.deposit(&world.chain, 1_000_000_000).await?;
    let mut wanted = world.renting()?;
    wanted.rate = HashRate::capped(u128::from(RATE));
    wanted.price = PRICE;
    wanted.epoch_length = EPOCH;
    wanted.epochs = epochs;
    wanted.lead = lead;
    let id = world.actors.rent(&world.chain, &wanted).await?;
    Ok(world.chain.lease(id).await?)
}

/// Starts a simulated miner at the rented rate.
///
/// # Errors
/// When its log can't be opened.
pub fn miner(world: &World, user: &str, part: f64, log: Option<PathBuf>) -> Result<MinerHandle> {
    let mut config = MinerConfig::new(world.stratum()?, user);
    config.hash_rate = Some(RATE as f64 * part);
    config.share_log = log;
    Ok(MinerHandle::start(config)?)
}

/// Waits until a lease is settled on the chain.
///
/// # Errors
/// When it is not, half a minute after settling became possible.
pub async fn settled(world: &World, id: LeaseId) -> Result<Lease> {
    loop {
        let lease = world.chain.lease(id).await?;
        if lease.settled {
            return Ok(lease);
        }
        ensure!(
            now() < UnixSeconds::new((lease.settle_after() + 30).get()),
            "lease {id} was not settled: {lease:?}"
        );
        sleep(Duration::from_millis(500)).await;
    }
}

/// Work of a lease's shares that the node has counted until now, expected hashes.
///
/// # Errors
/// When the node can't be asked.
pub async fn counted(world: &World, id: LeaseId) -> Result<u128> {
    let status = world.node_status().await?;
    let leases = status["leases"].as_array().context("leases")?;
    let lease =
        leases.iter().find(|lease| lease["lease"] == id.0).context("the node does not serve the lease")?;
    Ok(lease["counted"].as_str().context("counted")?.parse()?)
}

/// Waits until `look` returns a value.
///
/// # Errors
/// When it returns none within `patience`.
pub async fn until<T>(what: &str, patience: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        ensure!(begun.elapsed() < patience, "{what}: not within {patience:?}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Recounts the evidence of every epoch of a lease, and returns the keys that count.
///
/// # Errors
/// When an epoch has none.
pub async fn recounted(world: &World, lease: &Lease) -> Result<Vec<(Evidence, Report, Vec<B256>)>> {
    let mut all = Vec::new();
    for epoch in 0..lease.terms.epochs() {
        let evidence = Evidence::decode(&world.evidence(lease.terms.id, epoch).await?)?;
        let (report, keys) =
            evidence.recheck_keys(&|epoch| unreachable!("no lease of Ethash here: {epoch:?}"));
        ensure!(report.holds(), "epoch {epoch}: {:?}", report.complaint());
        all.push((evidence, report, keys));
    }
    Ok(all)
}

/// Keys of the shares that a miner's own log lists as accepted. Each share is hashed again here,
/// and must be at least as hard as the settlement weight.
///
/// # Errors
/// When a line can't be read.
pub fn acknowledged(log: &Path, weight: u128) -> Result<BTreeSet<B256>> {
    let text = std::fs::read_to_string(log).with_context(|| log.display().to_string())?;
    let mut keys = BTreeSet::new();
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line)?;
        if entry["event"] != "accepted" {
            continue;
        }
        let header = hex::decode(entry["header"].as_str().context("header")?)?;
        let digest = sha256d(&header);
        // a weight is a power of two, so that many high bits of the hash are zero
        let zeros = weight.trailing_zeros() as usize;
        let bits = digest.iter().rev().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
        if bits.take(zeros).all(|bit| bit == 0) {
            ensure!(keys.insert(B256::from(digest)), "the miner's log lists a share twice");
        }
    }
    Ok(keys)
}
