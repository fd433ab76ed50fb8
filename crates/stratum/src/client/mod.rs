//! The miner's side towards a pool, or a node's towards its gateway.
//!
//! [`connect`] opens one session and speaks `mining.configure`, `mining.subscribe`, `mining.authorize` and
//! `mining.extranonce.subscribe`; what the pool says comes out as [`UpstreamEvent`]s in its order, whatever the order
//! is. A session ends for good: reconnecting, and how long to wait, is the caller's choice. `client.reconnect` only
//! ends it, because following it to another host is how hash power gets stolen.

mod session;

use crate::{LineLimits, Notify};
use hashlease_primitives::{DifficultyBase, Secret, Target};
use serde_json::{Value, json};
use session::Command;
use std::{future::Future, io, time::Duration};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Events that may wait for the caller before the pool has to.
const EVENTS: usize = 256;
/// Shares that may wait for the socket.
const SUBMITS: usize = 4_096;

/// Where to connect, and as whom.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    scheme: Option<String>,
    address: String,
    agent: String,
    user: String,
    password: Secret,
    version_mask: Option<u32>,
    extranonce_subscribe: bool,
    notifications: Vec<String>,
    difficulty: DifficultyBase,
    /// Longest wait for the connection, then for the answers of the handshake, and for every write.
    pub handshake: Duration,
    /// Longest wait for the answer to a share; after it the share counts as lost.
    pub answer: Duration,
    /// Bounds of what the pool may send.
    pub limits: LineLimits,
}

impl ConnectOptions {
    /// To `host:port`, with or without `stratum+tcp://`. A user and password inside the address are left out: they
    /// belong into [`credentials`](Self::credentials), and an address is logged.
    #[must_use]
    pub fn new(address: &str, agent: &str) -> Self {
        let (scheme, rest) = match address.trim().split_once("://") {
            Some(("stratum+tcp" | "tcp" | "stratum", rest)) => (None, rest),
            Some((scheme, rest)) => (Some(scheme.to_owned()), rest),
            None => (None, address.trim()),
        };
        let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        Self {
            scheme,
            address: rest.to_owned(),
            agent: agent.to_owned(),
            user: String::new(),
            password: Secret::new("x"),
            version_mask: None,
            extranonce_subscribe: true,
            notifications: Vec::new(),
            difficulty: DifficultyBase::Bitcoin,
            handshake: Duration::from_secs(15),
            answer: Duration::from_secs(60),
            limits: LineLimits {
                length: 256 * 1_024,
                idle: Duration::from_secs(300),
                line: Duration::from_secs(20),
            },
        }
    }

    /// Where it connects, `host:port`, fit to be logged.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Worker and password.
    #[must_use]
    pub fn credentials(mut self, user: String, password: Secret) -> Self {
        self.user = user;
        self.password = password;
        self
    }

    /// Version bits to ask for (BIP 310).
    #[must_use]
    pub const fn version_mask(mut self, mask: u32) -> Self {
        self.version_mask = Some(mask);
        self
    }

    /// What the pool means by a difficulty: as Bitcoin's pools do, if nothing is said.
    #[must_use]
    pub const fn difficulty(mut self, base: DifficultyBase) -> Self {
        self.difficulty = base;
        self
    }

    /// Whether to ask for `mining.set_extranonce` once let in, which is so by default: some pools drop whoever asks.
    #[must_use]
    pub const fn extranonce_subscribe(mut self, ask: bool) -> Self {
        self.extranonce_subscribe = ask;
        self
    }

    /// Notifications beyond the usual that come out as [`UpstreamEvent::Other`].
    #[must_use]
    pub fn notifications<const N: usize>(mut self, methods: [&str; N]) -> Self {
        self.notifications = methods.map(str::to_owned).to_vec();
        self
    }
}

/// Why no session came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not plain Stratum V1 over TCP.
    #[error("{address}: {scheme}:// is not served: expected stratum+tcp://")]
    Scheme {
        /// Where to.
        address: String,
        /// What was asked for.
        scheme: String,
    },
    /// No host, or no port.
    #[error("pool address {address:?}: expected host:port")]
    Address {
        /// What there is.
        address: String,
    },
    /// Refused, unreachable, or no such host.
    #[error("{address}: {source}")]
    Io {
        /// Where to.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// No connection in time.
    #[error("{address}: no connection within {seconds} s")]
    Timeout {
        /// Where to.
        address: String,
        /// How long we waited.
        seconds: u64,
    },
}

/// What a pool said.
#[derive(Clone, Debug, PartialEq)]
pub enum UpstreamEvent {
    /// The answer to `mining.subscribe`: the extranonce of this session.
    Subscribed {
        /// The pool's part.
        extranonce1: Vec<u8>,
        /// Size of ours, bytes.
        extranonce2_size: usize,
    },
    /// `mining.set_extranonce`: the extranonce from the next job on.
    Extranonce {
        /// The pool's part.
        extranonce1: Vec<u8>,
        /// Size of ours, bytes.
        extranonce2_size: usize,
    },
    /// Version bits that may be rolled; none were granted while this did not come.
    VersionMask(u32),
    /// Target of the jobs that follow.
    Difficulty(Target),
    /// A job.
    Notify(Box<Notify>),
    /// One of the notifications asked for.
    Other {
        /// Method.
        method: String,
        /// Parameters.
        params: Value,
    },
    /// The worker is let in.
    Authorized,
    /// The worker is refused.
    Refused {
        /// The pool's words.
        message: String,
    },
    /// The session ended; the last event.
    Closed {
        /// Why, in words.
        reason: String,
    },
}

/// What a pool answered to a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// Accepted.
    Accepted,
    /// Refused.
    Rejected {
        /// The pool's number.
        code: i64,
        /// The pool's words.
        message: String,
    },
    /// The session ended before an answer, or none came in time.
    Lost,
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
        // a full queue is as a lost connection: the caller knows that there is no verdict
        let sent = self.commands.try_send(Command { params: Value::Array(params), outcome });
        async move {
            if sent.is_err() {
                return SubmitOutcome::Lost;
            }
            answer.await.unwrap_or(SubmitOutcome::Lost)
        }
    }
}

/// What the pool says, in its order. The session ends when this is dropped.
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

/// Opens a session.
///
/// # Errors
/// [`ConnectError`] when there is no connection; everything later comes as an event.
pub async fn connect(options: ConnectOptions) -> Result<(UpstreamHandle, UpstreamEvents), ConnectError> {
    let address = options.address.clone();
    if let Some(scheme) = options.scheme {
        return Err(ConnectError::Scheme { address, scheme });
    }
    match address.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(1..))) if !host.is_empty() => {}
        _ => return Err(ConnectError::Address { address }),
    }
    let stream = match timeout(options.handshake, TcpStream::connect(&address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(source)) => return Err(ConnectError::Io { address, source }),
        Err(_) => return Err(ConnectError::Timeout { address, seconds: options.handshake.as_secs() }),
    };
    // a share must not wait for Nagle
    let _ = stream.set_nodelay(true);
    let (commands, requests) = mpsc::channel(SUBMITS);
    let (sender, events) = mpsc::channel(EVENTS);
    tokio::spawn(session::run(stream, options, sender, requests));
    Ok((UpstreamHandle { commands }, UpstreamEvents { events }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cleaned_of_scheme_path_and_credentials() {
        for (written, address) in [
            ("pool.example:3333", "pool.example:3333"),
            ("stratum+tcp://pool.example:3333/", "pool.example:3333"),
            (" tcp://user:secret@[::1]:3333/path?x", "[::1]:3333"),
        ] {
            let options = ConnectOptions::new(written, "agent");
            assert_eq!(options.address(), address);
            assert!(!format!("{options:?}").contains("secret"));
        }
    }

    #[tokio::test]
    async fn what_is_no_address_is_named() {
        for (address, words) in [
            ("pool.example", "expected host:port"),
            (":3333", "expected host:port"),
            ("pool.example:0", "expected host:port"),
            ("stratum+ssl://pool.example:3333", "stratum+ssl:// is not served"),
        ] {
            let error = connect(ConnectOptions::new(address, "agent")).await.err().unwrap().to_string();
            assert!(error.contains(words), "{address}: {error}");
        }
    }
}
