//! The server of HTTP, against peers that do as they like.
#![allow(clippy::unwrap_used, missing_docs)]

use axum::{
    Router,
    body::Bytes,
    extract::ConnectInfo,
    routing::{get, post},
};
use hashlease_net::{Network as _, PlaceLimits, ServerLimits, Tcp, serve_http};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};

const SHORT: Duration = Duration::from_millis(100);
const LIMITS: ServerLimits = ServerLimits {
    places: PlaceLimits { in_all: 8, per_address: 2 },
    body: 100,
    head: SHORT,
    upload: SHORT,
    stall: SHORT,
};

async fn start(limits: ServerLimits) -> (SocketAddr, JoinHandle<()>) {
    let routes = Router::new()
        .route("/peer", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string()))
        .route("/echo", post(async |body: Bytes| body))
        .route("/much", get(async || vec![b'x'; 64 << 20]));
    let listener = Tcp.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(serve_http(listener, routes, limits, std::future::pending())))
}

/// Sends this and reads until the server closes.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(stream).await
}

async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // a connection that is closed with unread bytes may be reset
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn requests_are_answered_and_the_peer_is_known() {
    let (address, _serving) = start(LIMITS).await;
    let answer = ask(address, "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
    let answer = ask(address, "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi").await;
    assert!(answer.ends_with("hi"), "{answer}");
}

#[tokio::test]
async fn a_peer_without_a_request_is_let_go() {
    let (address, _serving) = start(LIMITS).await;
    for begun in ["", "GET /peer HTTP/1.1\r\nhost:", "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n"] {
        ask(address, begun).await;
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_or_too_slow_is_refused() {
    let (address, _serving) = start(LIMITS).await;
    let long = format!("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 101\r\n\r\n{}", "x".repeat(101));
    let answer = ask(address, &long).await;
    assert!(answer.contains("413") && answer.contains("too-long"), "{answer}");
    let answer = ask(address, "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nh").await;
    assert!(answer.contains("408") && answer.contains("too-slow"), "{answer}");
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_let_go() {
    let (address, _serving) = start(ServerLimits { head: Duration::from_secs(60), ..LIMITS }).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /much HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // the socket says when the server has closed it, though nothing was read
    while stream.write_all(b" ").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn one_address_has_its_own_connections_only() {
    let patient = ServerLimits { head: Duration::from_secs(60), ..LIMITS };
    let (address, serving) = start(patient).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut [0; 512]).await.unwrap() > 0);
        held.push(stream);
    }
    assert_eq!(rest(TcpStream::connect(address).await.unwrap()).await, "");
    drop(held.pop());
    // the server notices soon
    while !ask_once(address).await {}
    serving.abort();
    let left = held.pop().unwrap();
    rest(left).await;
}

async fn ask_once(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let sent = stream.write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    sent.is_ok() && stream.read(&mut [0; 512]).await.is_ok_and(|read| read > 0)
}
