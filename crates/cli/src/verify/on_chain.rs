//! Reads from the chain what a file can't prove: the lease's terms, and who chose the job signer.

use anyhow::{Context as _, Result};
use hashlease_chain::{Chain, Deployment};
use hashlease_primitives::{Lease, LeaseId};
use tokio::runtime::{Builder, Runtime};
use url::Url;

/// The chain that leases are read from.
pub(super) struct OnChain {
    chain: Chain,
    runtime: Runtime,
}

impl OnChain {
    /// Connects, and checks that the endpoint serves the deployment's chain.
    pub(super) fn connect(rpc: &Url, deployment: Deployment) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let chain = Chain::new(rpc, deployment)?;
        runtime.block_on(chain.check(rpc))?;
        Ok(Self { chain, runtime })
    }

    /// A lease as the escrow holds it.
    pub(super) fn lease(&self, id: LeaseId) -> Result<Lease> {
        self.runtime.block_on(self.chain.lease(id)).with_context(|| format!("lease {id} on the chain"))
    }
}
