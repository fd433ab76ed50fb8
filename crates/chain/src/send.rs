//! Transactions that take effect once.
//!
//! Every call of the contracts is idempotent in effect (a credit is cumulative, a lease settles
//! once), so this module only has to get *one* of several copies mined. It sends one transaction at
//! a time per account and replaces it under the same nonce with a higher fee until a copy is mined.
//! "already known" and "nonce too low" mean that a copy is pending or mined, not that sending
//! failed. After a restart the chain names the next nonce, so a pending copy is replaced, never
//! doubled.

use crate::{Chain, ChainError, Revert};
use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::{BlockId, Encodable2718},
    network::TransactionBuilder,
    providers::Provider as _,
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::SolCall,
    transports::{RpcError, TransportErrorKind},
};
use alloy_primitives::{Address, B256, Bytes, TxKind};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::Instant};
use tracing::{debug, info, warn};

/// Time after which the fee of a pending copy is raised.
const RAISE_AFTER: Duration = Duration::from_secs(30);
/// Longest wait for a receipt. Copies that are pending then stay in flight.
const GIVE_UP_AFTER: Duration = Duration::from_secs(180);
/// Longest search for a mined copy after the endpoint has reported the nonce as used.
const LOOK_FOR: Duration = Duration::from_secs(5);
/// Interval of requests for the receipt.
const POLL: Duration = Duration::from_millis(250);

/// A mined transaction.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Its hash.
    pub hash: B256,
    /// Block that it is in.
    pub block: u64,
    /// Gas used by the whole transaction.
    pub gas: u64,
    /// The receipt with its logs.
    pub full: TransactionReceipt,
}

/// Sends from one account.
#[derive(Clone)]
pub struct Sender {
    chain: Chain,
    key: PrivateKeySigner,
    // held from reading the nonce to the receipt: one transaction at a time
    turn: Arc<Mutex<()>>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("account", &self.key.address()).finish_non_exhaustive()
    }
}

/// Result of sending one copy.
enum Broadcast {
    /// The copy is pending, as far as we know.
    Sent(B256),
    /// The nonce is used: by another copy, or by another holder of the key.
    NonceUsed(B256),
    /// The fee is too low to replace another copy.
    Underpriced,
}

#[derive(Clone, Copy)]
struct Fees {
    max: u128,
    tip: u128,
}

impl Fees {
    /// A fee that is a quarter higher. Nodes require a tenth to replace a transaction.
    fn raised(self) -> Self {
        let raise = |fee: u128| fee.saturating_add(fee / 4).saturating_add(1);
        Self { max: raise(self.max), tip: raise(self.tip) }
    }
}

impl Sender {
    /// Sends from the account of `key`.
    #[must_use]
    pub fn new(chain: Chain, key: PrivateKeySigner) -> Self {
        Self { chain, key, turn: Arc::default() }
    }

    /// The sending account, which pays for gas.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.key.address()
    }

    /// Sends a call to a contract and waits until it is mined.
    ///
    /// # Errors
    /// [`ChainError::Reverted`] if a dry run reverts; nothing was sent then.
    /// [`ChainError::NotMined`] if no copy was mined in time.
    pub async fn call<C: SolCall>(&self, to: Address, call: &C) -> Result<Receipt, ChainError> {
        let name = C::SIGNATURE.split('(').next().unwrap_or(C::SIGNATURE);
        self.send(name, to, call.abi_encode().into()).await
    }

    async fn send(&self, call: &'static str, to: Address, input: Bytes) -> Result<Receipt, ChainError> {
        let _turn = self.turn.lock().await;
        let provider = self.chain.provider();
        let account = self.address();
        let request = TransactionRequest::default().with_from(account).with_to(to).with_input(input.clone());
        let gas = match provider.estimate_gas(request).await {
            Ok(gas) => gas,
            Err(error) => {
                if let Some(revert) = Revert::of(&error) {
                    return Err(ChainError::Reverted { call, revert });
                }
                return Err(match Refusal::of(&error) {
                    Some(Refusal::NoGasMoney) => ChainError::NoGasMoney { call, account },
                    _ => error.into(),
                });
            }
        };
        let nonce = provider.get_transaction_count(account).block_id(BlockId::latest()).await?;
        let estimate = provider.estimate_eip1559_fees().await?;
        let mut fees = Fees { max: estimate.max_fee_per_gas, tip: estimate.max_priority_fee_per_gas };
        let transaction = TxEip1559 {
            chain_id: self.chain.deployment().chain_id,
            nonce,
            gas_limit: gas.saturating_add(gas / 5),
            max_fee_per_gas: fees.max,
            max_priority_fee_per_gas: fees.tip,
            to: TxKind::Call(to),
            value: alloy_primitives::U256::ZERO,
            access_list: Default::default(),
            input,
        };
        let started = Instant::now();
        let mut copies = Vec::new();
        let mut raise_at = started;
        let mut give_up_at = after(GIVE_UP_AFTER);
        loop {
            if Instant::now() >= raise_at {
                if !copies.is_empty() {
                    fees = fees.raised();
                    warn!(call, nonce, max_fee = fees.max, "transaction is not mined yet, fee raised");
                }
                let copy = TxEip1559 {
                    max_fee_per_gas: fees.max,
                    max_priority_fee_per_gas: fees.tip,
                    ..transaction.clone()
                };
                match self.broadcast(call, copy).await? {
                    Broadcast::Underpriced => fees = fees.raised(),
                    Broadcast::Sent(hash) => {
                        copies.push(hash);
                        raise_at = after(RAISE_AFTER);
                    }
                    Broadcast::NonceUsed(hash) => {
                        copies.push(hash);
                        raise_at = after(GIVE_UP_AFTER);
                        give_up_at = give_up_at.min(after(LOOK_FOR));
                    }
                }
            }
            for hash in &copies {
                match provider.get_transaction_receipt(*hash).await {
                    Ok(Some(receipt)) => return mined(call, *hash, receipt),
                    Ok(None) => {}
                    Err(error) => debug!(call, %hash, error = %ChainError::from(error), "receipt not read"),
                }
            }
            if Instant::now() >= give_up_at {
                return Err(ChainError::NotMined { call, nonce, seconds: started.elapsed().as_secs() });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Hands one copy to the endpoint.
    async fn broadcast(&self, call: &'static str, transaction: TxEip1559) -> Result<Broadcast, ChainError> {
        let nonce = transaction.nonce;
        let signature = self
            .key
            .sign_hash_sync(&transaction.signature_hash())
            .map_err(|source| ChainError::Signing { call, source })?;
        let envelope = TxEnvelope::from(transaction.into_signed(signature));
        let hash = *envelope.tx_hash();
        match self.chain.provider().send_raw_transaction(&envelope.encoded_2718()).await {
            Ok(_) => {
                debug!(call, nonce, %hash, "transaction sent");
                Ok(Broadcast::Sent(hash))
            }
            Err(error) => match Refusal::of(&error) {
                Some(Refusal::Underpriced) => Ok(Broadcast::Underpriced),
                Some(Refusal::NoGasMoney) => Err(ChainError::NoGasMoney { call, account: self.address() }),
                Some(Refusal::NonceUsed) => Ok(Broadcast::NonceUsed(hash)),
                Some(Refusal::Known) => Ok(Broadcast::Sent(hash)),
                // the answer was lost: the receipt decides
                None if !error.is_error_resp() => Ok(Broadcast::Sent(hash)),
                None => Err(error.into()),
            },
        }
    }
}

/// Why an endpoint refuses a transaction. JSON-RPC has no number for it, so the words decide.
enum Refusal {
    Underpriced,
    NoGasMoney,
    NonceUsed,
    /// The endpoint has this copy already.
    Known,
}

impl Refusal {
    fn of(error: &RpcError<TransportErrorKind>) -> Option<Self> {
        let words = error.as_error_resp()?.message.to_ascii_lowercase();
        let says = |part: &str| words.contains(part);
        if says("underpriced") {
            Some(Self::Underpriced)
        } else if says("insufficient funds") {
            Some(Self::NoGasMoney)
        } else if says("nonce too low") {
            Some(Self::NonceUsed)
        } else if says("already known") || says("already imported") {
            Some(Self::Known)
        } else {
            None
        }
    }
}

/// The moment after a pause. `Instant` holds centuries, so the pauses of this module can't overflow
/// it.
fn after(pause: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(pause).unwrap_or(now)
}

fn mined(call: &'static str, hash: B256, receipt: TransactionReceipt) -> Result<Receipt, ChainError> {
    if !receipt.status() {
        return Err(ChainError::Failed { call, hash });
    }
    let Some(block) = receipt.block_number else {
        let (what, expected) = ("receipt of a mined transaction", "a block number");
        return Err(ChainError::Unexpected { what, expected, actual: "none".into() });
    };
    info!(call, %hash, block, gas = receipt.gas_used, "transaction mined");
    Ok(Receipt { hash, block, gas: receipt.gas_used, full: receipt })
}
