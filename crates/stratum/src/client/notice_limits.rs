//! Bounds on what a pool says without being asked.

use std::time::Duration;
use tokio::time::Instant;
use tracing::warn;

/// Notifications that are read within [`SPAN`].
pub(super) const MOST: u32 = 1_200;
/// The time that notifications are counted over.
pub(super) const SPAN: Duration = Duration::from_secs(60);
/// Pause between two messages that are logged.
const LOG_PAUSE: Duration = Duration::from_secs(60);
/// Characters of a message that are logged.
const LOGGED: usize = 256;

/// Counts notifications.
#[derive(Debug)]
pub(super) struct NoticeCount {
    begun: Instant,
    count: u32,
}

impl NoticeCount {
    pub(super) const fn new(begun: Instant) -> Self {
        Self { begun, count: 0 }
    }

    /// Counts one more; `false` when there are too many.
    pub(super) fn add(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.begun) >= SPAN {
            *self = Self::new(now);
        }
        self.count = self.count.saturating_add(1);
        self.count <= MOST
    }
}

/// Logs words of the other side, at a bounded rate and length.
#[derive(Debug, Default)]
pub(super) struct WordLog {
    last: Option<Instant>,
    left_out: u64,
}

impl WordLog {
    /// Logs words, or counts them while others were logged just before. The number of those left out
    /// comes with the next ones.
    pub(super) fn log(&mut self, now: Instant, pool: &str, what: &'static str, text: &str) {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < LOG_PAUSE) {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        let text: String = text.chars().take(LOGGED).collect();
        warn!(pool, text, left_out = self.left_out, "{what}");
        *self = Self { last: Some(now), left_out: 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_its_number_of_notifications() {
        let now = Instant::now();
        let mut notices = NoticeCount::new(now);
        assert!((0..MOST).all(|_| notices.add(now)));
        assert!(!notices.add(now), "one too many");
        assert!(notices.add(now + SPAN), "a new minute");
    }

    #[test]
    fn words_are_logged_once_a_minute() {
        let now = Instant::now();
        let mut words = WordLog::default();
        for _ in 0..3 {
            words.log(now, "pool", "message", "hello");
        }
        assert_eq!(words.left_out, 2);
        words.log(now + LOG_PAUSE, "pool", "message", "hello");
        assert_eq!(words.left_out, 0);
    }
}
