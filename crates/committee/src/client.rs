//! HTTP client of a member's API.

use crate::api::{
    ErrorBody, JobReceipt, LostJobs, Refusal, Refusals, RootReceipt, RootView, ShareReceipt, ShownShare,
    SignRequest, SignedBatch, StatementView, TakenJobs,
};
use hashlease_net::{HttpAnswer, HttpClient, HttpError, HttpLimits};
use hashlease_primitives::{EpochId, LeaseId, SignedEpochRoot, SignedJob, Statement};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use url::Url;

/// Longest answer but for figures: 256 jobs of the largest size take a mebibyte.
const ANSWER: u64 = 2 << 20;
/// Longest figures: of the most epochs that a lease may have, each refused with a long reason.
const FIGURES: u64 = 8 << 20;

/// For requests that may wait: for a job, or for figures of many epochs.
const PATIENT: HttpLimits = HttpLimits { time: Duration::from_secs(40), body: ANSWER };
/// For requests that a member answers without waiting for anything.
const QUICK: HttpLimits = HttpLimits { time: Duration::from_secs(10), body: ANSWER };
/// For a job: the gateway soon has a newer one.
const JOB: HttpLimits = HttpLimits { time: Duration::from_secs(5), body: ANSWER };

/// Why a request to a member failed.
#[derive(Debug, thiserror::Error)]
#[allow(
    missing_docs,
    reason = "the messages explain the fields; `member` is its URL, `status` the HTTP status of its answer"
)]
pub enum ClientError {
    /// The member can't be reached, or does not answer in time.
    #[error("member {member} can't be reached: {source}")]
    Unreachable { member: String, source: HttpError },
    /// The member refuses the request, with a kebab-case code.
    #[error("member {member}: {message} ({code})")]
    Refused { member: String, status: u16, code: String, message: String },
    /// The member does not sign.
    #[error("member {member} does not sign: {}", refusals.iter().map(|r| format!("lease {}: {} ({})", r.lease, r.message, r.code)).collect::<Vec<_>>().join("; "))]
    NotSigned { member: String, refusals: Vec<Refusal> },
    /// The member's answer is not what it should be.
    #[error("member {member} gave an unexpected answer: {source}")]
    Answer { member: String, source: serde_json::Error },
    /// The member, or a proxy before it, answers with a status that says no more.
    #[error("member {member} gave an unexpected answer: HTTP status {status}")]
    Status { member: String, status: u16 },
    /// The request can't be written as JSON.
    #[error("request to member {member}: {source}")]
    Request { member: String, source: serde_json::Error },
    /// The route can't be joined to the member's URL.
    #[error("URL of member {member}: {source}")]
    Url { member: String, source: url::ParseError },
}

impl ClientError {
    /// Whether the same request may succeed later: the member can't be reached, does not know the
    /// lease yet (404), has no time (408, 429), or fails on its side. Any other refusal is final.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } | Self::Status { status, .. } => {
                !matches!(*status, 400..=499) || matches!(*status, 404 | 408 | 429)
            }
            Self::NotSigned { .. } | Self::Answer { .. } | Self::Request { .. } | Self::Url { .. } => false,
        }
    }
}

/// A member's API.
#[derive(Clone, Debug)]
pub struct MemberClient {
    url: Url,
    http: HttpClient,
}

impl MemberClient {
    /// A client for the API at `url`, whose path may end with or without a slash. Clients with
    /// clones of the same `http` share connections.
    #[must_use]
    pub fn new(mut url: Url, http: HttpClient) -> Self {
        if !url.path().ends_with('/') {
            // else joining a route would replace the last segment
            url.set_path(&format!("{}/", url.path()));
        }
        Self { url, http }
    }

    /// Base URL of the member's API.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    fn route(&self, path: &str) -> Result<Url, ClientError> {
        self.url.join(path).map_err(|source| ClientError::Url { member: self.url.to_string(), source })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, limits: HttpLimits) -> Result<T, ClientError> {
        self.read(self.http.get(&self.route(path)?, limits).await)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        limits: HttpLimits,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body);
        let body = body.map_err(|source| ClientError::Request { member: self.url.to_string(), source })?;
        self.read(self.http.post_json(&self.route(path)?, body, limits).await)
    }

    fn read<T: DeserializeOwned>(&self, answer: Result<HttpAnswer, HttpError>) -> Result<T, ClientError> {
        let member = || self.url.to_string();
        let answer = answer.map_err(|source| ClientError::Unreachable { member: member(), source })?;
        let HttpAnswer { status, body } = &answer;
        if answer.is_success() {
            let read = serde_json::from_slice(body);
            return read.map_err(|source| ClientError::Answer { member: member(), source });
        }
        if let Ok(Refusals { refusals }) = serde_json::from_slice(body) {
            return Err(ClientError::NotSigned { member: member(), refusals });
        }
        let (member, status) = (member(), *status);
        Err(match serde_json::from_slice(body) {
            Ok(ErrorBody { code, message }) => ClientError::Refused { member, status, code, message },
            Err(_) => ClientError::Status { member, status },
        })
    }

    /// Posts a signed job.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post_job(&self, job: &SignedJob) -> Result<JobReceipt, ClientError> {
        self.post("v1/jobs", job, JOB).await
    }

    /// Shows a share, so that its work belongs to its lease.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn show_share(&self, shown: &ShownShare) -> Result<ShareReceipt, ClientError> {
        self.post("v1/shares", shown, JOB).await
    }

    /// The jobs that a lease lost to others.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn lost_jobs(&self, lease: LeaseId) -> Result<LostJobs, ClientError> {
        self.get(&format!("v1/leases/{lease}/lost-jobs"), QUICK).await
    }

    /// Jobs after the place `after` in the member's log; waits up to `wait` seconds for one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn jobs(&self, lease: LeaseId, after: u64, wait: u64) -> Result<TakenJobs, ClientError> {
        self.get(&format!("v1/leases/{lease}/jobs?after={after}&wait={wait}"), PATIENT).await
    }

    /// Where a member serves evidence that it verified.
    ///
    /// # Errors
    /// [`ClientError::Url`].
    pub fn evidence(&self, EpochId { lease, epoch }: EpochId) -> Result<Url, ClientError> {
        self.route(&format!("v1/leases/{lease}/epochs/{epoch}/evidence"))
    }

    /// Posts the provider's epoch root.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post_root(&self, root: &SignedEpochRoot) -> Result<RootReceipt, ClientError> {
        // a member that hangs must not delay the next root
        self.post("v1/roots", root, QUICK).await
    }

    /// The member's record of an epoch root.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn root(&self, EpochId { lease, epoch }: EpochId) -> Result<RootView, ClientError> {
        self.get(&format!("v1/leases/{lease}/roots/{epoch}"), QUICK).await
    }

    /// The member's own figures up to the end of an epoch.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn statement(&self, EpochId { lease, epoch }: EpochId) -> Result<StatementView, ClientError> {
        let limits = HttpLimits { body: FIGURES, ..PATIENT };
        self.get(&format!("v1/leases/{lease}/statement?epoch={epoch}"), limits).await
    }

    /// Asks for a signature over a batch.
    ///
    /// # Errors
    /// [`ClientError::NotSigned`] with the reasons.
    pub async fn sign(&self, statements: &[Statement]) -> Result<SignedBatch, ClientError> {
        let body = SignRequest { statements: statements.to_vec() };
        self.post("v1/statements", &body, PATIENT).await
    }
}
