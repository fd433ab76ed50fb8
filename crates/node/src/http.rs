//! The node's routes: the evidence of closed epochs, and how the leases stand.

use crate::{
    book::{Book, BookError},
    served::ServedLeases,
};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use hashlease_primitives::LeaseId;
use serde_json::json;
use std::sync::Arc;
use tokio::{net::TcpListener, sync::watch};
use tracing::warn;

#[derive(Clone)]
struct App {
    book: Book,
    leases: watch::Receiver<Arc<ServedLeases>>,
}

pub(crate) async fn serve(listener: TcpListener, book: Book, leases: watch::Receiver<Arc<ServedLeases>>) {
    let routes = Router::new()
        .route("/v1/leases/{id}/epochs/{epoch}/evidence", get(evidence))
        .route("/v1/status", get(status))
        .with_state(App { book, leases });
    if let Err(error) = axum::serve(listener, routes).await {
        warn!(%error, "API ended");
    }
}

async fn evidence(State(app): State<App>, Path((lease, epoch)): Path<(u64, u32)>) -> Response {
    // encoding millions of shares must not hold up the miners
    let encoded = tokio::task::spawn_blocking(move || {
        let evidence = app.book.evidence(LeaseId(lease), epoch)?;
        evidence.encode().map_err(BookError::Unwritable)
    });
    let (status, code, message) = match encoded.await {
        Ok(Ok(bytes)) => {
            let name = format!("attachment; filename=\"lease-{lease}-epoch-{epoch}.hlev\"");
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
                (header::CONTENT_DISPOSITION, name),
            ];
            return (headers, bytes).into_response();
        }
        Ok(Err(error @ BookError::UnknownLease(_))) => {
            (StatusCode::NOT_FOUND, "unknown-lease", error.to_string())
        }
        Ok(Err(error @ BookError::NotClosed { .. })) => {
            (StatusCode::NOT_FOUND, "not-closed", error.to_string())
        }
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, "journal", error.to_string()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()),
    };
    (status, Json(json!({"code": code, "message": message}))).into_response()
}

async fn status(State(app): State<App>) -> Response {
    let leases = Arc::clone(&app.leases.borrow());
    let leases: Vec<_> = leases
        .values()
        .map(|served| {
            let terms = served.terms();
            let verdicts = app.book.read(terms.id, |lease| lease.verdicts()).unwrap_or_default();
            json!({
                "lease": terms.id,
                "selfAttributed": terms.is_self_attributed(),
                "start": terms.start,
                "end": terms.end,
                "counted": app.book.counted(terms.id).to_string(),
                "promised": terms.committed().to_string(),
                "gateway": served.link_state(),
                "hasJob": served.has_job(),
                "poolAccepted": verdicts.accepted,
                "poolRefused": verdicts.refused,
            })
        })
        .collect();
    Json(json!({"role": "node", "version": env!("CARGO_PKG_VERSION"), "leases": leases})).into_response()
}
