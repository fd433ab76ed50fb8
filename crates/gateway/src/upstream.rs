//! One lease's way to its pool: a session from shortly before its start to its end, and the jobs that come of it.

use crate::{
    Assignment, JobError,
    jobs::Extranonce,
    members::Members,
    served::{LiveJob, Served, lock},
    status::PoolState,
};
use hashlease_primitives::{Difficulty, DifficultyBase, Target, Terms, UnixSeconds};
use hashlease_share::VerifiedJob;
use hashlease_stratum::{
    Notify,
    client::{ConnectOptions, UpstreamEvent, UpstreamEvents, UpstreamHandle, connect},
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

/// Version bits that pools are asked for (BIP 320).
pub(crate) const VERSION_MASK: u32 = 0x1fff_e000;
/// How long before a lease's start its pool is connected, seconds.
const CONNECT_AHEAD: u64 = 15;
/// How long after a lease's end shares that are on the way are still forwarded, seconds.
const GRACE: u64 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// How long a pool may hand out jobs without a difficulty before it is taken for 1, as the first pools had it.
const NO_DIFFICULTY: Duration = Duration::from_secs(5);
/// Longest sleep: the clock may be set meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// Why a session ended.
enum End {
    /// In words; it is tried again.
    Lost(String),
    /// The renter named another pool or worker.
    Moved,
    /// So has the lease.
    Over,
}

/// Serves a lease until its end.
pub(crate) async fn run(served: Arc<Served>, agent: String) {
    let mut assignment = served.assignment();
    let mut members = Members::new(Arc::clone(served.clock()));
    let id = served.id();
    let mut pause = FIRST_PAUSE;
    let mut sessions = 0u64;
    loop {
        let current = assignment.borrow_and_update().clone();
        members.follow(&current.members);
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
            .version_mask(VERSION_MASK)
            .difficulty(DifficultyBase::of_stratum(current.terms.algorithm));
        let pool = options.address().to_owned();
        let connected = tokio::select! {
            connected = connect(options) => connected,
            _ = assignment.changed() => continue,
        };
        let (worked, end) = match connected {
            Ok((handle, events)) => {
                let session = Session::new(&served, &mut members, handle, sessions);
                session.follow(events, &mut assignment).await
            }
            Err(error) => (false, End::Lost(error.to_string())),
        };
        if worked {
            pause = FIRST_PAUSE;
        }
        let trouble = match end {
            End::Over => break,
            End::Moved => {
                info!(lease = %id, "destination changed");
                pause = FIRST_PAUSE;
                continue;
            }
            End::Lost(trouble) => without(&trouble, current.pool.password.reveal()),
        };
        let news = served.stands(PoolState::Lost, &trouble);
        if !is_over(&current.terms, served.now()) {
            warn!(lease = %id, pool, trouble, retry_in = ?pause, "no session at the pool, time without jobs is not due");
            if news {
                served.tell(
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
    served.close("lease is over");
    info!(lease = %id, "lease is over");
}

fn is_over(terms: &Terms, now: UnixSeconds) -> bool {
    now >= terms.end.plus(GRACE)
}

/// Waits, but not on when the assignment changes; says whether it did.
async fn wait(assignment: &mut watch::Receiver<Assignment>, duration: Duration) -> bool {
    tokio::select! {
        () = sleep(duration) => false,
        _ = assignment.changed() => true,
    }
}

/// A pool may repeat a password in its refusal.
fn without(words: &str, password: &str) -> String {
    if password.len() < 4 { words.to_owned() } else { words.replace(password, "…") }
}

/// One session at the pool.
struct Session<'a> {
    served: &'a Served,
    members: &'a mut Members,
    handle: UpstreamHandle,
    number: u64,
    terms: Terms,
    session: Extranonce,
    subscribed: bool,
    authorised: bool,
    /// From `mining.set_extranonce`: holds from the next job on.
    coming: Option<(Vec<u8>, usize)>,
    /// What the pool asks for now.
    target: Option<Target>,
    /// The easiest that it asked for since its last job: it may judge by either.
    easiest: Option<Target>,
    notify: Option<Notify>,
    since: Instant,
    worked: bool,
    last_trouble: String,
}

impl<'a> Session<'a> {
    fn new(served: &'a Served, members: &'a mut Members, handle: UpstreamHandle, number: u64) -> Self {
        served.stands(PoolState::Connecting, "");
        Self {
            served,
            members,
            handle,
            number,
            terms: served.terms(),
            session: Extranonce::default(),
            subscribed: false,
            authorised: false,
            coming: None,
            target: None,
            easiest: None,
            notify: None,
            since: Instant::now(),
            worked: false,
            last_trouble: String::new(),
        }
    }

    /// Reads the pool to the end of the session; says whether a job came of it, and why it ended.
    async fn follow(
        mut self,
        mut events: UpstreamEvents,
        assignment: &mut watch::Receiver<Assignment>,
    ) -> (bool, End) {
        let destination = assignment.borrow().pool.clone();
        let (mut last, mut wait) = (Instant::now(), LOOK);
        loop {
            if is_over(&self.terms, self.served.now()) {
                return (self.worked, End::Over);
            }
            let clean = tokio::select! {
                event = events.next() => match event {
                    None => return (self.worked, End::Lost("closed".into())),
                    Some(UpstreamEvent::Closed { reason, .. }) => return (self.worked, End::Lost(reason)),
                    Some(event) => match self.take(event) {
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
                    self.members.follow(&current.members);
                    self.terms = current.terms;
                    let way = |pool: &hashlease_primitives::GatewayBox| {
                        (pool.pool.clone(), pool.worker.clone(), pool.password.clone())
                    };
                    if way(&current.pool) != way(&destination) {
                        return (self.worked, End::Moved);
                    }
                    continue;
                }
            };
            self.make(clean).await;
            last = Instant::now();
            // before the first job, what it waits for is looked for often
            let settled = self.worked || !self.last_trouble.is_empty();
            wait = if settled { until_next(&self.terms, self.served) } else { LOOK };
        }
    }

    /// Takes what the pool says; `Some(clean)` when a job should be made of it.
    fn take(&mut self, event: UpstreamEvent) -> Option<bool> {
        let id = self.terms.id;
        match event {
            UpstreamEvent::Subscribed { extranonce1, extranonce2_size } => {
                self.subscribed = true;
                self.session = Extranonce { extranonce1, extranonce2_size, ..self.session.clone() };
                self.served.tell_session(&self.session);
                None
            }
            UpstreamEvent::Extranonce { extranonce1, extranonce2_size } => {
                // the job that is out stays as it was signed
                self.coming = Some((extranonce1, extranonce2_size));
                None
            }
            UpstreamEvent::VersionMask(mask) => {
                self.session.version_mask = mask & VERSION_MASK;
                if self.subscribed {
                    self.served.tell_session(&self.session);
                }
                // the mask is part of what is signed
                self.notify.is_some().then_some(false)
            }
            UpstreamEvent::Difficulty(target) => {
                self.target = Some(target);
                self.easiest = Some(self.easiest.map_or(target, |known| known.easier(target)));
                self.served.tell_difficulty(target, self.number);
                // a job that waited for its difficulty
                (self.notify.is_some() && !self.worked).then_some(true)
            }
            UpstreamEvent::Notify(notify) => {
                if let Some((extranonce1, extranonce2_size)) = self.coming.take() {
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
                info!(lease = %id, "pool let the worker in");
                self.authorised = true;
                self.since = Instant::now();
                self.served.stands(PoolState::Connected, "");
                self.notify.is_some().then_some(true)
            }
            UpstreamEvent::Refused { .. } => {
                self.served.tell("pool refuses the renter's worker");
                None
            }
            UpstreamEvent::Other { .. } | UpstreamEvent::Closed { .. } => None,
        }
    }

    /// The target of jobs made now; `None` while the pool has named none and still may.
    fn target(&mut self) -> Option<Target> {
        if self.easiest.is_none() && self.since.elapsed() >= NO_DIFFICULTY {
            let one: Difficulty = "1".parse().ok()?;
            let one = one.target(DifficultyBase::of_stratum(self.terms.algorithm));
            warn!(lease = %self.terms.id, "pool names no difficulty, 1 is assumed");
            self.served.tell_difficulty(one, self.number);
            (self.target, self.easiest) = (Some(one), Some(one));
        }
        self.easiest
    }

    /// Makes a job of what the pool said last, and hands it out.
    async fn make(&mut self, clean: bool) {
        if self.notify.is_none() || !self.authorised || !self.subscribed {
            return;
        }
        let (Some(target), Some(notify)) = (self.target(), self.notify.clone()) else { return };
        let id = self.terms.id;
        match sign(self.served, self.terms.clone(), notify.clone(), self.session.clone()).await {
            Ok(verified) => {
                // a job for Ethash comes from pools of another dialect
                let Some(header) = verified.job().header().cloned() else { return };
                // what earlier sessions brought can't be forwarded any more
                let clean = clean || !self.worked;
                debug!(lease = %id, sequence = verified.job().sequence(), clean, "job signed");
                self.members.send(verified.signed());
                self.served.hand_out(LiveJob {
                    verified: Arc::new(verified),
                    header,
                    clean,
                    pool_job: notify.job_id,
                    session: self.number,
                    upstream: self.handle.clone(),
                    pool_target: Mutex::new(target),
                });
                if !self.last_trouble.is_empty() {
                    info!(lease = %id, "pool's jobs can be handed out again");
                    self.last_trouble.clear();
                }
                self.served.stands(PoolState::Connected, "");
                self.worked = true;
            }
            // before a pool's time, or in the last second
            Err(JobError::NotRunning(_)) => {}
            Err(error) => {
                let trouble = error.to_string();
                if trouble != self.last_trouble {
                    warn!(lease = %id, %error, "pool's job can't be handed out");
                    self.served.stands(PoolState::Unusable, &trouble);
                    self.served.tell("pool's jobs can't be handed out");
                    self.last_trouble = trouble;
                }
            }
        }
    }
}

/// Signs a job where it holds nobody up: a key may be slow, and sequences are written to disk.
async fn sign(
    served: &Served,
    terms: Terms,
    notify: Notify,
    session: Extranonce,
) -> Result<VerifiedJob, JobError> {
    let (maker, now) = (served.maker(), served.now());
    let signing = tokio::task::spawn_blocking(move || lock(&maker).make(&terms, &notify, &session, now));
    signing.await.unwrap_or_else(|error| Err(JobError::Sequence(std::io::Error::other(error))))
}

/// Until the next fresh job is due: the interval, but not across the begin of an epoch or of the lease.
fn until_next(terms: &Terms, served: &Served) -> Duration {
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
    fn a_password_does_not_come_back_in_a_refusal() {
        assert_eq!(without("bad password hunter2 of w", "hunter2"), "bad password … of w");
        assert_eq!(without("x is unknown", "x"), "x is unknown", "a placeholder is no secret");
    }
}
