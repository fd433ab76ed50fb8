//! Serves HTTP to strangers: so many connections, in all and of one address, and none for long
//! without a request, or without a reader for its answer.

use crate::{
    Listener, Stream,
    places::{PlaceLimits, Places},
    unstalled::Unstalled,
};
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{Request, StatusCode},
    response::{IntoResponse as _, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{collections::BTreeMap, convert::Infallible, net::SocketAddr, time::Duration};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower_service::Service as _;
use tracing::{debug, warn};

/// Pause after a failed accept.
const PAUSE: Duration = Duration::from_millis(200);

/// What strangers may take of a server.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Connections at once.
    pub places: PlaceLimits,
    /// Longest body of a request, bytes.
    pub body: usize,
    /// Longest time until a request's head is there, also on a connection that was used before.
    pub head: Duration,
    /// Longest time until its body is there.
    pub upload: Duration,
    /// Longest time in which a reader takes no byte of an answer.
    pub stall: Duration,
}

impl ServerLimits {
    /// For an API that anybody may ask.
    pub const STRANGERS: Self = Self {
        places: PlaceLimits { in_all: 512, per_address: 64 },
        body: 64 << 10,
        head: Duration::from_secs(15),
        upload: Duration::from_secs(20),
        stall: Duration::from_secs(30),
    };
}

/// Serves `routes`, which find the peer's address in `ConnectInfo<SocketAddr>`, until `ends`; the
/// requests that are there are still answered. Dropping this closes all connections at once.
pub async fn serve_http(
    mut listener: Box<dyn Listener>,
    routes: Router,
    limits: ServerLimits,
    ends: impl Future<Output = ()>,
) {
    tokio::pin!(ends);
    let (ending, _) = watch::channel(());
    let places = Places::new(limits.places);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match places.take(peer.ip()) {
                    Some(place) => {
                        let (routes, ended) = (routes.clone(), ending.subscribe());
                        connections.spawn(async move {
                            let _place = place;
                            serve_one(stream, peer, routes, limits, ended).await;
                        });
                    }
                    None => debug!(%peer, "too many connections: one was closed"),
                },
                Err(error) => {
                    // probably out of file descriptors: open connections continue
                    warn!(%error, "accept failed");
                    sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = &mut ends => break,
        }
    }
    drop((listener, ending));
    while connections.join_next().await.is_some() {}
}

async fn serve_one(
    stream: Stream,
    peer: SocketAddr,
    routes: Router,
    limits: ServerLimits,
    mut ended: watch::Receiver<()>,
) {
    let service = service_fn(move |request| {
        let routes = routes.clone();
        async move { Ok::<_, Infallible>(answer(routes, peer, request, limits).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits.head);
    let stream = TokioIo::new(Unstalled::new(stream, limits.stall));
    let connection = server.serve_connection(stream, service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = &mut connection => served,
        // nothing is sent: the sender is dropped
        _ = ended.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        debug!(%peer, %error, "connection ended");
    }
}

async fn answer(
    mut routes: Router,
    peer: SocketAddr,
    request: Request<Incoming>,
    limits: ServerLimits,
) -> Response {
    let (mut head, body) = request.into_parts();
    let body = match timeout(limits.upload, to_bytes(Body::new(body), limits.body)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            let message = format!("body: expected at most {} bytes", limits.body);
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, "too-long", message);
        }
        Err(_) => {
            let message = format!("body: expected within {} s", limits.upload.as_secs());
            return refusal(StatusCode::REQUEST_TIMEOUT, "too-slow", message);
        }
    };
    head.extensions.insert(ConnectInfo(peer));
    // a router is always ready, and never fails
    match routes.call(Request::from_parts(head, Body::from(body))).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    }
}

fn refusal(status: StatusCode, code: &str, message: String) -> Response {
    (status, Json(BTreeMap::from([("code", code), ("message", &message)]))).into_response()
}
