//! One session at a pool, from the connection to its end.

use super::{
    end::ClientEnd,
    event::{SubmitOutcome, UpstreamEvent},
    notice_limits::{MOST, NoticeCount, SPAN, WordLog},
    options::{ConnectOptions, OptionalRequests},
};
use crate::{
    dialect::{
        json_rpc::{Id, Message, MessageError, RpcError},
        v1::{PoolNotice, encode, extranonce},
    },
    line::LineReader,
};
use hashlease_net::Stream;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncWriteExt as _, ReadHalf, WriteHalf, split},
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout},
};
use tracing::debug;

const CONFIGURE: u64 = 1;
const SUBSCRIBE: u64 = 2;
const AUTHORIZE: u64 = 3;
const EXTRANONCE: u64 = 4;
const SUGGEST: u64 = 5;
const FIRST_SUBMIT: u64 = 16;

/// A share to be sent.
pub(super) struct Command {
    pub(super) params: Value,
    pub(super) outcome: oneshot::Sender<SubmitOutcome>,
}

/// Runs the session until it ends; the reason is the last event.
pub(super) async fn run(
    stream: Stream,
    options: ConnectOptions,
    events: mpsc::Sender<UpstreamEvent>,
    requests: mpsc::Receiver<Command>,
) {
    let (reader, writer) = split(stream);
    let mut session = ClientSession {
        lines: LineReader::new(reader, options.limits),
        writer,
        events,
        pending: BTreeMap::new(),
        next_id: FIRST_SUBMIT,
        subscribed: false,
        authorised: false,
        unanswered: OptionalRequests::default(),
        notices: NoticeCount::new(Instant::now()),
        words: WordLog::default(),
        options,
    };
    let end = match session.speak(requests).await {
        Ok(()) | Err(ClientEnd::ClosedHere) => ClientEnd::ClosedHere,
        Err(end) => end,
    };
    debug!(pool = session.options.address, code = end.code(), reason = %end, "session ended");
    // shares in flight are lost; their senders learn it even while nobody reads the events
    session.pending.clear();
    // nobody may be reading the events any more
    if session.unanswered != OptionalRequests::default() {
        let _ = session.events.send(UpstreamEvent::Unanswered(session.unanswered)).await;
    }
    let _ = session.events.send(UpstreamEvent::Closed(Arc::new(end))).await;
}

struct ClientSession {
    lines: LineReader<ReadHalf<Stream>>,
    writer: WriteHalf<Stream>,
    events: mpsc::Sender<UpstreamEvent>,
    /// By id, hence by age.
    pending: BTreeMap<u64, PendingShare>,
    next_id: u64,
    subscribed: bool,
    authorised: bool,
    unanswered: OptionalRequests,
    notices: NoticeCount,
    words: WordLog,
    options: ConnectOptions,
}

/// A share without an answer yet.
struct PendingShare {
    outcome: oneshot::Sender<SubmitOutcome>,
    sent: Instant,
}

impl ClientSession {
    async fn emit(&self, event: UpstreamEvent) -> Result<(), ClientEnd> {
        self.events.send(event).await.map_err(|_| ClientEnd::ClosedHere)
    }

    async fn write(&mut self, line: &str) -> Result<(), ClientEnd> {
        match timeout(self.options.handshake, self.writer.write_all(line.as_bytes())).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(ClientEnd::NotReading),
        }
    }

    async fn speak(&mut self, mut requests: mpsc::Receiver<Command>) -> Result<(), ClientEnd> {
        let mut opening = String::new();
        if let Some(mask) = self.options.version_mask {
            let wish =
                json!({"version-rolling.mask": format!("{mask:08x}"), "version-rolling.min-bit-count": 0});
            opening.push_str(&encode::request(
                CONFIGURE,
                "mining.configure",
                json!([["version-rolling"], wish]),
            ));
            self.unanswered.configure = true;
        }
        // don't wait for the answer to mining.configure: some pools never send it
        opening.push_str(&encode::request(SUBSCRIBE, "mining.subscribe", json!([self.options.agent])));
        self.write(&opening).await?;
        let begun = Instant::now();
        let events = self.events.clone();
        let mut handles = true;
        loop {
            let oldest = self.pending.first_key_value().map(|(_, pending)| pending.sent);
            let handshake = remaining(begun, self.options.handshake);
            let answer = oldest.map_or(Duration::MAX, |sent| remaining(sent, self.options.answer));
            tokio::select! {
                line = self.lines.next() => {
                    let Some(line) = line? else { return Err(ClientEnd::ClosedByPool) };
                    self.line(&line).await?;
                }
                request = requests.recv(), if handles => match request {
                    Some(command) => self.submit(command).await?,
                    // the events may still be wanted
                    None => handles = false,
                },
                () = sleep(handshake), if !(self.subscribed && self.authorised) => {
                    let method = if self.subscribed { "mining.authorize" } else { "mining.subscribe" };
                    let seconds = self.options.handshake.as_secs();
                    return Err(ClientEnd::NotAnswered { method, seconds });
                }
                () = sleep(answer), if oldest.is_some() => {
                    // dropping the sender tells the caller that the share is lost
                    self.pending.pop_first();
                }
                () = events.closed() => return Ok(()),
            }
        }
    }

    async fn submit(&mut self, command: Command) -> Result<(), ClientEnd> {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        self.pending.insert(id, PendingShare { outcome: command.outcome, sent: Instant::now() });
        let line = encode::request(id, "mining.submit", command.params);
        self.write(&line).await
    }

    async fn line(&mut self, line: &str) -> Result<(), ClientEnd> {
        match Message::parse(line) {
            Ok(Message::Request { .. }) if !self.notices.add(Instant::now()) => {
                Err(ClientEnd::TooManyNotices { most: MOST, seconds: SPAN.as_secs() })
            }
            Ok(Message::Request { id, method, params }) => match PoolNotice::read(&method, &params) {
                Ok(notice) => self.notice(&id, notice).await,
                Err(error) if error.method == "mining.set_difficulty" => {
                    let words = error.to_string();
                    self.words.log(
                        Instant::now(),
                        &self.options.address,
                        "notification can't be read",
                        &words,
                    );
                    Ok(())
                }
                Err(error) => Err(ClientEnd::NoticeUnreadable(error)),
            },
            Ok(Message::Response { id, result, error }) => match id.0.as_u64() {
                Some(id) => self.response(id, result, error).await,
                None => Ok(()),
            },
            Err(MessageError::Neither) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn response(&mut self, id: u64, result: Value, error: Option<RpcError>) -> Result<(), ClientEnd> {
        match id {
            CONFIGURE => {
                self.unanswered.configure = false;
                self.configured(&result).await
            }
            EXTRANONCE => {
                self.unanswered.extranonce = false;
                Ok(())
            }
            SUGGEST => {
                self.unanswered.difficulty = false;
                Ok(())
            }
            SUBSCRIBE if self.subscribed => Ok(()),
            SUBSCRIBE => {
                if let Some(error) = error {
                    return Err(ClientEnd::SubscribeRefused(error));
                }
                self.subscribed = true;
                self.subscribed(&result).await
            }
            AUTHORIZE if self.authorised => Ok(()),
            AUTHORIZE if error.is_none() && result == Value::Bool(true) => {
                self.authorised = true;
                self.emit(UpstreamEvent::Authorized).await?;
                self.ask_for_more().await
            }
            AUTHORIZE => {
                let error = error.unwrap_or_else(|| RpcError::unnumbered(result.to_string()));
                self.emit(UpstreamEvent::Refused { message: error.message.clone() }).await?;
                Err(ClientEnd::WorkerRefused(error))
            }
            id => {
                if let Some(pending) = self.pending.remove(&id) {
                    let _ = pending.outcome.send(match error {
                        None if result == Value::Bool(true) => SubmitOutcome::Accepted,
                        None => RpcError::unnumbered(result.to_string()).into(),
                        Some(error) => error.into(),
                    });
                }
                Ok(())
            }
        }
    }

    async fn subscribed(&mut self, result: &Value) -> Result<(), ClientEnd> {
        let list = result.as_array().map_or(&[][..], Vec::as_slice);
        let (extranonce1, extranonce2_size) = extranonce("mining.subscribe", list, 1)?;
        self.emit(UpstreamEvent::Subscribed { extranonce1, extranonce2_size }).await?;
        let password = self.options.password.reveal();
        let params = json!([self.options.user, password]);
        self.write(&encode::request(AUTHORIZE, "mining.authorize", params)).await
    }

    /// Sends the optional requests of an authorised session.
    async fn ask_for_more(&mut self) -> Result<(), ClientEnd> {
        let mut asked = String::new();
        if self.options.extranonce_subscribe {
            self.unanswered.extranonce = true;
            asked.push_str(&encode::request(EXTRANONCE, "mining.extranonce.subscribe", json!([])));
        }
        if let Some(target) = self.options.suggested {
            self.unanswered.difficulty = true;
            asked.push_str(&encode::suggest_difficulty(SUGGEST, target, self.options.difficulty));
        }
        self.write(&asked).await
    }

    async fn configured(&mut self, result: &Value) -> Result<(), ClientEnd> {
        if result.get("version-rolling").and_then(Value::as_bool) != Some(true) {
            return Ok(());
        }
        let text = result.get("version-rolling.mask").and_then(Value::as_str).unwrap_or_default();
        match u32::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16) {
            Ok(mask) => self.emit(UpstreamEvent::VersionMask(mask)).await,
            Err(_) => Ok(()),
        }
    }

    async fn notice(&mut self, id: &Id, notice: PoolNotice) -> Result<(), ClientEnd> {
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
            PoolNotice::Reconnect => Err(ClientEnd::Reconnect),
            PoolNotice::Message(text) => {
                self.log_message(&text);
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

    /// `client.show_message` of a pool, or of a gateway whose pool is down. It ends in the log
    /// here: to show it to miners, emit it as an event, and let the edge's sessions write it to
    /// each of them.
    fn log_message(&mut self, text: &str) {
        self.words.log(Instant::now(), &self.options.address, "message from upstream", text);
    }
}

/// How much is left of a time that started at `since`.
fn remaining(since: Instant, allowed: Duration) -> Duration {
    allowed.saturating_sub(since.elapsed())
}
