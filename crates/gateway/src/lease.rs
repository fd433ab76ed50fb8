//! One lease: its session at the pool, and its jobs.

use crate::{
    Assignment,
    clock::unix_seconds,
    jobs::{Extranonce, JobMaker},
    members::Members,
};
use alloy_primitives::B256;
use hashlease_primitives::{LocalSigner, Secret, Target, Terms};
use hashlease_share::{Reason, Share, VerifiedJob};
use hashlease_stratum::{
    Notify,
    client::{ConnectOptions, SubmitOutcome, UpstreamEvent, UpstreamEvents, UpstreamHandle, connect},
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashSet},
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::broadcast,
    time::{Instant, sleep, sleep_until},
};
use tracing::{debug, info, warn};

/// Version bits that pools are asked for (BIP 320).
const VERSION_MASK: u32 = 0x1fff_e000;
/// How long before a lease's start its pool is connected, seconds.
const CONNECT_AHEAD: u64 = 15;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Jobs kept for their shares.
const MAX_JOBS: usize = 1_024;

/// A job that was handed out.
#[derive(Debug)]
pub(crate) struct LiveJob {
    pub(crate) verified: VerifiedJob,
    pub(crate) clean: bool,
    pool_job: String,
    pool_target: Target,
    upstream: UpstreamHandle,
}

/// What the nodes of a lease are told.
#[derive(Clone, Debug)]
pub(crate) enum LinkEvent {
    Job(Arc<LiveJob>),
    Session(Extranonce),
    Difficulty(Target),
    Over,
}

/// How a lease is doing.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseStatus {
    /// Lease.
    pub lease: u64,
    /// The session at the pool, in words.
    pub pool: String,
    /// Shares at the settlement target by epoch: the gateway's own count.
    pub counted: BTreeMap<u32, u64>,
    /// Shares that the pool took.
    pub accepted: u64,
    /// Shares that the pool refused.
    pub refused: u64,
    /// Nodes that are connected.
    pub nodes: usize,
}

#[derive(Debug, Default)]
struct State {
    jobs: BTreeMap<u64, Arc<LiveJob>>,
    session: Option<Extranonce>,
    difficulty: Option<Target>,
    seen: BTreeMap<u32, HashSet<B256>>,
    counted: BTreeMap<u32, u64>,
    accepted: u64,
    refused: u64,
    pool: String,
}

/// A lease that is being served.
#[derive(Debug)]
pub(crate) struct Served {
    terms: Terms,
    token: Secret,
    worker: String,
    maker: Mutex<JobMaker>,
    state: Mutex<State>,
    events: broadcast::Sender<LinkEvent>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a node is told when it comes in.
pub(crate) struct Greeting {
    pub(crate) session: Option<Extranonce>,
    pub(crate) difficulty: Option<Target>,
    pub(crate) job: Option<Arc<LiveJob>>,
}

impl Served {
    pub(crate) fn new(assignment: &Assignment, signer: LocalSigner, sequences: &Path) -> io::Result<Self> {
        Ok(Self {
            terms: assignment.terms.clone(),
            token: assignment.pool.token.clone(),
            worker: assignment.pool.worker.clone(),
            maker: Mutex::new(JobMaker::open(signer, sequences)?),
            state: Mutex::new(State { pool: "not connected yet".into(), ..State::default() }),
            events: broadcast::Sender::new(64),
        })
    }

    pub(crate) const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Compares in a time that does not depend on where the difference is.
    pub(crate) fn lets_in(&self, token: &str) -> bool {
        let (ours, theirs) = (self.token.reveal().as_bytes(), token.as_bytes());
        ours.len() == theirs.len() && ours.iter().zip(theirs).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
    }

    pub(crate) fn greet(&self) -> (Greeting, broadcast::Receiver<LinkEvent>) {
        let state = lock(&self.state);
        let greeting = Greeting {
            session: state.session.clone(),
            difficulty: state.difficulty,
            job: state.jobs.last_key_value().map(|(_, job)| Arc::clone(job)),
        };
        // under the lock, so that nothing falls in between
        (greeting, self.events.subscribe())
    }

    pub(crate) fn status(&self) -> LeaseStatus {
        let state = lock(&self.state);
        LeaseStatus {
            lease: self.terms.id.0,
            pool: state.pool.clone(),
            counted: state.counted.clone(),
            accepted: state.accepted,
            refused: state.refused,
            nodes: self.events.receiver_count(),
        }
    }

    /// Version and mask of a job.
    pub(crate) fn version_of(&self, sequence: u64) -> Option<(u32, u32)> {
        let state = lock(&self.state);
        state.jobs.get(&sequence).map(|job| (job.verified.job().version, job.verified.job().version_mask))
    }

    /// Checks a node's share, counts it, and forwards it if it is good enough for the pool.
    pub(crate) async fn submit(&self, sequence: u64, share: Share) -> Result<(), Refusal> {
        let job = lock(&self.state).jobs.get(&sequence).cloned();
        let job = job.ok_or_else(|| Reason::UnknownJob { job: format!("{sequence:x}") })?;
        let opened = job.verified.open(&self.terms, &share)?;
        let for_pool = opened.meets(job.pool_target);
        let (epoch, key) = (opened.epoch(), opened.key());
        let settled = opened.settle();
        if let (Err(reason), false) = (&settled, for_pool) {
            return Err(reason.clone().into());
        }
        {
            let mut state = lock(&self.state);
            if !state.seen.entry(epoch).or_default().insert(key) {
                return Err(Reason::Duplicate.into());
            }
            if settled.is_ok() {
                let count = state.counted.entry(epoch).or_default();
                *count = count.saturating_add(1);
            }
        }
        if !for_pool {
            return Ok(());
        }
        let signed = job.verified.job();
        let bits = (signed.version_mask != 0).then_some(share.version & signed.version_mask);
        let outcome = job
            .upstream
            .submit(&self.worker, &job.pool_job, &share.tail, share.ntime, share.nonce, bits)
            .await;
        let mut state = lock(&self.state);
        match outcome {
            SubmitOutcome::Accepted => {
                state.accepted = state.accepted.saturating_add(1);
                Ok(())
            }
            SubmitOutcome::Rejected { code, message } => {
                state.refused = state.refused.saturating_add(1);
                Err(Refusal { code: i32::try_from(code).unwrap_or(20), message })
            }
            SubmitOutcome::Lost => Err(Refusal { code: 20, message: "pool-lost".into() }),
        }
    }
}

/// Serves a lease until its end.
pub(crate) async fn run(served: Arc<Served>, assignment: Assignment, agent: String) {
    let members = Members::start(&assignment.members);
    let id = served.terms.id;
    let mut pause = FIRST_PAUSE;
    loop {
        let now = unix_seconds();
        if now >= served.terms.end {
            break;
        }
        if now.saturating_add(CONNECT_AHEAD) < served.terms.start {
            sleep(Duration::from_millis(500)).await;
            continue;
        }
        let pool = &assignment.pool;
        let options = ConnectOptions::new(&pool.pool, &agent)
            .credentials(pool.worker.clone(), pool.password.clone())
            .version_mask(VERSION_MASK);
        let trouble = match connect(options).await {
            Ok((handle, events)) => {
                let (worked, reason) = Session::new(&served, &members, handle).follow(events).await;
                if worked {
                    pause = FIRST_PAUSE;
                }
                reason
            }
            Err(error) => error.to_string(),
        };
        served.lost(&trouble);
        if unix_seconds() < served.terms.end {
            warn!(lease = %id, pool = pool.pool, trouble, retry_in = ?pause, "no session at the pool: time without jobs is not due");
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(MAX_PAUSE);
    }
    let _ = served.events.send(LinkEvent::Over);
    info!(lease = %id, "lease is over");
}

impl Served {
    /// The pool is gone: jobs that are out stay good until their windows end, new ones do not come.
    fn lost(&self, trouble: &str) {
        let mut state = lock(&self.state);
        state.session = None;
        state.pool = trouble.to_owned();
    }

    fn hand_out(&self, job: LiveJob) {
        let job = Arc::new(job);
        let mut state = lock(&self.state);
        state.jobs.insert(job.verified.job().sequence, Arc::clone(&job));
        while state.jobs.len() > MAX_JOBS {
            state.jobs.pop_first();
        }
        let _ = self.events.send(LinkEvent::Job(job));
    }
}

/// One session at the pool.
struct Session<'a> {
    served: &'a Served,
    members: &'a Members,
    handle: UpstreamHandle,
    session: Extranonce,
    subscribed: bool,
    authorised: bool,
    target: Option<Target>,
    easier: Option<Target>,
    notify: Option<Notify>,
    last_trouble: String,
}

impl<'a> Session<'a> {
    fn new(served: &'a Served, members: &'a Members, handle: UpstreamHandle) -> Self {
        Self {
            served,
            members,
            handle,
            session: Extranonce::default(),
            subscribed: false,
            authorised: false,
            target: None,
            easier: None,
            notify: None,
            last_trouble: String::new(),
        }
    }

    /// Reads the pool to the end of the session; says whether a job came of it, and why it ended.
    async fn follow(mut self, mut events: UpstreamEvents) -> (bool, String) {
        let mut worked = false;
        let mut next = Instant::now();
        loop {
            tokio::select! {
                event = events.next() => match event {
                    None => return (worked, "closed".into()),
                    Some(UpstreamEvent::Closed { reason }) => return (worked, reason),
                    Some(event) => {
                        let Some(clean) = self.take(event) else { continue };
                        worked |= self.make(clean);
                    }
                },
                () = sleep_until(next), if self.notify.is_some() => { worked |= self.make(false); }
            }
            next = Instant::now() + self.until_next();
            if unix_seconds() >= self.served.terms.end {
                return (worked, "lease is over".into());
            }
        }
    }

    /// Until the next fresh job is due: the interval, but not across an epoch's or the lease's begin.
    fn until_next(&self) -> Duration {
        let terms = &self.served.terms;
        let now = unix_seconds();
        let interval = terms.job_interval();
        let wait = match terms.epoch_of(now) {
            Ok(epoch) => interval.min(terms.epoch_end(epoch).saturating_sub(now)),
            Err(_) => interval.min(terms.start.saturating_sub(now)),
        };
        Duration::from_secs(wait.max(1))
    }

    /// Takes what the pool says; `Some(clean)` when a job should be made of it.
    fn take(&mut self, event: UpstreamEvent) -> Option<bool> {
        match event {
            UpstreamEvent::Extranonce { extranonce1, extranonce2_size } => {
                self.subscribed = true;
                self.session = Extranonce { extranonce1, extranonce2_size, ..self.session.clone() };
                self.tell_session();
                None
            }
            UpstreamEvent::VersionMask(mask) => {
                self.session.version_mask = mask & VERSION_MASK;
                self.tell_session();
                // the mask is part of what is signed
                self.notify.is_some().then_some(false)
            }
            UpstreamEvent::Difficulty(target) => {
                // until the next job the pool may judge by either
                self.easier = self.target.map(|known| known.easier(target));
                self.target = Some(target);
                lock(&self.served.state).difficulty = Some(target);
                let _ = self.served.events.send(LinkEvent::Difficulty(target));
                None
            }
            UpstreamEvent::Notify(notify) => {
                let clean = notify.clean_jobs;
                self.notify = Some(*notify);
                self.easier = None;
                Some(clean)
            }
            UpstreamEvent::Authorized => {
                info!(lease = %self.served.terms.id, "pool let the worker in");
                self.authorised = true;
                "connected".clone_into(&mut lock(&self.served.state).pool);
                self.notify.is_some().then_some(true)
            }
            UpstreamEvent::Refused { message } => {
                warn!(lease = %self.served.terms.id, message, "pool refuses the renter's worker");
                None
            }
            UpstreamEvent::Other { .. } | UpstreamEvent::Closed { .. } => None,
        }
    }

    fn tell_session(&self) {
        if self.subscribed {
            lock(&self.served.state).session = Some(self.session.clone());
            let _ = self.served.events.send(LinkEvent::Session(self.session.clone()));
        }
    }

    fn make(&mut self, clean: bool) -> bool {
        let (Some(notify), Some(target), true) =
            (&self.notify, self.target, self.authorised && self.subscribed)
        else {
            return false;
        };
        let now = unix_seconds();
        let made = lock(&self.served.maker).make(&self.served.terms, notify, &self.session, now);
        match made {
            Ok(verified) => {
                debug!(lease = %self.served.terms.id, sequence = verified.job().sequence, clean, "job signed");
                self.members.send(verified.signed());
                self.served.hand_out(LiveJob {
                    verified,
                    clean,
                    pool_job: notify.job_id.clone(),
                    pool_target: self.easier.unwrap_or(target),
                    upstream: self.handle.clone(),
                });
                self.last_trouble.clear();
                true
            }
            Err(crate::JobError::NotRunning(_)) => false,
            Err(error) => {
                let trouble = error.to_string();
                if trouble != self.last_trouble {
                    warn!(lease = %self.served.terms.id, %error, "pool's job can't be handed out");
                    lock(&self.served.state).pool.clone_from(&trouble);
                    self.last_trouble = trouble;
                }
                false
            }
        }
    }
}

/// An answer that is not `true`.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { code: reason.stratum_code(), message: reason.code().to_owned() }
    }
}
