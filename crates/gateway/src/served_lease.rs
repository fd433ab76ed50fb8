//! A lease that the gateway serves: its jobs, its shares, and the events for its nodes.

use crate::refusal::Refusal;
use crate::{
    assignment::Assignment,
    job_sequence::JobSequenceError,
    lease_status::{LeaseStatus, PoolState, PoolVerdicts},
    shares::Shares,
    sign_job::{Extranonce, JobMaker},
    signer::JobSigner,
};
use hashlease_check::ShareChecker;
use hashlease_primitives::{HeaderJob, LeaseId, SharedClock, Target, Terms, UnixSeconds};
use hashlease_share::{HeaderShare, Share, VerifiedJob};
use hashlease_stratum::{
    Notify, Rejection,
    client::{SubmitOutcome, UpstreamHandle},
    server::SessionEnd,
};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{broadcast, watch};
use tracing::warn;

/// Jobs kept for their shares; the oldest go first.
const MAX_JOBS: usize = 1_024;
/// How long a job is kept after its window, for shares that are under way, seconds.
const KEEP: u64 = 120;
/// Events that a slow node may have waiting.
const EVENTS: usize = 64;

/// A job that was handed out.
#[derive(Debug)]
pub(crate) struct HandedOutJob {
    pub(crate) verified: Arc<VerifiedJob>,
    /// The header fields that its shares complete.
    pub(crate) header: HeaderJob,
    /// The same job as it is announced.
    pub(crate) notify: Notify,
    pub(crate) pool_job: String,
    /// Number of the upstream session that it came from.
    pub(crate) session: u64,
    pub(crate) upstream: UpstreamHandle,
    /// Only ever becomes easier.
    pub(crate) pool_target: Mutex<Target>,
}

/// An event for the nodes of a lease.
#[derive(Clone, Debug)]
pub(crate) enum LinkEvent {
    Job(Arc<HandedOutJob>),
    Session(Extranonce),
    Difficulty(Target),
    /// In words that do not name the pool: only the gateway knows it.
    Message(&'static str),
    Over(ServiceEnd),
}

/// Why a lease stops being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServiceEnd {
    /// The lease ended.
    LeaseOver,
    /// It is no longer assigned to this gateway.
    NotAssigned,
    /// The gateway shuts down.
    ShuttingDown,
}

impl From<ServiceEnd> for SessionEnd {
    fn from(end: ServiceEnd) -> Self {
        match end {
            ServiceEnd::LeaseOver => Self::LeaseOver,
            ServiceEnd::NotAssigned => Self::LeaseNotServed,
            ServiceEnd::ShuttingDown => Self::ShuttingDown,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    jobs: BTreeMap<u64, Arc<HandedOutJob>>,
    session: Option<Extranonce>,
    difficulty: Option<Target>,
    shares: Shares,
    verdicts: PoolVerdicts,
    pool: PoolState,
    trouble: String,
    over: bool,
}

/// A lease that the gateway serves.
#[derive(Debug)]
pub(crate) struct ServedLease {
    assignment: watch::Sender<Assignment>,
    maker: Arc<Mutex<JobMaker>>,
    state: Mutex<State>,
    events: broadcast::Sender<LinkEvent>,
    checker: Arc<ShareChecker>,
    clock: SharedClock,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // every change under these locks is one step
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state that a node needs once it is authorised.
#[derive(Debug, Default)]
pub(crate) struct Greeting {
    pub(crate) session: Option<Extranonce>,
    pub(crate) difficulty: Option<Target>,
    pub(crate) job: Option<Arc<HandedOutJob>>,
}

/// All leases that the gateway serves.
pub(crate) type ServedLeases = Arc<Mutex<BTreeMap<LeaseId, Arc<ServedLease>>>>;

impl ServedLease {
    pub(crate) fn new(
        assignment: Assignment,
        signer: Arc<dyn JobSigner>,
        sequences: &Path,
        checker: Arc<ShareChecker>,
        clock: SharedClock,
    ) -> Result<Self, JobSequenceError> {
        Ok(Self {
            assignment: watch::Sender::new(assignment),
            maker: Arc::new(Mutex::new(JobMaker::open(signer, sequences)?)),
            state: Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
            checker,
            clock,
        })
    }

    pub(crate) const fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// The second that it is now.
    pub(crate) fn now(&self) -> UnixSeconds {
        self.clock.seconds()
    }

    /// The time left until a second starts; zero once it has.
    pub(crate) fn until(&self, second: UnixSeconds) -> Duration {
        self.clock.now().until(second.millis())
    }

    /// Adopts what may change during a lease: its end, its pool, its token, the members' addresses.
    /// `false` when the terms are those of another lease.
    pub(crate) fn update(&self, assignment: &Assignment) -> bool {
        let known = self.terms();
        let same = Terms { end: known.end, ..assignment.terms.clone() } == known;
        if same {
            self.assignment.send_if_modified(|held| {
                let changed = held != assignment;
                held.clone_from(assignment);
                changed
            });
        }
        same
    }

    pub(crate) fn assignment(&self) -> watch::Receiver<Assignment> {
        self.assignment.subscribe()
    }

    pub(crate) fn terms(&self) -> Terms {
        self.assignment.borrow().terms.clone()
    }

    pub(crate) fn id(&self) -> LeaseId {
        self.assignment.borrow().terms.id
    }

    pub(crate) fn maker(&self) -> Arc<Mutex<JobMaker>> {
        Arc::clone(&self.maker)
    }

    /// Whether a node knows the token. The time of the comparison does not depend on where the
    /// difference is. An empty token opens nothing.
    pub(crate) fn accepts_token(&self, token: &str) -> bool {
        let assignment = self.assignment.borrow();
        let (ours, theirs) = (assignment.pool.token.reveal().as_bytes(), token.as_bytes());
        let differences = ours.iter().zip(theirs).fold(0, |sum, (a, b)| std::hint::black_box(sum | (a ^ b)));
        !ours.is_empty() && ours.len() == theirs.len() && differences == 0
    }

    /// The state that a node needs now, and all later events. `None` when the lease is over.
    pub(crate) fn greet(&self) -> Option<(Greeting, broadcast::Receiver<LinkEvent>)> {
        let state = lock(&self.state);
        // under the lock, so that no event is missed between the two
        (!state.over).then(|| (self.greeting(&state), self.events.subscribe()))
    }

    /// The state that a node needs after it missed events.
    pub(crate) fn catch_up(&self) -> Greeting {
        self.greeting(&lock(&self.state))
    }

    fn greeting(&self, state: &State) -> Greeting {
        let now = self.now();
        let newest = state.jobs.last_key_value().map(|(_, job)| job);
        Greeting {
            session: state.session.clone(),
            difficulty: state.difficulty,
            job: newest.filter(|job| job.verified.job().not_after() >= now).cloned(),
        }
    }

    pub(crate) fn session(&self) -> Option<Extranonce> {
        lock(&self.state).session.clone()
    }

    pub(crate) fn status(&self) -> LeaseStatus {
        let state = lock(&self.state);
        LeaseStatus {
            lease: self.id().0,
            pool: state.pool,
            trouble: state.trouble.clone(),
            newest_job: state.jobs.last_key_value().map_or(0, |(sequence, _)| *sequence),
            counted: state.shares.counted().clone(),
            verdicts: state.verdicts.clone(),
            nodes: self.events.receiver_count(),
        }
    }

    /// Sets the state of the pool session; returns whether it changed.
    pub(crate) fn set_pool_state(&self, pool: PoolState, trouble: &str) -> bool {
        let mut state = lock(&self.state);
        let news = state.pool != pool || state.trouble != trouble;
        state.pool = pool;
        trouble.clone_into(&mut state.trouble);
        news
    }

    pub(crate) fn tell_nodes(&self, message: &'static str) {
        let _ = self.events.send(LinkEvent::Message(message));
    }

    pub(crate) fn tell_session(&self, session: &Extranonce) {
        let mut state = lock(&self.state);
        if state.session.as_ref() != Some(session) {
            state.session = Some(session.clone());
            let _ = self.events.send(LinkEvent::Session(session.clone()));
        }
    }

    /// A new difficulty. The pool may judge this session's outstanding jobs by either, so the
    /// easier one counts.
    pub(crate) fn tell_difficulty(&self, target: Target, session: u64) {
        let mut state = lock(&self.state);
        for job in state.jobs.values().filter(|job| job.session == session) {
            let mut known = lock(&job.pool_target);
            *known = known.easier(target);
        }
        state.difficulty = Some(target);
        let _ = self.events.send(LinkEvent::Difficulty(target));
    }

    pub(crate) fn hand_out(&self, job: HandedOutJob) {
        let job = Arc::new(job);
        let now = self.now();
        let terms = self.terms();
        let mut state = lock(&self.state);
        state.jobs.insert(job.verified.job().sequence(), Arc::clone(&job));
        state.jobs.retain(|_, job| job.verified.job().not_after().plus(KEEP) >= now);
        while state.jobs.len() > MAX_JOBS {
            state.jobs.pop_first();
        }
        // an epoch that ended before the windows of all remaining jobs can get no more shares
        let oldest = state.jobs.values().map(|job| job.verified.job().not_before()).min().unwrap_or(now);
        state.shares.forget(|epoch| terms.epoch_end(epoch) <= oldest);
        let _ = self.events.send(LinkEvent::Job(job));
    }

    /// Ends the service: tells connected nodes, and authorises no more nodes.
    pub(crate) fn close(&self, end: ServiceEnd) {
        let mut state = lock(&self.state);
        state.over = true;
        state.pool = PoolState::Over;
        state.trouble.clear();
        let _ = self.events.send(LinkEvent::Over(end));
    }

    /// A job that is still served.
    pub(crate) fn job(&self, sequence: u64) -> Option<Arc<HandedOutJob>> {
        lock(&self.state).jobs.get(&sequence).cloned()
    }

    /// Checks a node's share, counts it, and forwards it if it meets the pool's target.
    pub(crate) async fn submit(&self, job: &HandedOutJob, header: HeaderShare) -> Result<(), Rejection> {
        let share = Share::Header(header.clone());
        let terms = self.terms();
        let opened = self.checker.open(&job.verified, &share, terms.end).await;
        let opened = opened.map_err(|reason| Refusal::from(reason).rejection())?;
        let for_pool = opened.meets(*lock(&job.pool_target));
        let (epoch, key) = (opened.epoch(), opened.key());
        let most = terms.most_shares();
        let full = lock(&self.state).shares.is_full(epoch, most);
        let settled = opened.settle().map_err(Refusal::from);
        let settled = if full { settled.and(Err(Refusal::EpochFull { epoch, most })) } else { settled };
        if let (Err(refusal), false) = (&settled, for_pool) {
            return Err(refusal.rejection());
        }
        let counted = lock(&self.state).shares.count(epoch, key, settled.is_ok());
        if let Err(Refusal::TooManyShares(_)) = counted {
            warn!(lease = %self.id(), epoch, "too many shares below the settlement weight, no more are forwarded");
        }
        counted.map_err(|refusal| refusal.rejection())?;
        if !for_pool {
            return Ok(());
        }
        let mask = job.header.version_mask;
        let bits = (mask != 0).then_some(header.version & mask);
        let worker = self.assignment.borrow().pool.worker.clone();
        let outcome =
            job.upstream.submit(&worker, &job.pool_job, &header.tail, header.ntime, header.nonce, bits).await;
        let mut state = lock(&self.state);
        match outcome {
            SubmitOutcome::Accepted => {
                state.verdicts.accepted = state.verdicts.accepted.saturating_add(1);
                Ok(())
            }
            SubmitOutcome::Rejected { code, message } => {
                state.verdicts.refuse(code);
                // 20 is Stratum's number for everything else
                let number = i32::try_from(code).unwrap_or(20);
                Err(Rejection::OfPool { number, message: shortened(&message) })
            }
            SubmitOutcome::Lost => {
                state.verdicts.lost = state.verdicts.lost.saturating_add(1);
                Err(Refusal::PoolLost.rejection())
            }
        }
    }
}

/// Bounds the length of a pool's message.
fn shortened(text: &str) -> String {
    text.chars().take(256).collect()
}
