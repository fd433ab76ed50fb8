//! One node's link: Stratum V1 with the node as client, and `hashlease.job` after each
//! `mining.notify`.
//!
//! A node names its lease only when it authorises. So `mining.subscribe` is answered with
//! placeholders (extranonce1 `00000000`, size 4), and the real values follow in
//! `mining.set_extranonce` after `mining.authorize` `[lease id, access token]`. Job ids are
//! sequences in lower-case hexadecimal. A share carries the whole free part of the extranonce.

use crate::refusal::Refusal;
use crate::{
    job_draft::Extranonce,
    served_lease::{Greeting, HandedOutJob, LinkEvent, ServedLease, ServedLeases, ServiceEnd, lock},
};
use hashlease_primitives::{DifficultyBase, LeaseId};
use hashlease_share::{EvidenceReason, HeaderShare, SubmittedHeader};
use hashlease_stratum::server::SessionRefusal;
use hashlease_stratum::{
    Answer, BIP320_MASK, Dialect, Event, Id, MinerRequest, Notify, Received, Rejection, Submit,
    VersionRolling,
    server::{Reply, ServerSession, SessionEnd},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep},
};
use tracing::{debug, info, warn};

/// How long a peer may take to send its access token.
const TOKEN: Duration = Duration::from_secs(15);
/// Longest silence: a node without miners has nothing to send.
const IDLE: Duration = Duration::from_secs(3_600);

/// The session of one node.
pub(crate) struct NodeLink {
    dialect: Box<dyn Dialect>,
    leases: ServedLeases,
    lease: Option<(Arc<ServedLease>, Receiver<LinkEvent>)>,
    /// The convention for difficulties, as with the lease's pool.
    difficulty: DifficultyBase,
    accepted: Instant,
}

/// The next thing to tell a node.
enum News {
    Event(LinkEvent),
    /// The node was too slow and missed events.
    Missed(Greeting),
    /// The time for its access token is over.
    NoToken,
}

impl ServerSession for NodeLink {
    fn dialect(&self) -> &dyn Dialect {
        &*self.dialect
    }

    fn receive(&mut self, received: Received) -> Reply {
        let (id, request) = match received {
            Received::Ignored => return Reply::nothing(),
            Received::Unreadable { id, error, .. } => {
                debug!(%error, "request of a node can't be read");
                return self.reject(&id, SessionRefusal::Malformed(error.to_string()));
            }
            Received::Request { id, request } => (id, request),
        };
        match request {
            MinerRequest::Configure { version_rolling, others } => {
                self.configure(&id, version_rolling, others)
            }
            MinerRequest::Subscribe { .. } => self.subscribe(&id),
            MinerRequest::Authorize { user, password } => {
                self.authorise(&id, &user, password.as_deref().unwrap_or_default())
            }
            MinerRequest::Submit(submit) => self.submit(id, submit),
            // a notification gets no answer
            _ if id.0.is_null() => Reply::nothing(),
            MinerRequest::Ping => self.answer(&id, &Answer::Pong),
            MinerRequest::OtherDialect { method, .. } | MinerRequest::Unknown { method } => {
                self.reject(&id, SessionRefusal::UnknownMethod(method.chars().take(64).collect()))
            }
            MinerRequest::ExtranonceSubscribe | MinerRequest::Suggest { .. } | MinerRequest::Harmless => {
                self.answer(&id, &Answer::Accepted)
            }
        }
    }

    async fn next_event(&mut self) -> Reply {
        match self.news().await {
            News::Event(event) => self.tell(event),
            News::Missed(greeting) => self.greet(&greeting).into(),
            News::NoToken => SessionEnd::NoToken(TOKEN).into(),
        }
    }

    fn idle(&self) -> Duration {
        IDLE
    }
}

impl NodeLink {
    pub(crate) fn new(dialect: Box<dyn Dialect>, leases: ServedLeases) -> Self {
        let difficulty = DifficultyBase::Bitcoin;
        Self { dialect, leases, lease: None, difficulty, accepted: Instant::now() }
    }

    /// The lease that the node has named, once it is authorised.
    pub(crate) fn lease_id(&self) -> Option<LeaseId> {
        self.lease.as_ref().map(|(lease, _)| lease.id())
    }

    fn answer(&self, id: &Id, answer: &Answer) -> Reply {
        self.dialect.answer(id, answer).into()
    }

    fn reject(&self, id: &Id, refusal: SessionRefusal) -> Reply {
        self.answer(id, &Answer::Rejected(Refusal::from(refusal).rejection()))
    }

    async fn news(&mut self) -> News {
        let Some((lease, events)) = &mut self.lease else {
            sleep(TOKEN.saturating_sub(self.accepted.elapsed())).await;
            return News::NoToken;
        };
        match events.recv().await {
            Ok(event) => News::Event(event),
            Err(RecvError::Lagged(_)) => News::Missed(lease.catch_up()),
            Err(RecvError::Closed) => News::Event(LinkEvent::Over(ServiceEnd::LeaseOver)),
        }
    }

    fn tell(&self, event: LinkEvent) -> Reply {
        match event {
            LinkEvent::Job(job) => self.announce(&job, &job.notify).into(),
            LinkEvent::Session(session) => self.announce_session(&session).into(),
            LinkEvent::Difficulty(target) => {
                self.dialect.event(Event::Target(target, self.difficulty)).into()
            }
            LinkEvent::Message(text) => self.dialect.event(Event::Message(text)).into(),
            LinkEvent::Over(end) => {
                let end = SessionEnd::from(end);
                Reply::from(self.dialect.event(Event::Message(&end.to_string()))).ending(end)
            }
        }
    }

    fn announce_session(&self, session: &Extranonce) -> String {
        let extranonce = Event::Extranonce {
            extranonce1: &session.extranonce1,
            extranonce2_size: session.extranonce2_size,
        };
        [self.dialect.event(extranonce), self.dialect.event(Event::VersionMask(session.version_mask))]
            .concat()
    }

    fn greet(&self, greeting: &Greeting) -> String {
        let session = greeting.session.as_ref().map(|session| self.announce_session(session));
        let target =
            greeting.difficulty.map(|target| self.dialect.event(Event::Target(target, self.difficulty)));
        let job = greeting
            .job
            .as_ref()
            .map(|job| self.announce(job, &Notify { clean_jobs: true, ..job.notify.clone() }));
        [session, target, job].into_iter().flatten().collect()
    }

    fn announce(&self, job: &HandedOutJob, notify: &Notify) -> String {
        let signed = Event::SignedJob {
            job_id: &notify.job_id,
            signed: job.verified.signed(),
            pool_target: Some(job.pool_target),
        };
        [self.dialect.event(Event::HeaderJob(notify)), self.dialect.event(signed)].concat()
    }

    /// The pool's session if there is only one lease: nothing else can be announced before the node
    /// has named its lease.
    fn only_session(&self) -> Option<Extranonce> {
        let leases = lock(&self.leases);
        let mut served = leases.values();
        match (served.next(), served.next()) {
            (Some(only), None) => only.session(),
            _ => None,
        }
    }

    fn subscribe(&self, id: &Id) -> Reply {
        let (extranonce1, extranonce2_size) = self
            .only_session()
            .map_or_else(|| (vec![0; 4], 4), |known| (known.extranonce1, known.extranonce2_size));
        self.answer(id, &Answer::Subscribed { session: "link".into(), extranonce1, extranonce2_size })
    }

    fn configure(&self, id: &Id, asked: Option<VersionRolling>, others: Vec<String>) -> Reply {
        let version_mask = asked.map(|asked| {
            // the pool's own mask follows in `mining.set_version_mask`
            self.only_session().map_or(BIP320_MASK, |session| session.version_mask) & asked.mask
        });
        let others = others.into_iter().map(|other| (other, false)).collect();
        self.answer(id, &Answer::Configured { version_mask, others })
    }

    fn authorise(&mut self, id: &Id, user: &str, token: &str) -> Reply {
        let lease = user.split('.').next().and_then(|lease| lease.parse().ok());
        let lease = lease.and_then(|lease| lock(&self.leases).get(&LeaseId(lease)).cloned());
        // an unknown lease, a lease that is over and a wrong token look the same from outside
        let greeted = lease.filter(|lease| lease.accepts_token(token)).and_then(|lease| {
            let (greeting, events) = lease.greet()?;
            Some((lease, greeting, events))
        });
        let Some((lease, greeting, events)) = greeted else {
            let user: String = user.chars().take(64).collect();
            warn!(user, "node refused: unknown lease or wrong access token");
            return self.reject(id, SessionRefusal::Unauthorized).ending(SessionEnd::Unauthorized);
        };
        info!(lease = %lease.id(), "node authorised");
        self.difficulty = DifficultyBase::of_stratum(lease.terms().algorithm);
        self.lease = Some((lease, events));
        self.answer(id, &Answer::Accepted).then(self.greet(&greeting).into())
    }

    fn submit(&self, id: Id, submit: Submit) -> Reply {
        let lease = self.lease.as_ref().map(|(lease, _)| Arc::clone(lease));
        Reply::pending(async move {
            let Some(lease) = lease else {
                return (id, Answer::Rejected(Refusal::from(SessionRefusal::Unauthorized).rejection()));
            };
            let answer = match check_share(&lease, submit).await {
                Ok(()) => Answer::Accepted,
                Err(rejection) => {
                    debug!(lease = %lease.id(), reason = rejection.message(), "share refused");
                    Answer::Rejected(rejection)
                }
            };
            (id, answer)
        })
    }
}

async fn check_share(lease: &ServedLease, submit: Submit) -> Result<(), Rejection> {
    let unknown = || {
        Refusal::from(EvidenceReason::UnknownJob { job: submit.job_id.chars().take(64).collect() })
            .rejection()
    };
    let sequence = u64::from_str_radix(&submit.job_id, 16).map_err(|_| unknown())?;
    let job = lease.job(sequence).ok_or_else(unknown)?;
    let Submit { extranonce2, ntime, nonce, version_bits, .. } = &submit;
    let mask = job.header.version_mask;
    let share = HeaderShare::submitted(
        &job.header,
        mask,
        SubmittedHeader { tail: extranonce2, ntime: *ntime, nonce: *nonce, version_bits: *version_bits },
    )
    .map_err(|reason| Refusal::from(reason).rejection())?;
    lease.submit(&job, share).await
}
