//! Why the edge refuses a request or a share of a miner, or a job.

use crate::job_form::FormError;
use hashlease_ledger::{BookError, CountRefusal};
use hashlease_primitives::UnixSeconds;
use hashlease_share::{ArrivalRefusal, EpochFull, EvidenceReason};
use hashlease_stratum::{Rejection, server::SessionRefusal};

/// Why the node refuses a miner's request or a job. The [`code`](Refusal::code) is stable, and the same for
/// the miner and in the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// An evidence rule is broken.
    #[error(transparent)]
    Evidence(#[from] EvidenceReason),
    /// The book does not count the share.
    #[error(transparent)]
    Count(#[from] CountRefusal),
    /// The session does not allow the request.
    #[error(transparent)]
    Session(#[from] SessionRefusal),
    /// Miners were given a job on another block, and the grace is over.
    #[error("job {sequence} was superseded")]
    JobSuperseded { sequence: u64 },
    /// The window of the job is over, and so is the time that a share may take to arrive.
    #[error("window of job {sequence} ended at {not_after}, and it is {now}")]
    JobWindowOver { sequence: u64, not_after: UnixSeconds, now: UnixSeconds },
    /// Another lease was first to show a share of the job's work.
    #[error("the work of job {sequence} was first shown for another lease")]
    WorkOfAnotherLease { sequence: u64 },
    /// The job arrived at a wrong time, or its sequence is too large.
    #[error(transparent)]
    Arrival(#[from] ArrivalRefusal),
    /// Miners can't be given the job.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The job's epoch has as many jobs as its evidence holds.
    #[error(transparent)]
    EpochJobs(#[from] EpochFull),
    /// Another job came first under this sequence, and every check of the evidence uses that one.
    #[error("job sequence {sequence} was used for another job before")]
    JobSequence { sequence: u64 },
    /// The job could not be made durable.
    #[error("job could not be stored: {0}")]
    JobNotStored(#[source] BookError),
    /// The header time is far from our clock; `tolerance` in seconds.
    #[error("ntime {ntime} is far from the clock {now}: expected within {tolerance} s")]
    NtimeFarFromClock { ntime: UnixSeconds, now: UnixSeconds, tolerance: u64 },
}

impl Refusal {
    /// The stable kebab-case name.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Evidence(reason) => reason.code(),
            Self::Count(refusal) => refusal.code(),
            Self::Session(refusal) => refusal.code(),
            Self::JobSuperseded { .. } => "job-superseded",
            Self::JobWindowOver { .. } => "job-window-over",
            Self::WorkOfAnotherLease { .. } => "work-of-another-lease",
            Self::Arrival(refusal) => refusal.code(),
            Self::Form(_) => "job-form",
            Self::EpochJobs(_) => EpochFull::CODE,
            Self::JobSequence { .. } => "job-sequence",
            Self::JobNotStored(_) => "job-not-stored",
            Self::NtimeFarFromClock { .. } => "ntime-far-from-clock",
        }
    }

    /// The refusal as the miner reads it.
    pub(crate) fn rejection(&self) -> Rejection {
        Rejection::named(self.code())
    }
}
