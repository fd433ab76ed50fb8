//! A JSON-RPC endpoint on loopback, scripted by the test, which may also misbehave.

mod fees;
mod leases;

pub use fees::{FeeEndpoint, NONCE, SignedCopy};
pub use leases::{LeaseEndpoint, Script};

use alloy_primitives::Address;
use hashlease_chain::{Chain, Deployment};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use url::Url;

/// Block of the deployment: scans start here.
pub const DEPLOYED: u64 = 1;

/// The endpoint's answer to a request.
pub enum Reply {
    /// A result.
    Result(Value),
    /// An error with this code.
    Error(i64, String),
    /// HTTP status 429.
    RateLimited,
    /// No answer; the connection stays open.
    Never,
}

impl Reply {
    pub fn unknown(method: &str) -> Self {
        Self::Error(-32_601, format!("no method {method}"))
    }
}

type Answer = Arc<dyn Fn(&str, &Value) -> Reply + Send + Sync>;

/// Serves until the test ends.
pub async fn serve(answer: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> Chain {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let answer: Answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, Arc::clone(&answer)));
        }
    });
    let at = Address::repeat_byte;
    let deployment = Deployment {
        chain_id: 31_337,
        block: DEPLOYED,
        escrow: at(1),
        registry: at(2),
        lens: at(3),
        directory: at(4),
        oracle: at(5),
        oracle_id: 1,
        token: at(6),
        access_manager: at(7),
    };
    Chain::new(&url, deployment).unwrap()
}

async fn connection(stream: TcpStream, answer: Answer) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = request(&mut stream).await {
        let reply = answer(request["method"].as_str().unwrap(), &request["params"]);
        let (status, mut body) = match reply {
            Reply::Result(result) => ("200 OK", json!({"result": result})),
            Reply::Error(code, message) => {
                ("200 OK", json!({"error": {"code": code, "message": message, "data": "0x"}}))
            }
            Reply::RateLimited => {
                ("429 Too Many Requests", json!({"error": {"code": -32_005, "message": "rate limited"}}))
            }
            Reply::Never => std::future::pending().await,
        };
        body["jsonrpc"] = json!("2.0");
        body["id"] = request["id"].clone();
        let body = body.to_string();
        let head = format!("content-type: application/json\r\ncontent-length: {}", body.len());
        let response = format!("HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}");
        if stream.get_mut().write_all(response.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next request on a connection; `None` once the peer has closed it.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}

/// A number as JSON-RPC writes it.
pub fn quantity(number: u64) -> String {
    format!("{number:#x}")
}

/// First and last block of an `eth_getLogs`.
pub fn block_range(params: &Value) -> (u64, u64) {
    let number = |name: &str| {
        let text = params[0][name].as_str().unwrap();
        u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
    };
    (number("fromBlock"), number("toBlock"))
}

/// The input of an `eth_call`, in hexadecimal with its prefix.
pub fn call_input(params: &Value) -> &str {
    params[0]["input"].as_str().or_else(|| params[0]["data"].as_str()).unwrap()
}
