//! One miner's connection.

use crate::{
    extranonce::Layout,
    lease_choice::{LeaseChoice, pinned},
    served_lease::{LiveJob, Served},
    session_numbers::SessionNumber,
    share_intake::{Submitted, job_id, parse_job_id, take_share},
};
use futures::{StreamExt as _, stream::FuturesOrdered};
use hashlease_primitives::{Algorithm, DifficultyBase, Target};
use hashlease_share::Reason;
use hashlease_stratum::{
    Id, LineLimits, LineReader, Message, MinerRequest, Notify, Submit, VersionRolling, encode,
};
use serde_json::json;
use std::{
    future::{Future, ready},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{debug, info, warn};

/// Shares of one miner that may wait for the disk.
const IN_FLIGHT: usize = 256;
/// How long one write to a miner may take.
const WRITE: Duration = Duration::from_secs(20);
/// Refusals in a row that no honest miner makes.
const MAX_MALFORMED: u32 = 16;
/// Silence that is allowed to a worker that was let in: where it is a small part of its lease, its shares are rare. A
/// connection that is dead is found by the jobs written into it.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);
/// Workers of one connection.
const MAX_WORKERS: usize = 64;
/// How often a session looks whether its lease is still the right one.
const LOOK: Duration = Duration::from_millis(500);

type Answer = Pin<Box<dyn Future<Output = (Id, Result<(), Reason>)> + Send>>;
type Jobs = watch::Receiver<Option<Arc<LiveJob>>>;

struct Session {
    choice: LeaseChoice,
    peer: SocketAddr,
    number: Option<SessionNumber>,
    /// Sizes that it was told. A job may have room for a longer extranonce2.
    layout: Layout,
    subscribed: bool,
    workers: Vec<String>,
    extranonce_subscribed: bool,
    rolling: Option<VersionRolling>,
    told_mask: u32,
    told_target: Option<Target>,
    lease: Option<(Arc<Served>, Jobs)>,
    /// Sequence of the newest job of the lease that was handed out.
    told_job: Option<u64>,
    answers: FuturesOrdered<Answer>,
    malformed: u32,
}

/// Text to be written, and why the session ends then, if it does.
type Step = Result<String, (String, String)>;

/// Serves one miner to the end of its connection; says why it ended.
pub(crate) async fn run(stream: TcpStream, peer: SocketAddr, choice: LeaseChoice) -> String {
    let (reader, mut writer) = stream.into_split();
    let mut lines = LineReader::new(reader, LineLimits::default());
    let mut session = Session {
        choice,
        peer,
        number: None,
        layout: Layout::PLACEHOLDER,
        subscribed: false,
        workers: Vec::new(),
        extranonce_subscribed: false,
        rolling: None,
        told_mask: 0,
        told_target: None,
        lease: None,
        told_job: None,
        answers: FuturesOrdered::new(),
        malformed: 0,
    };
    let end = speak(&mut session, &mut lines, &mut writer).await;
    // what was submitted before the end counts all the same, and who only closed one direction still listens
    let mut text = String::new();
    while let Some((id, result)) = session.answers.next().await {
        text.push_str(&answer(&id, result));
    }
    if !text.is_empty() {
        let _ = timeout(WRITE, writer.write_all(text.as_bytes())).await;
    }
    end
}

async fn speak(
    session: &mut Session,
    lines: &mut LineReader<OwnedReadHalf>,
    writer: &mut OwnedWriteHalf,
) -> String {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let step = tokio::select! {
            line = lines.next(), if session.answers.len() < IN_FLIGHT => match line {
                Ok(Some(line)) => {
                    let step = session.line(&line);
                    if !session.workers.is_empty() {
                        lines.set_idle(IDLE);
                    }
                    step
                }
                Ok(None) => return "closed by the miner".into(),
                Err(error) => return error.to_string(),
            },
            // in order: many miners use one id for every share
            Some((id, result)) = session.answers.next() => Ok(answer(&id, result)),
            job = next_job(&mut session.lease) => session.job(job),
            _ = look.tick(), if !session.workers.is_empty() => session.look(),
        };
        let (text, end) = match step {
            Ok(text) => (text, None),
            Err((text, reason)) => (text, Some(reason)),
        };
        if !text.is_empty() {
            match timeout(WRITE, writer.write_all(text.as_bytes())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "does not read what it is sent".into(),
            }
        }
        if let Some(reason) = end {
            return reason;
        }
    }
}

async fn next_job(lease: &mut Option<(Arc<Served>, Jobs)>) -> Option<Arc<LiveJob>> {
    let Some((_, jobs)) = lease else { return std::future::pending().await };
    match jobs.changed().await {
        Ok(()) => jobs.borrow_and_update().clone(),
        Err(_) => std::future::pending().await,
    }
}

fn answer(id: &Id, result: Result<(), Reason>) -> String {
    match result {
        Ok(()) => encode::result(id, json!(true)),
        Err(reason) => refuse(id, &reason),
    }
}

fn refuse(id: &Id, reason: &Reason) -> String {
    encode::error(id, reason.stratum_code(), reason.code())
}

impl Session {
    fn line(&mut self, line: &str) -> Step {
        let (id, method, params) = match Message::parse(line) {
            Ok(Message::Request { id, method, params }) => (id, method, params),
            Ok(Message::Response { .. }) => return Ok(String::new()),
            Err(error) => return Err((String::new(), error.to_string())),
        };
        let request = match MinerRequest::read(&method, &params) {
            Ok(request) => request,
            Err(error) => {
                let reason = Reason::Malformed(error.to_string());
                self.log(&reason);
                self.malformed = self.malformed.saturating_add(1);
                let too_many = self.malformed >= MAX_MALFORMED;
                let text = if method == "mining.submit" {
                    // not before the answers to earlier shares
                    self.answers.push_back(Box::pin(ready((id, Err(reason)))));
                    String::new()
                } else {
                    refuse(&id, &reason)
                };
                return if too_many { Err((text, "too many malformed requests".into())) } else { Ok(text) };
            }
        };
        self.malformed = 0;
        match request {
            MinerRequest::Subscribe { agent } => self.subscribe(&id, agent),
            MinerRequest::Authorize { user, .. } => self.authorise(&id, user),
            MinerRequest::Configure { version_rolling, others } => {
                Ok(self.configure(&id, version_rolling, &others))
            }
            MinerRequest::ExtranonceSubscribe => {
                self.extranonce_subscribed = true;
                Ok(encode::result(&id, json!(true)))
            }
            MinerRequest::Submit(submit) => {
                self.submit(id, submit);
                Ok(String::new())
            }
            MinerRequest::Ping => Ok(encode::result(&id, json!("pong"))),
            // a notification needs no answer, everything else some
            MinerRequest::Suggest { .. } | MinerRequest::Harmless if id.0.is_null() => Ok(String::new()),
            MinerRequest::Suggest { .. } => Ok(encode::result(&id, json!(true))),
            MinerRequest::Harmless => Ok(encode::result(&id, json!([]))),
            MinerRequest::OtherDialect { method, .. } => {
                let reason = Reason::AlgorithmNotServed(Algorithm::Ethash);
                debug!(peer = %self.peer, method, code = reason.code(), "Ethash miner");
                Ok(refuse(&id, &reason))
            }
            MinerRequest::Unknown { method } => {
                debug!(peer = %self.peer, method, "unknown method");
                let reason = Reason::UnknownMethod(method.chars().take(64).collect());
                Ok(if id.0.is_null() { String::new() } else { refuse(&id, &reason) })
            }
        }
    }

    /// A number of its own for every session; the same for a second subscribe.
    fn number(&mut self) -> Result<u64, String> {
        if let Some(number) = &self.number {
            return Ok(number.get());
        }
        let number = self.choice.numbers.take(self.layout.sessions()).map_err(|error| {
            warn!(peer = %self.peer, %error, "no extranonce for a miner");
            error.to_string()
        })?;
        let taken = number.get();
        self.number = Some(number);
        Ok(taken)
    }

    fn subscribe(&mut self, id: &Id, agent: Option<String>) -> Step {
        // most say only later whose they are
        if self.number.is_none()
            && let Some(layout) = self.choice.layout(self.worker())
        {
            self.layout = layout;
        }
        let number = self.number().map_err(|error| (refuse(id, &Reason::NoExtranonce), error))?;
        let (_, extranonce1) = self.layout.session_bytes(number);
        self.subscribed = true;
        debug!(peer = %self.peer, agent = agent.unwrap_or_default().chars().take(64).collect::<String>(), "subscribed");
        let mut text =
            encode::subscribed(id, &format!("{number:016x}"), &extranonce1, self.layout.extranonce2);
        text.push_str(&self.begin().map_err(|(more, reason)| ([text.clone(), more].concat(), reason))?);
        Ok(text)
    }

    fn authorise(&mut self, id: &Id, user: String) -> Step {
        let served = self.choice.choose(&user);
        if served.is_none() && !self.choice.soon(&user) {
            info!(peer = %self.peer, worker = user, "no active lease for this worker");
            return Err((refuse(id, &Reason::NoActiveLease), "no active lease for it".into()));
        }
        let current = self.lease.as_ref().map(|(served, _)| served.id());
        if let (Some(wanted), Some(current)) = (pinned(&user), current)
            && wanted != current
        {
            info!(peer = %self.peer, worker = user, lease = %current, "connection mines for another lease");
            return Ok(refuse(id, &Reason::ConnectionOfOtherLease(current)));
        }
        if !self.knows(&user) {
            if self.workers.len() >= MAX_WORKERS {
                return Ok(refuse(id, &Reason::TooManyWorkers { max: MAX_WORKERS }));
            }
            self.workers.push(user);
        }
        let mut text = encode::result(id, json!(true));
        text.push_str(&self.begin().map_err(|(more, reason)| ([text.clone(), more].concat(), reason))?);
        Ok(text)
    }

    fn configure(&mut self, id: &Id, asked: Option<VersionRolling>, others: &[String]) -> String {
        let mut result = serde_json::Map::new();
        // a later request for other extensions takes nothing back
        if let Some(asked) = asked {
            self.rolling = Some(asked);
            // BIP 320's bits until a job says which the pool grants
            let granted = self.job_mask().unwrap_or(0x1fff_e000) & asked.mask;
            self.told_mask = granted;
            result.insert("version-rolling".into(), json!(true));
            result.insert("version-rolling.mask".into(), json!(format!("{granted:08x}")));
        }
        for other in others {
            let extranonce = other == "subscribe-extranonce";
            self.extranonce_subscribed |= extranonce;
            result.insert(other.clone(), json!(extranonce));
        }
        encode::result(id, result.into())
    }

    fn job_mask(&self) -> Option<u32> {
        let (served, _) = self.lease.as_ref()?;
        served.jobs().borrow().as_ref().map(|job| job.header.version_mask)
    }

    /// Once subscribed and authorised, takes up a lease.
    fn begin(&mut self) -> Step {
        let (true, Some(worker), None) = (self.subscribed, self.worker(), &self.lease) else {
            return Ok(String::new());
        };
        let Some(served) = self.choice.choose(worker) else { return Ok(String::new()) };
        info!(peer = %self.peer, worker, lease = %served.id(), "miner works");
        let mut jobs = served.jobs();
        let job = jobs.borrow_and_update().clone();
        self.lease = Some((served, jobs));
        self.told_target = None;
        self.told_job = None;
        // one whose window is over would only bring refusals
        let job = job.filter(|job| job.verified.job().not_after() >= self.choice.now());
        self.job(job)
    }

    /// Looks whether the lease is over, or one has begun.
    fn look(&mut self) -> Step {
        let now = self.choice.now();
        if self.lease.as_ref().is_some_and(|(served, _)| !served.terms().is_active(now)) {
            self.lease = None;
            if self.choice.choose(self.worker().unwrap_or_default()).is_none() {
                // so that the miner's own failover takes over
                return Err((encode::show_message("lease is over"), "lease is over, no other for it".into()));
            }
        }
        if self.lease.is_none() && self.subscribed {
            let worker = self.worker().unwrap_or_default();
            if self.choice.choose(worker).is_none() && !self.choice.soon(worker) {
                return Err((String::new(), "no active lease for it".into()));
            }
        }
        self.begin()
    }

    fn job(&mut self, job: Option<Arc<LiveJob>>) -> Step {
        job.map_or_else(|| Ok(String::new()), |job| self.hand_out(&job))
    }

    /// Tells a miner of a job, and before it of everything that changed.
    fn hand_out(&mut self, live: &LiveJob) -> Step {
        let Some((served, _)) = &self.lease else { return Ok(String::new()) };
        let terms = served.terms();
        // a job that was skipped since may have been the clean one
        let clean = self.told_job.is_none_or(|told| served.clean_since(told));
        let signed = &live.header;
        let mut text = String::new();
        let grows = self.extranonce_subscribed && live.layout.extranonce2 > self.layout.extranonce2;
        if !live.layout.has_room_for(&self.layout) || grows {
            if !self.extranonce_subscribed {
                return Err((
                    encode::reconnect(),
                    "its extranonce sizes changed and it can't be told".into(),
                ));
            }
            if live.layout.extranonce1 != self.layout.extranonce1 {
                // another way to cut the space: a number that nobody has in it
                self.number = None;
            }
            self.layout = live.layout;
            let number = self.number().map_err(|error| (String::new(), error))?;
            let (_, extranonce1) = self.layout.session_bytes(number);
            text.push_str(&encode::set_extranonce(&extranonce1, self.layout.extranonce2));
        }
        let number = self.number().map_err(|error| (String::new(), error))?;
        let (filler, _) = live.layout.session_bytes(number);
        let padding = live.layout.padding(&self.layout);
        self.told_job = Some(live.sequence());
        if let Some(rolling) = self.rolling {
            let mask = signed.version_mask & rolling.mask;
            if mask != self.told_mask {
                self.told_mask = mask;
                text.push_str(&encode::set_version_mask(mask));
            }
        }
        let settlement = terms.weight.target();
        let target = live.pool_target.map_or(settlement, |pool| pool.easier(settlement));
        if self.told_target != Some(target) {
            self.told_target = Some(target);
            let base = DifficultyBase::of_stratum(terms.algorithm);
            text.push_str(&encode::set_difficulty(target, base));
        }
        let ntime = signed.not_before.max(self.choice.now()).min(signed.not_after);
        text.push_str(&encode::notify(&Notify {
            job_id: job_id(terms.id.0, live.sequence()),
            prev_hash: signed.prev_hash,
            coinb1: [signed.coinbase_prefix.as_ref(), &filler].concat(),
            coinb2: [padding.as_slice(), signed.coinbase_suffix.as_ref()].concat(),
            branch: signed.branch.clone(),
            version: signed.version,
            n_bits: signed.n_bits,
            ntime: u32::try_from(ntime).unwrap_or(u32::MAX),
            clean_jobs: clean,
        }));
        Ok(text)
    }

    fn submit(&mut self, id: Id, submit: Submit) {
        let prepared = self.prepare(&submit);
        let (book, peer) = (self.choice.book.clone(), self.peer);
        let checker = Arc::clone(&self.choice.checker);
        self.answers.push_back(Box::pin(async move {
            let result = match prepared {
                Ok((served, job, submitted)) => take_share(&served, &job, &book, &checker, submitted).await.map(drop),
                Err(reason) => Err(reason),
            };
            if let Err(reason) = &result {
                info!(%peer, worker = submit.worker, job = submit.job_id, code = reason.code(), %reason, "share refused");
            }
            (id, result)
        }));
    }

    /// Finds the job of a share and completes its extranonce.
    fn prepare(&self, submit: &Submit) -> Result<(Arc<Served>, Arc<LiveJob>, Submitted), Reason> {
        if !self.subscribed {
            return Err(Reason::NotSubscribed);
        }
        let (true, Some(number)) = (self.knows(&submit.worker), &self.number) else {
            return Err(Reason::Unauthorized);
        };
        let unknown = || Reason::UnknownJob { job: submit.job_id.chars().take(64).collect() };
        let (lease, sequence) = parse_job_id(&submit.job_id).ok_or_else(unknown)?;
        let (served, _) = self.lease.as_ref().ok_or_else(unknown)?;
        if served.id().0 != lease {
            let known = self.choice.leases.borrow().contains_key(&hashlease_primitives::LeaseId(lease));
            let other =
                Reason::OtherLease { expected: served.id(), actual: hashlease_primitives::LeaseId(lease) };
            return Err(if known { other } else { unknown() });
        }
        // ids carry 32 bits of the sequence: enough for the jobs that are kept
        let job = served.job(u64::from(sequence)).ok_or_else(unknown)?;
        let layout = job.layout;
        if submit.extranonce2.len() != self.layout.extranonce2 {
            return Err(Reason::ExtranonceLength {
                expected: self.layout.extranonce2,
                actual: submit.extranonce2.len(),
            });
        }
        let (filler, extranonce1) = layout.session_bytes(number.get());
        let padding = layout.padding(&self.layout);
        let mask = job.header.version_mask;
        let submitted = Submitted {
            worker: submit.worker.clone(),
            tail: [filler, extranonce1, submit.extranonce2.clone(), padding].concat(),
            ntime: submit.ntime,
            nonce: submit.nonce,
            // a miner that never asked to roll may send zeros
            version_bits: submit.version_bits.filter(|bits| self.rolling.is_some() || *bits != 0),
            version_mask: self.rolling.map_or(mask, |rolling| rolling.mask & mask),
        };
        Ok((Arc::clone(served), job, submitted))
    }

    /// The worker that decides on the lease: one that names its lease, else the first.
    fn worker(&self) -> Option<&str> {
        let naming = self.workers.iter().find(|worker| pinned(worker).is_some());
        naming.or_else(|| self.workers.first()).map(String::as_str)
    }

    /// Whether a worker was let in. Some firmware changes the case of what it was told.
    fn knows(&self, worker: &str) -> bool {
        self.workers.iter().any(|known| known.eq_ignore_ascii_case(worker))
    }

    fn log(&self, reason: &Reason) {
        info!(peer = %self.peer, worker = self.worker(), code = reason.code(), %reason, "share refused");
    }
}
