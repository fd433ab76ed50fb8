//! Reads every line of the recorded dialogues between stock miners and stock pools, and checks that
//! it keeps its meaning.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hashlease_primitives::Target;
use hashlease_primitives::{Difficulty, DifficultyBase};
use hashlease_stratum::{LineLimits, LineReader, Message, MinerRequest, PoolNotice, encode};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};
use tokio::io::AsyncWriteExt as _;

#[derive(Deserialize)]
struct Recorded {
    dir: String,
    /// Empty for an entry that records the closing of a side.
    #[serde(default)]
    raw: String,
}

fn recording(name: &str) -> Vec<Recorded> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/sessions").join(name);
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines of one direction, through a pipe so narrow that every packet is split.
async fn lines(name: &str, dir: &str) -> Vec<String> {
    let bytes: String = recording(name).into_iter().filter(|r| r.dir == dir).map(|r| r.raw).collect();
    let (mut peer, here) = tokio::io::duplex(97);
    let writer = tokio::spawn(async move { peer.write_all(bytes.as_bytes()).await.unwrap() });
    let mut reader = LineReader::new(here, LineLimits::default());
    let mut lines = Vec::new();
    while let Some(line) = reader.next().await.unwrap() {
        lines.push(line);
    }
    writer.await.unwrap();
    lines
}

fn target(difficulty: &str) -> Target {
    difficulty.parse::<Difficulty>().unwrap().target(DifficultyBase::Bitcoin)
}

/// Counts a miner's messages by kind, and checks the content of each.
async fn miner_side(name: &str, worker: &str, extranonce2: usize) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for line in lines(name, "c2s").await {
        let Ok(Message::Request { id, method, params }) = Message::parse(&line) else { panic!("{line}") };
        assert!(!id.0.is_null(), "{line}");
        let kind = match MinerRequest::read(&method, &params).unwrap() {
            MinerRequest::Subscribe { agent } => {
                assert_eq!(agent.as_deref(), Some("cpuminer/2.5.1"));
                "subscribe"
            }
            MinerRequest::Authorize { user, password } => {
                assert_eq!((user.as_str(), password.as_deref()), (worker, Some("x")));
                "authorize"
            }
            MinerRequest::Submit(submit) => {
                assert_eq!(submit.worker, worker);
                assert_eq!(submit.extranonce2.len(), extranonce2, "{line}");
                assert_eq!(submit.version_bits, None);
                // the line contains the fields as they were read
                assert!(
                    line.contains(&format!("\"{:08x}\", \"{:08x}\"", submit.ntime, submit.nonce)),
                    "{line}"
                );
                assert_eq!(id.to_string(), "4", "minerd uses one id for all shares");
                "submit"
            }
            other => panic!("{other:?}"),
        };
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

/// Counts a pool's messages by kind, and checks that jobs are written back unchanged.
async fn pool_side(name: &str, extranonce2: u64, difficulties: &[&str]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for line in lines(name, "s2c").await {
        let kind = match Message::parse(&line).unwrap() {
            Message::Request { method, params, .. } => match PoolNotice::read(&method, &params).unwrap() {
                PoolNotice::Notify(job) => {
                    let written = encode::notify(&job);
                    let Ok(Message::Request { params: again, .. }) = Message::parse(&written) else {
                        panic!()
                    };
                    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
                    assert_eq!(value(again.get()), value(params.get()));
                    "notify"
                }
                PoolNotice::Difficulty(found) => {
                    assert!(
                        difficulties.iter().any(|text| target(text) == found.target(DifficultyBase::Bitcoin)),
                        "{line}"
                    );
                    "difficulty"
                }
                other => panic!("{other:?}"),
            },
            Message::Response { result, error, .. } => match (result, error) {
                (serde_json::Value::Bool(true), None) => "true",
                (serde_json::Value::Array(list), None) => {
                    assert_eq!(list.get(2).unwrap().as_u64(), Some(extranonce2));
                    "subscribed"
                }
                (_, Some(error)) => {
                    assert!((20..=25).contains(&error.code) && !error.message.is_empty(), "{line}");
                    "refused"
                }
                other => panic!("{other:?}"),
            },
        };
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn minerd_and_ckpool_on_sha256d() {
    let name = "minerd-sha256d-ckpool-lhr.jsonl";
    let worker = "bcrt1qlk935ze2fsu86zjp395uvtegztrkaezawxx0wf.w1";
    let miner = miner_side(name, worker, 8).await;
    assert_eq!(miner, BTreeMap::from([("subscribe", 1), ("authorize", 1), ("submit", 41)]));
    let pool = pool_side(name, 8, &["0.001"]).await;
    assert_eq!(pool, BTreeMap::from([("subscribed", 1), ("difficulty", 1), ("notify", 8), ("true", 42)]));
}

#[tokio::test]
async fn minerd_and_node_stratum_pool_on_scrypt() {
    let name = "minerd-scrypt-nsp.jsonl";
    let miner = miner_side(name, "w1", 4).await;
    assert_eq!(miner, BTreeMap::from([("subscribe", 1), ("authorize", 1), ("submit", 90)]));
    let pool = pool_side(name, 4, &["0.05"]).await;
    assert_eq!(pool, BTreeMap::from([("subscribed", 1), ("difficulty", 1), ("notify", 2), ("true", 91)]));
}
