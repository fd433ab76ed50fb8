//! The link to nodes: Stratum V1 with the node as client, and `hashlease.job` after each `mining.notify`.
//!
//! A node names its lease only when it authorises, so `mining.subscribe` is answered with placeholders (extranonce1
//! `00000000`, size 4), and the real values follow in `mining.set_extranonce` after `mining.authorize`
//! `[lease id, access token]`. Job ids are sequences in lower-case hexadecimal. A share carries the whole free part
//! of the extranonce.

use crate::{
    ServedLeases,
    lease::{LinkEvent, LiveJob, Refusal, Served},
};
use arrayvec::ArrayVec;
use futures::{StreamExt as _, stream::FuturesUnordered};
use hashlease_primitives::LeaseId;
use hashlease_share::{Reason, Share};
use hashlease_stratum::{Id, LineLimits, LineReader, Message, MinerRequest, Notify, Submit, encode};
use serde_json::json;
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
    sync::broadcast::{Receiver, error::RecvError},
    task::JoinSet,
    time::sleep,
};
use tracing::{debug, info, warn};

/// Shares of one node that may wait for the pool's verdict.
const IN_FLIGHT: usize = 4_096;

pub(crate) async fn accept(listener: TcpListener, leases: ServedLeases) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                connections.spawn(serve(stream, peer, Arc::clone(&leases)));
                while connections.try_join_next().is_some() {}
            }
            Err(error) => {
                // out of file descriptors, most likely: those who are in go on
                warn!(%error, "a node can't be let in");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

type Verdict = Pin<Box<dyn Future<Output = (Id, Result<(), Refusal>)> + Send>>;

struct Link {
    leases: ServedLeases,
    lease: Option<(Arc<Served>, Receiver<LinkEvent>)>,
    verdicts: FuturesUnordered<Verdict>,
}

async fn serve(stream: TcpStream, peer: SocketAddr, leases: ServedLeases) {
    let _ = stream.set_nodelay(true);
    let (reader, mut writer) = stream.into_split();
    let mut lines = LineReader::new(reader, LineLimits::default());
    let mut link = Link { leases, lease: None, verdicts: FuturesUnordered::new() };
    let reason = loop {
        let out = tokio::select! {
            line = lines.next(), if link.verdicts.len() < IN_FLIGHT => match line {
                Ok(Some(line)) => link.line(&line),
                Ok(None) => break "closed by the node".to_owned(),
                Err(error) => break error.to_string(),
            },
            event = next_event(&mut link.lease) => match event {
                Some(event) => event_lines(&event),
                // it missed some: the next job brings it up to date
                None => Ok(String::new()),
            },
            Some((id, verdict)) = link.verdicts.next() => Ok(match verdict {
                Ok(()) => encode::result(&id, json!(true)),
                Err(Refusal { code, message }) => encode::error(&id, code, &message),
            }),
        };
        let (text, over) = match out {
            Ok(text) => (text, None),
            Err((text, reason)) => (text, Some(reason)),
        };
        if let Err(error) = writer.write_all(text.as_bytes()).await {
            break error.to_string();
        }
        if let Some(reason) = over {
            break reason;
        }
    };
    let lease = link.lease.as_ref().map(|(served, _)| served.terms().id.0);
    info!(%peer, lease, reason, "link to a node ended");
}

/// What is written, and for an end why.
type Out = Result<String, (String, String)>;

async fn next_event(lease: &mut Option<(Arc<Served>, Receiver<LinkEvent>)>) -> Option<LinkEvent> {
    let Some((_, events)) = lease else { return std::future::pending().await };
    match events.recv().await {
        Ok(event) => Some(event),
        Err(RecvError::Lagged(_)) => None,
        Err(RecvError::Closed) => Some(LinkEvent::Over),
    }
}

fn event_lines(event: &LinkEvent) -> Out {
    match event {
        LinkEvent::Job(job) => Ok(job_lines(job, job.clean)),
        LinkEvent::Session(session) => Ok([
            encode::set_extranonce(&session.extranonce1, session.extranonce2_size),
            encode::set_version_mask(session.version_mask),
        ]
        .concat()),
        LinkEvent::Difficulty(target) => Ok(encode::set_difficulty(*target)),
        LinkEvent::Over => Err((String::new(), "lease is over".into())),
    }
}

fn job_lines(live: &LiveJob, clean: bool) -> String {
    let signed = live.verified.signed();
    let job = &signed.job;
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
            Ok(MinerRequest::Configure { version_rolling, .. }) => {
                let mask = version_rolling.map_or(0, |asked| asked.mask);
                let granted = json!({"version-rolling": true, "version-rolling.mask": format!("{mask:08x}")});
                Ok(encode::result(&id, granted))
            }
            Ok(MinerRequest::Subscribe { .. }) => Ok(encode::subscribed(&id, "link", &[0; 4], 4)),
            Ok(MinerRequest::Authorize { user, password }) => {
                self.authorise(&id, &user, password.as_deref().unwrap_or_default())
            }
            Ok(MinerRequest::Submit(submit)) => {
                self.submit(id, submit);
                Ok(String::new())
            }
            Ok(MinerRequest::Ping) => Ok(encode::result(&id, json!("pong"))),
            Ok(_) => Ok(encode::result(&id, json!(true))),
            Err(error) => {
                let reason = Reason::Malformed(error.to_string());
                Ok(encode::error(&id, reason.stratum_code(), reason.code()))
            }
        }
    }

    fn authorise(&mut self, id: &Id, user: &str, token: &str) -> Out {
        let served = user.split('.').next().and_then(|lease| lease.parse().ok()).and_then(|lease| {
            let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
            leases.get(&LeaseId(lease)).cloned()
        });
        // an unknown lease and a wrong token look the same from outside
        let Some(served) = served.filter(|served| served.lets_in(token)) else {
            warn!(user, "node refused: unknown lease or wrong access token");
            let reason = Reason::Unauthorized;
            let answer = encode::error(id, reason.stratum_code(), reason.code());
            return Err((answer, "not let in".into()));
        };
        let (greeting, events) = served.greet();
        info!(lease = %served.terms().id, "node let in");
        let mut out = encode::result(id, json!(true));
        if let Some(session) = &greeting.session {
            out.push_str(&encode::set_extranonce(&session.extranonce1, session.extranonce2_size));
            out.push_str(&encode::set_version_mask(session.version_mask));
        }
        if let Some(target) = greeting.difficulty {
            out.push_str(&encode::set_difficulty(target));
        }
        if let Some(job) = &greeting.job {
            out.push_str(&job_lines(job, true));
        }
        self.lease = Some((served, events));
        Ok(out)
    }

    fn submit(&mut self, id: Id, submit: Submit) {
        let served = self.lease.as_ref().map(|(served, _)| Arc::clone(served));
        self.verdicts.push(Box::pin(async move {
            let Some(served) = served else { return (id, Err(Reason::Unauthorized.into())) };
            let verdict = check(&served, submit).await;
            if let Err(refusal) = &verdict {
                debug!(lease = %served.terms().id, reason = refusal.message, "share refused");
            }
            (id, verdict)
        }));
    }
}

async fn check(served: &Served, submit: Submit) -> Result<(), Refusal> {
    let unknown = || Reason::UnknownJob { job: submit.job_id.chars().take(64).collect() };
    let sequence = u64::from_str_radix(&submit.job_id, 16).map_err(|_| unknown())?;
    let (version, mask) = served.version_of(sequence).ok_or_else(unknown)?;
    let tail = ArrayVec::try_from(submit.extranonce2.as_slice())
        .map_err(|_| Reason::ExtranonceLength { expected: 32, actual: submit.extranonce2.len() })?;
    let version = match submit.version_bits {
        Some(bits) if bits & !mask != 0 => version ^ (bits & !mask),
        Some(bits) => (version & !mask) | bits,
        None => version,
    };
    let share = Share { tail, ntime: submit.ntime, nonce: submit.nonce, version };
    served.submit(sequence, share).await
}
