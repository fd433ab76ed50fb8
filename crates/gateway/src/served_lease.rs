//! A lease that the gateway serves: its jobs, its shares, and the events for its nodes.

use crate::refusal::Refusal;
use crate::{
    assignment::Assignment,
    job_draft::Extranonce,
    job_draft::Face,
    job_sequence::JobSequenceError,
    lease_status::{LeaseStatus, PoolState, PoolVerdicts},
    notices::{Notice, Notices, Subject},
    pool_bounds::BoundedTarget,
    pool_trust::{PoolFault, PoolTrust},
    shares::Shares,
    sign_job::JobMaker,
    signer::JobSigner,
    unseen_work::Unseen,
};
use alloy_primitives::U256;
use hashlease_check::ShareChecker;
use hashlease_primitives::{
    HeaderJob, LeaseId, SharedClock, Target, Terms, UnixMillis, UnixSeconds, recover_signer, typed,
};
use hashlease_share::{EpochFull, HeaderShare, JobBudget, JobPace, OpenedShare, Share, VerifiedJob};
use hashlease_stratum::{
    Notify, Rejection,
    client::{SubmitOutcome, UpstreamHandle},
    server::SessionEnd,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify as Wake, broadcast, watch},
    time::{Instant, timeout},
};
use tracing::{debug, warn};

/// Jobs kept for their shares; the oldest go first.
const MAX_JOBS: usize = 1_024;
/// How long a job is kept after its window, for shares that are under way, seconds.
const KEEP: u64 = 120;
/// How long the pool may leave a share unanswered before that counts against it.
const ANSWER: Duration = Duration::from_secs(10);
/// Time between two jobs while jobs are held back.
const STOPPED_PAUSE: Duration = Duration::from_secs(600);
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
    /// The target that its shares are judged by.
    pub(crate) pool_target: Target,
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

/// What the pool's session can use now: a share of anything else says nothing about the pool.
#[derive(Debug, Default)]
struct PoolWork {
    session: u64,
    /// The pool's jobs since its last tip or clean flag.
    jobs: BTreeSet<String>,
    /// The hardest target that the pool may judge by.
    target: Option<Target>,
}

#[derive(Debug)]
struct State {
    jobs: BTreeMap<u64, Arc<HandedOutJob>>,
    session: Option<Extranonce>,
    difficulty: Option<Target>,
    shares: Shares,
    verdicts: PoolVerdicts,
    pool: PoolState,
    trouble: String,
    notices: Notices,
    credited: u16,
    pace: JobPace,
    budget: JobBudget,
    face: Option<Face>,
    work: PoolWork,
    trust: PoolTrust,
    /// The first session at the present destination.
    first_session: u64,
    /// Since this sequence jobs are held back, because shares are claimed and not seen here.
    stopped: Option<u64>,
    over: bool,
}

impl State {
    fn new(terms: &Terms) -> Self {
        Self {
            jobs: BTreeMap::new(),
            session: None,
            difficulty: None,
            shares: Shares::default(),
            verdicts: PoolVerdicts::default(),
            pool: PoolState::default(),
            trouble: String::new(),
            notices: Notices::default(),
            credited: 1_000,
            pace: JobPace::new(terms),
            budget: JobBudget::new(terms),
            face: None,
            work: PoolWork::default(),
            trust: PoolTrust::default(),
            first_session: 0,
            stopped: None,
            over: false,
        }
    }

    /// Whether the pool has no reason to refuse a good share: its session, job and target are those
    /// of now.
    fn pool_can_use(&self, job: &HandedOutJob, share: &OpenedShare) -> bool {
        self.work.session == job.session
            && self.work.jobs.contains(&job.pool_job)
            && self.work.target.is_some_and(|target| share.meets(target))
    }
}

/// A lease that the gateway serves.
#[derive(Debug)]
pub(crate) struct ServedLease {
    assignment: watch::Sender<Assignment>,
    maker: Arc<Mutex<JobMaker>>,
    state: Mutex<State>,
    fault: Wake,
    /// When the service began: the pace of jobs is measured from there, whatever the clock does.
    began: Instant,
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

/// Why a word to sign jobs again is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResumeRefusal {
    /// Nothing is held back.
    #[error("no jobs are held back")]
    NotStopped,
    /// It was said before jobs were held back.
    #[error("sequence {sequence} is older than {stopped}, since which jobs are held back")]
    Old { sequence: u64, stopped: u64 },
    /// Somebody else said it.
    #[error("not signed by the lease's controller, as far as this gateway knows it")]
    Signer,
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
        let state = Mutex::new(State::new(&assignment.terms));
        Ok(Self {
            assignment: watch::Sender::new(assignment),
            maker: Arc::new(Mutex::new(JobMaker::open(signer, sequences)?)),
            state,
            fault: Wake::new(),
            began: Instant::now(),
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

    /// Whether its service has ended.
    pub(crate) fn is_over(&self) -> bool {
        lock(&self.state).over
    }

    pub(crate) fn session(&self) -> Option<Extranonce> {
        lock(&self.state).session.clone()
    }

    pub(crate) fn status(&self) -> LeaseStatus {
        let state = lock(&self.state);
        let nodes = self.events.receiver_count();
        let mut notices = state.notices.list();
        if nodes == 0 && self.terms().is_active(self.now()) {
            let message = "no node is linked: its shares reach neither this gateway nor the pool".to_owned();
            notices.push(Notice { code: "no-node", message });
        }
        LeaseStatus {
            lease: self.id().0,
            pool: state.pool,
            trouble: state.trouble.clone(),
            notices,
            credited: state.credited,
            newest_job: state.jobs.last_key_value().map_or(0, |(sequence, _)| *sequence),
            counted: state.shares.counted().clone(),
            verdicts: state.verdicts.clone(),
            nodes,
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

    /// Sets or takes back what the renter should know on a subject.
    pub(crate) fn notice(&self, subject: Subject, words: Option<String>) {
        let logged = words.clone();
        if lock(&self.state).notices.set(subject, words) {
            warn!(lease = %self.id(), ?subject, words = logged, "the renter should know");
        }
    }

    /// Whether a job with this face keeps to the pace that nodes and members allow; if so, it is
    /// counted.
    pub(crate) fn take_pace(&self, face: Face) -> bool {
        let at = UnixMillis::new(0).plus(self.began.elapsed());
        let mut state = lock(&self.state);
        let is_change = state.face.is_some_and(|before| before != face);
        state.pace.has_room(at, is_change) && state.pace.add(at, is_change)
    }

    /// Whether it is too early for another job, since jobs are held back.
    pub(crate) fn is_held_back(&self, last: Option<Instant>) -> bool {
        lock(&self.state).stopped.is_some() && last.is_some_and(|last| last.elapsed() < STOPPED_PAUSE)
    }

    /// Shares at the settlement target that were seen in an epoch.
    pub(crate) fn counted(&self, epoch: u32) -> u64 {
        lock(&self.state).shares.counted().get(&epoch).copied().unwrap_or_default()
    }

    /// What the last epoch's root claims beyond what was seen. Holds jobs back if the renter's box
    /// says so.
    pub(crate) fn unseen(&self, unseen: Option<Unseen>) {
        let stops = unseen.is_some() && self.assignment.borrow().pool.stop_unseen;
        self.notice(Subject::Unseen, unseen.map(|unseen| unseen.to_string()));
        if !stops {
            return;
        }
        let mut state = lock(&self.state);
        let newest = state.jobs.last_key_value().map_or(0, |(sequence, _)| *sequence);
        state.stopped.get_or_insert(newest);
        drop(state);
        let words = "jobs are held back: one window every ten minutes, until shares come over the link";
        self.notice(Subject::Stopped, Some(words.to_owned()));
    }

    /// Signs jobs again that were held back.
    fn go_on(&self) {
        if lock(&self.state).stopped.take().is_some() {
            self.notice(Subject::Stopped, None);
            self.notice(Subject::Unseen, None);
        }
    }

    /// Signs jobs again, by the word of the lease's controller.
    ///
    /// # Errors
    /// [`ResumeRefusal`].
    pub(crate) fn resume(&self, sequence: u64, signature: &[u8; 65]) -> Result<(), ResumeRefusal> {
        let (domain, controller) = {
            let assignment = self.assignment.borrow();
            (assignment.terms.domain, assignment.controller)
        };
        let stopped = lock(&self.state).stopped.ok_or(ResumeRefusal::NotStopped)?;
        if sequence < stopped {
            return Err(ResumeRefusal::Old { sequence, stopped });
        }
        let resume = typed::Resume { lease: U256::from(self.id().0), sequence };
        let signer = recover_signer(&domain.digest(&resume), signature);
        if controller.is_none() || signer != controller {
            return Err(ResumeRefusal::Signer);
        }
        self.go_on();
        Ok(())
    }

    /// Whether the epochs of a job hold it; if so, it is counted.
    pub(crate) fn take_budget(&self, job: &VerifiedJob) -> Result<(), EpochFull> {
        lock(&self.state).budget.take(job)
    }

    /// Whether a job is over another block than the one handed out before.
    pub(crate) fn is_tip(&self, face: Face) -> bool {
        lock(&self.state).face.is_none_or(|before| before.tip != face.tip)
    }

    /// The pool's session begins; it may be the first one at another pool.
    pub(crate) fn begin_session(&self, session: u64, is_new_pool: bool) {
        let mut state = lock(&self.state);
        if is_new_pool {
            state.trust = PoolTrust::default();
            state.first_session = session;
        }
        state.trust.begin_session();
        state.work = PoolWork { session, ..PoolWork::default() };
    }

    /// The pool's session ended, this long after the worker was let in and a job was signed. Shares of
    /// its jobs that come later say nothing about the pool.
    pub(crate) fn end_session(&self, lasted: Option<Duration>) {
        let mut state = lock(&self.state);
        if let Some(lasted) = lasted {
            state.trust.end_session(lasted);
        }
        state.work.jobs.clear();
    }

    /// The pool announced a job; `is_fresh` when earlier ones are worth nothing to it any more.
    pub(crate) fn pool_has_job(&self, pool_job: &str, is_fresh: bool) {
        let mut state = lock(&self.state);
        // a pool that never says that its jobs are over is held to the newest ones
        if is_fresh || state.work.jobs.len() >= MAX_JOBS {
            state.work.jobs.clear();
        }
        state.work.jobs.insert(pool_job.to_owned());
    }

    /// The pool's own latest target.
    pub(crate) fn pool_has_target(&self, target: Target) {
        lock(&self.state).work.target = Some(target);
    }

    /// Wakes when the pool may be at fault.
    pub(crate) async fn fault_noted(&self) {
        self.fault.notified().await;
    }

    /// Why the pool is at fault now, if it is.
    pub(crate) fn pool_fault(&self) -> Option<PoolFault> {
        lock(&self.state).trust.fault()
    }

    /// The time until a pool at fault is tried again.
    pub(crate) fn pause_pool(&self) -> Duration {
        lock(&self.state).trust.pause()
    }

    pub(crate) fn tell_session(&self, session: &Extranonce) {
        let mut state = lock(&self.state);
        if state.session.as_ref() != Some(session) {
            state.session = Some(session.clone());
            let _ = self.events.send(LinkEvent::Session(session.clone()));
        }
    }

    /// Hands out a job with the target that its shares are judged by.
    pub(crate) fn hand_out(&self, job: HandedOutJob, face: Face, bounded: BoundedTarget) {
        self.notice(Subject::PoolDifficulty, bounded.words);
        let job = Arc::new(job);
        let now = self.now();
        let terms = self.terms();
        let mut state = lock(&self.state);
        state.credited = bounded.credited;
        state.face = Some(face);
        state.jobs.insert(job.verified.job().sequence(), Arc::clone(&job));
        state.jobs.retain(|_, job| job.verified.job().not_after().plus(KEEP) >= now);
        while state.jobs.len() > MAX_JOBS {
            state.jobs.pop_first();
        }
        // an epoch that ended before the windows of all remaining jobs can get no more shares
        let oldest = state.jobs.values().map(|job| job.verified.job().not_before()).min().unwrap_or(now);
        state.shares.forget(|epoch| terms.epoch_end(epoch) <= oldest);
        if state.difficulty != Some(job.pool_target) {
            state.difficulty = Some(job.pool_target);
            let _ = self.events.send(LinkEvent::Difficulty(job.pool_target));
        }
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
        let for_pool = opened.meets(job.pool_target);
        let pool_can_use = lock(&self.state).pool_can_use(job, &opened);
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
            debug!(lease = %self.id(), epoch, "too many shares below the settlement weight, no more are forwarded");
        }
        counted.map_err(|refusal| refusal.rejection())?;
        if settled.is_ok() {
            self.go_on();
        }
        if !for_pool {
            return Ok(());
        }
        let mask = job.header.version_mask;
        let bits = (mask != 0).then_some(header.version & mask);
        let worker = self.assignment.borrow().pool.worker.clone();
        let verdict =
            job.upstream.submit(&worker, &job.pool_job, &header.tail, header.ntime, header.nonce, bits);
        let mut verdict = pin!(verdict);
        let outcome = match timeout(ANSWER, &mut verdict).await {
            Ok(outcome) => {
                if pool_can_use && outcome != SubmitOutcome::Accepted {
                    self.pool_failed(job.session);
                }
                outcome
            }
            Err(_) => {
                if pool_can_use {
                    self.pool_failed(job.session);
                }
                verdict.await
            }
        };
        let mut state = lock(&self.state);
        match outcome {
            SubmitOutcome::Accepted => {
                if job.session >= state.first_session {
                    state.trust.accepted();
                }
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

    /// The pool refused, lost or left unanswered a share that it could use.
    fn pool_failed(&self, session: u64) {
        let mut state = lock(&self.state);
        // what another pool did before says nothing
        if session >= state.first_session {
            state.trust.failed();
            if state.trust.fault().is_some() {
                self.fault.notify_one();
            }
        }
    }
}

/// Bounds the length of a pool's message.
fn shortened(text: &str) -> String {
    text.chars().take(256).collect()
}
