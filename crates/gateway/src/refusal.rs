//! Why the gateway refuses a request or a share of a node.

use hashlease_share::EvidenceReason;
use hashlease_stratum::{Rejection, server::SessionRefusal};

/// Why a node's request is refused. Its [`code`](Refusal::code) is stable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// An evidence rule is broken.
    #[error(transparent)]
    Evidence(#[from] EvidenceReason),
    /// The session does not allow the request.
    #[error(transparent)]
    Session(#[from] SessionRefusal),
    /// The epoch has as many shares as its root may have.
    #[error("epoch {epoch} has {most} shares already, many more than can be credited")]
    EpochFull { epoch: u32, most: u64 },
    /// More shares below the settlement weight than the gateway remembers; it forwards no more of
    /// them in this epoch.
    #[error("too many shares below the settlement weight in epoch {0}")]
    TooManyShares(u32),
    /// The pool hung up before it answered.
    #[error("pool connection was lost before its answer")]
    PoolLost,
}

impl Refusal {
    /// The stable kebab-case name.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Evidence(reason) => reason.code(),
            Self::Session(refusal) => refusal.code(),
            Self::EpochFull { .. } => "epoch-full",
            Self::TooManyShares(_) => "too-many-shares",
            Self::PoolLost => "pool-lost",
        }
    }

    /// The refusal as the node reads it.
    pub(crate) fn rejection(&self) -> Rejection {
        Rejection::named(self.code())
    }
}
