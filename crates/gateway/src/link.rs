//! The link to nodes: Stratum V1 with the node as client, and `hashlease.job` after each `mining.notify`.
//!
//! A node names its lease only when it authorises, so `mining.subscribe` is answered with placeholders (extranonce1
//! `00000000`, size 4), and the real values follow in `mining.set_extranonce` after `mining.authorize`
//! `[lease id, access token]`. Job ids are sequences in lower-case hexadecimal. A share carries the whole free part
//! of the extranonce.

use crate::{
    gateway::ServedLeases,
    jobs::Extranonce,
    served::{Greeting, LinkEvent, LiveJob, Refusal, Served},
    upstream::VERSION_MASK,
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use hashlease_primitives::{DifficultyBase, LeaseId};
use hashlease_share::{HeaderShare, Reason};
use hashlease_stratum::{
    Id, LineLimits, LineReader, Message, MinerRequest, Notify, Submit, VersionRolling, encode,
};
use serde_json::{Value, json};
use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::{
        broadcast::{Receiver, error::RecvError},
        watch,
    },
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

/// Shares of one node that may wait for the pool's verdict.
const IN_FLIGHT: usize = 4_096;
/// Connections at the same time.
const MAX_LINKS: usize = 1_024;
/// How long a peer may take to show its token.
const DOOR: Duration = Duration::from_secs(15);
/// Longest silence: a node without miners has nothing to say.
const IDLE: Duration = Duration::from_secs(3_600);
/// How long one write to a node may take.
const WRITE: Duration = Duration::from_secs(20);

pub(crate) async fn accept(listener: TcpListener, leases: ServedLeases, mut stopped: watch::Receiver<bool>) {
    let mut links = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        while links.try_join_next().is_some() {}
        match accepted {
            Ok((_, peer)) if links.len() >= MAX_LINKS => {
                warn!(%peer, limit = MAX_LINKS, "too many links, connection refused");
            }
            Ok((stream, peer)) => {
                links.spawn(serve(stream, peer, Arc::clone(&leases)));
            }
            Err(error) => {
                // out of file descriptors, most likely: those who are in go on
                warn!(%error, "a node can't be let in");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
    // those who were let in are told by their lease, the others are nobody
    drop(listener);
    let farewell = async { while links.join_next().await.is_some() {} };
    let _ = timeout(Duration::from_secs(1), farewell).await;
}

type Verdict = Pin<Box<dyn Future<Output = (Id, Result<(), Refusal>)> + Send>>;

struct Link {
    leases: ServedLeases,
    lease: Option<(Arc<Served>, Receiver<LinkEvent>)>,
    /// What a difficulty means between us: as with the lease's pool.
    difficulty: DifficultyBase,
    verdicts: FuturesUnordered<Verdict>,
}

async fn serve(stream: TcpStream, peer: SocketAddr, leases: ServedLeases) {
    let _ = stream.set_nodelay(true);
    let (reader, mut writer) = stream.into_split();
    let mut lines = LineReader::new(reader, LineLimits { idle: IDLE, ..LineLimits::default() });
    let difficulty = DifficultyBase::Bitcoin;
    let mut link = Link { leases, lease: None, difficulty, verdicts: FuturesUnordered::new() };
    let door = sleep(DOOR);
    tokio::pin!(door);
    let reason = loop {
        let out = tokio::select! {
            line = lines.next(), if link.verdicts.len() < IN_FLIGHT => match line {
                Ok(Some(line)) => link.line(&line),
                Ok(None) => break "closed by the node".to_owned(),
                Err(error) => break error.to_string(),
            },
            event = next_event(&mut link.lease) => event_lines(event, link.difficulty),
            Some((id, verdict)) = link.verdicts.next() => Ok(match verdict {
                Ok(()) => encode::result(&id, json!(true)),
                Err(Refusal { code, message }) => encode::error(&id, code, &message),
            }),
            () = &mut door, if link.lease.is_none() => break "no access token in time".to_owned(),
        };
        let (text, over) = match out {
            Ok(text) => (text, None),
            Err((text, reason)) => (text, Some(reason)),
        };
        match timeout(WRITE, writer.write_all(text.as_bytes())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => break error.to_string(),
            Err(_) => break "does not read what it is sent".to_owned(),
        }
        if let Some(reason) = over {
            break reason;
        }
    };
    let lease = link.lease.as_ref().map(|(served, _)| served.id().0);
    info!(%peer, lease, reason, "link to a node ended");
}

/// What is written, and for an end why.
type Out = Result<String, (String, String)>;

/// What a node is told of.
enum News {
    Event(LinkEvent),
    /// It was too slow and missed some.
    Missed(Greeting),
}

async fn next_event(lease: &mut Option<(Arc<Served>, Receiver<LinkEvent>)>) -> News {
    let Some((served, events)) = lease else { return std::future::pending().await };
    match events.recv().await {
        Ok(event) => News::Event(event),
        Err(RecvError::Lagged(_)) => News::Missed(served.catch_up()),
        Err(RecvError::Closed) => News::Event(LinkEvent::Over("lease is over")),
    }
}

fn event_lines(news: News, base: DifficultyBase) -> Out {
    match news {
        News::Event(LinkEvent::Job(job)) => Ok(job_lines(&job, job.clean)),
        News::Event(LinkEvent::Session(session)) => Ok(session_lines(&session)),
        News::Event(LinkEvent::Difficulty(target)) => Ok(encode::set_difficulty(target, base)),
        News::Event(LinkEvent::Message(text)) => Ok(encode::show_message(text)),
        News::Event(LinkEvent::Over(reason)) => Err((encode::show_message(reason), reason.into())),
        News::Missed(greeting) => Ok(greeting_lines(&greeting, base)),
    }
}

fn session_lines(session: &Extranonce) -> String {
    [
        encode::set_extranonce(&session.extranonce1, session.extranonce2_size),
        encode::set_version_mask(session.version_mask),
    ]
    .concat()
}

fn greeting_lines(greeting: &Greeting, base: DifficultyBase) -> String {
    let mut out = greeting.session.as_ref().map(session_lines).unwrap_or_default();
    out.extend(greeting.difficulty.map(|target| encode::set_difficulty(target, base)));
    out.extend(greeting.job.as_ref().map(|job| job_lines(job, true)));
    out
}

fn job_lines(live: &LiveJob, clean: bool) -> String {
    let signed = live.verified.signed();
    let job = &live.header;
    let job_id = format!("{:x}", job.sequence);
    let notify = Notify {
        job_id: job_id.clone(),
        prev_hash: job.prev_hash,
        // extranonce1 is in the prefix already; a node reads the signed fields
        coinb1: job.coinbase_prefix.to_vec(),
        coinb2: job.coinbase_suffix.to_vec(),
        branch: job.branch.clone(),
        version: job.version,
        n_bits: job.n_bits,
        ntime: u32::try_from(job.not_before).unwrap_or(u32::MAX),
        clean_jobs: clean,
    };
    [encode::notify(&notify), encode::hashlease_job(&job_id, signed)].concat()
}

impl Link {
    fn line(&mut self, line: &str) -> Out {
        let (id, method, params) = match Message::parse(line) {
            Ok(Message::Request { id, method, params }) => (id, method, params),
            Ok(Message::Response { .. }) => return Ok(String::new()),
            Err(error) => return Err((String::new(), error.to_string())),
        };
        match MinerRequest::read(&method, &params) {
            Ok(MinerRequest::Configure { version_rolling, others }) => {
                Ok(encode::result(&id, self.configured(version_rolling, others)))
            }
            Ok(MinerRequest::Subscribe { .. }) => {
                let session = self.only_session();
                let (extranonce1, size) = session
                    .map_or_else(|| (vec![0; 4], 4), |known| (known.extranonce1, known.extranonce2_size));
                Ok(encode::subscribed(&id, "link", &extranonce1, size))
            }
            Ok(MinerRequest::Authorize { user, password }) => {
                self.authorise(&id, &user, password.as_deref().unwrap_or_default())
            }
            Ok(MinerRequest::Submit(submit)) => {
                self.submit(id, submit);
                Ok(String::new())
            }
            // a notification wants no answer
            Ok(_) if id.0.is_null() => Ok(String::new()),
            Ok(MinerRequest::Ping) => Ok(encode::result(&id, json!("pong"))),
            Ok(MinerRequest::OtherDialect { method, .. } | MinerRequest::Unknown { method }) => Ok({
                let reason = Reason::UnknownMethod(method.chars().take(64).collect());
                encode::error(&id, reason.stratum_code(), reason.code())
            }),
            Ok(MinerRequest::ExtranonceSubscribe | MinerRequest::Suggest { .. } | MinerRequest::Harmless) => {
                Ok(encode::result(&id, json!(true)))
            }
            Err(error) => {
                debug!(%error, "request of a node can't be read");
                let reason = Reason::Malformed(error.to_string());
                Ok(encode::error(&id, reason.stratum_code(), reason.code()))
            }
        }
    }

    /// The pool's session, if there is only one lease that it could be of: before a node has named its lease, this
    /// is all that can be told.
    fn only_session(&self) -> Option<Extranonce> {
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let mut served = leases.values();
        match (served.next(), served.next()) {
            (Some(only), None) => only.session(),
            _ => None,
        }
    }

    fn configured(&self, asked: Option<VersionRolling>, others: Vec<String>) -> Value {
        let mut result: serde_json::Map<String, Value> =
            others.into_iter().map(|other| (other, json!(false))).collect();
        if let Some(asked) = asked {
            // what the pool really grants follows in `mining.set_version_mask`
            let granted =
                self.only_session().map_or(VERSION_MASK, |session| session.version_mask) & asked.mask;
            result.insert("version-rolling".into(), json!(true));
            result.insert("version-rolling.mask".into(), json!(format!("{granted:08x}")));
        }
        Value::Object(result)
    }

    fn authorise(&mut self, id: &Id, user: &str, token: &str) -> Out {
        let served = user.split('.').next().and_then(|lease| lease.parse().ok()).and_then(|lease| {
            let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
            leases.get(&LeaseId(lease)).cloned()
        });
        // an unknown lease, one that is over, and a wrong token look the same from outside
        let greeted = served.filter(|served| served.lets_in(token)).and_then(|served| {
            let (greeting, events) = served.greet()?;
            Some((served, greeting, events))
        });
        let Some((served, greeting, events)) = greeted else {
            let user: String = user.chars().take(64).collect();
            warn!(user, "node refused: unknown lease or wrong access token");
            let reason = Reason::Unauthorized;
            let answer = encode::error(id, reason.stratum_code(), reason.code());
            return Err((answer, "not let in".into()));
        };
        info!(lease = %served.id(), "node let in");
        self.difficulty = DifficultyBase::of_stratum(served.terms().algorithm);
        self.lease = Some((served, events));
        Ok([encode::result(id, json!(true)), greeting_lines(&greeting, self.difficulty)].concat())
    }

    fn submit(&mut self, id: Id, submit: Submit) {
        let served = self.lease.as_ref().map(|(served, _)| Arc::clone(served));
        self.verdicts.push(Box::pin(async move {
            let Some(served) = served else { return (id, Err(Reason::Unauthorized.into())) };
            let verdict = check(&served, submit).await;
            if let Err(refusal) = &verdict {
                debug!(lease = %served.id(), reason = refusal.message, "share refused");
            }
            (id, verdict)
        }));
    }
}

async fn check(served: &Served, submit: Submit) -> Result<(), Refusal> {
    let unknown = || Reason::UnknownJob { job: submit.job_id.chars().take(64).collect() };
    let sequence = u64::from_str_radix(&submit.job_id, 16).map_err(|_| unknown())?;
    let job = served.job(sequence).ok_or_else(unknown)?;
    let Submit { extranonce2, ntime, nonce, version_bits, .. } = &submit;
    let mask = job.header.version_mask;
    let share = HeaderShare::submitted(&job.header, mask, extranonce2, (*ntime, *nonce), *version_bits)?;
    served.submit(&job, share).await
}
