//! Reads of the escrow.

use crate::{ChainError, Deployment, bindings::LeaseEscrow};
use alloy::{
    eips::BlockId,
    providers::{Provider as _, ProviderBuilder, RootProvider},
};
use alloy_primitives::{Address, U256};
use hashlease_primitives::{
    Algorithm, Domain, HashRate, Lease, LeaseId, SettlementWeight, Terms, UnixSeconds, Work,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use url::Url;

/// An RPC endpoint without fillers: this crate chooses nonces, gas and fees itself.
pub type Provider = RootProvider;

/// Longest time of one RPC request.
const RPC_TIMEOUT: Duration = Duration::from_secs(15);

/// The parts of a registered oracle that never change.
#[derive(Clone, Copy, Debug)]
struct Oracle {
    account: Address,
    window: u32,
}

/// A deployment on an RPC endpoint.
#[derive(Clone, Debug)]
pub struct Chain {
    provider: Provider,
    deployment: Deployment,
    oracles: Arc<Mutex<BTreeMap<u32, Oracle>>>,
}

impl Chain {
    /// An endpoint, which is not contacted yet and may be down.
    ///
    /// # Errors
    /// [`ChainError::HttpClient`].
    pub fn new(endpoint: &Url, deployment: Deployment) -> Result<Self, ChainError> {
        let client = reqwest::Client::builder().timeout(RPC_TIMEOUT).build()?;
        let provider =
            ProviderBuilder::new().disable_recommended_fillers().connect_reqwest(client, endpoint.clone());
        Ok(Self { provider, deployment, oracles: Arc::default() })
    }

    /// Checks that the endpoint serves the deployment's chain and that its contracts exist there.
    ///
    /// # Errors
    /// [`ChainError`] that names the difference.
    pub async fn check(&self, endpoint: &Url) -> Result<(), ChainError> {
        let actual = self.provider.get_chain_id().await?;
        if actual != self.deployment.chain_id {
            let endpoint = endpoint.host_str().unwrap_or("?").to_owned();
            return Err(ChainError::WrongChain { endpoint, expected: self.deployment.chain_id, actual });
        }
        for (what, address) in [("escrow", self.deployment.escrow), ("oracle", self.deployment.oracle)] {
            if self.provider.get_code_at(address).await?.is_empty() {
                return Err(ChainError::NoContract { what, address });
            }
        }
        Ok(())
    }

    /// The addresses.
    #[must_use]
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The endpoint.
    #[must_use]
    pub const fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The escrow's binding.
    #[must_use]
    pub fn escrow(&self) -> LeaseEscrow::LeaseEscrowInstance<Provider> {
        LeaseEscrow::new(self.deployment.escrow, self.provider.clone())
    }

    /// EIP-712 domain of offers and jobs.
    #[must_use]
    pub const fn escrow_domain(&self) -> Domain {
        Domain { chain_id: self.deployment.chain_id, contract: self.deployment.escrow }
    }

    /// Number of the newest block.
    ///
    /// # Errors
    /// [`ChainError::Rpc`].
    pub async fn block_number(&self) -> Result<u64, ChainError> {
        Ok(self.provider.get_block_number().await?)
    }

    /// Time of the newest block.
    ///
    /// # Errors
    /// [`ChainError::Rpc`].
    pub async fn time(&self) -> Result<UnixSeconds, ChainError> {
        let block = self.provider.get_block(BlockId::latest()).await?;
        block.map(|block| UnixSeconds::new(block.header.timestamp)).ok_or(ChainError::NoBlock)
    }

    /// A lease as the escrow holds it.
    ///
    /// # Errors
    /// [`ChainError`]; an unknown lease reverts.
    pub async fn lease(&self, id: LeaseId) -> Result<Lease, ChainError> {
        let found = self.escrow().lease(U256::from(id.0)).call().await?;
        let oracle = self.oracle(found.oracle).await?;
        let unexpected = |what, expected, actual| ChainError::Unexpected { what, expected, actual };
        let terms = Terms {
            id,
            domain: self.escrow_domain(),
            oracle: oracle.account,
            provider: found.provider,
            job_signer: found.jobSigner,
            algorithm: Algorithm::try_from(found.algorithm)
                .map_err(|_| unexpected("lease's algorithm", "1 to 4", found.algorithm.to_string()))?,
            weight: SettlementWeight::from_log2(found.weightLog2)
                .ok_or_else(|| unexpected("lease's weight", "below 2^96", found.weightLog2.to_string()))?,
            rate: HashRate::from(found.rate),
            start: UnixSeconds::new(found.start.to::<u64>()),
            end: UnixSeconds::new(found.end.to::<u64>()),
            duration: found.duration,
            epoch_length: found.epochLength,
        };
        Ok(Lease {
            terms,
            signer_dictated: found.signerDictated,
            token: found.token,
            window: oracle.window,
            payment: found.payment,
            bond: found.bond,
            credited: Work::from(found.credited),
            due: Work::from(found.due),
            as_of: UnixSeconds::new(found.asOf.to::<u64>()),
            collected: Work::from(found.collectedWork),
            last: !found.lastAt.is_zero(),
            last_at: UnixSeconds::new(found.lastAt.to::<u64>()),
            settled: found.settled,
        })
    }

    /// Withdrawable base units of an account.
    ///
    /// # Errors
    /// [`ChainError::Rpc`].
    pub async fn balance(&self, account: Address, token: Address) -> Result<U256, ChainError> {
        Ok(self.escrow().balance(account, token).call().await?)
    }

    /// Owner of a lease's NFT.
    ///
    /// # Errors
    /// [`ChainError`]; an unknown lease reverts.
    pub async fn owner_of(&self, id: LeaseId) -> Result<Address, ChainError> {
        Ok(self.escrow().ownerOf(U256::from(id.0)).call().await?)
    }

    async fn oracle(&self, id: u32) -> Result<Oracle, ChainError> {
        // a registration is a copy, which no panic leaves half done
        let cache = || self.oracles.lock().unwrap_or_else(PoisonError::into_inner);
        let known = cache().get(&id).copied();
        if let Some(oracle) = known {
            return Ok(oracle);
        }
        let found = self.escrow().pinnedOracle(id).call().await?;
        let oracle = Oracle { account: found.account, window: found.window };
        cache().insert(id, oracle);
        Ok(oracle)
    }
}
