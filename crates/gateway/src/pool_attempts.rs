//! When and how a lease's pool is connected again.

use hashlease_primitives::GatewayBox;
use hashlease_stratum::client::OptionalRequests;
use std::time::Duration;
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// A session that ends so soon after its optional requests may have ended because of them.
const SOON: Duration = Duration::from_secs(10);
/// After a session this long, `mining.configure` is asked again: without it there are no version
/// bits, and a pool that was only down looks like one that does not know it.
const LONG: Duration = Duration::from_secs(600);

const ALL: OptionalRequests = OptionalRequests { configure: true, extranonce: true, difficulty: true };

/// How a session went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SessionReport {
    pub(crate) subscribed: bool,
    /// When the worker was let in.
    pub(crate) authorised: Option<Instant>,
    /// Optional requests without an answer at its end.
    pub(crate) unanswered: OptionalRequests,
}

impl SessionReport {
    /// How long the worker was let in.
    pub(crate) fn lasted(&self, now: Instant) -> Duration {
        self.authorised.map_or(Duration::ZERO, |authorised| now.saturating_duration_since(authorised))
    }
}

/// Attempts at one destination.
#[derive(Debug)]
pub(crate) struct PoolAttempts {
    destination: Option<GatewayBox>,
    optional: OptionalRequests,
    pause: Duration,
    next: Instant,
}

impl PoolAttempts {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { destination: None, optional: ALL, pause: FIRST_PAUSE, next: now }
    }

    /// Adopts the destination; `true` when it is another one: then everything starts anew.
    pub(crate) fn follow(&mut self, destination: &GatewayBox, now: Instant) -> bool {
        if self.destination.as_ref().is_some_and(|known| is_same_pool(known, destination)) {
            return false;
        }
        *self = Self { destination: Some(destination.clone()), ..Self::new(now) };
        true
    }

    /// The optional requests of the next session.
    pub(crate) const fn optional(&self) -> OptionalRequests {
        self.optional
    }

    /// The time until the next session may be opened.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        self.next.saturating_duration_since(now)
    }

    /// A session was lost or could not be opened: the time until the next attempt.
    pub(crate) fn lost(&mut self, report: &SessionReport, now: Instant) -> Duration {
        let (lasted, unanswered) = (report.lasted(now), report.unanswered);
        if !report.subscribed && (unanswered.configure || !self.optional.configure) {
            // with and without it in turn, until the pool lets us in
            self.optional.configure = !self.optional.configure;
        } else if lasted >= LONG {
            self.optional.configure = true;
        }
        if report.authorised.is_some() && lasted < SOON {
            self.optional.extranonce &= !unanswered.extranonce;
            self.optional.difficulty &= !unanswered.difficulty;
        }
        let pause = if lasted >= MAX_PAUSE { FIRST_PAUSE } else { self.pause };
        self.pause = pause.saturating_mul(2).min(MAX_PAUSE);
        self.pause_for(pause, now);
        pause
    }

    /// No attempt is made for this long.
    pub(crate) fn pause_for(&mut self, pause: Duration, now: Instant) {
        self.next = now.checked_add(pause).unwrap_or(now);
    }
}

/// Whether two boxes lead to one worker of one pool.
pub(crate) fn is_same_pool(one: &GatewayBox, other: &GatewayBox) -> bool {
    one.pool == other.pool && one.worker == other.worker && one.password == other.password
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashlease_primitives::Secret;

    fn attempts(now: Instant) -> PoolAttempts {
        let destination = GatewayBox {
            pool: "pool:1".into(),
            worker: "w".into(),
            password: Secret::new("x"),
            token: Secret::new("t"),
            stop_unseen: false,
        };
        let mut attempts = PoolAttempts::new(now);
        assert!(attempts.follow(&destination, now));
        assert!(!attempts.follow(&GatewayBox { token: Secret::new("other"), ..destination }, now));
        attempts
    }

    #[test]
    fn a_pool_is_tried_again_within_ten_seconds() {
        let now = Instant::now();
        let mut attempts = attempts(now);
        let failed = SessionReport::default();
        let pauses: Vec<f32> = (0..8).map(|_| attempts.lost(&failed, now).as_secs_f32()).collect();
        assert_eq!(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]);
        assert_eq!(attempts.wait(now), MAX_PAUSE);
        let held = SessionReport { subscribed: true, authorised: Some(now), ..failed };
        assert_eq!(attempts.lost(&held, now + MAX_PAUSE), FIRST_PAUSE, "a session that held");
    }

    #[test]
    fn a_request_that_ends_a_session_is_not_sent_again() {
        let now = Instant::now();
        let mut attempts = attempts(now);
        let unanswered = OptionalRequests { extranonce: true, ..OptionalRequests::default() };
        let let_in = SessionReport { subscribed: true, authorised: Some(now), unanswered };
        attempts.lost(&let_in, now);
        assert_eq!(attempts.optional(), OptionalRequests { extranonce: false, ..ALL });
        // much later, the session ended for another reason
        let unanswered = OptionalRequests { difficulty: true, ..OptionalRequests::default() };
        let long = SessionReport { unanswered, ..let_in };
        attempts.lost(&long, now + SOON);
        assert_eq!(attempts.optional(), OptionalRequests { extranonce: false, ..ALL });
    }

    #[test]
    fn configure_is_left_out_until_the_pool_lets_us_in() {
        let now = Instant::now();
        let mut attempts = attempts(now);
        let unanswered = OptionalRequests { configure: true, ..OptionalRequests::default() };
        let closed = SessionReport { unanswered, ..SessionReport::default() };
        attempts.lost(&closed, now);
        assert!(!attempts.optional().configure);
        let let_in = SessionReport { subscribed: true, authorised: Some(now), ..SessionReport::default() };
        attempts.lost(&let_in, now);
        assert!(!attempts.optional().configure, "it worked without");
        attempts.lost(&SessionReport::default(), now);
        assert!(attempts.optional().configure, "nor did it work without");
        attempts.lost(&closed, now);
        attempts.lost(&let_in, now + LONG);
        assert!(attempts.optional().configure, "the pool may only have been down");
        attempts.lost(&SessionReport::default(), now);
        assert!(attempts.optional().configure, "no connection at all says nothing");
    }
}
