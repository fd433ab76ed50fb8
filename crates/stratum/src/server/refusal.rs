//! Why a server refuses a request before it looks at any share: refusals of sessions, under both
//! roles.

use hashlease_primitives::{Algorithm, LeaseId};

/// Why a request was refused. Its [`code`](SessionRefusal::code) is stable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum SessionRefusal {
    /// A field of the request can't be read.
    #[error("malformed submit: {0}")]
    Malformed(String),
    /// A submit before authorize, or for a worker that did not authorize.
    #[error("worker is not authorised")]
    Unauthorized,
    /// A submit before subscribe.
    #[error("not subscribed")]
    NotSubscribed,
    /// A request that no miner or node has to make here.
    #[error("method {0:?} is not known")]
    UnknownMethod(String),
    /// This algorithm is not served over this dialect.
    #[error("algorithm {0} is not served")]
    AlgorithmNotServed(Algorithm),
    /// No lease is active that this worker could mine for.
    #[error("no active lease for this worker")]
    NoActiveLease,
    /// The worker's name pins another lease than the one the connection mines for.
    #[error("connection mines for lease {0}")]
    ConnectionOfOtherLease(LeaseId),
    /// The worker's name pins a lease whose miners connect at another address.
    #[error("lease {lease} is for {algorithm}: its miners connect at an address of its own")]
    OtherAlgorithm { lease: LeaseId, algorithm: Algorithm },
    /// The worker's name is too long.
    #[error("worker name of {length} bytes: expected at most {max}")]
    WorkerNameTooLong { length: usize, max: usize },
    /// The connection has as many authorised workers as it may have.
    #[error("too many workers over one connection: expected at most {max}")]
    TooManyWorkers { max: usize },
    /// No extranonce is left to give out.
    #[error("no extranonce is free")]
    NoExtranonce,
}

impl SessionRefusal {
    /// The stable kebab-case name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::NotSubscribed => "not-subscribed",
            Self::UnknownMethod(_) => "unknown-method",
            Self::AlgorithmNotServed(_) => "algorithm-not-served",
            Self::NoActiveLease => "no-active-lease",
            Self::ConnectionOfOtherLease(_) => "connection-of-other-lease",
            Self::OtherAlgorithm { .. } => "lease-of-other-algorithm",
            Self::WorkerNameTooLong { .. } => "worker-name-too-long",
            Self::TooManyWorkers { .. } => "too-many-workers",
            Self::NoExtranonce => "no-extranonce",
        }
    }
}
