//! The node's routes: the evidence of closed epochs, and the state of the leases.

use crate::evidence_files::{EvidenceFileError, EvidenceFiles, Opened};
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::stream;
use hashlease_ledger::{Book, BookError};
use hashlease_net::{HttpListener, Listener};
use hashlease_primitives::{EpochId, LeaseId, Terms};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{io::AsyncReadExt as _, sync::mpsc, time::timeout};
use tracing::warn;

/// Bytes of a file that are read and sent at a time.
const PIECE: u64 = 64 << 10;
/// Bytes of the checksum at the end of a file.
const CHECKSUM: usize = 32;
/// Longest time in which a reader may accept no piece.
const IDLE: Duration = Duration::from_secs(30);
/// Smallest average rate of a reader after that time, bytes per second.
const MIN_RATE: u64 = 16 << 10;

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
    /// Whether the node has a job whose window is open.
    pub has_job: bool,
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
    if let Err(error) = axum::serve(HttpListener(listener), routes).await {
        warn!(%error, "API stopped");
    }
}

async fn evidence(State(api): State<NodeApi>, Path((lease, epoch)): Path<(u64, u32)>) -> Response {
    let id = EpochId::new(LeaseId(lease), epoch);
    let error = match api.files.get(id).await {
        Ok(opened) => {
            let name = format!("attachment; filename=\"lease-{lease}-epoch-{epoch}.hlev\"");
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
                (header::CONTENT_DISPOSITION, name),
                (header::CONTENT_LENGTH, opened.length.to_string()),
            ];
            let (pieces, coming) = mpsc::channel(2);
            tokio::spawn(async move {
                if !stream_file(opened, pieces).await {
                    api.files.damaged(id);
                }
            });
            let body = stream::unfold(coming, |mut coming| async {
                coming.recv().await.map(|piece: io::Result<Vec<u8>>| (piece, coming))
            });
            return (headers, Body::from_stream(body)).into_response();
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

/// Sends a file to a reader piece by piece. Returns `false` if the file is damaged: it can't be
/// read, or its checksum is wrong. A reader that is too slow is dropped, which leaves the file
/// undamaged.
async fn stream_file(opened: Opened, to: mpsc::Sender<io::Result<Vec<u8>>>) -> bool {
    let Opened { file, length, place: _place } = opened;
    let mut file = tokio::fs::File::from_std(file);
    let started = Instant::now();
    let mut checksum = Sha256::new();
    let (mut done, mut last) = (0u64, Vec::new());
    loop {
        let mut piece = Vec::new();
        match (&mut file).take(PIECE).read_to_end(&mut piece).await {
            Ok(0) => break,
            // a length in memory fits 64 bits
            Ok(read) => done = done.saturating_add(u64::try_from(read).unwrap_or(u64::MAX)),
            Err(error) => {
                let _ = to.send(Err(error)).await;
                return false;
            }
        }
        last.extend_from_slice(&piece);
        let known = last.len().saturating_sub(CHECKSUM);
        checksum.update(last.drain(..known).as_slice());
        let seconds = started.elapsed().saturating_sub(IDLE).as_secs();
        let too_slow = done < seconds.saturating_mul(MIN_RATE);
        if too_slow || !matches!(timeout(IDLE, to.send(Ok(piece))).await, Ok(Ok(()))) {
            return true;
        }
    }
    done == length && checksum.finalize().as_slice() == last
}

async fn status(State(api): State<NodeApi>) -> Response {
    let leases: Vec<_> = (api.leases)()
        .into_iter()
        .map(|LeaseStatus { terms, signer_dictated, gateway, has_job }| {
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
                "gateway": gateway,
                "hasJob": has_job,
                "poolAccepted": verdicts.accepted,
                "poolRefused": verdicts.refused,
            })
        })
        .collect();
    Json(json!({"role": "node", "version": env!("CARGO_PKG_VERSION"), "leases": leases})).into_response()
}
