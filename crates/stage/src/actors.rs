//! Provider and renter with their keys, and what they do with a wallet.

use crate::Anvil;
use alloy::signers::{SignerSync, local::PrivateKeySigner};
use alloy_primitives::{
    Address, U256,
    aliases::{U40, U96},
};
use anyhow::{Context as _, Result};
use hashlease_chain::{
    Chain, Deployment, Sender,
    bindings::{DemoToken, LeaseEscrow},
};
use hashlease_primitives::{BoxContent as _, GatewayBox, HashRate, LeaseId, NodeBox, NodeKey, Secret, typed};

/// Lease that a renter wants.
#[derive(Clone, Debug)]
pub struct Renting {
    /// Hashes per second.
    pub rate: HashRate,
    /// Base units per 10^21 hashes.
    pub price: u128,
    /// Length of an epoch, seconds.
    pub epoch_length: u32,
    /// Number of epochs.
    pub epochs: u32,
    /// Seconds until the lease starts.
    pub lead: u64,
    /// Bond, basis points of the payment.
    pub bond_bps: u16,
    /// Address of the gateway's link, `host:port`.
    pub gateway: String,
    /// Address of the renter's pool, `host:port`.
    pub pool: String,
    /// The renter's worker at the pool.
    pub worker: String,
}

/// Keys of everyone in a world.
#[derive(Clone, Debug)]
pub struct Actors {
    /// Sells hash power. The node sends its transactions with this key.
    pub provider: PrivateKeySigner,
    /// Buys hash power.
    pub renter: PrivateKeySigner,
    /// The gateway's key: signs jobs.
    pub job_signer: PrivateKeySigner,
    /// Committee members; each uses one key as owner and as signing key.
    pub members: Vec<PrivateKeySigner>,
    /// Opens the node's boxes.
    pub node_key: NodeKey,
    /// Opens the gateway's boxes.
    pub gateway_key: NodeKey,
}

/// The secret of a key as 64 hexadecimal digits, for a role's environment.
#[must_use]
pub fn secret(key: &PrivateKeySigner) -> String {
    hex::encode(key.to_bytes())
}

impl Actors {
    /// Fresh random keys with `members` committee members.
    #[must_use]
    pub fn generate(members: usize) -> Self {
        Self {
            provider: PrivateKeySigner::random(),
            renter: PrivateKeySigner::random(),
            job_signer: PrivateKeySigner::random(),
            members: (0..members).map(|_| PrivateKeySigner::random()).collect(),
            node_key: NodeKey::generate(),
            gateway_key: NodeKey::generate(),
        }
    }

    /// Addresses of the committee members.
    #[must_use]
    pub fn member_addresses(&self) -> Vec<Address> {
        self.members.iter().map(PrivateKeySigner::address).collect()
    }

    /// Gives native currency to everyone who sends transactions.
    ///
    /// # Errors
    /// Errors of the chain.
    pub async fn fund(&self, anvil: &Anvil) -> Result<()> {
        for key in [&self.provider, &self.renter].into_iter().chain(&self.members) {
            anvil.fund(key.address()).await?;
        }
        Ok(())
    }

    /// The provider deposits `amount` of the demo token, from which bonds are locked.
    ///
    /// # Errors
    /// Errors of the chain.
    pub async fn deposit(&self, chain: &Chain, amount: u128) -> Result<()> {
        let Deployment { escrow, token, .. } = *chain.deployment();
        let sender = Sender::new(chain.clone(), self.provider.clone());
        let amount = U256::from(amount);
        sender.call(token, &DemoToken::mintCall { to: sender.address(), amount }).await?;
        sender.call(token, &DemoToken::approveCall { spender: escrow, amount }).await?;
        sender.call(escrow, &LeaseEscrow::depositCall { token, amount }).await?;
        Ok(())
    }

    /// The provider signs an offer, the renter accepts it. Returns the lease's id.
    ///
    /// # Errors
    /// Errors of the chain.
    pub async fn rent(&self, chain: &Chain, wanted: &Renting) -> Result<LeaseId> {
        let Deployment { escrow, token, oracle_id, .. } = *chain.deployment();
        let now = chain.time().await?;
        let duration = wanted.epoch_length.saturating_mul(wanted.epochs);
        let rate = U96::saturating_from(wanted.rate.per_second());
        let offer = typed::Offer {
            provider: self.provider.address(),
            algorithm: 1,
            token,
            price: wanted.price,
            hashRate: rate,
            minHashRate: U96::from(1),
            epochLength: wanted.epoch_length,
            minDuration: U40::from(duration),
            maxDuration: U40::from(duration),
            notice: 0,
            latestEnd: U40::ZERO,
            bondBps: wanted.bond_bps,
            cancelBps: 0,
            oracle: oracle_id,
            jobSigner: Address::ZERO,
            taker: Address::ZERO,
            boxKey: self.node_key.public().into(),
            expiry: U40::saturating_from(now.plus(3_600).get()),
            counter: U256::ZERO,
            salt: U256::from_be_bytes(rand::random::<[u8; 32]>()),
        };
        let signature = self.provider.sign_hash_sync(&chain.escrow_domain().digest(&offer))?;
        let token_of_access = Secret::new(hex::encode(rand::random::<[u8; 16]>()));
        let node_box = NodeBox { gateway: wanted.gateway.clone(), token: token_of_access.clone() };
        let gateway_box = GatewayBox {
            pool: wanted.pool.clone(),
            worker: wanted.worker.clone(),
            password: Secret::new("x"),
            token: token_of_access,
            stop_unseen: false,
        };
        let request = LeaseEscrow::RentRequest {
            recipient: self.renter.address(),
            hashRate: rate,
            start: U40::saturating_from(now.plus(wanted.lead).get()),
            duration,
            maxPayment: u128::MAX,
            jobSigner: self.job_signer.address(),
            continues: U256::ZERO,
            nodeBox: node_box.seal(&self.node_key.public())?.into(),
            gatewayBox: gateway_box.seal(&self.gateway_key.public())?.into(),
        };
        let sender = Sender::new(chain.clone(), self.renter.clone());
        let payment = wanted
            .rate
            .over(u64::from(duration))
            .hashes()
            .saturating_mul(wanted.price)
            .div_ceil(1_000_000_000_000_000_000_000);
        let amount = U256::from(payment);
        sender.call(token, &DemoToken::mintCall { to: sender.address(), amount }).await?;
        sender.call(token, &DemoToken::approveCall { spender: escrow, amount }).await?;
        let call = LeaseEscrow::rentCall {
            offer: binding(offer),
            signature: signature.as_bytes().to_vec().into(),
            proof: Vec::new(),
            request,
        };
        let receipt = sender.call(escrow, &call).await?;
        let rented = receipt
            .full
            .decoded_log::<LeaseEscrow::Rented>()
            .context("the renting transaction has no Rented event")?;
        Ok(LeaseId(u64::try_from(rented.lease)?))
    }

    /// Withdraws an account's whole balance from the escrow. Returns the base units.
    ///
    /// # Errors
    /// Errors of the chain.
    pub async fn withdraw(&self, chain: &Chain, key: &PrivateKeySigner) -> Result<U256> {
        let Deployment { escrow, token, .. } = *chain.deployment();
        let amount = chain.balance(key.address(), token).await?;
        if !amount.is_zero() {
            let call = LeaseEscrow::withdrawCall { token, to: key.address(), amount: amount.saturating_to() };
            Sender::new(chain.clone(), key.clone()).call(escrow, &call).await?;
        }
        Ok(amount)
    }

    /// The renter claims all that a lease holds for its holder.
    ///
    /// # Errors
    /// Errors of the chain.
    pub async fn claim(&self, chain: &Chain, lease: LeaseId) -> Result<()> {
        let sender = Sender::new(chain.clone(), self.renter.clone());
        let call = LeaseEscrow::claimCall { leases: vec![U256::from(lease.0)], to: sender.address() };
        if chain.escrow().lease(U256::from(lease.0)).call().await?.held != 0 {
            sender.call(chain.deployment().escrow, &call).await?;
        }
        Ok(())
    }
}

/// The offer as a struct of the contract's binding.
fn binding(offer: typed::Offer) -> LeaseEscrow::Offer {
    LeaseEscrow::Offer {
        provider: offer.provider,
        algorithm: offer.algorithm,
        token: offer.token,
        price: offer.price,
        hashRate: offer.hashRate,
        minHashRate: offer.minHashRate,
        epochLength: offer.epochLength,
        minDuration: offer.minDuration,
        maxDuration: offer.maxDuration,
        notice: offer.notice,
        latestEnd: offer.latestEnd,
        bondBps: offer.bondBps,
        cancelBps: offer.cancelBps,
        oracle: offer.oracle,
        jobSigner: offer.jobSigner,
        taker: offer.taker,
        boxKey: offer.boxKey,
        expiry: offer.expiry,
        counter: offer.counter,
        salt: offer.salt,
    }
}
