//! The roles as processes: settings and keys in, a running role out, and what each reads from the chain.

pub(crate) mod gateway;
pub(crate) mod member;
pub(crate) mod node;

use crate::settings::Settings;
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context as _, Result, bail};
use hashlease_chain::{Chain, ChainError, Deployment, Sender};
use hashlease_primitives::LocalSigner;
use serde_json::Value;
use std::{io::Write as _, time::Duration};
use tracing::{info, warn};

/// User agent towards pools and gateways.
pub(crate) const AGENT: &str = concat!("hashlease/", env!("CARGO_PKG_VERSION"));

/// How long a committee's members are taken from memory before they are read again.
const COMMITTEE_AGE: Duration = Duration::from_secs(60);

/// Opens the chain. An endpoint that is down is tried again later; one of another chain ends the role.
async fn chain(settings: &Settings) -> Result<Chain> {
    let Some(path) = &settings.deployment else {
        bail!("no contracts: pass --deployment FILE, as written by the deployment script")
    };
    let deployment = Deployment::read(path)?;
    let rpc = settings.rpc()?;
    let chain = Chain::new(&rpc, deployment)?;
    match chain.check(&rpc).await {
        Ok(()) => {}
        Err(error @ (ChainError::WrongChain { .. } | ChainError::NoContract { .. })) => {
            return Err(error.into());
        }
        Err(error) => warn!(%error, "RPC endpoint can't be asked yet: going on, it is tried again"),
    }
    Ok(chain)
}

/// Sends from a key's account.
fn sender(chain: &Chain, key: &LocalSigner) -> Result<Sender> {
    let key = PrivateKeySigner::from_bytes(&key.secret()).context("key")?;
    Ok(Sender::new(chain.clone(), key))
}

/// Says on the standard output, in one JSON line, that the role runs and where it listens.
fn ready(what: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}").and_then(|()| out.flush()).context("standard output")
}

/// Waits for `SIGINT` or `SIGTERM`.
async fn ended() -> Result<()> {
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
