//! Lines of the log about miners that come and go. Anybody can connect, name a worker and leave, as
//! often as he likes: the number of lines is bounded, and the rest is counted.

use crate::lock::lock;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tracing::info;

/// Time in which the lines are counted.
const INTERVAL: Duration = Duration::from_secs(10);
/// Lines in that time: a farm of a few hundred machines that restarts one by one is told in full.
const MAX_LINES: u32 = 64;

#[derive(Debug, Default)]
struct Lines {
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

/// Counts the lines, for all sessions together.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogBudget(Arc<Mutex<Lines>>);

impl LogBudget {
    /// Whether a line may be written. Tells in a line of its own how many were not, before.
    pub(crate) fn has_room(&self) -> bool {
        let (has_room, left_out) = self.take(Instant::now());
        if left_out > 0 {
            info!(left_out, "more miners came and went than are told one by one");
        }
        has_room
    }

    /// Takes a line. At the begin of an interval also says how many were left out in the one
    /// before.
    fn take(&self, now: Instant) -> (bool, u64) {
        let mut lines = lock(&self.0);
        let mut left_out = 0;
        if lines.since.is_none_or(|since| now.saturating_duration_since(since) >= INTERVAL) {
            left_out = lines.left_out;
            *lines = Lines { since: Some(now), written: 0, left_out: 0 };
        }
        let has_room = lines.written < MAX_LINES;
        if has_room {
            lines.written = lines.written.saturating_add(1);
        } else {
            lines.left_out = lines.left_out.saturating_add(1);
        }
        (has_room, left_out)
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_miners_is_a_bounded_number_of_lines() {
        let (budget, now) = (LogBudget::default(), Instant::now());
        let written = (0..10_000).filter(|_| budget.take(now).0).count();
        assert_eq!(written, 64);
        assert_eq!(budget.take(now + INTERVAL), (true, 10_000 - 64), "the rest is told as a number");
        assert_eq!(budget.take(now + INTERVAL), (true, 0));
    }
}
