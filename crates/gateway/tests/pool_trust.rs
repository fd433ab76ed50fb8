//! What a gateway makes of a pool's habits: nothing that a pool says or refuses costs a provider
//! anything, and no provider stops a lease by it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use hashlease_gateway::{LeaseStatus, PoolState};
use hashlease_primitives::{HashRate, Terms};
use hashlease_share::VerifiedJob;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use world::*;

/// Shares of a job that meet the pool's target.
fn shares(job: &VerifiedJob, terms: &Terms, count: usize) -> Vec<Submission> {
    let mut next = 0;
    std::iter::repeat_with(|| {
        let share = mine(job, terms, next, meets_pool);
        next = share.nonce + 1;
        share
    })
    .take(count)
    .collect()
}

fn has_notice(status: &LeaseStatus, code: &str) -> bool {
    status.notices.iter().any(|notice| notice.code == code)
}

fn refuses() -> Value {
    json!({"result": null, "error": [20, "no", null]})
}

/// An optional request that the pool closes on is left out the next time, and the lease is mined.
#[tokio::test]
async fn a_pool_that_closes_on_an_optional_request_is_tried_again_without_it() {
    for method in ["mining.configure", "mining.extranonce.subscribe", "mining.suggest_difficulty"] {
        let pool = Pool::start(Script { closes_on: Some(method), ..Script::default() }).await;
        let dir = tempfile::tempdir().unwrap();
        let terms = terms(1);
        let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
        let mut node = Node::of(&world.gateway, 1).await;
        // the last session: the second one
        while pool.asked("mining.authorize") < 2 && method != "mining.configure" {
            node.job(&terms).await;
        }
        let mut accepted = false;
        while !accepted {
            let (job, _) = node.job(&terms).await;
            accepted = node.submit(1, &mine(&job, &terms, 0, meets_pool)).await["result"] == true;
        }
        assert_eq!(pool.asked(method), 1, "{method} is not sent again");
        assert_eq!(world.status().pool, PoolState::Connected);
    }
}

#[tokio::test]
async fn a_pool_that_refuses_twenty_good_shares_in_a_row_gets_no_more_jobs() {
    let pool = Pool::start(Script { verdict: refuses(), ..Script::default() }).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    let (job, _) = node.job(&terms).await;
    let shares = shares(&job, &terms, 40);
    let (first, rest) = shares.split_at(19);
    for share in first {
        assert_eq!(refusal(&node.submit(1, share).await).0, 20);
    }
    // one that the pool takes, and the row begins anew
    pool.change(|script| script.verdict = Script::default().verdict);
    let (good, rest) = rest.split_first().unwrap();
    assert_eq!(node.submit(1, good).await["result"], true);
    pool.change(|script| script.verdict = refuses());
    let (last, rest) = rest.split_last().unwrap();
    for share in rest {
        node.submit(1, share).await;
    }
    node.job(&terms).await;
    assert_eq!(world.status().pool, PoolState::Connected, "nineteen in a row");
    node.submit(1, last).await;
    let status = world.until("it is left alone", |status| status.pool == PoolState::AtFault).await;
    assert!(status.trouble.contains("20 good shares in a row"), "{status:?}");
    let words = node.news("client.show_message").await;
    assert!(words[0].as_str().unwrap().starts_with("pool takes no shares"), "{words}");
}

/// A pool that lets the worker in, takes a job's worth of time, and hangs up.
#[tokio::test]
async fn a_pool_that_keeps_no_session_gets_no_more_jobs() {
    let pool = Pool::start(Script { closes: true, ..Script::default() }).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let status = world.until("it is left alone", |status| status.pool == PoolState::AtFault).await;
    assert!(status.trouble.contains("3 sessions in a row"), "{status:?}");
    assert_eq!(pool.asked("mining.authorize"), 3);
    // another pool is no longer at fault
    let other = Pool::start(Script::default()).await;
    world.leases.send_replace(std::sync::Arc::new(vec![assignment(terms.clone(), other.address)]));
    world.until("the other pool's jobs", |status| status.pool == PoolState::Connected).await;
}

#[tokio::test]
async fn nothing_that_a_node_sends_makes_a_pool_be_at_fault() {
    let pool = Pool::start(Script::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    let (old, _) = node.job(&terms).await;
    let good = mine(&old, &terms, 0, meets_pool);
    assert_eq!(node.submit(1, &good).await["result"], true);
    // duplicates and bad shares never reach the pool
    for bits in 0..25 {
        assert_eq!(refusal(&node.submit(1, &good).await), (22, "duplicate".into()));
        let bad = Submission { nonce: good.nonce + 1 + bits, ..good.clone() };
        node.submit(1, &bad).await;
    }
    // stale ones do, and it refuses them
    pool.notify(notify("j2", 2, true));
    node.job_where(&terms, |job| job.job().header().unwrap().prev_hash.0 == [2; 32]).await;
    pool.change(|script| script.verdict = json!({"result": null, "error": [21, "stale", null]}));
    for share in shares(&old, &terms, 40).iter().filter(|share| share.nonce != good.nonce) {
        node.submit(1, share).await;
    }
    // late ones of a session that is gone are lost
    pool.change(|script| script.verdict = Script::default().verdict);
    pool.change(|script| script.extranonce1 = "11223344".into());
    pool.drop_connections();
    let ours = |job: &VerifiedJob| job.job().header().unwrap().coinbase_prefix.ends_with(&[0x33, 0x44]);
    let (new, _) = node.job_where(&terms, ours).await;
    for share in shares(&old, &terms, 80).iter().skip(40) {
        node.submit(1, share).await;
    }
    assert_eq!(node.submit(1, &mine(&new, &terms, 0, meets_pool)).await["result"], true);
    let status = world.status();
    assert_eq!(status.pool, PoolState::Connected);
    assert!(status.verdicts.refused[&21] > 20 && status.verdicts.lost > 20, "{status:?}");
}

/// A job that a stock device can't use is signed, and the renter reads that it is not due.
#[tokio::test]
async fn a_job_that_is_not_due_is_told_in_words() {
    let mut long = notify("l", 1, true);
    long[3] = json!("bb".repeat(1_100));
    for (script, words) in [
        (Script { extranonce2: 2, ..Script::default() }, "free extranonce of 2 bytes"),
        (Script { mask: None, ..Script::default() }, "version mask 00000000 leaves 0 bits"),
        (Script { notify: long, ..Script::default() }, "coinbase of 1118 bytes"),
    ] {
        let pool = Pool::start(script).await;
        let dir = tempfile::tempdir().unwrap();
        let world = start(dir.path(), vec![assignment(terms(1), pool.address)]).await;
        let status = world.until("a notice", |status| has_notice(status, "not-due")).await;
        let words_told = &status.notices.iter().find(|notice| notice.code == "not-due").unwrap().message;
        assert!(words_told.starts_with("not due: ") && words_told.contains(words), "{words_told}");
        assert!(status.newest_job > 0, "signed all the same");
    }
    // a large lease whose free part is too small for its rate
    let pool = Pool::start(Script { extranonce2: 4, mask: Some("0001e000"), ..Script::default() }).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = Terms { rate: HashRate::new(1 << 60), ..terms(1) };
    let world = start(dir.path(), vec![assignment(terms, pool.address)]).await;
    let status = world.until("a notice", |status| has_notice(status, "not-due")).await;
    assert!(status.notices.iter().any(|notice| notice.message.contains("search space")), "{status:?}");
}

#[tokio::test]
async fn a_lease_without_a_node_is_told_at_once() {
    let pool = Pool::start(Script::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let world = start(dir.path(), vec![assignment(terms(1), pool.address)]).await;
    world.until("a notice", |status| has_notice(status, "no-node")).await;
    let node = Node::of(&world.gateway, 1).await;
    world.until("a node", |status| !has_notice(status, "no-node")).await;
    drop(node);
    world.until("it is gone", |status| has_notice(status, "no-node")).await;
}

/// Clean flags over one previous block are no tips, however many there are.
#[tokio::test]
async fn a_flood_of_clean_flags_changes_nothing_until_its_time() {
    let pool = Pool::start(Script::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    let (first, _) = node.job(&terms).await;
    let flood = |at: usize| {
        let mut params = notify(&format!("f{at}"), 1, true);
        params[3] = json!("cc".repeat(60 + at));
        params
    };
    (0..40).for_each(|at| pool.notify(flood(at)));
    pool.notify(notify("tip", 2, false));
    let mut suffixes = BTreeSet::new();
    loop {
        let (job, clean) = node.job(&terms).await;
        let header = job.job().header().unwrap();
        if header.prev_hash.0 == [2; 32] {
            assert!(clean, "a tip, whatever its flag says");
            break;
        }
        assert!(!clean, "no tip");
        suffixes.insert(header.coinbase_suffix.clone());
    }
    suffixes.remove(&first.job().header().unwrap().coinbase_suffix);
    assert!(suffixes.is_empty(), "{} templates of the flood were signed", suffixes.len());
}

#[tokio::test]
async fn a_flood_of_tips_is_held_back_and_told() {
    let pool = Pool::start(Script::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    node.job(&terms).await;
    let mut tips = BTreeSet::new();
    for block in 2..8 {
        pool.notify(notify("t", block, true));
        let (job, _) =
            node.job_where(&terms, |job| job.job().header().unwrap().prev_hash.0 == [block; 32]).await;
        tips.insert(job.job().header().unwrap().prev_hash);
    }
    assert_eq!(tips.len(), 6, "six changes a minute");
    pool.notify(notify("t", 8, true));
    world.until("a notice", |status| has_notice(status, "pool-changes-too-often")).await;
}

/// A pool of any difficulty: nodes are never asked for more shares than the lease allows.
#[tokio::test]
async fn a_pools_difficulty_has_a_floor() {
    let pool = Pool::start(Script { difficulty: Some("0.000000000001"), ..Script::default() }).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    node.job(&terms).await;
    assert_eq!(node.pool_target, format!("{:064x}", terms.weight.target().0));
    let status = world.status();
    assert!(has_notice(&status, "pool-difficulty") && status.credited < 1_000, "{status:?}");
}

/// Jobs carry the target that their shares are judged by, whatever the pool says later.
#[tokio::test]
async fn each_job_carries_the_target_of_its_shares() {
    let pool = Pool::start(Script::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    node.job(&terms).await;
    let easy = node.pool_target.clone();
    assert_eq!(easy, format!("{:064x}", pool_target().0));
    // a thousand times harder, for the jobs to come
    pool.push("mining.set_difficulty", &json!([5.96e-5]));
    let (again, _) = node.job(&terms).await;
    assert_eq!(node.pool_target, easy, "the pool may judge its job by either");
    let share = mine(&again, &terms, 0, meets_pool);
    assert_eq!(node.submit(1, &share).await["result"], true);
    assert_eq!(pool.submits().len(), 1, "forwarded, so it has a verdict");
    pool.notify(notify("j2", 2, true));
    node.job_where(&terms, |job| job.job().header().unwrap().prev_hash.0 == [2; 32]).await;
    assert!(node.pool_target < easy, "the new job is judged by the new target");
}

/// A route of the gateway's API: the status line, and the body.
async fn get(world: &World, path: &str) -> (String, Value) {
    let mut stream = TcpStream::connect(world.gateway.api_addr()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn the_api_tells_the_state_of_each_lease_in_words() {
    let pool = Pool::start(Script { extranonce2: 1, ..Script::default() }).await;
    let dir = tempfile::tempdir().unwrap();
    let world = start(dir.path(), vec![assignment(terms(1), pool.address)]).await;
    world.until("trouble", |status| status.pool == PoolState::Unusable).await;
    let (line, status) = get(&world, "/v1/status").await;
    assert_eq!(line, "HTTP/1.1 200 OK");
    assert_eq!((&status[0]["lease"], &status[0]["pool"]), (&json!(1), &json!("unusable")));
    assert!(status[0]["trouble"].as_str().unwrap().contains("extranonce2 of 1 bytes"), "{status}");
    let (line, health) = get(&world, "/v1/health").await;
    assert_eq!((line.as_str(), &health["running"]), ("HTTP/1.1 200 OK", &json!(true)));
    let codes: Vec<_> = health["problems"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
    assert_eq!(codes, ["pool-unusable", "no-node"]);
}

#[tokio::test]
async fn the_status_holds_no_secrets() {
    let refused = json!({"result": null, "error": [24, format!("{PASSWORD} of renter.1 is wrong"), null]});
    let pool = Pool::start(Script { authorize: refused, ..Script::default() }).await;
    let dir = tempfile::tempdir().unwrap();
    let world = start(dir.path(), vec![assignment(terms(1), pool.address)]).await;
    world.until("trouble", |status| !status.trouble.is_empty()).await;
    let json = serde_json::to_string(&world.gateway.status()).unwrap();
    for secret in [PASSWORD, TOKEN, "renter.1", &pool.address.to_string(), "127.0.0.1"] {
        assert!(!json.contains(secret), "{secret}: {json}");
    }
}
