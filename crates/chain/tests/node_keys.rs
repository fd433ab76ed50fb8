//! Node keys, as the directory held them at the ends of epochs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub, dead_code, unused_imports)]
mod endpoint;

use alloy::{rpc::types::Block, sol_types::SolCall as _};
use alloy_primitives::{Address, hex};
use endpoint::{Reply, call_input, quantity, serve};
use hashlease_chain::{NodeKeys, bindings::Directory::nodeKeyAtCall};
use hashlease_primitives::{Algorithm, Domain, HashRate, LeaseId, SettlementWeight, Terms, UnixSeconds};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

const FIRST: Address = Address::repeat_byte(0xa1);
const SECOND: Address = Address::repeat_byte(0xa2);
const DEPTH: u64 = 5;

/// An endpoint whose blocks are a second apart, with a key from second 150 and another from second
/// 250 on.
#[derive(Default)]
struct Script {
    /// Newest block, whose time is its number.
    head: u64,
    down: bool,
    /// Seconds that were asked for, and the blocks in which.
    asked: Vec<(u64, u64)>,
}

impl Script {
    fn answer(&mut self, method: &str, params: &Value) -> Reply {
        let number = |value: &Value| {
            u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
        };
        match method {
            "eth_blockNumber" => Reply::Result(json!(quantity(self.head))),
            "eth_getBlockByNumber" => {
                let mut block = Block::<()>::default();
                block.header.inner.timestamp = number(&params[0]);
                Reply::Result(json!(block))
            }
            "eth_call" if self.down => Reply::Error(-32_000, "down".into()),
            "eth_call" => {
                let call = nodeKeyAtCall::abi_decode(&hex::decode(call_input(params)).unwrap()).unwrap();
                let time: u64 = call.time.to();
                self.asked.push((time, number(&params[1])));
                let key = match time {
                    ..150 => Address::ZERO,
                    150..250 => FIRST,
                    _ => SECOND,
                };
                Reply::Result(json!(hex::encode_prefixed(nodeKeyAtCall::abi_encode_returns(&key))))
            }
            other => Reply::unknown(other),
        }
    }
}

fn terms(id: u64) -> Terms {
    Terms {
        id: LeaseId(id),
        domain: Domain { chain_id: 31_337, contract: Address::repeat_byte(1) },
        oracle: Address::repeat_byte(5),
        provider: Address::repeat_byte(3),
        job_signer: Address::repeat_byte(9),
        algorithm: Algorithm::Sha256d,
        weight: SettlementWeight::from_log2(0).unwrap(),
        rate: HashRate::new(1),
        start: UnixSeconds::new(100),
        end: UnixSeconds::new(400),
        duration: 300,
        epoch_length: 50,
    }
}

#[tokio::test]
async fn a_key_counts_for_the_epochs_that_end_while_it_stands() {
    let script = Arc::new(Mutex::new(Script { head: 200 + DEPTH, ..Script::default() }));
    let says = Arc::clone(&script);
    let chain = serve(move |method, params| says.lock().unwrap().answer(method, params)).await;
    let mut keys = NodeKeys::new(chain, DEPTH);
    let lease = terms(1);

    // epochs end at 150, 200, 250, …; the second of an end has to be over
    keys.look(&[&lease]).await.unwrap();
    assert_eq!(keys.of(lease.id), BTreeMap::from([(0, FIRST)]));
    script.lock().unwrap().head = 301 + DEPTH;
    keys.look(&[&lease]).await.unwrap();
    let known = BTreeMap::from([(0, FIRST), (1, FIRST), (2, SECOND), (3, SECOND)]);
    assert_eq!(keys.of(lease.id), known);
    // each was read once, the latest first, below the blocks that may still change
    assert_eq!(script.lock().unwrap().asked, [(150, 200), (300, 301), (250, 301), (200, 301)]);

    // what is known stays known while the directory can't be read
    script.lock().unwrap().down = true;
    script.lock().unwrap().head = 351 + DEPTH;
    keys.look(&[&lease]).await.unwrap_err();
    assert_eq!(keys.of(lease.id), known);
    // and is forgotten with its lease
    script.lock().unwrap().down = false;
    keys.look(&[&terms(2)]).await.unwrap();
    assert_eq!((keys.of(lease.id).len(), keys.of(LeaseId(2)).len()), (0, 5));
}

#[tokio::test]
async fn a_provider_without_a_key_has_none() {
    let script = Arc::new(Mutex::new(Script { head: 140 + DEPTH, ..Script::default() }));
    let says = Arc::clone(&script);
    let chain = serve(move |method, params| says.lock().unwrap().answer(method, params)).await;
    let mut keys = NodeKeys::new(chain, DEPTH);
    let lease = Terms { epoch_length: 30, ..terms(1) };
    for _ in 0..2 {
        keys.look(&[&lease]).await.unwrap();
        assert!(keys.of(lease.id).is_empty());
    }
    assert_eq!(script.lock().unwrap().asked, [(130, 140)], "an answer of none is kept, too");
}
