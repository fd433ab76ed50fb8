//! Asks a pool of the user's own, before anything is started, whether the worker may mine there.

use serde_json::{Value, json};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

/// Time for the connection, and for the answers.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes that are read of a pool's answers.
const LONGEST: u64 = 1 << 20;

/// Why a pool can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum PoolError {
    #[error("pool {pool} can't be reached: {source}; check host and port of --pool")]
    Unreachable { pool: String, source: io::Error },
    #[error("pool {pool} did not answer within {} s: is it a Stratum V1 pool?", PATIENCE.as_secs())]
    Silent { pool: String },
    #[error("pool {pool} closed the connection before it let the worker in: is it a Stratum V1 pool?")]
    Closed { pool: String },
    #[error("pool {pool} sent no Stratum V1 message: is it the address for miners?")]
    NotStratum { pool: String },
    #[error("pool {pool} refuses the worker {worker}: {words}; check --worker")]
    Refused { pool: String, worker: String, words: String },
}

/// Subscribes and authorises as a miner does, and leaves.
pub(super) async fn probe(pool: &str, worker: &str) -> Result<(), PoolError> {
    let named = || pool.to_owned();
    let unreachable = |source| PoolError::Unreachable { pool: named(), source };
    let stream = match timeout(PATIENCE, TcpStream::connect(pool)).await {
        Ok(connected) => connected.map_err(unreachable)?,
        Err(_) => return Err(unreachable(io::ErrorKind::TimedOut.into())),
    };
    timeout(PATIENCE, let_in(stream, pool, worker))
        .await
        .unwrap_or_else(|_| Err(PoolError::Silent { pool: named() }))
}

async fn let_in(mut stream: TcpStream, pool: &str, worker: &str) -> Result<(), PoolError> {
    let closed = || PoolError::Closed { pool: pool.to_owned() };
    let subscribe = json!({"id": 1, "method": "mining.subscribe", "params": ["hashlease-demo"]});
    let authorize = json!({"id": 2, "method": "mining.authorize", "params": [worker, "x"]});
    let asked = format!("{subscribe}\n{authorize}\n");
    stream.write_all(asked.as_bytes()).await.map_err(|_| closed())?;
    let mut lines = BufReader::new(stream.take(LONGEST)).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(message) = serde_json::from_str::<Value>(&line) else {
            return Err(PoolError::NotStratum { pool: pool.to_owned() });
        };
        if message["id"] != 2 || message.get("method").is_some() {
            continue;
        }
        if message["result"] == true {
            return Ok(());
        }
        let words = match &message["error"] {
            Value::Null => "no reason given".to_owned(),
            error => error.to_string(),
        };
        return Err(PoolError::Refused { pool: pool.to_owned(), worker: worker.to_owned(), words });
    }
    Err(closed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashlease_sim::pool::{PoolConfig, PoolHandle};
    use tokio::net::TcpListener;

    /// A server that says `words` to everybody and closes.
    async fn says(words: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(words.as_bytes()).await;
                let mut asked = [0; 512];
                let _ = stream.read(&mut asked).await;
            }
        });
        address
    }

    #[tokio::test]
    async fn a_pool_that_lets_the_worker_in_is_good() {
        let pool = PoolHandle::start(PoolConfig::default()).await.unwrap();
        probe(&pool.address().to_string(), "me.1").await.unwrap();
    }

    #[tokio::test]
    async fn every_other_pool_is_told_apart_in_words() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let cases = [
            (free.to_string(), "can't be reached"),
            ("nonsense".to_owned(), "can't be reached"),
            (says("").await, "closed the connection"),
            (says("HTTP/1.1 400 Bad Request\r\n\r\n").await, "no Stratum V1 message"),
            (says("{\"id\":2,\"result\":false,\"error\":[24,\"who?\",null]}\n").await, "who?"),
            (says("{\"id\":2,\"result\":null,\"error\":null}\n").await, "no reason given"),
        ];
        for (pool, words) in cases {
            let error = probe(&pool, "me.1").await.unwrap_err().to_string();
            assert!(error.contains(words) && error.contains(&pool), "{error}");
        }
    }
}
