//! The client against scripted pools.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hashlease_net::Tcp;
use hashlease_primitives::Secret;
use hashlease_primitives::{Difficulty, DifficultyBase, Target};
use hashlease_stratum::client::{
    ClientEnd, ConnectOptions, OptionalRequests, SubmitOutcome, UpstreamEvent, UpstreamEvents,
    UpstreamHandle, connect,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

const NOTIFY: &str = r#"{"id":null,"method":"mining.notify","params":["7","0000000000000000000000000000000000000000000000000000000000000000","0200000001","00",[],"20000000","1d00ffff","5e54c0d3",true]}"#;

/// The pool's end of one connection.
struct Pool {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

impl Pool {
    fn new(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { lines: BufReader::new(reader).lines(), writer }
    }

    /// The next request, which must have this method.
    async fn expect(&mut self, method: &str) -> Value {
        let line = self.lines.next_line().await.unwrap().expect("client closed");
        let message: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(message["method"], method, "{line}");
        message
    }

    async fn send(&mut self, text: &str) {
        self.writer.write_all(format!("{text}\n").as_bytes()).await.unwrap();
    }

    async fn answer(&mut self, to: &Value, result: Value) {
        self.send(&json!({"id": to["id"], "result": result, "error": null}).to_string()).await;
    }

    /// Answers the handshake until the worker is authorised.
    async fn welcome(&mut self) {
        let subscribe = self.expect("mining.subscribe").await;
        self.answer(&subscribe, json!([[], "0a0b", 4])).await;
        let authorize = self.expect("mining.authorize").await;
        self.answer(&authorize, json!(true)).await;
        self.expect("mining.extranonce.subscribe").await;
    }
}

async fn listen() -> (TcpListener, ConnectOptions) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let options = ConnectOptions::new(&address, "agent/1").credentials("worker".into(), Secret::new("pw"));
    (listener, options)
}

async fn meet(options: ConnectOptions, listener: &TcpListener) -> (Pool, UpstreamHandle, UpstreamEvents) {
    let (client, accepted) = tokio::join!(connect(&Tcp, options), listener.accept());
    let (handle, events) = client.unwrap();
    (Pool::new(accepted.unwrap().0), handle, events)
}

/// Compares events as they print: an end holds the system's error, which has no equality.
async fn assert_next(events: &mut UpstreamEvents, expected: UpstreamEvent) {
    assert_eq!(format!("{:?}", events.next().await), format!("{:?}", Some(expected)));
}

fn subscribed() -> UpstreamEvent {
    UpstreamEvent::Subscribed { extranonce1: vec![10, 11], extranonce2_size: 4 }
}

#[tokio::test]
async fn a_pool_that_talks_before_it_answers() {
    let (listener, options) = listen().await;
    let (mut pool, _handle, mut events) = meet(options.version_mask(0x1fff_e000), &listener).await;
    let configure = pool.expect("mining.configure").await;
    assert_eq!(configure["params"][1]["version-rolling.mask"], "1fffe000");
    let subscribe = pool.expect("mining.subscribe").await;
    assert_eq!(subscribe["params"], json!(["agent/1"]));
    // one packet: difficulty and job before the answer, which has its id as a string
    let answer = json!({"id": subscribe["id"].to_string(), "result": [[["mining.notify", "1"]], "0a0b", 4]});
    pool.send(&format!("{{\"method\":\"mining.set_difficulty\",\"params\":[2e-8]}}\n{NOTIFY}\r\n{answer}"))
        .await;
    let exact: Difficulty = "0.00000002".parse().unwrap();
    assert_next(&mut events, UpstreamEvent::Difficulty(exact.target(DifficultyBase::Bitcoin))).await;
    assert!(matches!(events.next().await, Some(UpstreamEvent::Notify(job)) if job.job_id == "7"));
    assert_next(&mut events, subscribed()).await;
    let authorize = pool.expect("mining.authorize").await;
    assert_eq!(authorize["params"], json!(["worker", "pw"]));
    // the late refusal of the first request disables version rolling, and has no other effect
    pool.send(
        &json!({"id": configure["id"], "result": null, "error": [20, "Unknown method", null]}).to_string(),
    )
    .await;
    pool.answer(&authorize, json!(true)).await;
    assert_next(&mut events, UpstreamEvent::Authorized).await;
    pool.expect("mining.extranonce.subscribe").await;
    pool.send(r#"{"id":null,"method":"mining.set_version_mask","params":["00c00000"]}"#).await;
    assert_next(&mut events, UpstreamEvent::VersionMask(0x00c0_0000)).await;
    pool.send(r#"{"id":null,"method":"mining.set_extranonce","params":["ff",3]}"#).await;
    let changed = UpstreamEvent::Extranonce { extranonce1: vec![255], extranonce2_size: 3 };
    assert_next(&mut events, changed).await;
}

#[tokio::test]
async fn optional_requests_without_an_answer_are_told_when_the_session_ends() {
    let (listener, options) = listen().await;
    let target = Target::from_compact(0x1d00_ffff).unwrap();
    let (mut pool, _handle, mut events) =
        meet(options.version_mask(0x1fff_e000).suggest_target(target), &listener).await;
    pool.expect("mining.configure").await;
    pool.welcome().await;
    let suggested = pool.expect("mining.suggest_difficulty").await;
    assert_eq!(suggested["params"], json!([1]));
    pool.answer(&suggested, json!(true)).await;
    drop(pool);
    assert_next(&mut events, subscribed()).await;
    assert_next(&mut events, UpstreamEvent::Authorized).await;
    let unanswered = OptionalRequests { configure: true, extranonce: true, difficulty: false };
    assert_next(&mut events, UpstreamEvent::Unanswered(unanswered)).await;
    assert!(matches!(events.next().await, Some(UpstreamEvent::Closed(_))));
}

/// The last event of a session after the pool sent a line once it had let the worker in.
async fn end_after(line: &str, times: usize) -> ClientEnd {
    let (listener, options) = listen().await;
    let (mut pool, _handle, mut events) = meet(options.extranonce_subscribe(false), &listener).await;
    let subscribe = pool.expect("mining.subscribe").await;
    pool.answer(&subscribe, json!([[], "0a0b", 4])).await;
    let authorize = pool.expect("mining.authorize").await;
    pool.answer(&authorize, json!(true)).await;
    pool.send(&vec![line; times].join("\n")).await;
    loop {
        match events.next().await.expect("the end is an event") {
            UpstreamEvent::Closed(end) => return std::sync::Arc::into_inner(end).unwrap(),
            UpstreamEvent::Authorized | UpstreamEvent::Subscribed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_job_or_a_layout_that_cannot_be_read_ends_the_session() {
    for line in [
        r#"{"id":null,"method":"mining.notify","params":["7","00"]}"#,
        r#"{"id":null,"method":"mining.set_extranonce","params":["0",4]}"#,
        r#"{"id":null,"method":"mining.set_version_mask","params":["g"]}"#,
    ] {
        let end = end_after(line, 1).await;
        assert!(matches!(end, ClientEnd::NoticeUnreadable(_)), "{end}");
    }
}

#[tokio::test]
async fn a_flood_of_notifications_ends_the_session() {
    let end = end_after(r#"{"id":null,"method":"client.show_message","params":["hello"]}"#, 1_201).await;
    assert!(matches!(end, ClientEnd::TooManyNotices { most: 1_200, .. }), "{end}");
}

#[tokio::test]
async fn verdicts_come_back_by_id_in_any_order() {
    let (listener, options) = listen().await;
    let (mut pool, handle, _events) = meet(options, &listener).await;
    pool.welcome().await;
    let first = handle.submit("worker", "7", &[0, 1, 2, 3], 0x5e54_c0d3, 10, Some(0x2000));
    let second = handle.submit("worker", "7", &[4, 5, 6, 7], 1, 2, None);
    let first_request = pool.expect("mining.submit").await;
    let expected = json!(["worker", "7", "00010203", "5e54c0d3", "0000000a", "00002000"]);
    assert_eq!(first_request["params"], expected);
    let second_request = pool.expect("mining.submit").await;
    assert_eq!(second_request["params"], json!(["worker", "7", "04050607", "00000001", "00000002"]));
    pool.send(&json!({"id": second_request["id"], "result": null, "error": [23, "low", null]}).to_string())
        .await;
    pool.answer(&first_request, json!(true)).await;
    assert_eq!(first.await, SubmitOutcome::Accepted);
    assert_eq!(second.await, SubmitOutcome::Rejected { code: 23, message: "low".into() });
    // the connection breaks before the third answer
    let third = handle.submit("worker", "7", &[0; 4], 1, 3, None);
    pool.expect("mining.submit").await;
    drop(pool);
    assert_eq!(third.await, SubmitOutcome::Lost);
    assert_eq!(handle.submit("worker", "7", &[0; 4], 1, 4, None).await, SubmitOutcome::Lost);
}

#[tokio::test]
async fn a_share_that_is_never_answered_is_lost_and_the_session_lives() {
    let (listener, mut options) = listen().await;
    options.answer = Duration::from_secs(1);
    let (mut pool, handle, _events) = meet(options, &listener).await;
    pool.welcome().await;
    assert_eq!(handle.submit("worker", "7", &[0; 4], 1, 1, None).await, SubmitOutcome::Lost);
    let stale = pool.expect("mining.submit").await;
    pool.answer(&stale, json!(true)).await;
    let next = handle.submit("worker", "7", &[0; 4], 1, 2, None);
    let request = pool.expect("mining.submit").await;
    assert_ne!(request["id"], stale["id"], "a late answer must not be taken for the next share's");
    pool.answer(&request, json!(true)).await;
    assert_eq!(next.await, SubmitOutcome::Accepted);
}

/// The reason for a session's end.
async fn end(events: &mut UpstreamEvents) -> String {
    loop {
        match events.next().await.expect("an end with a reason") {
            UpstreamEvent::Closed(end) => return end.to_string(),
            _ => continue,
        }
    }
}

#[tokio::test]
async fn a_refused_worker_hears_why() {
    let (listener, options) = listen().await;
    let (mut pool, _handle, mut events) = meet(options, &listener).await;
    let subscribe = pool.expect("mining.subscribe").await;
    pool.answer(&subscribe, json!([[], "0a0b", 4])).await;
    let authorize = pool.expect("mining.authorize").await;
    pool.send(&json!({"id": authorize["id"], "result": false, "error": "no such worker"}).to_string()).await;
    assert_next(&mut events, subscribed()).await;
    assert_next(&mut events, UpstreamEvent::Refused { message: "no such worker".into() }).await;
    assert_eq!(end(&mut events).await, "worker was refused: no such worker");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn sessions_end_with_a_reason_in_words() {
    for (sent, words) in [
        (
            r#"{"id":null,"method":"client.reconnect","params":["elsewhere.example",3333,0]}"#,
            "asked us to reconnect",
        ),
        ("HTTP/1.1 400 Bad Request", "does not speak Stratum"),
        (r#"{"id":2,"result":null,"error":[20,"banned",null]}"#, "mining.subscribe was refused: banned"),
        (r#"{"id":2,"result":[[],"zz",4],"error":null}"#, "extranonce1"),
        (
            r#"{"id":2,"result":[[],"00",400],"error":null}"#,
            "extranonce2 size: expected 0 to 64, got \"400\"",
        ),
    ] {
        let (listener, options) = listen().await;
        let (mut pool, _handle, mut events) = meet(options, &listener).await;
        pool.expect("mining.subscribe").await;
        pool.send(sent).await;
        let reason = end(&mut events).await;
        assert!(reason.contains(words), "{sent}: {reason}");
        let follows = tokio::time::timeout(Duration::from_millis(20), listener.accept()).await;
        assert!(follows.is_err(), "no session opens another one");
    }
}

#[tokio::test]
async fn a_silent_pool_is_given_up() {
    let (listener, mut options) = listen().await;
    options.handshake = Duration::from_secs(1);
    let (mut pool, _handle, mut events) = meet(options.clone(), &listener).await;
    assert!(end(&mut events).await.starts_with("mining.subscribe is not answered"));
    pool.expect("mining.subscribe").await;
    let (mut pool, _handle, mut events) = meet(options, &listener).await;
    let subscribe = pool.expect("mining.subscribe").await;
    pool.answer(&subscribe, json!([[], "0a0b", 4])).await;
    assert!(end(&mut events).await.starts_with("mining.authorize is not answered"));
}

#[tokio::test]
async fn events_continue_without_a_handle_and_end_the_session_when_dropped() {
    let (listener, options) = listen().await;
    let options = options.extranonce_subscribe(false).notifications(["hashlease.job"]);
    let (mut pool, handle, mut events) = meet(options, &listener).await;
    drop(handle);
    let subscribe = pool.expect("mining.subscribe").await;
    pool.answer(&subscribe, json!([[], "0a0b", 4])).await;
    let authorize = pool.expect("mining.authorize").await;
    pool.answer(&authorize, json!(true)).await;
    assert_next(&mut events, subscribed()).await;
    assert_next(&mut events, UpstreamEvent::Authorized).await;
    // harmless garbage, requests that need an answer, and the only notification that the client
    // subscribed to
    pool.send(r#"{"id":9}"#).await;
    pool.send(r#"{"id":null,"method":"mining.set_difficulty","params":["x"]}"#).await;
    pool.send(r#"{"id":null,"method":"client.show_message","params":["hello"]}"#).await;
    pool.send(r#"{"id":null,"method":"pool.other","params":[]}"#).await;
    pool.send(r#"{"id":"v","method":"client.get_version","params":[]}"#).await;
    pool.send(r#"{"id":null,"method":"hashlease.job","params":["1",{}]}"#).await;
    let other = UpstreamEvent::Other { method: "hashlease.job".into(), params: json!(["1", {}]) };
    assert_next(&mut events, other).await;
    let version: Value = serde_json::from_str(&pool.lines.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!((&version["id"], &version["result"]), (&json!("v"), &json!("agent/1")));
    drop(events);
    assert_eq!(pool.lines.next_line().await.unwrap(), None, "the connection is closed");
}

#[tokio::test]
async fn an_unreachable_address_is_named() {
    let (listener, options) = listen().await;
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = connect(&Tcp, options).await.expect_err("nobody listens").to_string();
    assert!(error.starts_with(&address), "{error}");
}
