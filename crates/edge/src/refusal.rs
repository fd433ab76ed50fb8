//! Why the edge refuses a request or a share of a miner.

use hashlease_ledger::CountRefusal;
use hashlease_primitives::UnixSeconds;
use hashlease_share::EvidenceReason;
use hashlease_stratum::{Rejection, server::SessionRefusal};

/// Why the node refuses a miner's request. The [`code`](Refusal::code) is stable, and the same for
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
    /// A new block superseded the job, and the grace is over.
    #[error("job {job:?} was superseded")]
    JobSuperseded { job: String },
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
            Self::NtimeFarFromClock { .. } => "ntime-far-from-clock",
        }
    }

    /// The refusal as the miner reads it.
    pub(crate) fn rejection(&self) -> Rejection {
        Rejection::named(self.code())
    }
}
