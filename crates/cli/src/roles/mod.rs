//! The roles as processes. In: settings and keys. Out: a running role that follows the chain.

pub(crate) mod gateway;
pub(crate) mod member;
pub(crate) mod node;

use crate::{out, settings::Settings};
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context as _, Result, bail};
use hashlease_chain::{Chain, ChainError, Deployment, FeeLimit, Sender};
use hashlease_primitives::LocalSigner;
use serde_json::Value;
use std::{path::Path, time::Duration};
use tracing::{info, warn};

/// User agent sent to pools and gateways.
pub(crate) const AGENT: &str = concat!("hashlease/", env!("CARGO_PKG_VERSION"));

/// Time for which the members of a committee are cached.
pub(crate) const COMMITTEE_AGE: Duration = Duration::from_secs(60);

/// File of the transactions in flight, in a role's data directory.
const TRANSACTIONS: &str = "transactions.json";

/// Longest pause between two looks at leases whose statement may be missing.
const KEEPING_PAUSE: Duration = Duration::from_secs(30);

/// Connects to the chain. Fails if the endpoint serves another chain; continues if it is down,
/// because every later request tries it again.
pub(crate) async fn chain(settings: &Settings) -> Result<Chain> {
    let Some(path) = &settings.deployment else {
        bail!("no contracts: pass --deployment FILE, which the deployment script writes")
    };
    let deployment = Deployment::read(path)?;
    let rpc = settings.rpc()?;
    let chain = Chain::new(&rpc, deployment)?;
    match chain.check(&rpc).await {
        Ok(()) => {}
        Err(error @ (ChainError::WrongChain { .. } | ChainError::NoContract { .. })) => {
            return Err(error.into());
        }
        Err(error) => warn!(%error, "RPC endpoint unreachable: continuing, later requests try it again"),
    }
    Ok(chain)
}

/// Sender of transactions from a key's account. Those that are in flight are kept in the role's
/// data directory.
fn sender(chain: &Chain, key: &LocalSigner, settings: &Settings, data_dir: &Path) -> Result<Sender> {
    Ok(paying(chain, key, settings)?.kept_in(data_dir.join(TRANSACTIONS))?)
}

/// Sender of transactions that no file keeps.
pub(crate) fn paying(chain: &Chain, key: &LocalSigner, settings: &Settings) -> Result<Sender> {
    let key = PrivateKeySigner::from_bytes(&key.secret()).context("key")?;
    Ok(Sender::new(chain.clone(), key).limited(FeeLimit::wei(settings.max_fee()?.wei())))
}

/// Prints one JSON line on standard output: the role runs, and listens at these addresses.
fn print_ready(what: &Value) -> Result<()> {
    Ok(out::print(what)?)
}

/// Waits for `SIGINT` or `SIGTERM`.
async fn wait_for_signal() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminated = signal(SignalKind::terminate()).context("SIGTERM")?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.context("SIGINT")?,
            _ = terminated.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("Ctrl-C")?;
    info!("shutting down");
    Ok(())
}
