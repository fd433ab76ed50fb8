//! An endpoint that serves leases, and the ways in which it can be wrong about them.

use super::{Reply, block_range, call_input, quantity, serve};
use alloy::sol_types::{SolCall as _, SolEvent as _, SolValue as _};
use alloy_primitives::{Address, Bytes, U256, aliases::U40, aliases::U96, hex};
use hashlease_chain::{Chain, LeaseFilter, LeaseWatcher, bindings::LeaseEscrow};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};

/// Provider of all leases.
pub const PROVIDER: Address = Address::repeat_byte(3);

/// The endpoint's current answers.
#[derive(Default)]
pub struct Script {
    /// Newest block.
    pub head: u64,
    /// Leases, each with the block in which it was rented.
    pub leases: Vec<(u64, u64)>,
    /// The replica that answers `eth_getLogs` has no block yet.
    pub logs_lag: bool,
    /// A lease that a reorganisation took back: reads of it revert.
    pub vanished: Option<u64>,
    /// A lease that the endpoint reports as settled.
    pub settled: Option<u64>,
    /// The largest number of blocks in one `eth_getLogs`.
    pub max_range: Option<u64>,
    /// The endpoint refuses every n-th request with status 429.
    pub limit_every: Option<u64>,
    /// Number of requests until now.
    pub requests: u64,
    /// Block ranges of all answered `eth_getLogs` requests.
    pub ranges: Vec<(u64, u64)>,
}

pub struct LeaseEndpoint {
    chain: Chain,
    script: Arc<Mutex<Script>>,
}

impl LeaseEndpoint {
    pub async fn start(script: Script) -> Self {
        let script = Arc::new(Mutex::new(script));
        let says = Arc::clone(&script);
        let chain = serve(move |method, params| says.lock().unwrap().answer(method, params)).await;
        Self { chain, script }
    }

    /// Follows the provider's leases, twelve blocks deep.
    pub fn watcher(&self) -> LeaseWatcher {
        LeaseWatcher::new(self.chain.clone(), LeaseFilter::Provider(PROVIDER), 12)
    }

    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }
}

impl Script {
    fn answer(&mut self, method: &str, params: &Value) -> Reply {
        self.requests += 1;
        if self.limit_every.is_some_and(|every| self.requests.is_multiple_of(every)) {
            return Reply::RateLimited;
        }
        match method {
            "eth_blockNumber" => Reply::Result(json!(quantity(self.head))),
            "eth_getLogs" => self.logs(params),
            "eth_call" => self.call(call_input(params)),
            other => Reply::unknown(other),
        }
    }

    fn logs(&mut self, params: &Value) -> Reply {
        let (from, to) = block_range(params);
        if let Some(most) = self.max_range.filter(|most| to - from >= *most) {
            return Reply::Error(-32_000, format!("eth_getLogs takes up to a {most} block range"));
        }
        self.ranges.push((from, to));
        let topic = params[0]["topics"][0].to_string();
        if self.logs_lag || !topic.contains(&hex::encode(LeaseEscrow::Rented::SIGNATURE_HASH)) {
            return Reply::Result(json!([]));
        }
        let found = self.leases.iter().filter(|(_, block)| (from..=to).contains(block));
        Reply::Result(found.map(|(id, block)| rented(*id, *block)).collect())
    }

    fn call(&self, input: &str) -> Reply {
        let is_lease = input.starts_with(&hex::encode_prefixed(LeaseEscrow::leaseCall::SELECTOR));
        if !is_lease {
            // `pinnedOracle`: a struct of nine words
            return Reply::Result(json!(hex::encode_prefixed([0; 32 * 9])));
        }
        let id = u64::from_str_radix(&input[input.len() - 16..], 16).unwrap();
        if self.vanished == Some(id) {
            return Reply::Error(3, "execution reverted".into());
        }
        Reply::Result(json!(lease(self.settled == Some(id))))
    }
}

/// A long-running lease, as the escrow returns it.
fn lease(settled: bool) -> Bytes {
    let blank = LeaseEscrow::leaseCall::abi_decode_returns(&[0; 32 * 64]).unwrap();
    let lease = LeaseEscrow::Lease {
        algorithm: 1,
        oracle: 1,
        settled,
        start: U40::from(1_000),
        end: U40::from(1_u64 << 33),
        duration: 7_200,
        epochLength: 3_600,
        weightLog2: 6,
        rate: U96::from(1_000),
        provider: PROVIDER,
        ..blank
    };
    lease.abi_encode().into()
}

fn rented(id: u64, block: u64) -> Value {
    let hash = |number: u64| format!("{:#066x}", U256::from(number));
    json!({
        "address": Address::repeat_byte(1),
        "topics": [LeaseEscrow::Rented::SIGNATURE_HASH, hash(id), PROVIDER.into_word(), hash(0)],
        "data": hex::encode_prefixed([0; 32 * 4]),
        "blockNumber": quantity(block),
        "blockHash": hash(block),
        "transactionHash": hash(id),
        "transactionIndex": quantity(0),
        "logIndex": quantity(0),
        "removed": false,
    })
}
