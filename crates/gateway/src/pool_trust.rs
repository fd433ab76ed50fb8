//! Whether a pool takes what it is sent, and when it is tried again if it does not.
//!
//! While a pool is at fault nothing is signed, as in any outage. Only shares that the gateway found
//! good and the pool could use count, so a provider has no switch to stop a lease with.

use std::time::Duration;

/// Good shares in a row that the pool refused, lost or left unanswered: then it is at fault.
const MOST_FAILURES: u32 = 20;
/// Sessions in a row that end soon and without an accepted share: then it is at fault.
const MOST_VAIN_SESSIONS: u32 = 3;
/// A session that lasts longer is not in vain: its shares speak for it.
const SOON: Duration = Duration::from_secs(60);
/// Pauses before the next attempts, in order; the last one repeats.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(600),
];

/// Why a pool is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PoolFault {
    /// It takes no share.
    #[error("pool refused, lost or left unanswered {MOST_FAILURES} good shares in a row")]
    TakesNoShare,
    /// It keeps no session.
    #[error("pool ended {MOST_VAIN_SESSIONS} sessions in a row before it had accepted a share")]
    KeepsNoSession,
}

/// What the pool did with the last shares and sessions.
#[derive(Debug, Default)]
pub(crate) struct PoolTrust {
    failures: u32,
    vain_sessions: u32,
    /// Faults since the last accepted share.
    faults: usize,
    accepted: bool,
}

impl PoolTrust {
    /// A share was accepted: the pool is in order.
    pub(crate) fn accepted(&mut self) {
        *self = Self { accepted: true, ..Self::default() };
    }

    /// A good share was refused, lost or left unanswered.
    pub(crate) const fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// A session begins.
    pub(crate) const fn begin_session(&mut self) {
        self.accepted = false;
    }

    /// A session ended that had let the worker in and led to a job, after this time.
    pub(crate) fn end_session(&mut self, lasted: Duration) {
        if !self.accepted && lasted < SOON {
            self.vain_sessions = self.vain_sessions.saturating_add(1);
        } else {
            self.vain_sessions = 0;
        }
    }

    /// Why the pool is at fault now, if it is.
    pub(crate) const fn fault(&self) -> Option<PoolFault> {
        if self.failures >= MOST_FAILURES {
            Some(PoolFault::TakesNoShare)
        } else if self.vain_sessions >= MOST_VAIN_SESSIONS {
            Some(PoolFault::KeepsNoSession)
        } else {
            None
        }
    }

    /// Takes note of a fault: the time until the pool is tried again.
    pub(crate) fn pause(&mut self) -> Duration {
        let [.., longest] = PAUSES;
        let pause = PAUSES.get(self.faults).copied().unwrap_or(longest);
        *self = Self { faults: self.faults.saturating_add(1), ..Self::default() };
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_failures_in_a_row_are_a_fault_and_fewer_are_not() {
        let mut trust = PoolTrust::default();
        for _ in 0..10 {
            (1..MOST_FAILURES).for_each(|_| trust.failed());
            assert_eq!(trust.fault(), None);
            trust.accepted();
        }
        (0..MOST_FAILURES).for_each(|_| trust.failed());
        assert_eq!(trust.fault(), Some(PoolFault::TakesNoShare));
    }

    #[test]
    fn a_pool_is_tried_ever_less_often_until_it_accepts_a_share() {
        let mut trust = PoolTrust::default();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            (0..MOST_FAILURES).for_each(|_| trust.failed());
            pauses.push(trust.pause().as_secs());
            assert_eq!(trust.fault(), None, "it is tried again");
        }
        assert_eq!(pauses, [30, 60, 120, 300, 600, 600, 600]);
        trust.accepted();
        (0..MOST_FAILURES).for_each(|_| trust.failed());
        assert_eq!(trust.pause().as_secs(), 30);
    }

    #[test]
    fn sessions_that_end_before_a_share_is_accepted_are_a_fault() {
        let mut trust = PoolTrust::default();
        let mut session = |accepted: bool, seconds| {
            trust.begin_session();
            if accepted {
                trust.accepted();
            }
            trust.end_session(Duration::from_secs(seconds));
            trust.fault()
        };
        for _ in 0..10 {
            assert_eq!(session(true, 1), None, "short sessions that take shares");
            assert_eq!(session(false, 60), None, "a long session without a share may be the node's doing");
        }
        assert_eq!((session(false, 1), session(false, 59)), (None, None));
        assert_eq!(session(false, 1), Some(PoolFault::KeepsNoSession));
    }
}
