//! An endpoint that reports fees and decides which transactions to accept.

use super::{Reply, quantity, serve};
use alloy::{
    consensus::{Transaction as _, TxEnvelope},
    eips::Decodable2718 as _,
};
use alloy_primitives::{Address, B256, Bloom, hex};
use hashlease_chain::Chain;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// A timeout so long that only a failing test reaches it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Nonce of the account's next transaction.
pub const NONCE: u64 = 7;

/// One signed copy. Fees in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedCopy {
    pub max: u128,
    pub tip: u128,
    pub nonce: u64,
    pub hash: B256,
}

/// The endpoint's state.
#[derive(Default)]
pub struct Pool {
    pub copies: Vec<SignedCopy>,
    /// Copies that are in a block.
    pub mined: BTreeSet<B256>,
    /// Transactions of the account's owner that are pending.
    pub foreign: u64,
}

pub struct FeeEndpoint {
    pub chain: Chain,
    pool: Arc<Mutex<Pool>>,
}

impl FeeEndpoint {
    /// Reports `tip` as the usual tip, and answers each signed copy.
    pub async fn start(tip: u64, answer: impl Fn(SignedCopy) -> Reply + Send + Sync + 'static) -> Self {
        let pool = Arc::<Mutex<Pool>>::default();
        let seen = Arc::clone(&pool);
        let chain = serve(move |method, params| {
            let mut pool = seen.lock().unwrap();
            match method {
                "eth_estimateGas" => Reply::Result(json!(quantity(100_000))),
                "eth_getTransactionCount" if params[1] == "pending" => {
                    Reply::Result(json!(quantity(NONCE + pool.foreign)))
                }
                "eth_getTransactionCount" => Reply::Result(json!(quantity(NONCE))),
                "eth_feeHistory" => Reply::Result(json!({
                    "oldestBlock": quantity(1),
                    "baseFeePerGas": vec![quantity(1_000_000_000); 11],
                    "gasUsedRatio": vec![0.5; 10],
                    "reward": vec![vec![quantity(tip)]; 10],
                })),
                "eth_sendRawTransaction" => {
                    let copy = decode(&params[0]);
                    pool.copies.push(copy);
                    answer(copy)
                }
                "eth_getTransactionReceipt" => Reply::Result(receipt(&params[0], &pool)),
                other => Reply::unknown(other),
            }
        })
        .await;
        Self { chain, pool }
    }

    /// Takes every copy.
    pub async fn taking(tip: u64) -> Self {
        Self::start(tip, |copy| Reply::Result(json!(copy.hash))).await
    }

    pub fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap()
    }

    /// All signed copies until now.
    pub fn copies(&self) -> Vec<SignedCopy> {
        self.pool().copies.clone()
    }

    /// All signed copies, once there are `count` of them.
    pub async fn wait_for_copies(&self, count: usize) -> Vec<SignedCopy> {
        let begun = Instant::now();
        while self.copies().len() < count {
            assert!(begun.elapsed() < PATIENCE, "{} signed copies instead of {count}", self.copies().len());
            sleep(Duration::from_millis(20)).await;
        }
        self.copies()
    }
}

fn decode(raw: &Value) -> SignedCopy {
    let bytes = hex::decode(raw.as_str().unwrap()).unwrap();
    let transaction = TxEnvelope::decode_2718(&mut bytes.as_slice()).unwrap();
    SignedCopy {
        max: transaction.max_fee_per_gas(),
        tip: transaction.max_priority_fee_per_gas().unwrap(),
        nonce: transaction.nonce(),
        hash: *transaction.tx_hash(),
    }
}

fn receipt(hash: &Value, pool: &Pool) -> Value {
    let asked: B256 = hash.as_str().unwrap().parse().unwrap();
    if !pool.mined.contains(&asked) {
        return Value::Null;
    }
    json!({
        "type": "0x2",
        "status": "0x1",
        "transactionHash": asked,
        "transactionIndex": "0x0",
        "blockHash": B256::repeat_byte(9),
        "blockNumber": quantity(50),
        "cumulativeGasUsed": quantity(90_000),
        "gasUsed": quantity(90_000),
        "effectiveGasPrice": quantity(1),
        "from": Address::repeat_byte(8),
        "to": Address::repeat_byte(1),
        "contractAddress": null,
        "logs": [],
        "logsBloom": Bloom::ZERO,
    })
}
