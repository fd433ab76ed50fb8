//! The loop of one session: lines in, answers and events out.

use super::end::SessionEnd;
use crate::{
    dialect::{Answer, Dialect, Received, json_rpc::Id},
    line::{LineLimits, LineReader},
};
use futures::{
    StreamExt as _,
    stream::{FuturesOrdered, FuturesUnordered},
};
use std::{fmt, future::Future, pin::Pin, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};

/// Bounds of one session.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Bounds on lines. [`ServerSession::idle`] replaces the idle time.
    pub lines: LineLimits,
    /// Limit on pending answers; while it is reached, no line is read.
    pub answers_in_flight: usize,
    /// Longest time of one write.
    pub write: Duration,
    /// Order of the answers.
    pub order: AnswerOrder,
}

/// In which order pending answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerOrder {
    /// In the order of the requests, because many miners use one id for every share. All of them
    /// are written before the session ends.
    AsRequested,
    /// As soon as each is ready. Those that are not ready when the session ends are dropped,
    /// because they may wait for a pool for a long time.
    AsReady,
}

/// An answer that is not ready yet, with the id of its request.
pub type PendingAnswer = Pin<Box<dyn Future<Output = (Id, Answer)> + Send>>;

/// What a session does about a request or an event.
#[derive(Default)]
#[must_use]
pub struct Reply {
    /// Written now.
    pub text: String,
    /// Answered once it is ready.
    pub pending: Option<PendingAnswer>,
    /// Ends the session after the text.
    pub end: Option<SessionEnd>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Reply");
        fields.field("text", &self.text).field("pending", &self.pending.is_some());
        fields.field("end", &self.end).finish()
    }
}

impl From<String> for Reply {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

impl From<SessionEnd> for Reply {
    fn from(end: SessionEnd) -> Self {
        Self { end: Some(end), ..Self::default() }
    }
}

impl Reply {
    /// No text and no end.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// An answer that is not ready yet.
    pub fn pending(answer: impl Future<Output = (Id, Answer)> + Send + 'static) -> Self {
        Self { pending: Some(Box::pin(answer)), ..Self::default() }
    }

    /// Both replies, one after the other. Nothing follows an end.
    pub fn then(mut self, next: Self) -> Self {
        if self.end.is_some() {
            return self;
        }
        self.text.push_str(&next.text);
        Self { text: self.text, pending: self.pending.or(next.pending), end: next.end }
    }

    /// Ends the session after this reply, unless it already does.
    pub fn ending(mut self, end: SessionEnd) -> Self {
        self.end.get_or_insert(end);
        self
    }
}

/// The state and the rules of one role's session.
pub trait ServerSession: Send {
    /// How the peer speaks.
    fn dialect(&self) -> &dyn Dialect;

    /// Handles one line.
    fn receive(&mut self, received: Received) -> Reply;

    /// Waits for the next thing to tell the peer without being asked. It is dropped and called
    /// again whenever a line or an answer comes first, so it must be cancel-safe.
    fn next_event(&mut self) -> impl Future<Output = Reply> + Send;

    /// Longest silence allowed from now on. Asked before the first line and after each one.
    fn idle(&self) -> Duration;
}

/// Runs a session until it ends.
pub async fn serve<R, W, S>(reader: R, mut writer: W, session: &mut S, limits: SessionLimits) -> SessionEnd
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send,
    S: ServerSession,
{
    let mut lines = LineReader::new(reader, limits.lines);
    let mut answers = Answers::new(limits.order);
    let end = converse(&mut lines, &mut writer, session, &mut answers, limits).await;
    // shares submitted before the end still count, and a peer that closed only its sending side
    // still reads
    if limits.order == AnswerOrder::AsRequested {
        let mut text = String::new();
        while let Some((id, answer)) = answers.next().await {
            text.push_str(&session.dialect().answer(&id, &answer));
        }
        // the session is over either way
        let _ = write(&mut writer, &text, limits.write).await;
    }
    end
}

async fn converse<R, W, S>(
    lines: &mut LineReader<R>,
    writer: &mut W,
    session: &mut S,
    answers: &mut Answers,
    limits: SessionLimits,
) -> SessionEnd
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    S: ServerSession,
{
    loop {
        lines.set_idle(session.idle());
        let reply = tokio::select! {
            line = lines.next(), if answers.len() < limits.answers_in_flight => match line {
                Ok(Some(line)) => match session.dialect().read(&line) {
                    Ok(received) => session.receive(received),
                    Err(error) => return error.into(),
                },
                Ok(None) => return SessionEnd::ClosedByPeer,
                Err(error) => return error.into(),
            },
            Some((id, answer)) = answers.next() => session.dialect().answer(&id, &answer).into(),
            reply = session.next_event() => reply,
        };
        let Reply { text, pending, end } = reply;
        if let Some(answer) = pending {
            answers.push(answer);
        }
        if let Err(end) = write(writer, &text, limits.write).await {
            return end;
        }
        if let Some(end) = end {
            return end;
        }
    }
}

async fn write<W: AsyncWrite + Unpin>(writer: &mut W, text: &str, limit: Duration) -> Result<(), SessionEnd> {
    if text.is_empty() {
        return Ok(());
    }
    match timeout(limit, writer.write_all(text.as_bytes())).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(SessionEnd::Write(error)),
        Err(_) => Err(SessionEnd::NotReading(limit)),
    }
}

/// Answers that are not written yet.
enum Answers {
    AsRequested(FuturesOrdered<PendingAnswer>),
    AsReady(FuturesUnordered<PendingAnswer>),
}

impl Answers {
    fn new(order: AnswerOrder) -> Self {
        match order {
            AnswerOrder::AsRequested => Self::AsRequested(FuturesOrdered::new()),
            AnswerOrder::AsReady => Self::AsReady(FuturesUnordered::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::AsRequested(answers) => answers.len(),
            Self::AsReady(answers) => answers.len(),
        }
    }

    fn push(&mut self, answer: PendingAnswer) {
        match self {
            Self::AsRequested(answers) => answers.push_back(answer),
            Self::AsReady(answers) => answers.push(answer),
        }
    }

    /// The next answer to write; `None` when none is pending.
    async fn next(&mut self) -> Option<(Id, Answer)> {
        match self {
            Self::AsRequested(answers) => answers.next().await,
            Self::AsReady(answers) => answers.next().await,
        }
    }
}
