//! Rules on a job that arrives: the same for gateways, nodes and members.
//!
//! They are no evidence rules: nobody can tell afterwards what a clock showed.

use hashlease_primitives::{CLOCK_TOLERANCE, Job, UnixSeconds};

/// Largest sequence of a job that is taken.
pub const MAX_SEQUENCE: u64 = (1 << 32) - 1;

/// Why a job is not signed, mined or counted as due on its arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
pub enum ArrivalRefusal {
    /// The clock rule: the window contains now, give or take [`CLOCK_TOLERANCE`].
    #[error(
        "job window {not_before} to {not_after} is {distance} s from the clock's {now}: expected at most {CLOCK_TOLERANCE} s"
    )]
    OffClock { not_before: UnixSeconds, not_after: UnixSeconds, now: UnixSeconds, distance: u64 },
    /// The sequence is too large.
    #[error("job sequence {sequence}: expected at most {MAX_SEQUENCE}")]
    Sequence { sequence: u64 },
}

impl ArrivalRefusal {
    /// The stable kebab-case name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OffClock { .. } => "job-off-clock",
            Self::Sequence { .. } => "job-sequence-too-large",
        }
    }
}

/// Checks a job that arrives at `now`.
///
/// # Errors
/// The [`ArrivalRefusal`] of the first rule that fails.
pub const fn check_arrival(job: &Job, now: UnixSeconds) -> Result<(), ArrivalRefusal> {
    let sequence = job.sequence();
    if sequence > MAX_SEQUENCE {
        return Err(ArrivalRefusal::Sequence { sequence });
    }
    let (not_before, not_after) = (job.not_before(), job.not_after());
    let (ahead, behind) = (not_before.since(now), now.since(not_after));
    let distance = if ahead > behind { ahead } else { behind };
    if distance > CLOCK_TOLERANCE {
        return Err(ArrivalRefusal::OffClock { not_before, not_after, now, distance });
    }
    Ok(())
}
