//! The node's routes: the evidence of closed epochs, and the state of the leases.

use crate::evidence_files::{EvidenceFileError, EvidenceFiles, Opened};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use hashlease_ledger::{Book, BookError};
use hashlease_net::{Listener, ServerLimits, file_answer, serve_http};
use hashlease_primitives::{EpochId, LeaseId, Terms, Work};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

/// State of a lease at the node.
#[derive(Clone, Debug)]
pub struct LeaseStatus {
    /// The lease's terms.
    pub terms: Terms,
    /// Whether the offer, not the renter, named the job signer; none once the chain's view of the
    /// leases no longer has this one.
    pub signer_dictated: Option<bool>,
    /// State of the link to the gateway, in words.
    pub gateway: String,
    /// Why the lease's miners have no job, in words; none if they have one.
    pub no_job: Option<String>,
    /// Miners that work for the lease.
    pub miners: usize,
    /// Shares refused since the start, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Shares since the start that only the pool wanted.
    pub forwarded_only: u64,
    /// Shares since the start that met only the target which the node gave.
    pub own_target: u64,
    /// Counted work beyond what its epochs can be credited with: it will not be paid.
    pub unpaid: Work,
}

/// The data behind the routes.
#[derive(Clone)]
pub struct NodeApi {
    /// Counted shares.
    pub book: Book,
    /// Evidence of closed epochs.
    pub files: EvidenceFiles,
    /// Returns the leases that are served now.
    pub leases: Arc<dyn Fn() -> Vec<LeaseStatus> + Send + Sync>,
}

impl std::fmt::Debug for NodeApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeApi").field("book", &self.book).finish_non_exhaustive()
    }
}

/// Serves the API until the task is ended.
pub async fn serve(listener: Box<dyn Listener>, api: NodeApi) {
    let routes = Router::new()
        .route("/v1/leases/{id}/epochs/{epoch}/evidence", get(evidence))
        .route("/v1/status", get(status))
        .with_state(api);
    serve_http(listener, routes, ServerLimits::STRANGERS, std::future::pending()).await;
}

async fn evidence(State(api): State<NodeApi>, Path((lease, epoch)): Path<(u64, u32)>) -> Response {
    let id = EpochId::new(LeaseId(lease), epoch);
    let error = match api.files.get(id).await {
        Ok(opened) => {
            let name = format!("lease-{lease}-epoch-{epoch}.hlev");
            let Opened { file, length, place } = opened;
            let damaged = move || api.files.damaged(id);
            return file_answer(file, length, &name, place, damaged).into_response();
        }
        Err(error) => error,
    };
    let (status, code) = match &error {
        EvidenceFileError::Book(BookError::UnknownLease(_)) => (StatusCode::NOT_FOUND, "unknown-lease"),
        EvidenceFileError::Book(BookError::NotClosed(_)) => (StatusCode::NOT_FOUND, "not-closed"),
        EvidenceFileError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        EvidenceFileError::FailedBefore => (StatusCode::SERVICE_UNAVAILABLE, "evidence-file"),
        EvidenceFileError::Book(_) => (StatusCode::INTERNAL_SERVER_ERROR, "journal"),
        EvidenceFileError::Write(_) | EvidenceFileError::Io(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "evidence-file")
        }
        EvidenceFileError::Ended(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    };
    (status, Json(json!({"code": code, "message": error.to_string()}))).into_response()
}

async fn status(State(api): State<NodeApi>) -> Response {
    let leases: Vec<_> = (api.leases)()
        .into_iter()
        .map(|status| {
            let LeaseStatus { terms, signer_dictated, gateway, no_job, .. } = &status;
            // a lease without records has no verdicts
            let verdicts = api.book.read(terms.id, |lease| lease.verdicts()).unwrap_or_default();
            json!({
                "lease": terms.id,
                "selfAttributed": terms.is_self_attributed(),
                "signerDictated": signer_dictated,
                "start": terms.start,
                "end": terms.end,
                "counted": api.book.counted(terms.id).to_string(),
                "promised": terms.committed().to_string(),
                "unpaid": status.unpaid.to_string(),
                "gateway": gateway,
                "hasJob": no_job.is_none(),
                "noJob": no_job,
                "miners": status.miners,
                "poolAccepted": verdicts.accepted,
                "poolRefused": verdicts.refused,
                "forPoolOnly": status.forwarded_only,
                "forTargetOnly": status.own_target,
                "refused": status.refused,
            })
        })
        .collect();
    Json(json!({"role": "node", "version": env!("CARGO_PKG_VERSION"), "leases": leases})).into_response()
}
