//! The gateway's own API: how its leases are served, in words, for renter and operator.
//!
//! | route | answer |
//! |---|---|
//! | `GET /v1/status` | [`LeaseStatus`] of every lease |
//! | `POST /v1/leases/{id}/resume` `{"sequence", "signature"}` | nothing; jobs that are held back are signed again, by the word of the lease's controller |
//! | `GET /v1/health` | 200, or 503 when a part of the gateway ended; what is wrong with each lease |
//!
//! Nothing in it names a pool, a worker or a password.

use crate::{
    lease_status::{LeaseStatus, PoolState},
    served_lease::{ResumeRefusal, ServedLeases, lock},
};
use alloy_primitives::Bytes;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hashlease_net::{Listener, ServerLimits, serve_http};
use hashlease_primitives::LeaseId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::watch;

/// Longest request body, bytes.
const MAX_BODY: usize = 4_096;

/// What is wrong with a lease.
#[derive(Debug, Serialize)]
struct Problem {
    lease: u64,
    code: &'static str,
    message: String,
}

#[derive(Debug, Serialize)]
struct Health {
    /// Whether every part of the gateway runs.
    running: bool,
    leases: usize,
    problems: Vec<Problem>,
}

#[derive(Clone)]
struct Api {
    leases: ServedLeases,
    /// False once a part of the gateway has ended.
    running: watch::Receiver<bool>,
}

/// State of every served lease.
pub(crate) fn status(leases: &ServedLeases) -> Vec<LeaseStatus> {
    // the lock is not held while each is read
    let served: Vec<_> = lock(leases).values().map(Arc::clone).collect();
    served.iter().map(|served| served.status()).collect()
}

/// Serves the API until the task is ended.
pub(crate) async fn serve_api(
    listener: Box<dyn Listener>,
    leases: ServedLeases,
    running: watch::Receiver<bool>,
) {
    let routes = Router::new()
        .route("/v1/status", get(|State(api): State<Api>| async move { Json(status(&api.leases)) }))
        .route("/v1/health", get(health))
        .route("/v1/leases/{id}/resume", post(resume))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Api { leases, running });
    serve_http(listener, routes, ServerLimits::STRANGERS, std::future::pending()).await;
}

/// A word of a lease's controller.
#[derive(Deserialize)]
struct Resume {
    /// The newest job's sequence, as the status shows it.
    sequence: u64,
    /// 65 bytes over the typed struct `Resume`.
    signature: Bytes,
}

async fn resume(State(api): State<Api>, Path(id): Path<u64>, Json(word): Json<Resume>) -> Response {
    let refuse = |status: StatusCode, code: &str, message: String| {
        (status, Json(json!({"code": code, "message": message}))).into_response()
    };
    let Some(served) = lock(&api.leases).get(&LeaseId(id)).cloned() else {
        return refuse(StatusCode::NOT_FOUND, "unknown-lease", format!("lease {id} is not served here"));
    };
    let Ok(signature) = <[u8; 65]>::try_from(word.signature.as_ref()) else {
        let message = format!("signature of {} bytes: expected 65", word.signature.len());
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "malformed", message);
    };
    match served.resume(word.sequence, &signature) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal @ ResumeRefusal::NotStopped) => {
            refuse(StatusCode::CONFLICT, "not-stopped", refusal.to_string())
        }
        Err(refusal @ ResumeRefusal::Old { .. }) => {
            refuse(StatusCode::CONFLICT, "old-sequence", refusal.to_string())
        }
        Err(refusal @ ResumeRefusal::Signer) => {
            refuse(StatusCode::FORBIDDEN, "resume-signature", refusal.to_string())
        }
    }
}

async fn health(State(api): State<Api>) -> Response {
    let status = status(&api.leases);
    let running = *api.running.borrow();
    let leases = status.len();
    let health = Health { running, leases, problems: status.into_iter().flat_map(problems).collect() };
    let code = if running { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(health)).into_response()
}

fn problems(status: LeaseStatus) -> Vec<Problem> {
    let lease = status.lease;
    let code = match status.pool {
        PoolState::Unusable => Some("pool-unusable"),
        PoolState::Lost => Some("pool-lost"),
        PoolState::AtFault => Some("pool-at-fault"),
        PoolState::Waiting | PoolState::Connecting | PoolState::Connected | PoolState::Over => None,
    };
    let pool = code.map(|code| Problem { lease, code, message: status.trouble });
    let notices = status.notices.into_iter();
    pool.into_iter()
        .chain(notices.map(|notice| Problem { lease, code: notice.code, message: notice.message }))
        .collect()
}
