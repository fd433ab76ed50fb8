//! The miner's side towards a pool, or a node's towards its gateway.
//!
//! [`connect`] opens one session and speaks `mining.configure`, `mining.subscribe`, `mining.authorize` and
//! `mining.extranonce.subscribe`; what the pool says comes out as [`UpstreamEvent`]s in its order, whatever the order
//! is. A session ends for good: reconnecting, and how long to wait, is the caller's choice. `client.reconnect` only
//! ends it, because following it to another host is how hash power gets stolen.

use crate::{Id, LineError, LineLimits, LineReader, Message, Notify, PoolNotice, encode, pool::extranonce};
use hashlease_primitives::{Secret, Target};
use serde_json::{Value, json};
use std::{collections::HashMap, future::Future, io, time::Duration};
use tokio::{
    io::AsyncWriteExt as _,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, warn};

const CONFIGURE: u64 = 1;
const SUBSCRIBE: u64 = 2;
const AUTHORIZE: u64 = 3;
const EXTRANONCE: u64 = 4;
const FIRST_SUBMIT: u64 = 16;
/// Events that may wait for the caller before the pool has to.
const EVENTS: usize = 256;
/// Shares that may wait for the socket.
const SUBMITS: usize = 4_096;

/// Where to connect, and as whom.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    address: String,
    agent: String,
    user: String,
    password: Secret,
    version_mask: Option<u32>,
    notifications: Vec<String>,
    /// Longest wait for the connection, and then for the answers of the handshake.
    pub handshake: Duration,
    /// Bounds of what the pool may send.
    pub limits: LineLimits,
}

impl ConnectOptions {
    /// To `host:port`, with or without `stratum+tcp://`.
    #[must_use]
    pub fn new(address: &str, agent: &str) -> Self {
        let address = address.strip_prefix("stratum+tcp://").unwrap_or(address).trim_end_matches('/');
        Self {
            address: address.to_owned(),
            agent: agent.to_owned(),
            user: String::new(),
            password: Secret::new("x"),
            version_mask: None,
            notifications: Vec::new(),
            handshake: Duration::from_secs(15),
            limits: LineLimits {
                length: 256 * 1_024,
                idle: Duration::from_secs(300),
                line: Duration::from_secs(20),
            },
        }
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
    /// Extranonce of this session, from the answer to `mining.subscribe` or from `mining.set_extranonce`.
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
    /// The session ended before an answer.
    Lost,
}

enum Command {
    Submit { params: Value, outcome: oneshot::Sender<SubmitOutcome> },
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
        let sent = self.commands.try_send(Command::Submit { params: Value::Array(params), outcome });
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
    let stream = match timeout(options.handshake, TcpStream::connect(&address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(source)) => return Err(ConnectError::Io { address, source }),
        Err(_) => return Err(ConnectError::Timeout { address, seconds: options.handshake.as_secs() }),
    };
    // a share must not wait for Nagle
    let _ = stream.set_nodelay(true);
    let (commands, requests) = mpsc::channel(SUBMITS);
    let (sender, events) = mpsc::channel(EVENTS);
    let (reader, writer) = stream.into_split();
    let session = Session {
        lines: LineReader::new(reader, options.limits),
        writer,
        events: sender,
        pending: HashMap::new(),
        next_id: FIRST_SUBMIT,
        options,
    };
    tokio::spawn(session.run(requests));
    Ok((UpstreamHandle { commands }, UpstreamEvents { events }))
}

struct Session {
    lines: LineReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    events: mpsc::Sender<UpstreamEvent>,
    pending: HashMap<u64, oneshot::Sender<SubmitOutcome>>,
    next_id: u64,
    options: ConnectOptions,
}

/// Ends the session with a reason in words.
struct End(String);

impl From<LineError> for End {
    fn from(error: LineError) -> Self {
        Self(error.to_string())
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl Session {
    async fn run(mut self, requests: mpsc::Receiver<Command>) {
        let reason = match self.speak(requests).await {
            Ok(()) => "closed by us".to_owned(),
            Err(End(reason)) => reason,
        };
        debug!(pool = self.options.address, reason, "session ended");
        let _ = self.events.send(UpstreamEvent::Closed { reason }).await;
    }

    async fn emit(&self, event: UpstreamEvent) -> Result<(), End> {
        self.events.send(event).await.map_err(|_| End("closed by us".into()))
    }

    async fn write(&mut self, line: &str) -> Result<(), End> {
        Ok(self.writer.write_all(line.as_bytes()).await?)
    }

    async fn speak(&mut self, mut requests: mpsc::Receiver<Command>) -> Result<(), End> {
        let mut opening = String::new();
        if let Some(mask) = self.options.version_mask {
            let wish =
                json!({"version-rolling.mask": format!("{mask:08x}"), "version-rolling.min-bit-count": 0});
            opening.push_str(&encode::request(
                CONFIGURE,
                "mining.configure",
                json!([["version-rolling"], wish]),
            ));
        }
        opening.push_str(&encode::request(SUBSCRIBE, "mining.subscribe", json!([self.options.agent])));
        self.write(&opening).await?;
        let handshake = Instant::now() + self.options.handshake;
        let (mut subscribed, mut authorised) = (false, false);
        let events = self.events.clone();
        loop {
            tokio::select! {
                line = self.lines.next() => {
                    let Some(line) = line? else { return Err(End("closed by the other side".into())) };
                    self.line(&line, &mut subscribed, &mut authorised).await?;
                }
                request = requests.recv() => match request {
                    Some(Command::Submit { params, outcome }) => self.submit(params, outcome).await?,
                    // no handle is left, but the events may still be wanted
                    None => std::future::pending().await,
                },
                () = sleep_until(handshake), if !(subscribed && authorised) => {
                    let what = if subscribed { "mining.authorize" } else { "mining.subscribe" };
                    let seconds = self.options.handshake.as_secs();
                    return Err(End(format!("{what} is not answered within {seconds} s")));
                }
                () = events.closed() => return Ok(()),
            }
        }
    }

    async fn submit(&mut self, params: Value, outcome: oneshot::Sender<SubmitOutcome>) -> Result<(), End> {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1).max(FIRST_SUBMIT);
        self.pending.insert(id, outcome);
        let line = encode::request(id, "mining.submit", params);
        self.write(&line).await
    }

    async fn line(&mut self, line: &str, subscribed: &mut bool, authorised: &mut bool) -> Result<(), End> {
        match Message::parse(line) {
            Ok(Message::Request { id, method, params }) => match PoolNotice::read(&method, &params) {
                Ok(notice) => self.notice(&id, notice).await,
                Err(error) => {
                    warn!(pool = self.options.address, %error, "notification can't be read");
                    Ok(())
                }
            },
            Ok(Message::Response { id, result, error }) => {
                let Some(id) = id.0.as_u64() else { return Ok(()) };
                match id {
                    CONFIGURE => self.configured(&result).await,
                    SUBSCRIBE => {
                        if let Some(error) = error {
                            return Err(End(format!("mining.subscribe was refused: {}", error.message)));
                        }
                        *subscribed = true;
                        self.subscribed(&result).await
                    }
                    AUTHORIZE if error.is_none() && result == Value::Bool(true) => {
                        *authorised = true;
                        self.emit(UpstreamEvent::Authorized).await?;
                        let ask = encode::request(EXTRANONCE, "mining.extranonce.subscribe", json!([]));
                        self.write(&ask).await
                    }
                    AUTHORIZE => {
                        let message = error.map_or_else(|| result.to_string(), |error| error.message);
                        self.emit(UpstreamEvent::Refused { message: message.clone() }).await?;
                        Err(End(format!("worker was refused: {message}")))
                    }
                    id => {
                        if let Some(outcome) = self.pending.remove(&id) {
                            let _ = outcome.send(match error {
                                None if result == Value::Bool(true) => SubmitOutcome::Accepted,
                                None => SubmitOutcome::Rejected { code: 20, message: result.to_string() },
                                Some(error) => {
                                    SubmitOutcome::Rejected { code: error.code, message: error.message }
                                }
                            });
                        }
                        Ok(())
                    }
                }
            }
            Err(error) => Err(End(format!("does not speak Stratum: {error}"))),
        }
    }

    async fn subscribed(&mut self, result: &Value) -> Result<(), End> {
        let list = result.as_array().map_or(&[][..], Vec::as_slice);
        let (extranonce1, extranonce2_size) =
            extranonce("mining.subscribe", list, 1).map_err(|error| End(error.to_string()))?;
        self.emit(UpstreamEvent::Extranonce { extranonce1, extranonce2_size }).await?;
        let password = self.options.password.reveal();
        let params = json!([self.options.user, password]);
        self.write(&encode::request(AUTHORIZE, "mining.authorize", params)).await
    }

    async fn configured(&mut self, result: &Value) -> Result<(), End> {
        if result.get("version-rolling").and_then(Value::as_bool) != Some(true) {
            return Ok(());
        }
        let text = result.get("version-rolling.mask").and_then(Value::as_str).unwrap_or_default();
        match u32::from_str_radix(text.trim_start_matches("0x"), 16) {
            Ok(mask) => self.emit(UpstreamEvent::VersionMask(mask)).await,
            Err(_) => Ok(()),
        }
    }

    async fn notice(&mut self, id: &Id, notice: PoolNotice) -> Result<(), End> {
        match notice {
            PoolNotice::Notify(notify) => self.emit(UpstreamEvent::Notify(notify)).await,
            PoolNotice::Difficulty(target) => self.emit(UpstreamEvent::Difficulty(target)).await,
            PoolNotice::Extranonce { extranonce1, extranonce2_size } => {
                self.emit(UpstreamEvent::Extranonce { extranonce1, extranonce2_size }).await
            }
            PoolNotice::VersionMask(mask) => self.emit(UpstreamEvent::VersionMask(mask)).await,
            PoolNotice::Reconnect => Err(End("asked us to reconnect".into())),
            PoolNotice::Message(text) => {
                warn!(pool = self.options.address, text, "message from upstream");
                Ok(())
            }
            PoolNotice::Other { method, params } if self.options.notifications.contains(&method) => {
                self.emit(UpstreamEvent::Other { method, params }).await
            }
            PoolNotice::Other { method, .. } => match method.as_str() {
                "client.get_version" => {
                    let answer = encode::result(id, json!(self.options.agent));
                    self.write(&answer).await
                }
                "mining.ping" => self.write(&encode::result(id, json!("pong"))).await,
                _ => Ok(()),
            },
        }
    }
}
