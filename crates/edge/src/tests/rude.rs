//! The node drops clients that don't speak Stratum, and no other client notices.

use super::{
    miner::{Mined, Miner, refusal},
    world::{World, patiently},
};
use hashlease_sim::fault;
use serde_json::{Value, json};

/// A world with an honest miner in it.
async fn world(dir: &std::path::Path) -> (World, Miner, Mined) {
    let world = World::with_job(dir).await;
    let (miner, job) = world.working().await;
    (world, miner, job)
}

#[tokio::test]
async fn garbage_ends_the_connection_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (world, mut honest, job) = world(dir.path()).await;
    let rude = tokio::spawn(fault::garbage(world.address, 100_000));
    while !rude.is_finished() {
        world.counts(&mut honest, &job).await;
    }
    let sent = rude.await.unwrap().unwrap();
    assert!(sent < 100_000, "the node never stopped reading");
    for line in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"[]\n",
        b"1\n",
        b"{}\n",
        b"{\"id\":1}\n",
        b"{\"id\":1,\"method\":7}\n",
        b"\xff\xfe\xfd\n",
        // bfgminer tries TLS first
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut rude = Miner::connect(world.address).await;
        rude.bytes(line).await;
        assert_eq!(rude.rest().await, Vec::<Value>::new(), "{}", String::from_utf8_lossy(line));
        world.counts(&mut honest, &job).await;
    }
}

#[tokio::test]
async fn a_worker_that_turns_to_garbage_is_dropped_too() {
    let dir = tempfile::tempdir().unwrap();
    let (world, mut honest, job) = world(dir.path()).await;
    let (mut rude, its) = world.working().await;
    world.counts(&mut rude, &its).await;
    rude.line("{\"id\":1,\"method\":\"mining.submit\",").await;
    assert_eq!(rude.rest().await, Vec::<Value>::new());
    world.counts(&mut honest, &job).await;
}

#[tokio::test]
async fn a_line_that_never_ends_ends_the_connection_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (world, mut honest, job) = world(dir.path()).await;
    const MUCH: usize = 256 << 20;
    let rude = tokio::spawn(fault::endless_line(world.address, MUCH, 4_096));
    while !rude.is_finished() {
        world.counts(&mut honest, &job).await;
    }
    let (sent, _) = rude.await.unwrap().unwrap();
    assert!(sent < MUCH, "the node read all of it");
    // a line that is too long, though it ends
    let mut rude = Miner::connect(world.address).await;
    let long = json!({"id": 1, "method": "mining.subscribe", "params": ["x".repeat(1 << 20)]}).to_string();
    let _ = patiently("the drop during the write", async {
        for part in long.as_bytes().chunks(1 << 14) {
            rude.try_bytes(part).await?;
        }
        Ok::<(), std::io::Error>(())
    })
    .await;
    assert_eq!(rude.rest().await, Vec::<Value>::new());
    world.counts(&mut honest, &job).await;
}

#[tokio::test]
async fn a_flood_of_malformed_requests_ends_the_connection_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (world, mut honest, job) = world(dir.path()).await;
    for request in [
        r#"{"id":1,"method":"mining.submit","params":[]}"#,
        r#"{"id":1,"method":"mining.authorize","params":[]}"#,
        r#"{"id":1,"method":"mining.submit","params":{"a":1}}"#,
    ] {
        let (mut rude, _) = world.working().await;
        let flood = format!("{request}\n").repeat(1_000);
        let _ = patiently("the drop during the write", rude.try_bytes(flood.as_bytes())).await;
        let mut answered = 0;
        while let Some(answer) = rude.message().await {
            assert_eq!(refusal(&answer), (20, "malformed".to_owned()));
            answered += 1;
        }
        // fewer if the node's close overtakes the last answers
        assert!(answered <= 16, "{answered} answers to a thousand times {request}");
        world.counts(&mut honest, &job).await;
    }
}

#[tokio::test]
async fn an_occasional_malformed_request_is_forgiven() {
    let dir = tempfile::tempdir().unwrap();
    let (world, mut miner, job) = world(dir.path()).await;
    for _ in 0..100 {
        let mut short = job.mine();
        short.nonce.remove(0);
        world.refuses(&mut miner, &job, &short, 20, "malformed").await;
    }
}

#[tokio::test]
async fn a_miner_that_never_reads_does_not_hold_up_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (world, mut honest, job) = world(dir.path()).await;
    let mut deaf = Miner::connect(world.address).await;
    let asks = "{\"id\":1,\"method\":\"mining.get_transactions\",\"params\":[]}\n".repeat(2_000);
    let deaf = tokio::spawn(async move {
        // until the node's answers fill every buffer on the way
        while tokio::time::timeout(std::time::Duration::from_millis(500), deaf.try_bytes(asks.as_bytes()))
            .await
            .is_ok_and(|written| written.is_ok())
        {}
        deaf
    });
    let deaf = patiently("the deaf miner is stuck", async {
        while !deaf.is_finished() {
            world.counts(&mut honest, &job).await;
        }
        deaf.await.unwrap()
    })
    .await;
    for _ in 0..20 {
        world.counts(&mut honest, &job).await;
    }
    drop(deaf);
}
