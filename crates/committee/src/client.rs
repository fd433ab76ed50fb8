//! HTTP client of a member's API.

use crate::api::{
    ErrorBody, JobReceipt, Refusal, Refusals, RootReceipt, RootView, SignRequest, SignedBatch, StatementView,
};
use hashlease_primitives::{EpochId, LeaseId, SignedEpochRoot, SignedJob, Statement};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use std::time::Duration;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(40);
/// For requests that a member answers without waiting for anything.
const QUICK: Duration = Duration::from_secs(10);
/// For a job: the gateway soon has a newer one.
const JOB: Duration = Duration::from_secs(5);

/// No HTTP client can be made, for instance because the system's TLS certificates can't be read.
#[derive(Debug, thiserror::Error)]
#[error("HTTP client for committee members: {0}")]
pub struct HttpClientError(#[from] reqwest::Error);

/// Why a request to a member failed.
#[derive(Clone, Debug, thiserror::Error)]
#[allow(
    missing_docs,
    reason = "the messages explain the fields; `member` is its URL, `status` the HTTP status if there is an answer"
)]
pub enum ClientError {
    /// The member can't be reached, or does not answer in time.
    #[error("member {member} can't be reached: {message}")]
    Unreachable { member: String, message: String },
    /// The member refuses the request, with a kebab-case code.
    #[error("member {member}: {message} ({code})")]
    Refused { member: String, status: u16, code: String, message: String },
    /// The member does not sign.
    #[error("member {member} does not sign: {}", refusals.iter().map(|r| format!("lease {}: {} ({})", r.lease, r.message, r.code)).collect::<Vec<_>>().join("; "))]
    NotSigned { member: String, refusals: Vec<Refusal> },
    /// The member's answer can't be read.
    #[error("member {member} answers something else: {message}")]
    Answer { member: String, status: Option<u16>, message: String },
}

impl ClientError {
    /// Whether the same request may succeed later: the member can't be reached, does not know the
    /// lease yet (404), has no time (408, 429), or fails on its side. Any other refusal is final.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } | Self::Answer { status: Some(status), .. } => {
                !matches!(*status, 200..=299 | 400..=499) || matches!(*status, 404 | 408 | 429)
            }
            Self::NotSigned { .. } | Self::Answer { status: None, .. } => false,
        }
    }
}

/// A pool of connections that several clients can share.
///
/// # Errors
/// [`HttpClientError`]. There is no fallback: a client without the timeout would never give up.
pub fn http_client() -> Result<reqwest::Client, HttpClientError> {
    Ok(reqwest::Client::builder().timeout(TIMEOUT).build()?)
}

/// A member's API.
#[derive(Clone, Debug)]
pub struct MemberClient {
    url: Url,
    http: reqwest::Client,
}

impl MemberClient {
    /// A client for the API at `url`, with connections of its own.
    ///
    /// # Errors
    /// [`HttpClientError`].
    pub fn new(url: Url) -> Result<Self, HttpClientError> {
        Ok(Self::over(url, http_client()?))
    }

    /// A client that shares its connections with others.
    #[must_use]
    pub const fn over(url: Url, http: reqwest::Client) -> Self {
        Self { url, http }
    }

    /// Base URL of the member's API.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    fn route(&self, path: &str) -> Result<Url, ClientError> {
        self.url.join(path).map_err(|error| self.answer(None, &error))
    }

    fn answer(&self, status: Option<StatusCode>, message: &dyn std::fmt::Display) -> ClientError {
        let (member, status) = (self.url.to_string(), status.map(|status| status.as_u16()));
        ClientError::Answer { member, status, message: message.to_string() }
    }

    async fn ask<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, ClientError> {
        let unreachable = |error: reqwest::Error| ClientError::Unreachable {
            member: self.url.to_string(),
            message: error.without_url().to_string(),
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| self.answer(Some(status), &error));
        }
        if let Ok(Refusals { refusals }) = serde_json::from_slice(&body) {
            return Err(ClientError::NotSigned { member: self.url.to_string(), refusals });
        }
        match serde_json::from_slice(&body) {
            Ok(ErrorBody { code, message }) => {
                let (member, status) = (self.url.to_string(), status.as_u16());
                Err(ClientError::Refused { member, status, code, message })
            }
            Err(_) => Err(self.answer(Some(status), &status)),
        }
    }

    /// Posts a signed job.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post_job(&self, job: &SignedJob) -> Result<JobReceipt, ClientError> {
        self.ask(self.http.post(self.route("v1/jobs")?).timeout(JOB).json(job)).await
    }

    /// Jobs with a sequence above `after`; waits up to `wait` seconds for one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn jobs(&self, lease: LeaseId, after: u64, wait: u64) -> Result<Vec<SignedJob>, ClientError> {
        let route = self.route(&format!("v1/leases/{lease}/jobs?after={after}&wait={wait}"))?;
        self.ask(self.http.get(route)).await
    }

    /// Posts the provider's root of an epoch.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post_root(&self, root: &SignedEpochRoot) -> Result<RootReceipt, ClientError> {
        // a member that hangs must not delay the next root
        self.ask(self.http.post(self.route("v1/roots")?).timeout(QUICK).json(root)).await
    }

    /// The member's record of an epoch's root.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn root(&self, EpochId { lease, epoch }: EpochId) -> Result<RootView, ClientError> {
        let route = self.route(&format!("v1/leases/{lease}/roots/{epoch}"))?;
        self.ask(self.http.get(route).timeout(QUICK)).await
    }

    /// The member's own figures up to the end of an epoch.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn statement(&self, EpochId { lease, epoch }: EpochId) -> Result<StatementView, ClientError> {
        self.ask(self.http.get(self.route(&format!("v1/leases/{lease}/statement?epoch={epoch}"))?)).await
    }

    /// Asks for a signature over a batch.
    ///
    /// # Errors
    /// [`ClientError::NotSigned`] with the reasons.
    pub async fn sign(&self, statements: &[Statement]) -> Result<SignedBatch, ClientError> {
        let body = SignRequest { statements: statements.to_vec() };
        self.ask(self.http.post(self.route("v1/statements")?).json(&body)).await
    }
}
