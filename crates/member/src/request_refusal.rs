//! Why a member refuses a request.

use crate::store::StoreError;
use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use hashlease_committee::{ErrorBody, MAX_STATEMENTS};
use hashlease_primitives::{Commitment, KeyError, LeaseId, UnixSeconds};
use hashlease_share::{ArrivalRefusal, EpochFull, EvidenceReason};
use std::sync::Arc;
use tracing::debug;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestRefusal {
    #[error("lease {0} is not credited by this committee, or not confirmed yet")]
    UnknownLease(LeaseId),
    #[error("lease {0} is being read from the disk: try again in a moment")]
    Starting(LeaseId),
    #[error("{0}")]
    Job(#[from] EvidenceReason),
    #[error("{0}")]
    Arrival(#[from] ArrivalRefusal),
    #[error("more jobs, or more changes, came within a minute than miners keep up with")]
    OverPace,
    #[error("{0}")]
    EpochFull(#[from] EpochFull),
    #[error("the job's work was first shown for lease {0}")]
    WorkOfAnotherLease(LeaseId),
    #[error("{most} shares of job {sequence} are shown already: expected no more")]
    TooManyShares { sequence: u64, most: u8 },
    #[error("light cache of the job's DAG epoch is not built yet: try again later")]
    CacheNotReady,
    #[error("lease {0} is over")]
    LeaseOver(LeaseId),
    #[error("root is not signed by the lease's provider, nor by the node key of the epoch's end")]
    RootSignature,
    #[error("root is of {count} shares: expected at most {most}, many more than can be credited")]
    RootCount { count: u64, most: u64 },
    #[error("epoch {epoch} is not over: it ends at {end}")]
    EpochNotOver { epoch: u32, end: UnixSeconds },
    #[error("epoch {epoch} is outside the lease: it has {epochs}")]
    NoSuchEpoch { epoch: u32, epochs: u32 },
    #[error(
        "two roots of epoch {epoch} are signed, {} of {} shares and {} of {}: it counts as empty",
        first.root, first.count, second.root, second.count
    )]
    TwoRoots { epoch: u32, first: Commitment, second: Commitment },
    #[error("another root of epoch {0} arrived first")]
    RootAlreadyReceived(u32),
    #[error("root of epoch {epoch} came with {most} places of its evidence already: expected no more")]
    EvidencePlaces { epoch: u32, most: usize },
    #[error("no root of epoch {0} has arrived")]
    NoRoot(u32),
    #[error("evidence of epoch {0} is not kept here")]
    NoEvidence(u32),
    #[error("evidence URL: expected http or https, got {url}: {source}")]
    EvidenceUrl { url: String, source: url::ParseError },
    #[error("evidence URL: expected http or https, got {0}")]
    EvidenceScheme(String),
    #[error("evidence URL of {length} bytes: expected at most {most}")]
    EvidenceLength { length: usize, most: usize },
    #[error("evidence URL: {0} is not a public address")]
    EvidencePrivate(String),
    #[error("{0} statements: expected at most {MAX_STATEMENTS}")]
    TooManyStatements(usize),
    #[error("lease {0} is in the batch more than once")]
    LeaseTwice(LeaseId),
    #[error("too many requests from this address: try again later")]
    Busy,
    #[error("{0}")]
    Store(Arc<StoreError>),
    #[error("signing failed: {0}")]
    Key(#[from] KeyError),
    #[error("the member is stopping")]
    Ends,
}

impl From<StoreError> for RequestRefusal {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<Arc<StoreError>> for RequestRefusal {
    fn from(error: Arc<StoreError>) -> Self {
        Self::Store(error)
    }
}

impl RequestRefusal {
    /// HTTP status and stable kebab-case name. A status of 404, 408, 429 or 5xx says that the same
    /// request may succeed later.
    const fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::UnknownLease(_) => (StatusCode::NOT_FOUND, "unknown-lease"),
            Self::Starting(_) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
            Self::Job(reason) => (StatusCode::UNPROCESSABLE_ENTITY, reason.code()),
            Self::Arrival(refusal) => (StatusCode::UNPROCESSABLE_ENTITY, refusal.code()),
            // not 429, because posting the job again would only be one more
            Self::OverPace => (StatusCode::CONFLICT, "job-pace"),
            Self::EpochFull(_) => (StatusCode::CONFLICT, EpochFull::CODE),
            Self::WorkOfAnotherLease(_) => (StatusCode::CONFLICT, "work-of-another-lease"),
            Self::TooManyShares { .. } => (StatusCode::CONFLICT, "share-limit"),
            Self::CacheNotReady => (StatusCode::SERVICE_UNAVAILABLE, "cache-not-ready"),
            Self::LeaseOver(_) => (StatusCode::CONFLICT, "lease-over"),
            Self::RootSignature => (StatusCode::FORBIDDEN, "root-signature"),
            Self::RootCount { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "root-count"),
            Self::EpochNotOver { .. } => (StatusCode::CONFLICT, "epoch-not-over"),
            Self::NoSuchEpoch { .. } => (StatusCode::NOT_FOUND, "no-such-epoch"),
            Self::TwoRoots { .. } => (StatusCode::CONFLICT, "two-roots"),
            Self::RootAlreadyReceived(_) => (StatusCode::CONFLICT, "root-already-received"),
            Self::EvidencePlaces { .. } => (StatusCode::CONFLICT, "evidence-places"),
            Self::NoRoot(_) => (StatusCode::NOT_FOUND, "no-root"),
            Self::NoEvidence(_) => (StatusCode::NOT_FOUND, "no-evidence"),
            Self::EvidenceUrl { .. }
            | Self::EvidenceScheme(_)
            | Self::EvidenceLength { .. }
            | Self::EvidencePrivate(_) => (StatusCode::UNPROCESSABLE_ENTITY, "evidence-url"),
            Self::TooManyStatements(_) => (StatusCode::UNPROCESSABLE_ENTITY, "too-many-statements"),
            Self::LeaseTwice(_) => (StatusCode::UNPROCESSABLE_ENTITY, "lease-twice"),
            Self::Busy => (StatusCode::TOO_MANY_REQUESTS, "busy"),
            Self::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "store"),
            Self::Key(_) => (StatusCode::INTERNAL_SERVER_ERROR, "key"),
            Self::Ends => (StatusCode::SERVICE_UNAVAILABLE, "member-ends"),
        }
    }
}

impl IntoResponse for RequestRefusal {
    fn into_response(self) -> Response {
        let (status, code) = self.code();
        debug!(code, error = %self, "request refused");
        (status, Json(ErrorBody { code: code.to_owned(), message: self.to_string() })).into_response()
    }
}
