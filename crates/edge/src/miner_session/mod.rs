//! One miner's session: its workers, its lease, and what was announced to the miner.
//!
//! ```text
//! request ─▶ receive ─▶ requests: subscribe, authorise, configure ─▶ leases ─▶ hand_out_job ─▶ miner
//!                   └─▶ submit ─▶ prepare_share ─▶ share_intake ─▶ tally (target, refusals)
//! ```

mod hand_out_job;
mod leases;
mod prepare_share;
mod requests;
mod tally;
mod told_jobs;

use crate::{
    extranonce::Sizes,
    lease_choice::{LeaseChoice, pinned},
    lease_counts::MinerSeat,
    mineable_job::MineableJob,
    mined_lease::MinedLease,
    miner_messages::REFUSED_SHARES,
    refusal::Refusal,
    refusal_log::in_words,
    session_numbers::{SessionNumber, SessionNumberError},
    share_intake::count_share,
    vardiff::Vardiff,
};
use alloy_primitives::B256;
use hashlease_primitives::{Algorithm, HashRate, JobKind, Target, UnixMillis};
use hashlease_stratum::server::SessionRefusal;
use hashlease_stratum::{
    Answer, Dialect, Event, Id, MinerRequest, Received, RequestError, Submit, VersionRolling,
    server::{Reply, ServerSession, SessionEnd},
};
use std::{future::ready, net::SocketAddr, sync::Arc, time::Duration};
use tally::Tally;
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};
use told_jobs::ToldJobs;
use tracing::{debug, info, warn};

/// Limit on malformed requests in a row; no honest miner reaches it.
const MAX_MALFORMED: u32 = 16;
/// Idle timeout of an authorised worker. Long, because the smallest workers find shares rarely; dead
/// peers are detected when writing a job fails.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// Idle timeout before a worker is authorised.
const STRANGER_IDLE: Duration = Duration::from_secs(30);
/// How long a connection may last without a worker, whatever it says.
const STRANGER: Duration = Duration::from_secs(60);
/// How often a session checks whether its lease and its job are still the right ones.
const LOOK: Duration = Duration::from_millis(500);

type Jobs = watch::Receiver<Option<Arc<MineableJob>>>;

/// The session of one miner.
pub(crate) struct MinerSession {
    dialect: Box<dyn Dialect>,
    choice: LeaseChoice,
    peer: SocketAddr,
    connected: Instant,
    number: Option<Arc<SessionNumber>>,
    /// Sizes announced to the miner. A job may have room for larger ones.
    sizes: Sizes,
    subscribed: bool,
    workers: Vec<String>,
    extranonce_subscribed: bool,
    rolling: Option<VersionRolling>,
    announced_mask: Option<u32>,
    announced_target: Option<Target>,
    /// The lease, the place in it, and its job as it changes.
    lease: Option<(Arc<MinedLease>, Jobs, MinerSeat)>,
    told: ToldJobs,
    told_job: Option<Arc<MineableJob>>,
    told_at: Option<UnixMillis>,
    told_block: Option<B256>,
    /// Since when the lease has had no job.
    without_job_since: Option<UnixMillis>,
    /// When the miner has to connect again.
    leaving: Option<Instant>,
    tally: Arc<Tally>,
    /// Places of its address in the queue for slow hashes.
    places: Arc<Semaphore>,
    malformed: u32,
    look: Interval,
}

/// What happens without a request.
enum Happening {
    Job(Option<Arc<MineableJob>>),
    Look,
    Tally,
    Leave,
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
            // only what a miner delivers decides on its target
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
        let happening = tokio::select! {
            job = next_job(&mut self.lease) => Happening::Job(job),
            () = self.tally.changed() => Happening::Tally,
            () = sleep_until(self.leaving.unwrap_or_else(Instant::now)), if self.leaving.is_some() => Happening::Leave,
            _ = self.look.tick() => Happening::Look,
        };
        match happening {
            Happening::Job(Some(job)) => self.hand_out(&job),
            Happening::Job(None) => Reply::nothing(),
            Happening::Tally if self.tally.is_hopeless() => self.give_up(),
            Happening::Tally => self.retarget(),
            Happening::Leave => self.reconnect(),
            Happening::Look => self.look(),
        }
    }

    fn idle(&self) -> Duration {
        if self.workers.is_empty() { STRANGER_IDLE } else { IDLE }
    }
}

async fn next_job(lease: &mut Option<(Arc<MinedLease>, Jobs, MinerSeat)>) -> Option<Arc<MineableJob>> {
    let Some((_, jobs, _)) = lease else { return std::future::pending().await };
    match jobs.changed().await {
        Ok(()) => jobs.borrow_and_update().clone(),
        Err(_) => std::future::pending().await,
    }
}

impl MinerSession {
    pub(crate) fn new(dialect: Box<dyn Dialect>, peer: SocketAddr, choice: LeaseChoice) -> Self {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // a lease tells its rate
        let vardiff = Vardiff::new(HashRate::new(1), choice.now());
        let places = choice.shared.places.of(peer.ip());
        Self {
            dialect,
            choice,
            peer,
            connected: Instant::now(),
            number: None,
            sizes: Sizes::PLACEHOLDER,
            subscribed: false,
            workers: Vec::new(),
            extranonce_subscribed: false,
            rolling: None,
            announced_mask: None,
            announced_target: None,
            lease: None,
            told: ToldJobs::default(),
            told_job: None,
            told_at: None,
            told_block: None,
            without_job_since: None,
            leaving: None,
            tally: Arc::new(Tally::new(vardiff)),
            places,
            malformed: 0,
            look,
        }
    }

    /// Writes a line about the session's end. Strangers that never named a worker get none at the
    /// usual level: anybody can make as many as he likes.
    pub(crate) fn log_end(&self, end: &SessionEnd) {
        let (accepted, refused) = self.tally.counts();
        let (peer, code, refused) = (self.peer, end.code(), in_words(&refused));
        match self.worker() {
            Some(worker) if self.choice.shared.lines.has_room() => {
                info!(%peer, ?worker, code, reason = %end, accepted, refused, "miner left");
            }
            Some(_) => {}
            None => debug!(%peer, code, reason = %end, "stranger left"),
        }
    }

    fn answer(&self, id: &Id, answer: &Answer) -> Reply {
        self.dialect.answer(id, answer).into()
    }

    fn reject(&self, id: &Id, refusal: SessionRefusal) -> Reply {
        self.answer(id, &Answer::Rejected(Refusal::from(refusal).rejection()))
    }

    /// A message for people.
    fn message(&self, words: &str) -> Reply {
        self.dialect.event(Event::Message(words)).into()
    }

    fn refuse_unreadable(&mut self, id: Id, is_share: bool, error: &RequestError) -> Reply {
        let reason = Refusal::from(SessionRefusal::Malformed(error.to_string()));
        self.choice.shared.refusals.note(
            self.peer,
            self.worker().unwrap_or_default(),
            reason.code(),
            &reason.to_string(),
        );
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
    fn number(&mut self) -> Result<Arc<SessionNumber>, SessionEnd> {
        if let Some(number) = &self.number {
            return Ok(Arc::clone(number));
        }
        match self.reserve(self.sizes) {
            Ok(number) => Ok(number),
            Err(error) => {
                self.warn_of_no_extranonce(&error);
                Err(SessionEnd::NoExtranonce)
            }
        }
    }

    fn warn_of_no_extranonce(&self, error: &SessionNumberError) {
        if self.choice.shared.lines.has_room() {
            warn!(peer = %self.peer, %error, "no extranonce for a miner");
        }
    }

    fn reserve(&mut self, sizes: Sizes) -> Result<Arc<SessionNumber>, SessionNumberError> {
        let number = Arc::new(self.choice.shared.numbers.reserve(sizes)?);
        (self.sizes, self.number) = (sizes, Some(Arc::clone(&number)));
        Ok(number)
    }

    fn submit(&self, id: Id, submit: Submit) -> Reply {
        let prepared = self.prepare(&submit);
        let (shared, tally, peer) = (self.choice.shared.clone(), Arc::clone(&self.tally), self.peer);
        let places = Arc::clone(&self.places);
        let mined = self.lease.as_ref().map(|(lease, _, _)| Arc::clone(lease));
        Reply::pending(async move {
            let result = match prepared {
                Ok(share) => {
                    let work = share.told.work().hashes();
                    let taken = count_share(share, &shared.book, &shared.checker, &places).await;
                    taken.map(|taken| (taken, work))
                }
                Err(reason) => Err(reason),
            };
            let answer = match result {
                Ok((taken, work)) => {
                    debug!(%peer, ?taken, "share accepted");
                    tally.accept(work, shared.clock.now());
                    Answer::Accepted
                }
                Err(reason) => {
                    tally.refuse(&reason);
                    if let Some(mined) = mined {
                        mined.counts.refuse(reason.code());
                    }
                    shared.refusals.note(peer, &submit.worker, reason.code(), &reason.to_string());
                    Answer::Rejected(reason.rejection())
                }
            };
            (id, answer)
        })
    }

    /// Lets a miner go whose work does not count, so that its own failover starts.
    fn give_up(&self) -> Reply {
        self.message(REFUSED_SHARES).ending(SessionEnd::RefusedShares(tally::MAX_REFUSED))
    }

    /// The worker that decides on the lease: one that names its lease, else the first.
    fn worker(&self) -> Option<&str> {
        let naming = self.workers.iter().find(|worker| pinned(worker).is_some());
        naming.or_else(|| self.workers.first()).map(String::as_str)
    }
}
