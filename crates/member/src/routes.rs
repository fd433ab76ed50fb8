//! The member's routes.

use crate::{
    evidence_check,
    state::{LeaseView, RequestRefusal, SignError, State},
};
use axum::{
    Json, Router,
    body::to_bytes,
    extract::{self, DefaultBodyLimit, Path, Query},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hashlease_committee::{ErrorBody, Refusals, SignRequest};
use hashlease_net::{HttpListener, Listener};
use hashlease_primitives::{EpochId, LeaseId, SignedEpochRoot, SignedJob};
use serde::Deserialize;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use tracing::{debug, warn};

/// Longest request body, bytes.
const MAX_BODY: usize = 256 * 1_024;
/// Longest wait for a job, seconds.
const MAX_WAIT: u64 = 30;

type App = extract::State<Arc<State>>;

impl IntoResponse for RequestRefusal {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::UnknownLease(_) => (StatusCode::NOT_FOUND, "unknown-lease"),
            Self::Job(reason) => (StatusCode::UNPROCESSABLE_ENTITY, reason.code()),
            Self::JobSequence { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "job-sequence"),
            // not 429, because a retry can't succeed
            Self::TooManyJobs { .. } => (StatusCode::CONFLICT, "job-limit"),
            Self::LeaseOver(_) => (StatusCode::CONFLICT, "lease-over"),
            Self::RootSignature(_) => (StatusCode::FORBIDDEN, "root-signature"),
            Self::RootCount { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "root-count"),
            Self::EpochNotOver { .. } => (StatusCode::CONFLICT, "epoch-not-over"),
            Self::NoSuchEpoch { .. } => (StatusCode::NOT_FOUND, "no-such-epoch"),
            Self::RootAlreadyReceived(_) => (StatusCode::CONFLICT, "root-already-received"),
            Self::NoRoot(_) => (StatusCode::NOT_FOUND, "no-root"),
            Self::EvidenceUrl { .. } | Self::EvidenceScheme(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "evidence-url")
            }
            Self::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "store"),
        };
        debug!(code, error = %self, "request refused");
        (status, Json(ErrorBody { code: code.to_owned(), message: self.to_string() })).into_response()
    }
}

pub(crate) async fn serve(listener: Box<dyn Listener>, member: Arc<State>) {
    let routes = Router::new()
        .route("/v1/jobs", post(accept_job))
        .route("/v1/leases/{id}/jobs", get(jobs))
        .route("/v1/roots", post(accept_root))
        .route("/v1/leases/{id}/roots/{epoch}", get(root))
        .route("/v1/leases/{id}/statement", get(statement))
        .route("/v1/statements", post(sign))
        .route("/v1/status", get(status))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(map_response(errors_as_json))
        .with_state(Arc::clone(&member));
    let ended = async move { member.ended().await };
    if let Err(error) = axum::serve(HttpListener(listener), routes).with_graceful_shutdown(ended).await {
        warn!(%error, "API stopped");
    }
}

/// Gives the router's own refusals (bodies, paths, methods) the form of every other error.
async fn errors_as_json(response: Response) -> Response {
    let status = response.status();
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let code = match status {
        StatusCode::NOT_FOUND => "no-such-route",
        StatusCode::METHOD_NOT_ALLOWED => "method-not-allowed",
        StatusCode::PAYLOAD_TOO_LARGE => "too-long",
        _ => "malformed",
    };
    // a body that can't be read is replaced by the status, below
    let text = to_bytes(response.into_body(), MAX_BODY).await.unwrap_or_default();
    let mut message = String::from_utf8_lossy(&text).into_owned();
    if message.is_empty() {
        message = status.to_string();
    }
    (status, Json(ErrorBody { code: code.to_owned(), message })).into_response()
}

async fn accept_job(extract::State(member): App, Json(job): Json<SignedJob>) -> Response {
    match member.accept_job(job) {
        Ok(receipt) => Json(receipt).into_response(),
        Err(error) => error.into_response(),
    }
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait: u64,
}

async fn jobs(extract::State(member): App, Path(id): Path<u64>, Query(query): Query<After>) -> Response {
    let lease = LeaseId(id);
    if let Err(error) = member.view(lease) {
        return error.into_response();
    }
    let mut arrivals = member.arrivals.subscribe();
    let wait = Duration::from_secs(query.wait.min(MAX_WAIT));
    let found = timeout(wait, async {
        loop {
            arrivals.mark_unchanged();
            let found = member.jobs_after(lease, query.after);
            if !found.is_empty() || arrivals.changed().await.is_err() {
                return found;
            }
        }
    });
    let found = tokio::select! {
        found = found => found.unwrap_or_else(|_| member.jobs_after(lease, query.after)),
        () = member.ended() => Vec::new(),
    };
    Json(found).into_response()
}

async fn accept_root(extract::State(member): App, Json(root): Json<SignedEpochRoot>) -> Response {
    let id = root.root.id;
    match member.accept_root(root) {
        Ok(accepted) => {
            if accepted.is_new {
                evidence_check::start(&member, id);
            }
            Json(accepted.receipt).into_response()
        }
        Err(error) => error.into_response(),
    }
}

async fn root(extract::State(member): App, Path((id, epoch)): Path<(u64, u32)>) -> Response {
    match member.root(EpochId::new(LeaseId(id), epoch)) {
        Ok(view) => Json(view).into_response(),
        Err(error) => error.into_response(),
    }
}

#[derive(Deserialize)]
struct Epoch {
    epoch: u32,
}

async fn statement(extract::State(member): App, Path(id): Path<u64>, Query(query): Query<Epoch>) -> Response {
    match member.statement(EpochId::new(LeaseId(id), query.epoch)) {
        Ok(view) => Json(view).into_response(),
        Err(error) => error.into_response(),
    }
}

async fn sign(extract::State(member): App, Json(request): Json<SignRequest>) -> Response {
    match member.sign(&request.statements) {
        Ok(signed) => Json(signed).into_response(),
        Err(SignError::Refused(refused)) => {
            let refusals = refused.iter().map(|(lease, refusal)| refusal.body(*lease)).collect();
            (StatusCode::CONFLICT, Json(Refusals { refusals })).into_response()
        }
        Err(SignError::Key(error)) => {
            let body = ErrorBody { code: "key".to_owned(), message: format!("signing failed: {error}") };
            (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
        }
    }
}

async fn status(extract::State(member): App) -> Response {
    let leases: Vec<_> = member
        .leases
        .borrow()
        .values()
        .map(|LeaseView { lease, .. }| {
            let (attributed, dictated) = (lease.terms.is_self_attributed(), lease.signer_dictated);
            json!({"lease": lease.terms.id, "selfAttributed": attributed, "signerDictated": dictated})
        })
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    Json(json!({"role": "member", "signer": member.signer(), "version": version, "leases": leases}))
        .into_response()
}
