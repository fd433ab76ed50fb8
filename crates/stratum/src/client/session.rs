//! One session at a pool, from the connection to its end.

use super::{ConnectOptions, SubmitOutcome, UpstreamEvent};
use crate::{
    Id, LineError, LineReader, Message, MessageError, PoolNotice, RpcError, encode, pool::extranonce,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, io};
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

/// A share to be sent.
pub(super) struct Command {
    pub(super) params: Value,
    pub(super) outcome: oneshot::Sender<SubmitOutcome>,
}

/// Speaks with the pool until the session ends; the reason is the last event.
pub(super) async fn run(
    stream: TcpStream,
    options: ConnectOptions,
    events: mpsc::Sender<UpstreamEvent>,
    requests: mpsc::Receiver<Command>,
) {
    let (reader, writer) = stream.into_split();
    let mut session = Session {
        lines: LineReader::new(reader, options.limits),
        writer,
        events,
        pending: BTreeMap::new(),
        next_id: FIRST_SUBMIT,
        subscribed: false,
        authorised: false,
        options,
    };
    let reason = match session.speak(requests).await {
        Ok(()) => "closed by us".to_owned(),
        Err(End(reason)) => reason,
    };
    debug!(pool = session.options.address, reason, "session ended");
    // whoever waits for a verdict learns that none will come, also while nobody reads the events
    session.pending.clear();
    let _ = session.events.send(UpstreamEvent::Closed { reason }).await;
}

struct Session {
    lines: LineReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    events: mpsc::Sender<UpstreamEvent>,
    /// By id, hence by age.
    pending: BTreeMap<u64, Pending>,
    next_id: u64,
    subscribed: bool,
    authorised: bool,
    options: ConnectOptions,
}

struct Pending {
    outcome: oneshot::Sender<SubmitOutcome>,
    until: Instant,
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
    async fn emit(&self, event: UpstreamEvent) -> Result<(), End> {
        self.events.send(event).await.map_err(|_| End("closed by us".into()))
    }

    async fn write(&mut self, line: &str) -> Result<(), End> {
        match timeout(self.options.handshake, self.writer.write_all(line.as_bytes())).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(End("does not read what it is sent".into())),
        }
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
        // the answer to the first is not waited for: some pools never give it
        opening.push_str(&encode::request(SUBSCRIBE, "mining.subscribe", json!([self.options.agent])));
        self.write(&opening).await?;
        let handshake = Instant::now() + self.options.handshake;
        let events = self.events.clone();
        let mut handles = true;
        loop {
            let oldest = self.pending.first_key_value().map(|(_, pending)| pending.until);
            tokio::select! {
                line = self.lines.next() => {
                    let Some(line) = line? else { return Err(End("closed by the other side".into())) };
                    self.line(&line).await?;
                }
                request = requests.recv(), if handles => match request {
                    Some(command) => self.submit(command).await?,
                    // the events may still be wanted
                    None => handles = false,
                },
                () = sleep_until(handshake), if !(self.subscribed && self.authorised) => {
                    let what = if self.subscribed { "mining.authorize" } else { "mining.subscribe" };
                    let seconds = self.options.handshake.as_secs();
                    return Err(End(format!("{what} is not answered within {seconds} s")));
                }
                () = sleep_until(oldest.unwrap_or(handshake)), if oldest.is_some() => {
                    // its sender is dropped, which is the verdict
                    self.pending.pop_first();
                }
                () = events.closed() => return Ok(()),
            }
        }
    }

    async fn submit(&mut self, command: Command) -> Result<(), End> {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        let until = Instant::now() + self.options.answer;
        self.pending.insert(id, Pending { outcome: command.outcome, until });
        let line = encode::request(id, "mining.submit", command.params);
        self.write(&line).await
    }

    async fn line(&mut self, line: &str) -> Result<(), End> {
        match Message::parse(line) {
            Ok(Message::Request { id, method, params }) => match PoolNotice::read(&method, &params) {
                Ok(notice) => self.notice(&id, notice).await,
                Err(error) => {
                    warn!(pool = self.options.address, %error, "notification can't be read");
                    Ok(())
                }
            },
            Ok(Message::Response { id, result, error }) => match id.0.as_u64() {
                Some(id) => self.response(id, result, error).await,
                None => Ok(()),
            },
            Err(MessageError::Neither) => Ok(()),
            Err(error) => Err(End(format!("does not speak Stratum: {error}"))),
        }
    }

    async fn response(&mut self, id: u64, result: Value, error: Option<RpcError>) -> Result<(), End> {
        match id {
            CONFIGURE => self.configured(&result).await,
            SUBSCRIBE if self.subscribed => Ok(()),
            SUBSCRIBE => {
                if let Some(error) = error {
                    return Err(End(format!("mining.subscribe was refused: {}", error.message)));
                }
                self.subscribed = true;
                self.subscribed(&result).await
            }
            AUTHORIZE if self.authorised => Ok(()),
            AUTHORIZE if error.is_none() && result == Value::Bool(true) => {
                self.authorised = true;
                self.emit(UpstreamEvent::Authorized).await?;
                if !self.options.extranonce_subscribe {
                    return Ok(());
                }
                let ask = encode::request(EXTRANONCE, "mining.extranonce.subscribe", json!([]));
                self.write(&ask).await
            }
            AUTHORIZE => {
                let message = error.map_or_else(|| result.to_string(), |error| error.message);
                self.emit(UpstreamEvent::Refused { message: message.clone() }).await?;
                Err(End(format!("worker was refused: {message}")))
            }
            id => {
                if let Some(pending) = self.pending.remove(&id) {
                    let _ = pending.outcome.send(match error {
                        None if result == Value::Bool(true) => SubmitOutcome::Accepted,
                        None => SubmitOutcome::Rejected { code: 20, message: result.to_string() },
                        Some(error) => SubmitOutcome::Rejected { code: error.code, message: error.message },
                    });
                }
                Ok(())
            }
        }
    }

    async fn subscribed(&mut self, result: &Value) -> Result<(), End> {
        let list = result.as_array().map_or(&[][..], Vec::as_slice);
        let (extranonce1, extranonce2_size) =
            extranonce("mining.subscribe", list, 1).map_err(|error| End(error.to_string()))?;
        self.emit(UpstreamEvent::Subscribed { extranonce1, extranonce2_size }).await?;
        let password = self.options.password.reveal();
        let params = json!([self.options.user, password]);
        self.write(&encode::request(AUTHORIZE, "mining.authorize", params)).await
    }

    async fn configured(&mut self, result: &Value) -> Result<(), End> {
        if result.get("version-rolling").and_then(Value::as_bool) != Some(true) {
            return Ok(());
        }
        let text = result.get("version-rolling.mask").and_then(Value::as_str).unwrap_or_default();
        match u32::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16) {
            Ok(mask) => self.emit(UpstreamEvent::VersionMask(mask)).await,
            Err(_) => Ok(()),
        }
    }

    async fn notice(&mut self, id: &Id, notice: PoolNotice) -> Result<(), End> {
        match notice {
            PoolNotice::Notify(notify) => self.emit(UpstreamEvent::Notify(notify)).await,
            PoolNotice::Difficulty(difficulty) => {
                let target = difficulty.target(self.options.difficulty);
                self.emit(UpstreamEvent::Difficulty(target)).await
            }
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
