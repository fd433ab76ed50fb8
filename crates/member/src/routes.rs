//! The member's routes.

use crate::{request_refusal::RequestRefusal, state::State, statements::Signed, view::LeaseView};
use axum::{
    Json, Router,
    body::to_bytes,
    extract::{self, ConnectInfo, DefaultBodyLimit, Path, Query, Request},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::{Next, from_fn_with_state, map_response},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hashlease_committee::{ErrorBody, Refusals, ShownShare, SignRequest, TakenJobs};
use hashlease_net::{Listener, PlaceLimits, ServerLimits, file_answer, serve_http};
use hashlease_primitives::{EpochId, LeaseId, SignedEpochRoot, SignedJob};
use serde::Deserialize;
use serde_json::json;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout},
};
use tracing::warn;

/// Longest request body, bytes.
const MAX_BODY: usize = 256 * 1_024;
/// Longest wait for a job, seconds.
const MAX_WAIT: u64 = 30;
/// What a signature over one statement costs an address, in requests; a batch of the most is one of
/// the dearest requests.
const STATEMENT_COST: u64 = 1;

/// Connections at once: an operator's gateway and node keep a few for each lease.
const LIMITS: ServerLimits = ServerLimits {
    places: PlaceLimits { in_all: 2_048, per_address: 512 },
    body: MAX_BODY,
    ..ServerLimits::STRANGERS
};

type App = extract::State<Arc<State>>;

pub(crate) async fn serve(listener: Box<dyn Listener>, member: Arc<State>) {
    let routes = Router::new()
        .route("/v1/jobs", post(accept_job))
        .route("/v1/leases/{id}/jobs", get(jobs))
        .route("/v1/shares", post(accept_share))
        .route("/v1/leases/{id}/lost-jobs", get(lost_jobs))
        .route("/v1/roots", post(accept_root))
        .route("/v1/leases/{id}/roots/{epoch}", get(root))
        .route("/v1/leases/{id}/epochs/{epoch}/evidence", get(evidence))
        .route("/v1/leases/{id}/statement", get(statement))
        .route("/v1/statements", post(sign))
        .route("/v1/status", get(status))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(map_response(errors_as_json))
        .layer(from_fn_with_state(Arc::clone(&member), limited))
        .with_state(Arc::clone(&member));
    serve_http(listener, routes, LIMITS, async move { member.ended().await }).await;
}

/// Lets an address ask for so much in a while.
async fn limited(
    extract::State(member): App,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if !member.asked.allows(address.ip(), 1, Instant::now()) {
        return RequestRefusal::Busy.into_response();
    }
    next.run(request).await
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
    // a task of its own: whoever posts a job and goes can't leave it half taken
    let taking = tokio::spawn(async move { member.accept_job(job).await });
    answer(taking.await.unwrap_or(Err(RequestRefusal::Ends)))
}

async fn accept_share(extract::State(member): App, Json(shown): Json<ShownShare>) -> Response {
    let taking = tokio::spawn(async move { member.accept_share(shown).await });
    answer(taking.await.unwrap_or(Err(RequestRefusal::Ends)))
}

async fn lost_jobs(extract::State(member): App, Path(id): Path<u64>) -> Response {
    answer(member.lost_jobs(LeaseId(id)))
}

fn answer(answer: Result<impl serde::Serialize, RequestRefusal>) -> Response {
    match answer {
        Ok(body) => Json(body).into_response(),
        Err(refusal) => refusal.into_response(),
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
    let (_, room) = match member.lease(lease) {
        Ok(found) => found,
        Err(refusal) => return refusal.into_response(),
    };
    let mut arrivals = room.jobs.subscribe();
    let wait = Duration::from_secs(query.wait.min(MAX_WAIT));
    let found = timeout(wait, async {
        loop {
            arrivals.mark_unchanged();
            let page = member.jobs_after(lease, query.after).await?;
            if !page.jobs.is_empty() || arrivals.changed().await.is_err() {
                return Ok(page);
            }
        }
    });
    let none = || Ok(TakenJobs { jobs: Vec::new(), next: query.after });
    let found = tokio::select! {
        found = found => match found {
            Ok(page) => page,
            // not even the first look had the time
            Err(_) if query.wait == 0 => member.jobs_after(lease, query.after).await,
            Err(_) => none(),
        },
        () = member.ended() => none(),
    };
    answer(found)
}

async fn accept_root(extract::State(member): App, Json(root): Json<SignedEpochRoot>) -> Response {
    let taking = tokio::spawn(async move { member.accept_root(root).await });
    answer(taking.await.unwrap_or(Err(RequestRefusal::Ends)))
}

async fn root(extract::State(member): App, Path((id, epoch)): Path<(u64, u32)>) -> Response {
    answer(member.root(EpochId::new(LeaseId(id), epoch)))
}

async fn evidence(
    extract::State(member): App,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Path((id, epoch)): Path<(u64, u32)>,
) -> Response {
    let id = EpochId::new(LeaseId(id), epoch);
    let Some(place) = member.places.take(address.ip()) else { return RequestRefusal::Busy.into_response() };
    let opening = Arc::clone(&member);
    let opened = spawn_blocking(move || opening.shelf.open_file(id)).await;
    let Ok(Some((file, length))) = opened else { return RequestRefusal::NoEvidence(epoch).into_response() };
    let name = format!("lease-{}-epoch-{epoch}.hlev", id.lease);
    let damaged = move || {
        warn!(%id, "kept evidence is damaged, dropped");
        member.shelf.drop_file(id);
    };
    file_answer(file, length, &name, place, damaged).into_response()
}

#[derive(Deserialize)]
struct Epoch {
    epoch: u32,
}

async fn statement(extract::State(member): App, Path(id): Path<u64>, Query(query): Query<Epoch>) -> Response {
    let id = EpochId::new(LeaseId(id), query.epoch);
    // the first answer for a lease sums all its epochs
    let stating = spawn_blocking(move || member.statement(id));
    answer(stating.await.unwrap_or(Err(RequestRefusal::Ends)))
}

async fn sign(
    extract::State(member): App,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Json(request): Json<SignRequest>,
) -> Response {
    // a length in memory fits 64 bits
    let cost = u64::try_from(request.statements.len()).unwrap_or(u64::MAX).saturating_mul(STATEMENT_COST);
    if !member.asked.allows(address.ip(), cost, Instant::now()) {
        return RequestRefusal::Busy.into_response();
    }
    let signing = spawn_blocking(move || member.sign(&request.statements));
    match signing.await.unwrap_or(Err(RequestRefusal::Ends)) {
        Ok(Signed::Batch(signed)) => Json(signed).into_response(),
        Ok(Signed::Refused(refused)) => {
            let refusals = refused.iter().map(|(lease, refusal)| refusal.body(*lease)).collect();
            (StatusCode::CONFLICT, Json(Refusals { refusals })).into_response()
        }
        Err(refusal) => refusal.into_response(),
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
