//! A lease's session at its pool, from shortly before the lease's start to its end, and the jobs
//! made of it.

use crate::{
    assignment::Assignment,
    jobs_to_members::JobsToMembers,
    lease_status::PoolState,
    served_lease::{HandedOutJob, ServedLease, ServiceEnd, lock},
    sign_job::{Extranonce, JobError},
};
use hashlease_net::{HttpClient, SharedNetwork};
use hashlease_primitives::{Algorithm, Difficulty, DifficultyBase, HeaderJob, Target, Terms, UnixSeconds};
use hashlease_share::{EvidenceReason, VerifiedJob};
use hashlease_stratum::{
    BIP320_MASK, Notify,
    client::{
        ClientEnd, ConnectError, ConnectOptions, UpstreamEvent, UpstreamEvents, UpstreamHandle, connect,
    },
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tracing::{debug, info, warn};

/// How long before a lease's start its pool is connected, seconds.
const CONNECT_AHEAD: u64 = 15;
/// How long shares that are under way are still forwarded after a lease's end, seconds.
const GRACE: u64 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// How long a pool may send jobs without a difficulty; then 1 is assumed, as early pools did.
const NO_DIFFICULTY: Duration = Duration::from_secs(5);
/// Longest sleep, because the clock may be set meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// Why a session at the pool ended.
enum PoolSessionEnd {
    /// It could not be opened or was lost; another attempt follows.
    Lost(PoolLoss),
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

/// Serves a lease until its end.
pub(crate) async fn serve_lease(served: Arc<ServedLease>, agent: String, network: SharedNetwork) {
    let mut assignment = served.assignment();
    let http = HttpClient::new(Arc::clone(&network));
    let mut members = JobsToMembers::new(http, Arc::clone(served.clock()));
    let id = served.id();
    let mut pause = FIRST_PAUSE;
    let mut sessions = 0u64;
    loop {
        let current = assignment.borrow_and_update().clone();
        members.set_members(&current.members);
        if is_over(&current.terms, served.now()) {
            break;
        }
        let begin = served.until(current.terms.start.minus(CONNECT_AHEAD));
        if !begin.is_zero() {
            wait(&mut assignment, begin.min(LOOK)).await;
            continue;
        }
        sessions = sessions.saturating_add(1);
        let options = ConnectOptions::new(&current.pool.pool, &agent)
            .credentials(current.pool.worker.clone(), current.pool.password.clone())
            .version_mask(BIP320_MASK)
            .difficulty(DifficultyBase::of_stratum(current.terms.algorithm));
        let pool = options.address().to_owned();
        let connected = tokio::select! {
            connected = connect(network.as_ref(), options) => connected,
            _ = assignment.changed() => continue,
        };
        let (worked, end) = match connected {
            Ok((handle, events)) => {
                let session = PoolSession::new(&served, &mut members, handle, sessions);
                session.read_pool(events, &mut assignment).await
            }
            Err(error) => (false, PoolSessionEnd::Lost(error.into())),
        };
        if worked {
            pause = FIRST_PAUSE;
        }
        let trouble = match end {
            PoolSessionEnd::LeaseOver => break,
            PoolSessionEnd::Moved => {
                info!(lease = %id, "destination changed");
                pause = FIRST_PAUSE;
                continue;
            }
            PoolSessionEnd::Lost(loss) => without_password(&loss.to_string(), current.pool.password.reveal()),
        };
        let changed = served.set_pool_state(PoolState::Lost, &trouble);
        if !is_over(&current.terms, served.now()) {
            warn!(lease = %id, pool, trouble, retry_in = ?pause, "no session at the pool, time without jobs is not due");
            if changed {
                served.tell_nodes(
                    "pool lost: shares count until the last job's window ends, new jobs come once it is back",
                );
            }
        }
        if wait(&mut assignment, pause).await {
            pause = FIRST_PAUSE;
        } else {
            pause = pause.saturating_mul(2).min(MAX_PAUSE);
        }
    }
    served.close(ServiceEnd::LeaseOver);
    info!(lease = %id, "lease is over");
}

fn is_over(terms: &Terms, now: UnixSeconds) -> bool {
    now >= terms.end.plus(GRACE)
}

/// Waits, at most until the assignment changes; returns whether it did.
async fn wait(assignment: &mut watch::Receiver<Assignment>, duration: Duration) -> bool {
    tokio::select! {
        () = sleep(duration) => false,
        _ = assignment.changed() => true,
    }
}

/// Removes the password, which a pool may repeat in its refusal.
fn without_password(words: &str, password: &str) -> String {
    if password.len() < 4 { words.to_owned() } else { words.replace(password, "…") }
}

/// One session at the pool.
struct PoolSession<'a> {
    served: &'a ServedLease,
    members: &'a mut JobsToMembers,
    handle: UpstreamHandle,
    number: u64,
    terms: Terms,
    session: Extranonce,
    subscribed: bool,
    authorised: bool,
    /// From `mining.set_extranonce`: valid from the next job on.
    next_extranonce: Option<(Vec<u8>, usize)>,
    /// The pool's current target.
    target: Option<Target>,
    /// The easiest target since the pool's last job: the pool may judge by either.
    easiest: Option<Target>,
    notify: Option<Notify>,
    since: Instant,
    worked: bool,
    last_trouble: String,
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
            session: Extranonce::default(),
            subscribed: false,
            authorised: false,
            next_extranonce: None,
            target: None,
            easiest: None,
            notify: None,
            since: Instant::now(),
            worked: false,
            last_trouble: String::new(),
        }
    }

    /// Reads the pool until the session ends; returns whether it led to a job, and why it ended.
    async fn read_pool(
        mut self,
        mut events: UpstreamEvents,
        assignment: &mut watch::Receiver<Assignment>,
    ) -> (bool, PoolSessionEnd) {
        let destination = assignment.borrow().pool.clone();
        let (mut last, mut wait) = (Instant::now(), LOOK);
        loop {
            if is_over(&self.terms, self.served.now()) {
                return (self.worked, PoolSessionEnd::LeaseOver);
            }
            let clean = tokio::select! {
                event = events.next() => match event {
                    None => return (self.worked, PoolSessionEnd::Lost(PoolLoss::Gone)),
                    Some(UpstreamEvent::Closed(end)) => {
                        return (self.worked, PoolSessionEnd::Lost(PoolLoss::Ended(end)));
                    }
                    Some(event) => match self.accept_event(event) {
                        Some(clean) => clean,
                        None => continue,
                    },
                },
                () = sleep(wait.saturating_sub(last.elapsed()).min(LOOK)) => {
                    if last.elapsed() < wait {
                        continue;
                    }
                    false
                }
                _ = assignment.changed() => {
                    let current = assignment.borrow_and_update().clone();
                    self.members.set_members(&current.members);
                    self.terms = current.terms;
                    let way = |pool: &hashlease_primitives::GatewayBox| {
                        (pool.pool.clone(), pool.worker.clone(), pool.password.clone())
                    };
                    if way(&current.pool) != way(&destination) {
                        return (self.worked, PoolSessionEnd::Moved);
                    }
                    continue;
                }
            };
            self.hand_out_job(clean).await;
            last = Instant::now();
            // before the first job, check often for the data that it needs
            let settled = self.worked || !self.last_trouble.is_empty();
            wait = if settled { until_next(&self.terms, self.served) } else { LOOK };
        }
    }

    /// Applies an event of the pool; `Some(clean)` when a job should be made.
    fn accept_event(&mut self, event: UpstreamEvent) -> Option<bool> {
        let id = self.terms.id;
        match event {
            UpstreamEvent::Subscribed { extranonce1, extranonce2_size } => {
                self.subscribed = true;
                self.session = Extranonce { extranonce1, extranonce2_size, ..self.session.clone() };
                self.served.tell_session(&self.session);
                None
            }
            UpstreamEvent::Extranonce { extranonce1, extranonce2_size } => {
                // the current job stays as it was signed
                self.next_extranonce = Some((extranonce1, extranonce2_size));
                None
            }
            UpstreamEvent::VersionMask(mask) => {
                self.session.version_mask = mask & BIP320_MASK;
                if self.subscribed {
                    self.served.tell_session(&self.session);
                }
                // the mask is one of the signed fields
                self.notify.is_some().then_some(false)
            }
            UpstreamEvent::Difficulty(target) => {
                self.target = Some(target);
                self.easiest = Some(self.easiest.map_or(target, |known| known.easier(target)));
                self.served.tell_difficulty(target, self.number);
                // a job may have waited for its difficulty
                (self.notify.is_some() && !self.worked).then_some(true)
            }
            UpstreamEvent::Notify(notify) => {
                if let Some((extranonce1, extranonce2_size)) = self.next_extranonce.take() {
                    self.session = Extranonce { extranonce1, extranonce2_size, ..self.session.clone() };
                    self.served.tell_session(&self.session);
                }
                let new_block = self.notify.as_ref().is_some_and(|known| known.prev_hash != notify.prev_hash);
                let clean = notify.clean_jobs || new_block;
                self.notify = Some(*notify);
                self.easiest = self.target;
                Some(clean)
            }
            UpstreamEvent::Authorized => {
                info!(lease = %id, "pool authorised the worker");
                self.authorised = true;
                self.since = Instant::now();
                self.served.set_pool_state(PoolState::Connected, "");
                self.notify.is_some().then_some(true)
            }
            UpstreamEvent::Refused { .. } => {
                self.served.tell_nodes("pool refuses the renter's worker");
                None
            }
            UpstreamEvent::Other { .. } | UpstreamEvent::Closed(_) => None,
        }
    }

    /// The target of new jobs; `None` while the pool has sent none and there is time left for it.
    fn target(&mut self) -> Option<Target> {
        if self.easiest.is_none() && self.since.elapsed() >= NO_DIFFICULTY {
            let one = Difficulty::ONE.target(DifficultyBase::of_stratum(self.terms.algorithm));
            warn!(lease = %self.terms.id, "pool sends no difficulty, assuming 1");
            self.served.tell_difficulty(one, self.number);
            (self.target, self.easiest) = (Some(one), Some(one));
        }
        self.easiest
    }

    /// Makes a job of the pool's latest one, and hands it out.
    async fn hand_out_job(&mut self, clean: bool) {
        if self.notify.is_none() || !self.authorised || !self.subscribed {
            return;
        }
        let (Some(target), Some(notify)) = (self.target(), self.notify.clone()) else { return };
        let id = self.terms.id;
        // shares of earlier sessions' jobs can no longer be forwarded
        let clean = clean || !self.worked;
        let signed = sign(self.served, self.terms.clone(), notify.clone(), self.session.clone()).await;
        match signed.and_then(|verified| {
            announcement(&verified, self.terms.algorithm, clean).map(|job| (verified, job))
        }) {
            Ok((verified, (header, announced))) => {
                debug!(lease = %id, sequence = verified.job().sequence(), clean, "job signed");
                self.members.post_to_all(verified.signed());
                self.served.hand_out(HandedOutJob {
                    verified: Arc::new(verified),
                    header,
                    notify: announced,
                    pool_job: notify.job_id,
                    session: self.number,
                    upstream: self.handle.clone(),
                    pool_target: Mutex::new(target),
                });
                if !self.last_trouble.is_empty() {
                    info!(lease = %id, "pool's jobs can be handed out again");
                    self.last_trouble.clear();
                }
                self.served.set_pool_state(PoolState::Connected, "");
                self.worked = true;
            }
            // too early by a pool's clock, or in the lease's last second
            Err(JobError::NotRunning(_)) => {}
            Err(error) => {
                let trouble = error.to_string();
                if trouble != self.last_trouble {
                    warn!(lease = %id, %error, "pool's job can't be handed out");
                    self.served.set_pool_state(PoolState::Unusable, &trouble);
                    self.served.tell_nodes("pool's jobs can't be handed out");
                    self.last_trouble = trouble;
                }
            }
        }
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
    notify: Notify,
    session: Extranonce,
) -> Result<VerifiedJob, JobError> {
    let (maker, now) = (served.maker(), served.now());
    let signing = tokio::task::spawn_blocking(move || lock(&maker).make(&terms, &notify, &session, now));
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

    #[test]
    fn a_refusal_does_not_repeat_a_password() {
        assert_eq!(without_password("bad password hunter2 of w", "hunter2"), "bad password … of w");
        assert_eq!(without_password("x is unknown", "x"), "x is unknown", "a placeholder is no secret");
    }
}
