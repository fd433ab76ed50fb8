//! A lease's session at its pool, from shortly before the lease's start to its end, and the jobs
//! made of it.

use crate::{
    assignment::Assignment,
    job_draft::JobDraft,
    jobs_to_members::JobsToMembers,
    lease_status::PoolState,
    notices::Subject,
    pool_attempts::{PoolAttempts, SessionReport, is_same_pool},
    pool_bounds::bounded_target,
    pool_trust::PoolFault,
    served_lease::{HandedOutJob, ServedLease, ServiceEnd, lock},
    sign_job::JobError,
    templates::{Template, Templates},
    watch_roots::watch_roots,
};
use hashlease_net::{HttpClient, SharedNetwork};
use hashlease_primitives::{
    Algorithm, Difficulty, DifficultyBase, GatewayBox, HeaderJob, Target, Terms, UnixSeconds,
};
use hashlease_share::{EvidenceReason, PACE_SPAN, VerifiedJob};
use hashlease_stratum::{
    BIP320_MASK, Notify,
    client::{
        ClientEnd, ConnectError, ConnectOptions, OptionalRequests, UpstreamEvent, UpstreamEvents,
        UpstreamHandle, connect,
    },
};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tracing::{debug, info, warn};

/// How long before a lease's start its pool is connected, seconds.
const CONNECT_AHEAD: u64 = 15;
/// How long after the deadline of the last root its claim is looked for, seconds.
const LAST_ROOTS: u64 = 60;
/// How long shares that are under way are still forwarded after a lease's end, seconds.
const GRACE: u64 = 3;
/// How long a pool may send jobs without a difficulty; then 1 is assumed, as early pools did.
const NO_DIFFICULTY: Duration = Duration::from_secs(5);
/// Longest sleep, because the clock may be set meanwhile.
const LOOK: Duration = Duration::from_secs(1);
/// Characters of a pool's words that are shown.
const WORDS: usize = 256;

/// Why a session at the pool ended.
enum PoolSessionEnd {
    /// It could not be opened or was lost; another attempt follows.
    Lost(PoolLoss),
    /// The pool takes no shares; another attempt follows later.
    AtFault(PoolFault),
    /// The renter named another pool or worker.
    Moved,
    /// The lease is over.
    LeaseOver,
}

/// Why there is no session at the pool.
#[derive(Debug, thiserror::Error)]
enum PoolLoss {
    /// It could not be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It ended.
    #[error("{0}")]
    Ended(Arc<ClientEnd>),
    /// Its task is gone without a last event.
    #[error("closed")]
    Gone,
}

/// The parts that the pool sessions of all leases share.
#[derive(Clone, Debug)]
pub(crate) struct PoolService {
    /// User agent towards pools.
    pub(crate) agent: String,
    pub(crate) network: SharedNetwork,
    /// Towards members.
    pub(crate) http: HttpClient,
}

/// Serves a lease until its end.
pub(crate) async fn serve_lease(served: Arc<ServedLease>, service: PoolService) {
    let mut watching = pin!(watch_roots(&served, &service.http));
    tokio::select! {
        () = serve_pool(&served, &service) => {}
        () = &mut watching => {}
    }
    served.close(ServiceEnd::LeaseOver);
    info!(lease = %served.id(), "lease is over");
    // the roots of the last epochs come after the lease's end
    let terms = served.terms();
    let last = terms.root_deadline(terms.epochs().saturating_sub(1)).plus(LAST_ROOTS);
    let _ = timeout(served.until(last), watching).await;
}

async fn serve_pool(served: &ServedLease, service: &PoolService) {
    let mut assignment = served.assignment();
    let mut members = JobsToMembers::new(service.http.clone(), Arc::clone(served.clock()));
    let mut attempts = PoolAttempts::new(Instant::now());
    let mut sessions = 0u64;
    loop {
        let current = assignment.borrow_and_update().clone();
        members.set_members(&current.members);
        if is_over(&current.terms, served.now()) {
            break;
        }
        let is_new_pool = attempts.follow(&current.pool, Instant::now());
        let begin = served.until(current.terms.start.minus(CONNECT_AHEAD)).max(attempts.wait(Instant::now()));
        if !begin.is_zero() {
            // an error means that the assignment stays as it is
            tokio::select! {
                () = sleep(begin.min(LOOK)) => {}
                Ok(()) = assignment.changed() => {}
            }
            continue;
        }
        sessions = sessions.saturating_add(1);
        served.begin_session(sessions, is_new_pool);
        let options = connect_options(&current, &service.agent, attempts.optional());
        let connected = tokio::select! {
            connected = connect(service.network.as_ref(), options) => connected,
            Ok(()) = assignment.changed() => continue,
        };
        let (report, end) = match connected {
            Ok((handle, events)) => {
                let session = PoolSession::new(served, &mut members, handle, sessions);
                session.read_pool(events, &mut assignment).await
            }
            Err(error) => (SessionReport::default(), PoolSessionEnd::Lost(error.into())),
        };
        match end {
            PoolSessionEnd::LeaseOver => break,
            PoolSessionEnd::Moved => info!(lease = %served.id(), "destination changed"),
            PoolSessionEnd::Lost(loss) => lose_session(served, &mut attempts, &report, &loss),
            PoolSessionEnd::AtFault(fault) => leave_pool(served, &mut attempts, fault),
        }
    }
}

fn connect_options(assignment: &Assignment, agent: &str, optional: OptionalRequests) -> ConnectOptions {
    let Assignment { terms, pool, .. } = assignment;
    let mut options = ConnectOptions::new(&pool.pool, agent)
        .credentials(pool.worker.clone(), pool.password.clone())
        .difficulty(DifficultyBase::of_stratum(terms.algorithm))
        .extranonce_subscribe(optional.extranonce);
    if optional.configure {
        options = options.version_mask(BIP320_MASK);
    }
    if optional.difficulty {
        options = options.suggest_target(terms.weight.target());
    }
    options
}

/// Notes that a session was lost, and when the next one may begin.
fn lose_session(served: &ServedLease, attempts: &mut PoolAttempts, report: &SessionReport, loss: &PoolLoss) {
    if let Some(fault) = served.pool_fault() {
        return leave_pool(served, attempts, fault);
    }
    let retry_in = attempts.lost(report, Instant::now());
    let assignment = served.assignment();
    let assignment = assignment.borrow();
    let trouble = without_secrets(&loss.to_string(), &assignment.pool);
    let changed = served.set_pool_state(PoolState::Lost, &trouble);
    if changed && !is_over(&assignment.terms, served.now()) {
        warn!(lease = %assignment.terms.id, trouble, ?retry_in, "no session at the pool, time without jobs is not due");
        served.tell_nodes(
            "pool lost: shares count until the last job's window ends, new jobs come once it is back",
        );
    }
}

/// Leaves a pool that is at fault alone for a while.
fn leave_pool(served: &ServedLease, attempts: &mut PoolAttempts, fault: PoolFault) {
    let pause = served.pause_pool();
    attempts.pause_for(pause, Instant::now());
    let trouble = format!("{fault}: nothing is signed, it is tried again after {} s", pause.as_secs());
    warn!(lease = %served.id(), trouble, "pool is at fault");
    served.set_pool_state(PoolState::AtFault, &trouble);
    served.tell_nodes("pool takes no shares: no new jobs until it is tried again");
}

fn is_over(terms: &Terms, now: UnixSeconds) -> bool {
    now >= terms.end.plus(GRACE)
}

/// Removes what only the gateway knows from words that are shown: a pool may repeat the worker and the
/// password in its refusal, and an error of the system names the address.
fn without_secrets(words: &str, pool: &GatewayBox) -> String {
    let address = ConnectOptions::new(&pool.pool, "");
    let host = address.address().rsplit_once(':').map_or("", |(host, _)| host);
    let secrets = [&pool.pool, address.address(), host, &pool.worker, pool.password.reveal()];
    let mut words = words.to_owned();
    for secret in secrets {
        // a shorter one is a placeholder, and found in any words
        if secret.len() >= 4 {
            words = words.replace(secret, "…");
        }
    }
    words.chars().take(WORDS).collect()
}

/// One session at the pool.
struct PoolSession<'a> {
    served: &'a ServedLease,
    members: &'a mut JobsToMembers,
    handle: UpstreamHandle,
    number: u64,
    terms: Terms,
    templates: Templates,
    report: SessionReport,
    /// When the last job was signed.
    signed: Option<Instant>,
    /// When the next job is due.
    next: Instant,
}

impl<'a> PoolSession<'a> {
    fn new(
        served: &'a ServedLease,
        members: &'a mut JobsToMembers,
        handle: UpstreamHandle,
        number: u64,
    ) -> Self {
        served.set_pool_state(PoolState::Connecting, "");
        Self {
            served,
            members,
            handle,
            number,
            terms: served.terms(),
            templates: Templates::default(),
            report: SessionReport::default(),
            signed: None,
            next: Instant::now(),
        }
    }

    /// Reads the pool until the session ends: how it went, and why it ended.
    async fn read_pool(
        mut self,
        mut events: UpstreamEvents,
        assignment: &mut watch::Receiver<Assignment>,
    ) -> (SessionReport, PoolSessionEnd) {
        let destination = assignment.borrow().pool.clone();
        let end = loop {
            if is_over(&self.terms, self.served.now()) {
                break PoolSessionEnd::LeaseOver;
            }
            let wait = self.next.saturating_duration_since(Instant::now()).min(LOOK);
            tokio::select! {
                event = events.next() => match event {
                    None => break PoolSessionEnd::Lost(PoolLoss::Gone),
                    Some(UpstreamEvent::Closed(end)) => {
                        break PoolSessionEnd::Lost(PoolLoss::Ended(end));
                    }
                    Some(event) => self.accept_event(event),
                },
                () = sleep(wait) => {}
                () = self.served.fault_noted() => {
                    if let Some(fault) = self.served.pool_fault() {
                        break PoolSessionEnd::AtFault(fault);
                    }
                }
                Ok(()) = assignment.changed() => {
                    let current = assignment.borrow_and_update().clone();
                    self.members.set_members(&current.members);
                    self.terms = current.terms;
                    if !is_same_pool(&current.pool, &destination) {
                        break PoolSessionEnd::Moved;
                    }
                }
            }
            if self.next <= Instant::now() {
                self.hand_out_job().await;
            }
        };
        let is_by_pool = matches!(end, PoolSessionEnd::Lost(_));
        self.served
            .end_session(self.signed.filter(|_| is_by_pool).map(|_| self.report.lasted(Instant::now())));
        (self.report, end)
    }

    /// Signs as soon as there is time.
    fn hurry(&mut self) {
        self.next = Instant::now();
    }

    /// The next job is due after this time at the latest.
    fn within(&mut self, wait: Duration) {
        let now = Instant::now();
        self.next = self.next.min(now.checked_add(wait).unwrap_or(now));
    }

    /// The next job is due after this time.
    fn after(&mut self, wait: Duration) {
        let now = Instant::now();
        self.next = now.checked_add(wait).unwrap_or(now);
    }

    fn accept_event(&mut self, event: UpstreamEvent) {
        let id = self.terms.id;
        match event {
            UpstreamEvent::Subscribed { extranonce1, extranonce2_size } => {
                self.report.subscribed = true;
                self.templates.set_extranonce(extranonce1, extranonce2_size);
                self.served.tell_session(self.templates.extranonce());
            }
            UpstreamEvent::Extranonce { extranonce1, extranonce2_size } => {
                self.templates.set_extranonce(extranonce1, extranonce2_size);
            }
            UpstreamEvent::VersionMask(mask) => {
                self.templates.set_mask(mask & BIP320_MASK);
                if self.report.subscribed && self.signed.is_none() {
                    self.served.tell_session(self.templates.extranonce());
                }
                self.take_over();
            }
            UpstreamEvent::Difficulty(target) => self.set_target(target),
            UpstreamEvent::Notify(notify) => self.accept_job(*notify),
            UpstreamEvent::Authorized => {
                info!(lease = %id, "pool authorised the worker");
                self.report.authorised = Some(Instant::now());
                self.served.set_pool_state(PoolState::Connected, "");
                self.hurry();
            }
            UpstreamEvent::Refused { .. } => self.served.tell_nodes("pool refuses the renter's worker"),
            UpstreamEvent::Unanswered(unanswered) => self.report.unanswered = unanswered,
            UpstreamEvent::Other { .. } | UpstreamEvent::Closed(_) => {}
        }
    }

    fn set_target(&mut self, target: Target) {
        self.templates.set_target(target);
        self.served.pool_has_target(target);
        // the first job may have waited for it
        if self.signed.is_none() {
            self.hurry();
        }
    }

    fn accept_job(&mut self, notify: Notify) {
        let lag = JobDraft::lag(&notify, self.served.now());
        self.served.notice(
            Subject::PoolClock,
            lag.map(|seconds| format!("pool's time is {seconds} s behind our clock: headers carry our time")),
        );
        let is_clean = notify.clean_jobs;
        let pool_job = notify.job_id.clone();
        let is_tip = self.templates.offer(notify);
        self.served.pool_has_job(&pool_job, is_clean || is_tip);
        self.take_over();
    }

    /// Signs a newer template once it may be taken over.
    fn take_over(&mut self) {
        if let Some(wait) = self.templates.wait(Instant::now()) {
            self.within(wait);
        }
    }

    /// The target of new jobs; `None` while the pool has sent none and there is time left for it.
    fn assume_target(&mut self) -> Option<Target> {
        let waited = self.report.authorised.is_some_and(|since| since.elapsed() >= NO_DIFFICULTY);
        if self.templates.target().is_none() && waited {
            warn!(lease = %self.terms.id, "pool sends no difficulty, assuming 1");
            self.set_target(Difficulty::ONE.target(DifficultyBase::of_stratum(self.terms.algorithm)));
        }
        self.templates.target()
    }

    /// Signs a job of the pool's latest one, and hands it out.
    async fn hand_out_job(&mut self) {
        self.after(LOOK);
        // only jobs of a session that let the worker in
        let is_let_in = self.report.authorised.is_some() && self.report.subscribed;
        if !is_let_in || self.assume_target().is_none() || self.served.is_held_back(self.signed) {
            return;
        }
        let Some(template) = self.templates.take(Instant::now()).cloned() else { return };
        let now = self.served.now();
        match self.sign(&template, now).await {
            Ok(true) => {
                self.signed = Some(Instant::now());
                self.after(until_next(&self.terms, self.served));
                self.take_over();
            }
            Ok(false) => {}
            Err(error) => {
                let trouble = error.to_string();
                if self.served.set_pool_state(PoolState::Unusable, &trouble) {
                    warn!(lease = %self.terms.id, trouble, "pool's job can't be handed out");
                    self.served.tell_nodes("pool's jobs can't be handed out");
                }
            }
        }
    }

    /// Signs a job of a template and hands it out; `false` when it is not the time for it.
    async fn sign(&mut self, template: &Template, now: UnixSeconds) -> Result<bool, JobError> {
        let Template { notify, extranonce, target } = template;
        let Some(target) = *target else { return Ok(false) };
        if !self.terms.is_active(now.max(self.terms.start)) {
            return Ok(false);
        }
        let draft = JobDraft::of(&self.terms, notify, extranonce, now)?;
        let (face, layout) = (draft.face(), draft.layout(extranonce));
        if !self.served.take_pace(face) {
            let words = format!(
                "pool's work changes more often than miners and members keep up with: new jobs wait until {PACE_SPAN} s have fewer"
            );
            self.served.notice(Subject::Pace, Some(words));
            return Ok(false);
        }
        let clean = self.served.is_tip(face);
        let verified = sign(self.served, self.terms.clone(), draft, now).await?;
        self.served.take_budget(&verified)?;
        let (header, announced) = announcement(&verified, self.terms.algorithm, clean)?;
        debug!(lease = %self.terms.id, sequence = verified.job().sequence(), clean, "job signed");
        let not_due = verified.check_usable().err().map(|reason| format!("not due: {reason}"));
        self.served.notice(Subject::Due, not_due);
        self.served.notice(Subject::Pace, None);
        self.members.post_to_all(verified.signed());
        self.served.tell_session(&layout);
        let bounded = bounded_target(target, &self.terms);
        let job = HandedOutJob {
            verified: Arc::new(verified),
            header,
            notify: announced,
            pool_job: notify.job_id.clone(),
            session: self.number,
            upstream: self.handle.clone(),
            pool_target: bounded.target,
        };
        self.served.hand_out(job, face, bounded);
        if self.served.set_pool_state(PoolState::Connected, "") {
            info!(lease = %self.terms.id, "pool's jobs are handed out");
        }
        Ok(true)
    }
}

/// The job as shares are checked against it, and as nodes read it.
fn announcement(
    job: &VerifiedJob,
    algorithm: Algorithm,
    clean: bool,
) -> Result<(HeaderJob, Notify), JobError> {
    // pools of this dialect have header jobs only
    let header = job.job().header().ok_or(EvidenceReason::JobKind(algorithm))?;
    Ok((header.clone(), Notify::of_signed(header, clean)?))
}

/// Signs a job on a blocking thread: a key may be slow, and sequences are written to disk.
async fn sign(
    served: &ServedLease,
    terms: Terms,
    draft: JobDraft,
    now: UnixSeconds,
) -> Result<VerifiedJob, JobError> {
    let maker = served.maker();
    let signing = tokio::task::spawn_blocking(move || lock(&maker).sign(&terms, draft, now));
    signing.await.unwrap_or_else(|error| Err(error.into()))
}

/// Time until the next fresh job: the interval, or less if an epoch or the lease starts before.
fn until_next(terms: &Terms, served: &ServedLease) -> Duration {
    let boundary = match terms.epoch_of(served.now()) {
        Ok(epoch) => served.until(terms.epoch_end(epoch)),
        Err(_) => served.until(terms.start),
    };
    let interval = Duration::from_secs(terms.job_interval());
    if boundary.is_zero() { interval } else { interval.min(boundary) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashlease_primitives::Secret;

    fn pool(password: &str) -> GatewayBox {
        GatewayBox {
            pool: "stratum+tcp://pool.example:3333".into(),
            worker: "wallet.1".into(),
            password: Secret::new(password),
            token: Secret::new("t"),
            stop_unseen: false,
        }
    }

    #[test]
    fn words_that_are_shown_hold_no_secrets() {
        for (words, shown) in [
            ("bad password hunter2 of wallet.1", "bad password … of …"),
            ("pool.example:3333: connection refused", "…: connection refused"),
            ("pool.example is down", "… is down"),
        ] {
            assert_eq!(without_secrets(words, &pool("hunter2")), shown);
        }
        assert_eq!(without_secrets("x is unknown", &pool("x")), "x is unknown", "a placeholder is no secret");
        assert_eq!(without_secrets(&"w".repeat(1_000), &pool("x")).len(), WORDS);
    }
}
