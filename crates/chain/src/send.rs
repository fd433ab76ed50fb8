//! Transactions that take effect once.
//!
//! Every call of the contracts is idempotent in effect (a credit is cumulative, a lease settles
//! once), so this module only has to get *one* of several copies mined. It replaces a copy that
//! stays pending under the same nonce with a higher fee, within two bounds: a multiple of the first
//! fee, and money. "already known" and "nonce too low" mean that a copy is pending or mined, not
//! that sending failed.
//!
//! Several transactions may be in flight. Each takes the nonce above all that are pending, so it
//! replaces no transaction of the account's owner. Copies are on disk before they are sent: after a
//! restart the same call goes on under its nonce.

mod fees;
mod flights;
mod refusal;

pub use fees::FeeLimit;

use crate::{Chain, ChainError, Revert, bindings::CommitteeOracle, state::StateFile};
use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::BlockId,
    network::TransactionBuilder,
    providers::Provider as _,
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::SolCall,
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use fees::{Ceiling, Fees, Floor};
use flights::{Flight, Flights, Followed};
use hashlease_primitives::Statement;
use refusal::Refusal;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, sleep},
};
use tracing::{debug, info, warn};

/// Time after which the fee of a pending copy is raised.
const RAISE_AFTER: Duration = Duration::from_secs(30);
/// Longest wait for a receipt. Copies that are pending then stay in flight.
const GIVE_UP_AFTER: Duration = Duration::from_secs(180);
/// Longest search for a mined copy after the endpoint has reported the nonce as used.
const LOOK_FOR: Duration = Duration::from_secs(5);
/// Shortest and longest pause between two requests for the receipt.
const POLL: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(3));
/// Shortest and longest pause after a refusal. It doubles with each.
const REFUSED: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));
/// Refusals of a new transaction before its call fails.
const REFUSALS: usize = 12;
/// Refusals because of its nonce before its call fails.
const NONCE_REFUSALS: usize = 4;
/// Calls that wait for a receipt at a time.
const IN_FLIGHT: usize = 16;
/// The most that a nonce may be above the account's mined ones. Otherwise an endpoint could have
/// transactions signed that lie ready for years.
const NONCES_AHEAD: u64 = 64;

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
    limit: FeeLimit,
    flights: Flights,
    // held while a nonce is chosen and its first copy sent
    turn: Arc<Mutex<()>>,
    places: Arc<Semaphore>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("account", &self.key.address()).finish_non_exhaustive()
    }
}

/// Result of sending one copy.
enum Broadcast {
    /// The copy is pending, as far as we know.
    Sent,
    /// The endpoint gave a reason.
    Refused(Refusal),
}

impl Sender {
    /// Sends from the account of `key`. Transactions are kept in memory.
    #[must_use]
    pub fn new(chain: Chain, key: PrivateKeySigner) -> Self {
        Self {
            chain,
            key,
            limit: FeeLimit::default(),
            flights: Flights::default(),
            turn: Arc::default(),
            places: Arc::new(Semaphore::new(IN_FLIGHT)),
        }
    }

    /// Pays at most this for one transaction.
    #[must_use]
    pub fn limited(mut self, limit: FeeLimit) -> Self {
        self.limit = limit;
        self
    }

    /// Keeps transactions that are in flight in this file, and takes up those that it holds.
    ///
    /// # Errors
    /// [`ChainError`] if the file can't be read or belongs to another deployment or account.
    pub fn kept_in(mut self, file: PathBuf) -> Result<Self, ChainError> {
        let account = self.address();
        let file = StateFile::new(file, self.chain.deployment(), account.to_string());
        self.flights = Flights::open(file, account)?;
        Ok(self)
    }

    /// The sending account, which pays for gas.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.key.address()
    }

    /// Sends a call to a contract and waits until it is mined.
    ///
    /// # Errors
    /// [`ChainError::Reverted`] if a dry run reverts, and [`ChainError::FeeTooHigh`] if the fee
    /// limit is too low; nothing was signed then. [`ChainError::NotMined`] if no copy was mined in
    /// time.
    pub async fn call<C: SolCall>(&self, to: Address, call: &C) -> Result<Receipt, ChainError> {
        let name = C::SIGNATURE.split('(').next().unwrap_or(C::SIGNATURE);
        self.send(name, to, call.abi_encode().into()).await
    }

    /// Sends a statement that enough members signed to its committee's oracle, and waits until it is
    /// mined.
    ///
    /// # Errors
    /// As [`Sender::call`].
    pub async fn submit(
        &self,
        oracle: Address,
        statement: &Statement,
        signatures: Vec<u8>,
    ) -> Result<Receipt, ChainError> {
        let typed = statement.typed();
        let statement = CommitteeOracle::Statement {
            lease: typed.lease,
            asOf: typed.asOf,
            work: typed.work,
            due: typed.due,
            evidence: typed.evidence,
            last: typed.last,
        };
        let call = CommitteeOracle::submitCall { statements: vec![statement], signatures: signatures.into() };
        self.call(oracle, &call).await
    }

    async fn send(&self, call: &'static str, to: Address, input: Bytes) -> Result<Receipt, ChainError> {
        // never closed, so there is always a place in the end
        let _place = self.places.acquire().await;
        let turn = self.turn.lock().await;
        let (followed, first, sent) = match self.flights.claim(to, &input) {
            Some(followed) => {
                debug!(call, nonce = followed.nonce, "transaction taken up again");
                (followed, self.estimate().await?, false)
            }
            None => {
                let (followed, first) = self.launch(call, to, input).await?;
                (followed, first, true)
            }
        };
        drop(turn);
        self.land(call, &followed, first, sent).await
    }

    async fn estimate(&self) -> Result<Fees, ChainError> {
        let estimate = self.chain.provider().estimate_eip1559_fees().await?;
        Ok(Fees { max: estimate.max_fee_per_gas, tip: estimate.max_priority_fee_per_gas })
    }

    /// Gas of a call, from a dry run.
    async fn dry_run(&self, call: &'static str, to: Address, input: Bytes) -> Result<u64, ChainError> {
        let account = self.address();
        let request = TransactionRequest::default().with_from(account).with_to(to).with_input(input);
        let error = match self.chain.provider().estimate_gas(request).await {
            Ok(gas) => return Ok(gas.saturating_add(gas / 5)),
            Err(error) => error,
        };
        if let Some(Refusal::NoGasMoney) = Refusal::of(&error) {
            return Err(ChainError::NoGasMoney { call, account });
        }
        Err(match Revert::of(&error) {
            Some(revert) => ChainError::Reverted { call, revert },
            None => error.into(),
        })
    }

    /// The nonce above all transactions of the account.
    async fn next_nonce(&self) -> Result<u64, ChainError> {
        let provider = self.chain.provider();
        let count = |block| provider.get_transaction_count(self.address()).block_id(block).into_future();
        let latest = count(BlockId::latest()).await?;
        let pending = count(BlockId::pending()).await?;
        let next = latest.max(pending).max(self.flights.next_nonce().unwrap_or(0));
        if next.saturating_sub(latest) > NONCES_AHEAD {
            let (what, expected) = ("next nonce", "at most 64 above the account's mined transactions");
            return Err(ChainError::Unexpected { what, expected, actual: format!("{next} after {latest}") });
        }
        Ok(next)
    }

    /// Sends the first copy of a call. Returns its flight and the first fees.
    async fn launch(
        &self,
        call: &'static str,
        to: Address,
        input: Bytes,
    ) -> Result<(Followed, Fees), ChainError> {
        let gas = self.dry_run(call, to, input.clone()).await?;
        let mut first = self.estimate().await?;
        let affordable = Ceiling(self.limit.per_gas(gas));
        if !affordable.allows(first) {
            return Err(self.too_high(call, gas, first));
        }
        let mut ceiling = Ceiling::new(self.limit, gas, first);
        let mut transaction = TxEip1559 {
            chain_id: self.chain.deployment().chain_id,
            nonce: self.next_nonce().await?,
            gas_limit: gas,
            max_fee_per_gas: first.max,
            max_priority_fee_per_gas: first.tip,
            to: TxKind::Call(to),
            value: U256::ZERO,
            access_list: Default::default(),
            input,
        };
        let (mut pause, mut nonce_refusals) = (REFUSED.0, 0);
        for _ in 0..REFUSALS {
            let nonce = transaction.nonce;
            let raw = self.sign(call, transaction.clone())?;
            let followed = self.flights.follow(nonce);
            let refused = match self.broadcast(call, nonce, &raw).await {
                Ok(Broadcast::Sent) => return Ok((followed, first)),
                Ok(Broadcast::Refused(refusal)) => Ok(refusal),
                Err(error) => Err(error),
            };
            self.flights.remove(nonce)?;
            match refused? {
                Refusal::Floor(floor) => {
                    let fees = fees_of(&transaction).above(self.named(floor).await);
                    if floor != Floor::More && affordable.allows(fees) {
                        // the endpoint's figure is its first fee
                        first = fees;
                        ceiling = Ceiling::new(self.limit, gas, first);
                    }
                    if !ceiling.allows(fees) {
                        return Err(self.too_high(call, gas, fees));
                    }
                    warn!(
                        call,
                        nonce,
                        max_fee = fees.max,
                        tip = fees.tip,
                        "fee is below the endpoint's floor, raised"
                    );
                    transaction.max_fee_per_gas = fees.max;
                    transaction.max_priority_fee_per_gas = fees.tip;
                }
                // another holder of the key was faster: its transaction stays
                Refusal::NonceUsed | Refusal::Replacement if nonce_refusals < NONCE_REFUSALS => {
                    nonce_refusals = nonce_refusals.saturating_add(1);
                    transaction.nonce = self.next_nonce().await?;
                }
                Refusal::NonceUsed | Refusal::Replacement => {
                    return Err(ChainError::NonceTaken { call, nonce });
                }
                Refusal::NoGasMoney => return Err(ChainError::NoGasMoney { call, account: self.address() }),
                Refusal::Known => return Ok((followed, first)),
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(REFUSED.1);
        }
        Err(ChainError::FeeRefused { call, max_fee: U256::from(transaction.max_fee_per_gas) })
    }

    fn too_high(&self, call: &'static str, gas: u64, fees: Fees) -> ChainError {
        ChainError::FeeTooHigh { call, gas, max_fee: U256::from(fees.max), limit: self.limit.most() }
    }

    /// A floor as the endpoint's own suggestion states it, where the refusal had no figure.
    async fn named(&self, floor: Floor) -> Floor {
        match floor {
            Floor::More => match self.chain.provider().get_max_priority_fee_per_gas().await {
                Ok(tip) => Floor::Tip(tip),
                Err(_) => Floor::More,
            },
            named => named,
        }
    }

    /// Waits until a copy is mined, and raises the fee of copies that stay pending.
    async fn land(
        &self,
        call: &'static str,
        followed: &Followed,
        first: Fees,
        sent: bool,
    ) -> Result<Receipt, ChainError> {
        let nonce = followed.nonce;
        let started = Instant::now();
        let mut give_up_at = after(GIVE_UP_AFTER);
        let mut raise_at = if sent { after(RAISE_AFTER) } else { started };
        let mut pause = POLL.0;
        let mut used = false;
        // another task removes a flight only if its nonce is used
        while let Some(flight) = self.flights.get(nonce) {
            if let Some((hash, receipt)) = self.receipt(call, &flight).await {
                self.flights.remove(nonce)?;
                return mined(call, hash, receipt);
            }
            if Instant::now() >= give_up_at {
                break;
            }
            if !used && Instant::now() >= raise_at {
                self.tend_orphans().await;
                used = self.renew(call, &flight, first).await?;
                raise_at = after(RAISE_AFTER);
                if used {
                    give_up_at = give_up_at.min(after(LOOK_FOR));
                }
            }
            sleep(pause).await;
            pause = pause.saturating_mul(5).checked_div(4).unwrap_or(pause).min(POLL.1);
        }
        if used {
            self.flights.remove(nonce)?;
            return Err(ChainError::NonceTaken { call, nonce });
        }
        Err(ChainError::NotMined { call, nonce, seconds: started.elapsed().as_secs() })
    }

    /// The receipt of whichever copy is mined.
    async fn receipt(&self, call: &'static str, flight: &Flight) -> Option<(B256, TransactionReceipt)> {
        // the newest copy is the likeliest
        for hash in flight.copies.iter().rev() {
            match self.chain.provider().get_transaction_receipt(*hash).await {
                Ok(Some(receipt)) => return Some((*hash, receipt)),
                Ok(None) => {}
                Err(error) => debug!(call, %hash, error = %ChainError::from(error), "receipt not read"),
            }
        }
        None
    }

    /// Sends a pending copy again, with a higher fee if the bounds allow one. Returns whether the
    /// nonce is used. Copies that are out stay in flight whatever the answer, so no refusal ends
    /// the wait.
    async fn renew(&self, call: &'static str, flight: &Flight, first: Fees) -> Result<bool, ChainError> {
        let nonce = flight.transaction.nonce;
        let ceiling = Ceiling::new(self.limit, flight.transaction.gas_limit, first);
        let last = fees_of(&flight.transaction);
        // a node that keeps the copy asks for a tenth or for twice as much to replace it
        for fees in [last.raised(), last.doubled()] {
            let fees = fees.at_most(ceiling);
            let higher = fees.replace(last);
            let raw = if higher {
                warn!(call, nonce, max_fee = fees.max, "transaction is not mined yet, fee raised");
                let copy = TxEip1559 {
                    max_fee_per_gas: fees.max,
                    max_priority_fee_per_gas: fees.tip,
                    ..flight.transaction.clone()
                };
                self.sign(call, copy)?
            } else {
                flight.raw.clone()
            };
            match self.broadcast(call, nonce, &raw).await {
                Ok(Broadcast::Refused(Refusal::NonceUsed)) => return Ok(true),
                Ok(Broadcast::Refused(Refusal::Replacement | Refusal::Floor(_))) if higher => {
                    sleep(REFUSED.0).await;
                }
                Ok(Broadcast::Refused(refusal)) => {
                    debug!(call, nonce, ?refusal, "pending transaction is refused now");
                    break;
                }
                Ok(Broadcast::Sent) => break,
                Err(error) => {
                    debug!(call, nonce, %error, "pending transaction not sent again");
                    break;
                }
            }
        }
        Ok(false)
    }

    /// Renews flights that nobody follows: those of an earlier process, and those whose call gave
    /// up. All later transactions wait for them.
    async fn tend_orphans(&self) {
        let Ok(_turn) = self.turn.try_lock() else { return };
        let orphans = self.flights.orphans();
        if orphans.is_empty() {
            return;
        }
        if let Err(error) = self.tend(orphans).await {
            debug!(%error, "earlier transactions not renewed");
        }
    }

    async fn tend(&self, orphans: Vec<u64>) -> Result<(), ChainError> {
        let first = self.estimate().await?;
        for nonce in orphans {
            let Some(flight) = self.flights.get(nonce) else { continue };
            let mined = self.receipt("earlier transaction", &flight).await.is_some();
            if mined || self.renew("earlier transaction", &flight, first).await? {
                self.flights.remove(nonce)?;
            }
        }
        Ok(())
    }

    /// Signs a copy, which is on disk when this returns. Returns the signed copy.
    fn sign(&self, call: &'static str, transaction: TxEip1559) -> Result<Bytes, ChainError> {
        let signature = self
            .key
            .sign_hash_sync(&transaction.signature_hash())
            .map_err(|source| ChainError::Signing { call, source })?;
        let envelope = TxEnvelope::from(transaction.clone().into_signed(signature));
        self.flights.add(&envelope, transaction)
    }

    /// Hands one copy to the endpoint.
    async fn broadcast(&self, call: &'static str, nonce: u64, raw: &Bytes) -> Result<Broadcast, ChainError> {
        match self.chain.provider().send_raw_transaction(raw).await {
            Ok(pending) => {
                debug!(call, nonce, hash = %pending.tx_hash(), "transaction sent");
                Ok(Broadcast::Sent)
            }
            Err(error) => match Refusal::of(&error) {
                Some(Refusal::Known) => Ok(Broadcast::Sent),
                Some(refusal) => Ok(Broadcast::Refused(refusal)),
                // the answer was lost: the receipt decides
                None if !error.is_error_resp() => Ok(Broadcast::Sent),
                None => Err(error.into()),
            },
        }
    }
}

const fn fees_of(transaction: &TxEip1559) -> Fees {
    Fees { max: transaction.max_fee_per_gas, tip: transaction.max_priority_fee_per_gas }
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
