//! Recordings of stock miners at other pools, replayed byte for byte.

use super::{
    miner::{Miner, refusal},
    world::World,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};

#[derive(Deserialize)]
struct Recorded {
    dir: String,
    /// Empty for an entry that records the closing of a side.
    #[serde(default)]
    raw: String,
}

/// What the miner sent, packet by packet.
fn packets(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/sessions").join(name);
    let text = fs::read_to_string(path).unwrap();
    let recorded = text.lines().map(|line| serde_json::from_str::<Recorded>(line).unwrap());
    recorded.filter(|recorded| recorded.dir == "c2s").map(|recorded| recorded.raw).collect()
}

/// Plays a miner's side; counts its requests by method.
async fn replay(name: &str) -> BTreeMap<String, usize> {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let mut miner = Miner::connect(world.address).await;
    let mut counts = BTreeMap::new();
    let mut unfinished = String::new();
    let mut worker = String::new();
    for packet in packets(name) {
        miner.bytes(packet.as_bytes()).await;
        unfinished.push_str(&packet);
        // the miner waits for its answers, so the packets reach the node as they were recorded
        while let Some((line, rest)) = unfinished.split_once('\n') {
            let (request, line): (Value, _) = (serde_json::from_str(line).unwrap(), line.to_owned());
            unfinished = rest.to_owned();
            let answer = miner.answer().await;
            assert_eq!(answer["id"], request["id"]);
            let method = request["method"].as_str().unwrap().to_owned();
            match method.as_str() {
                "mining.subscribe" => {
                    assert_eq!(answer["error"], Value::Null);
                    miner.subscribed(&answer);
                }
                "mining.authorize" => {
                    worker = request["params"][0].as_str().unwrap().to_owned();
                    assert_eq!((&answer["result"], &answer["error"]), (&json!(true), &Value::Null));
                }
                "mining.submit" => assert_eq!(refusal(&answer), (21, "unknown-job".to_owned()), "{line}"),
                other => panic!("{other}"),
            }
            *counts.entry(method).or_default() += 1;
        }
    }
    assert_eq!((unfinished.as_str(), world.counted(1)), ("", 0));
    // the connection is still open, and a share of this node's job counts
    let mut job = miner.job().await;
    job.worker = worker;
    world.counts(&mut miner, &job).await;
    counts
}

fn counts(submits: usize) -> BTreeMap<String, usize> {
    [("mining.subscribe", 1), ("mining.authorize", 1), ("mining.submit", submits)]
        .map(|(method, count)| (method.to_owned(), count))
        .into()
}

#[tokio::test]
async fn minerd_on_sha256d_is_understood() {
    assert_eq!(replay("minerd-sha256d-ckpool-lhr.jsonl").await, counts(41));
}

#[tokio::test]
async fn minerd_on_scrypt_is_understood_as_far_as_the_protocol_goes() {
    assert_eq!(replay("minerd-scrypt-nsp.jsonl").await, counts(90));
}

#[tokio::test]
async fn ethminer_is_told_that_its_algorithm_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let mut miner = Miner::connect(world.address).await;
    let sent = packets("ethminer-ethproxy-open-ethereum-pool.jsonl").concat();
    // the recording has several connections with the same requests
    let requests: Vec<Value> = sent.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(requests.iter().any(|request| request["method"] == "eth_submitWork"));
    for request in &requests {
        miner.bytes(format!("{request}\n").as_bytes()).await;
        let answer = miner.answer().await;
        assert_eq!(answer["id"], request["id"]);
        assert_eq!(refusal(&answer), (20, "algorithm-not-served".to_owned()), "{request}");
    }
    assert_eq!(world.counted(1), 0);
}

#[tokio::test]
async fn a_recording_in_one_packet_is_answered_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let mut miner = Miner::connect(world.address).await;
    let all = packets("minerd-sha256d-ckpool-lhr.jsonl").concat();
    miner.bytes(all.as_bytes()).await;
    miner.hang_up();
    let answers: Vec<Value> =
        miner.rest().await.into_iter().filter(|message| message.get("method").is_none()).collect();
    let ids: Vec<&Value> = answers.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids[..2], [&json!(1), &json!(2)]);
    assert_eq!(ids[2..], vec![&json!(4); 41]);
}
