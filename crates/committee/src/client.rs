//! Talking to a member.

use crate::api::{
    ErrorBody, JobReceipt, Refusal, Refusals, RootReceipt, RootView, SignRequest, SignedBatch, StatementView,
};
use hashlease_primitives::{EpochId, LeaseId, SignedEpochRoot, SignedJob, Statement};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use std::time::Duration;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(40);
/// For what a member answers without waiting for anything.
const QUICK: Duration = Duration::from_secs(10);
/// For a job: the gateway has the next one soon.
const JOB: Duration = Duration::from_secs(5);

/// Why a member gave no answer, or which one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// It can't be reached, or does not answer in time.
    #[error("member {member} can't be reached: {message}")]
    Unreachable {
        /// Its URL.
        member: String,
        /// What the connection says.
        message: String,
    },
    /// It says no.
    #[error("member {member}: {message} ({code})")]
    Refused {
        /// Its URL.
        member: String,
        /// HTTP status.
        status: u16,
        /// Kebab-case name.
        code: String,
        /// Its words.
        message: String,
    },
    /// It does not sign.
    #[error("member {member} does not sign: {}", refusals.iter().map(|r| format!("lease {}: {} ({})", r.lease, r.message, r.code)).collect::<Vec<_>>().join("; "))]
    NotSigned {
        /// Its URL.
        member: String,
        /// Lease by lease.
        refusals: Vec<Refusal>,
    },
    /// Its answer can't be read.
    #[error("member {member} answers something else: {message}")]
    Answer {
        /// Its URL.
        member: String,
        /// HTTP status; none when the request could not be built.
        status: Option<u16>,
        /// What is wrong.
        message: String,
    },
}

impl ClientError {
    /// Whether the same request may succeed later: the member can't be reached, does not know the lease yet
    /// (404), has no time (408, 429), or fails on its side. Any other refusal is final.
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

/// Connections to members, which clients may share.
#[must_use]
pub fn http_client() -> reqwest::Client {
    reqwest::Client::builder().timeout(TIMEOUT).build().unwrap_or_default()
}

/// A member's API.
#[derive(Clone, Debug)]
pub struct MemberClient {
    url: Url,
    http: reqwest::Client,
}

impl MemberClient {
    /// A client for the API at `url`.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self::over(url, http_client())
    }

    /// A client that shares its connections with others.
    #[must_use]
    pub const fn over(url: Url, http: reqwest::Client) -> Self {
        Self { url, http }
    }

    /// Where the member is.
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

    /// Hands over a signed job.
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

    /// Hands over the provider's root of an epoch.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn post_root(&self, root: &SignedEpochRoot) -> Result<RootReceipt, ClientError> {
        // the next root must not wait for a member that hangs
        self.ask(self.http.post(self.route("v1/roots")?).timeout(QUICK).json(root)).await
    }

    /// The root of an epoch as the member has it.
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
