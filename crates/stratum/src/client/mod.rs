//! The miner's side towards a pool, or a node's towards its gateway.
//!
//! [`connect`] opens one session and sends `mining.configure`, `mining.subscribe`,
//! `mining.authorize`, `mining.extranonce.subscribe` and `mining.suggest_difficulty`. What the pool sends comes out as
//! [`UpstreamEvent`]s in the pool's order. An ended session stays ended: the caller decides whether
//! and when to connect again. `client.reconnect` only ends it, because following it to another host
//! is how hash power gets stolen.

mod end;
mod event;
mod notice_limits;
mod options;
mod session;

pub use end::ClientEnd;
pub use event::{SubmitOutcome, UpstreamEvent};
pub use options::{ConnectOptions, OptionalRequests};

use hashlease_net::Network;
use serde_json::{Value, json};
use session::Command;
use std::{future::Future, io};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Events that may wait for the caller; while the limit is reached, the pool is not read.
const EVENTS: usize = 256;
/// Shares that may wait for the socket.
const SUBMITS: usize = 4_096;

/// Why no session could be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not plain Stratum V1 over TCP.
    #[error("{address}: {scheme}:// is not served: expected stratum+tcp://")]
    Scheme {
        /// The address.
        address: String,
        /// The requested scheme.
        scheme: String,
    },
    /// No host, or no port.
    #[error("pool address {address:?}: expected host:port")]
    Address {
        /// The address as written.
        address: String,
    },
    /// Refused, unreachable, or no such host.
    #[error("{address}: {source}")]
    Io {
        /// The address.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// No connection in time.
    #[error("{address}: no connection within {seconds} s")]
    Timeout {
        /// The address.
        address: String,
        /// How long we waited.
        seconds: u64,
    },
}

/// Sends shares.
#[derive(Clone, Debug)]
pub struct UpstreamHandle {
    commands: mpsc::Sender<Command>,
}

impl UpstreamHandle {
    /// Sends a share now; the future is the pool's answer.
    pub fn submit(
        &self,
        worker: &str,
        job_id: &str,
        extranonce2: &[u8],
        ntime: u32,
        nonce: u32,
        version_bits: Option<u32>,
    ) -> impl Future<Output = SubmitOutcome> + Send + 'static {
        let mut params = vec![
            json!(worker),
            json!(job_id),
            json!(hex::encode(extranonce2)),
            json!(format!("{ntime:08x}")),
            json!(format!("{nonce:08x}")),
        ];
        params.extend(version_bits.map(|bits| json!(format!("{bits:08x}"))));
        let (outcome, answer) = oneshot::channel();
        // a full queue counts as a lost connection: the caller learns that there is no verdict
        let sent = self.commands.try_send(Command { params: Value::Array(params), outcome });
        async move {
            if sent.is_err() {
                return SubmitOutcome::Lost;
            }
            answer.await.unwrap_or(SubmitOutcome::Lost)
        }
    }
}

/// What the pool sends, in its order. The session ends when this is dropped.
#[derive(Debug)]
pub struct UpstreamEvents {
    events: mpsc::Receiver<UpstreamEvent>,
}

impl UpstreamEvents {
    /// The next event; `None` after [`UpstreamEvent::Closed`].
    pub async fn next(&mut self) -> Option<UpstreamEvent> {
        self.events.recv().await
    }
}

/// Opens a session over `network`.
///
/// # Errors
/// [`ConnectError`] when there is no connection; every later failure is an event.
pub async fn connect(
    network: &dyn Network,
    options: ConnectOptions,
) -> Result<(UpstreamHandle, UpstreamEvents), ConnectError> {
    let address = options.address.clone();
    if let Some(scheme) = options.scheme {
        return Err(ConnectError::Scheme { address, scheme });
    }
    match address.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(1..))) if !host.is_empty() => {}
        _ => return Err(ConnectError::Address { address }),
    }
    let stream = match timeout(options.handshake, network.connect(&address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(source)) => return Err(ConnectError::Io { address, source }),
        Err(_) => return Err(ConnectError::Timeout { address, seconds: options.handshake.as_secs() }),
    };
    let (commands, requests) = mpsc::channel(SUBMITS);
    let (sender, events) = mpsc::channel(EVENTS);
    tokio::spawn(session::run(stream, options, sender, requests));
    Ok((UpstreamHandle { commands }, UpstreamEvents { events }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashlease_net::Tcp;

    #[tokio::test]
    async fn invalid_addresses_are_named() {
        for (address, words) in [
            ("pool.example", "expected host:port"),
            (":3333", "expected host:port"),
            ("pool.example:0", "expected host:port"),
            ("stratum+ssl://pool.example:3333", "stratum+ssl:// is not served"),
        ] {
            let error = connect(&Tcp, ConnectOptions::new(address, "agent")).await.err().unwrap().to_string();
            assert!(error.contains(words), "{address}: {error}");
        }
    }
}
