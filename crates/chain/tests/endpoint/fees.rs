//! An endpoint that reports fees and decides which transactions to accept.

use super::{Reply, quantity, serve};
use alloy::{
    consensus::{Transaction as _, TxEnvelope},
    eips::Decodable2718 as _,
};
use alloy_primitives::hex;
use hashlease_chain::Chain;
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// A timeout so long that only a failing test reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Fees of one signed copy, wei per gas.
#[derive(Clone, Copy, Debug)]
pub struct SignedCopy {
    pub max: u128,
    pub tip: u128,
}

pub struct FeeEndpoint {
    pub chain: Chain,
    copies: Arc<Mutex<Vec<SignedCopy>>>,
}

impl FeeEndpoint {
    /// Reports `tip` as the usual tip, and answers each signed copy according to its tip. No
    /// transaction is ever mined.
    pub async fn start(tip: u64, answer: impl Fn(u128) -> Reply + Send + Sync + 'static) -> Self {
        let copies = Arc::<Mutex<Vec<SignedCopy>>>::default();
        let seen = Arc::clone(&copies);
        let chain = serve(move |method, params| match method {
            "eth_estimateGas" => Reply::Result(json!(quantity(100_000))),
            "eth_getTransactionCount" => Reply::Result(json!(quantity(7))),
            "eth_feeHistory" => Reply::Result(json!({
                "oldestBlock": quantity(1),
                "baseFeePerGas": vec![quantity(1_000_000_000); 11],
                "gasUsedRatio": vec![0.5; 10],
                "reward": vec![vec![quantity(tip)]; 10],
            })),
            "eth_sendRawTransaction" => {
                let copy = decode(&params[0]);
                seen.lock().unwrap().push(copy);
                answer(copy.tip)
            }
            "eth_getTransactionReceipt" => Reply::Result(Value::Null),
            other => Reply::unknown(other),
        })
        .await;
        Self { chain, copies }
    }

    /// All signed copies until now.
    pub fn copies(&self) -> Vec<SignedCopy> {
        self.copies.lock().unwrap().clone()
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
    SignedCopy { max: transaction.max_fee_per_gas(), tip: transaction.max_priority_fee_per_gas().unwrap() }
}
