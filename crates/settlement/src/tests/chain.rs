//! An RPC endpoint that knows one block.

use alloy_primitives::{Address, B64, B256, Bloom, U256};
use axum::{Json, Router, routing::post};
use hashlease_chain::{Chain, Deployment};
use hashlease_primitives::UnixSeconds;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A chain whose newest block was made at `time`, Unix seconds. Any other request gets an error.
pub(super) async fn chain_at(time: u64) -> Chain {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = move |Json(request): Json<Value>| async move {
        let mut answer = match request["method"].as_str().unwrap() {
            "eth_blockNumber" => json!({"result": "0x64"}),
            "eth_getBlockByNumber" => json!({"result": block(time)}),
            other => json!({"error": {"code": -32_601, "message": format!("no method {other}")}}),
        };
        answer["jsonrpc"] = json!("2.0");
        answer["id"] = request["id"].clone();
        Json(answer)
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await });
    let at = Address::repeat_byte;
    let deployment = Deployment {
        chain_id: 31_337,
        block: 1,
        escrow: at(1),
        registry: at(2),
        lens: at(3),
        directory: at(4),
        oracle: at(5),
        oracle_id: 1,
        token: at(6),
        access_manager: at(7),
    };
    Chain::new(&url.parse().unwrap(), deployment).unwrap()
}

fn block(time: u64) -> Value {
    json!({
        "number": "0x64",
        "hash": B256::repeat_byte(1),
        "parentHash": B256::repeat_byte(2),
        "sha3Uncles": B256::ZERO,
        "miner": Address::ZERO,
        "stateRoot": B256::ZERO,
        "transactionsRoot": B256::ZERO,
        "receiptsRoot": B256::ZERO,
        "logsBloom": Bloom::ZERO,
        "difficulty": U256::ZERO,
        "gasLimit": "0x1c9c380",
        "gasUsed": "0x0",
        "timestamp": format!("{time:#x}"),
        "extraData": "0x",
        "mixHash": B256::ZERO,
        "nonce": B64::ZERO,
        "baseFeePerGas": "0x1",
        "size": "0x200",
        "uncles": [],
        "transactions": [],
    })
}

#[tokio::test]
async fn the_block_is_read() {
    let chain = chain_at(1_700_000_000).await;
    assert_eq!(chain.time().await.unwrap(), UnixSeconds::new(1_700_000_000));
    assert_eq!(chain.block_number().await.unwrap(), 100);
}
