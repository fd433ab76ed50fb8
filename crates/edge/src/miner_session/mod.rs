//! One miner's session: its workers, its lease, and what was announced to the miner.
//!
//! ```text
//! request ─▶ receive ─▶ subscribe, authorise, configure ─▶ take_up_lease ─▶ hand_out_job ─▶ miner
//!                   └─▶ submit ─▶ prepare_share ─▶ share_intake
//! ```

mod hand_out_job;
mod prepare_share;

use crate::miner_messages::LEASE_OVER;
use crate::refusal::Refusal;
use crate::{
    extranonce::Layout,
    lease_choice::{LeaseChoice, pinned},
    mined_lease::{MineableJob, MinedLease},
    session_numbers::SessionNumber,
    share_intake::count_share,
};
use hashlease_primitives::{Algorithm, JobKind, Target};
use hashlease_stratum::server::SessionRefusal;
use hashlease_stratum::{
    Answer, BIP320_MASK, Dialect, Event, Id, LineLimits, MinerRequest, Received, RequestError, Submit,
    VersionRolling,
    server::{Reply, ServerSession, SessionEnd},
};
use std::{future::ready, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};
use tracing::{debug, info, warn};

/// Limit on malformed requests in a row; no honest miner reaches it.
const MAX_MALFORMED: u32 = 16;
/// Idle timeout of an authorised worker. Long, because small workers find shares rarely; dead peers
/// are detected when writing a job fails.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);
/// Workers of one connection.
const MAX_WORKERS: usize = 64;
/// How often a session checks whether its lease is still the right one.
const LOOK: Duration = Duration::from_millis(500);

type Jobs = watch::Receiver<Option<Arc<MineableJob>>>;

/// The session of one miner.
pub(crate) struct MinerSession {
    dialect: Box<dyn Dialect>,
    choice: LeaseChoice,
    peer: SocketAddr,
    number: Option<SessionNumber>,
    /// Sizes announced to the miner. A job may have room for a longer extranonce2.
    layout: Layout,
    subscribed: bool,
    workers: Vec<String>,
    extranonce_subscribed: bool,
    rolling: Option<VersionRolling>,
    announced_mask: u32,
    announced_target: Option<Target>,
    /// Sequence of the newest job of the lease that was handed out.
    announced_job: Option<u64>,
    lease: Option<(Arc<MinedLease>, Jobs)>,
    malformed: u32,
    look: Interval,
}

impl ServerSession for MinerSession {
    fn dialect(&self) -> &dyn Dialect {
        &*self.dialect
    }

    fn receive(&mut self, received: Received) -> Reply {
        let (id, request) = match received {
            Received::Ignored => return Reply::nothing(),
            Received::Unreadable { id, is_share, error } => {
                return self.refuse_unreadable(id, is_share, &error);
            }
            Received::Request { id, request } => (id, request),
        };
        self.malformed = 0;
        match request {
            MinerRequest::Subscribe { agent } => self.subscribe(&id, agent),
            MinerRequest::Authorize { user, .. } => self.authorise(&id, user),
            MinerRequest::Configure { version_rolling, others } => {
                self.configure(&id, version_rolling, others)
            }
            MinerRequest::ExtranonceSubscribe => {
                self.extranonce_subscribed = true;
                self.answer(&id, &Answer::Accepted)
            }
            MinerRequest::Submit(submit) => self.submit(id, submit),
            MinerRequest::Ping => self.answer(&id, &Answer::Pong),
            // a notification gets no answer
            MinerRequest::Suggest { .. } | MinerRequest::Harmless | MinerRequest::Unknown { .. }
                if id.0.is_null() =>
            {
                Reply::nothing()
            }
            MinerRequest::Suggest { .. } => self.answer(&id, &Answer::Accepted),
            MinerRequest::Harmless => self.answer(&id, &Answer::EmptyList),
            MinerRequest::OtherDialect { kind, method } => {
                let reason = Refusal::from(SessionRefusal::AlgorithmNotServed(match kind {
                    JobKind::Header => Algorithm::Sha256d,
                    JobKind::Ethash => Algorithm::Ethash,
                }));
                debug!(peer = %self.peer, method, code = reason.code(), "miner speaks another dialect");
                self.answer(&id, &Answer::Rejected(reason.rejection()))
            }
            MinerRequest::Unknown { method } => {
                debug!(peer = %self.peer, method, "unknown method");
                self.reject(&id, SessionRefusal::UnknownMethod(method.chars().take(64).collect()))
            }
        }
    }

    async fn next_event(&mut self) -> Reply {
        let has_worker = !self.workers.is_empty();
        tokio::select! {
            job = next_job(&mut self.lease) => self.hand_out_newest(job.as_deref()),
            _ = self.look.tick(), if has_worker => self.check_lease(),
        }
    }

    fn idle(&self) -> Duration {
        if self.workers.is_empty() { LineLimits::default().idle } else { IDLE }
    }
}

async fn next_job(lease: &mut Option<(Arc<MinedLease>, Jobs)>) -> Option<Arc<MineableJob>> {
    let Some((_, jobs)) = lease else { return std::future::pending().await };
    match jobs.changed().await {
        Ok(()) => jobs.borrow_and_update().clone(),
        Err(_) => std::future::pending().await,
    }
}

impl MinerSession {
    pub(crate) fn new(dialect: Box<dyn Dialect>, peer: SocketAddr, choice: LeaseChoice) -> Self {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            dialect,
            choice,
            peer,
            number: None,
            layout: Layout::PLACEHOLDER,
            subscribed: false,
            workers: Vec::new(),
            extranonce_subscribed: false,
            rolling: None,
            announced_mask: 0,
            announced_target: None,
            announced_job: None,
            lease: None,
            malformed: 0,
            look,
        }
    }

    fn answer(&self, id: &Id, answer: &Answer) -> Reply {
        self.dialect.answer(id, answer).into()
    }

    fn reject(&self, id: &Id, refusal: SessionRefusal) -> Reply {
        self.answer(id, &Answer::Rejected(Refusal::from(refusal).rejection()))
    }

    fn refuse_unreadable(&mut self, id: Id, is_share: bool, error: &RequestError) -> Reply {
        let reason = Refusal::from(SessionRefusal::Malformed(error.to_string()));
        info!(peer = %self.peer, worker = self.worker(), code = reason.code(), %reason, "request refused");
        self.malformed = self.malformed.saturating_add(1);
        let reply = if is_share {
            // not before the answers to earlier shares
            Reply::pending(ready((id, Answer::Rejected(reason.rejection()))))
        } else {
            self.answer(&id, &Answer::Rejected(reason.rejection()))
        };
        if self.malformed >= MAX_MALFORMED {
            reply.ending(SessionEnd::Malformed(self.malformed))
        } else {
            reply
        }
    }

    /// The session's number, reserved when first needed.
    fn number(&mut self) -> Result<u64, SessionEnd> {
        if let Some(number) = &self.number {
            return Ok(number.get());
        }
        let number = self.choice.numbers.reserve(self.layout.sessions()).map_err(|error| {
            warn!(peer = %self.peer, %error, "no extranonce for a miner");
            SessionEnd::NoExtranonce
        })?;
        let reserved = number.get();
        self.number = Some(number);
        Ok(reserved)
    }

    fn subscribe(&mut self, id: &Id, agent: Option<String>) -> Reply {
        // most miners authorise later
        if self.number.is_none()
            && let Some(layout) = self.choice.layout(self.worker())
        {
            self.layout = layout;
        }
        let number = match self.number() {
            Ok(number) => number,
            Err(end) => return self.reject(id, SessionRefusal::NoExtranonce).ending(end),
        };
        let (_, extranonce1) = self.layout.session_bytes(number);
        self.subscribed = true;
        let agent: String = agent.unwrap_or_default().chars().take(64).collect();
        debug!(peer = %self.peer, agent, "subscribed");
        let answer = Answer::Subscribed {
            session: format!("{number:016x}"),
            extranonce1,
            extranonce2_size: self.layout.extranonce2,
        };
        self.answer(id, &answer).then(self.take_up_lease())
    }

    fn authorise(&mut self, id: &Id, user: String) -> Reply {
        let lease = self.choice.choose(&user);
        if lease.is_none() && !self.choice.starts_soon(&user) {
            info!(peer = %self.peer, worker = user, "no active lease for this worker");
            return self.reject(id, SessionRefusal::NoActiveLease).ending(SessionEnd::NoActiveLease);
        }
        let current = self.lease.as_ref().map(|(lease, _)| lease.id());
        if let (Some(wanted), Some(current)) = (pinned(&user), current)
            && !wanted.is(current)
        {
            info!(peer = %self.peer, worker = user, lease = %current, "connection mines for another lease");
            return self.reject(id, SessionRefusal::ConnectionOfOtherLease(current));
        }
        if !self.knows(&user) {
            if self.workers.len() >= MAX_WORKERS {
                return self.reject(id, SessionRefusal::TooManyWorkers { max: MAX_WORKERS });
            }
            self.workers.push(user);
        }
        self.answer(id, &Answer::Accepted).then(self.take_up_lease())
    }

    fn configure(&mut self, id: &Id, asked: Option<VersionRolling>, others: Vec<String>) -> Reply {
        // a later request for other extensions revokes nothing
        let version_mask = asked.map(|asked| {
            self.rolling = Some(asked);
            // BIP 320's bits until a job has the bits that the pool grants
            let granted = self.job_mask().unwrap_or(BIP320_MASK) & asked.mask;
            self.announced_mask = granted;
            granted
        });
        let others = others.into_iter().map(|other| {
            let extranonce = other == "subscribe-extranonce";
            self.extranonce_subscribed |= extranonce;
            (other, extranonce)
        });
        let answer = Answer::Configured { version_mask, others: others.collect() };
        self.answer(id, &answer)
    }

    fn job_mask(&self) -> Option<u32> {
        let (lease, _) = self.lease.as_ref()?;
        lease.jobs().borrow().as_ref().map(|job| job.form.version_mask())
    }

    /// Takes up a lease once the miner is subscribed and authorised, and hands out its newest job.
    fn take_up_lease(&mut self) -> Reply {
        let (true, Some(worker), None) = (self.subscribed, self.worker(), &self.lease) else {
            return Reply::nothing();
        };
        let Some(lease) = self.choice.choose(worker) else { return Reply::nothing() };
        info!(peer = %self.peer, worker, lease = %lease.id(), "miner takes up a lease");
        let mut jobs = lease.jobs();
        let job = jobs.borrow_and_update().clone();
        self.lease = Some((lease, jobs));
        self.announced_target = None;
        self.announced_job = None;
        // shares of a job whose window is over would only be refused
        let job = job.filter(|job| job.verified.job().not_after() >= self.choice.now());
        self.hand_out_newest(job.as_deref())
    }

    /// Leaves a lease that is over, and takes up one that started.
    fn check_lease(&mut self) -> Reply {
        let now = self.choice.now();
        if self.lease.as_ref().is_some_and(|(lease, _)| !lease.terms().is_active(now)) {
            self.lease = None;
            if self.choice.choose(self.worker().unwrap_or_default()).is_none() {
                // the miner's own failover takes over
                let text = self.dialect.event(Event::Message(LEASE_OVER));
                return Reply::from(text).ending(SessionEnd::LeaseOver);
            }
        }
        if self.lease.is_none() && self.subscribed {
            let worker = self.worker().unwrap_or_default();
            if self.choice.choose(worker).is_none() && !self.choice.starts_soon(worker) {
                return SessionEnd::NoActiveLease.into();
            }
        }
        self.take_up_lease()
    }

    fn hand_out_newest(&mut self, job: Option<&MineableJob>) -> Reply {
        job.map_or_else(Reply::nothing, |job| self.hand_out(job))
    }

    fn submit(&self, id: Id, submit: Submit) -> Reply {
        let prepared = self.prepare(&submit);
        let (book, peer) = (self.choice.book.clone(), self.peer);
        let checker = Arc::clone(&self.choice.checker);
        Reply::pending(async move {
            let result = match prepared {
                Ok(share) => count_share(share, &book, &checker).await.map(drop),
                Err(reason) => Err(reason),
            };
            let answer = match result {
                Ok(()) => Answer::Accepted,
                Err(reason) => {
                    let (worker, job) = (submit.worker, submit.job_id);
                    info!(%peer, worker, job, code = reason.code(), %reason, "share refused");
                    Answer::Rejected(reason.rejection())
                }
            };
            (id, answer)
        })
    }

    /// The worker that decides on the lease: one that names its lease, else the first.
    fn worker(&self) -> Option<&str> {
        let naming = self.workers.iter().find(|worker| pinned(worker).is_some());
        naming.or_else(|| self.workers.first()).map(String::as_str)
    }

    /// Whether a worker is authorised. Some firmware changes the case of worker names.
    fn knows(&self, worker: &str) -> bool {
        self.workers.iter().any(|known| known.eq_ignore_ascii_case(worker))
    }
}
