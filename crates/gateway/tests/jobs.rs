//! From the pool's jobs to signed jobs at the node and the members.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use hashlease_check::ShareChecker;
use hashlease_gateway::{Gateway, GatewayConfig, GatewayError, PoolState};
use hashlease_net::Tcp;
use hashlease_primitives::{Difficulty, DifficultyBase, HashRate, SystemClock, Terms, UnixSeconds};
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, sync::watch};
use world::*;

#[tokio::test]
async fn a_pools_job_comes_out_signed_with_its_exact_bytes() {
    let pool = Pool::start(Script { mask: Some("00c00000"), ..Script::default() }).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(7);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::connect(&world.gateway).await;
    world.until("a job", |status| status.newest_job > 0).await;
    let before = now();
    // with only one lease, the gateway sends its real values before the node names the lease
    let asked = json!([["version-rolling", "other"], {"version-rolling.mask": "ffffffff"}]);
    let configured = node.ask("mining.configure", asked).await;
    let expected = json!({"version-rolling": true, "version-rolling.mask": "00c00000", "other": false});
    assert_eq!(configured["result"], expected);
    let subscribed = node.ask("mining.subscribe", json!(["node/1"])).await;
    assert_eq!((&subscribed["result"][1], &subscribed["result"][2]), (&json!("aabbccdd"), &json!(8)));
    assert_eq!(node.ask("mining.extranonce.subscribe", json!([])).await["result"], true);
    assert_eq!(node.ask("mining.authorize", json!(["7", TOKEN])).await["result"], true);
    assert_eq!(node.news("mining.set_extranonce").await, json!(["aabbccdd", 8]));
    assert_eq!(node.news("mining.set_version_mask").await, json!(["00c00000"]));
    let difficulty = node.news("mining.set_difficulty").await[0].to_string();
    let exact: Difficulty = difficulty.parse().unwrap();
    assert!(exact.target(DifficultyBase::Bitcoin) >= pool_target());
    let (job, clean) = node.job(&terms).await;
    assert!(clean, "a new node starts with a clean job");
    let job = job.job().header().unwrap();
    assert_eq!(hex::encode(&job.coinbase_prefix), "0200000001aaaabbccdd");
    assert_eq!((job.tail_length, hex::encode(&job.coinbase_suffix)), (8, "bb".repeat(60)));
    assert_eq!((job.version, job.version_mask, job.n_bits), (0x2000_0000, 0x00c0_0000, 0x1d00_ffff));
    assert_eq!((job.prev_hash.0, job.branch.len(), job.branch[0].0), ([1; 32], 1, [7; 32]));
    // the window opens at the pool's time or now, whichever is later, and lasts three intervals, at
    // least 10 s
    assert!(
        job.not_before + 3 >= UnixSeconds::new(before) && job.not_after == job.not_before + 10,
        "{job:?}"
    );
}

#[tokio::test]
async fn jobs_are_refreshed_without_the_pool_and_clean_when_a_block_comes() {
    let pool = Pool::start(Script::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    let (first, _) = node.job(&terms).await;
    let (second, clean) = node.job(&terms).await;
    assert!(!clean && second.job().sequence() > first.job().sequence());
    assert_eq!(second.job().header().unwrap().prev_hash, first.job().header().unwrap().prev_hash);
    assert!(second.job().not_before() > first.job().not_before(), "a fresh window");
    assert!(second.job().not_before() <= first.job().not_after(), "no gap between windows");
    // the pool's job has a new block, but is not marked as clean
    pool.notify(notify("j2", 2, false));
    let (_, clean) = node.job_where(&terms, |job| job.job().header().unwrap().prev_hash.0 == [2; 32]).await;
    assert!(clean);
    pool.notify(notify("j3", 2, false));
    let (_, clean) = node.job(&terms).await;
    assert!(!clean, "same block");
    world.gateway.shutdown().await;
    let words: Vec<Value> = node.rest().await;
    assert!(words.iter().any(|word| word["params"][0] == "gateway shuts down"), "{words:?}");
}

#[tokio::test]
async fn changes_by_the_pool_apply_from_its_next_job_on() {
    let pool = Pool::start(Script::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    let (first, _) = node.job(&terms).await;
    pool.push("mining.set_extranonce", &json!(["ee", 4]));
    // a refresh of the old job keeps its extranonce
    let (refreshed, _) = node.job(&terms).await;
    assert!(refreshed.job().sequence() > first.job().sequence());
    assert_eq!(
        (
            refreshed.job().header().unwrap().tail_length,
            refreshed.job().header().unwrap().coinbase_prefix.ends_with(&[0xdd])
        ),
        (8, true)
    );
    pool.notify(notify("j2", 1, false));
    assert_eq!(node.news("mining.set_extranonce").await, json!(["ee", 4]));
    let (changed, _) = node.job(&terms).await;
    assert_eq!(changed.job().header().unwrap().tail_length, 4);
    assert_eq!(hex::encode(&changed.job().header().unwrap().coinbase_prefix), "0200000001aaee");
    pool.push("mining.set_version_mask", &json!(["0000e000"]));
    assert_eq!(node.news("mining.set_version_mask").await, json!(["0000e000"]));
    pool.push("mining.set_version_mask", &json!(["ffffffff"]));
    assert_eq!(
        node.news("mining.set_version_mask").await,
        json!(["1fffe000"]),
        "never outside the bits of BIP 320"
    );
    pool.push("mining.set_version_mask", &json!(["00000000"]));
    let (unmasked, _) = node.job_where(&terms, |job| job.job().header().unwrap().version_mask == 0).await;
    assert!(unmasked.job().sequence() > changed.job().sequence());
}

/// The pool's state and the problem in the status when a pool can't be used.
async fn trouble_of(script: Script) -> (PoolState, String) {
    let pool = Pool::start(script).await;
    let dir = tempfile::tempdir().unwrap();
    let world = start(dir.path(), vec![assignment(terms(1), pool.address)]).await;
    let status = world.until("trouble", |status| !status.trouble.is_empty()).await;
    assert_eq!(status.newest_job, 0, "no job goes out");
    let json = serde_json::to_string(&world.gateway.status()).unwrap();
    assert!(!json.contains(PASSWORD) && !json.contains(TOKEN), "{json}");
    (status.pool, status.trouble)
}

#[tokio::test]
async fn unusable_pools_are_explained_in_words() {
    let one = Script { extranonce2: 1, ..Script::default() };
    let (state, trouble) = trouble_of(one).await;
    assert_eq!(state, PoolState::Unusable);
    assert!(trouble.contains("extranonce2 of 1 bytes: expected 2 to 32"), "{trouble}");
    let many = Script { extranonce2: 33, ..Script::default() };
    assert!(trouble_of(many).await.1.contains("extranonce2 of 33 bytes"));
    let mut witness = notify("w", 1, true);
    witness[2] = json!("02000000000101aa");
    let (_, trouble) = trouble_of(Script { notify: witness, ..Script::default() }).await;
    assert!(trouble.contains("with a witness"), "{trouble}");
    let mut ahead = notify("a", 1, true);
    ahead[7] = json!(format!("{:08x}", now() + 320));
    let (_, trouble) = trouble_of(Script { notify: ahead, ..Script::default() }).await;
    assert!(trouble.contains("s ahead of our clock"), "{trouble}");
    let mut long = notify("l", 1, true);
    long[3] = json!("bb".repeat(4_096));
    let (_, trouble) = trouble_of(Script { notify: long, ..Script::default() }).await;
    assert!(trouble.contains("job coinbase of"), "{trouble}");
    let refused = json!({"result": null, "error": [24, format!("bad password {PASSWORD}"), null]});
    let (state, trouble) = trouble_of(Script { authorize: refused, ..Script::default() }).await;
    assert_eq!((state, trouble.as_str()), (PoolState::Lost, "worker was refused: bad password …"));
}

#[tokio::test]
async fn every_tail_with_room_for_miners_is_served() {
    for size in [2, 4, 32] {
        let pool = Pool::start(Script { extranonce2: size, mask: None, ..Script::default() }).await;
        let dir = tempfile::tempdir().unwrap();
        let terms = terms(1);
        let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
        let (job, _) = Node::of(&world.gateway, 1).await.job(&terms).await;
        assert_eq!(u64::from(job.job().header().unwrap().tail_length), size);
        assert_eq!(job.job().header().unwrap().version_mask, 0, "the pool grants no version bits");
    }
}

#[tokio::test]
async fn a_pool_without_a_difficulty_counts_as_difficulty_one() {
    let pool = Pool::start(Script { difficulty: None, ..Script::default() }).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    assert_eq!(node.news("mining.set_difficulty").await, json!([1]));
    node.job(&terms).await;
}

#[tokio::test]
async fn a_pool_that_is_down_at_first_is_found_once_it_is_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), address)]).await;
    let status = world.until("trouble", |status| !status.trouble.is_empty()).await;
    assert_eq!(status.pool, PoolState::Lost);
    assert!(status.trouble.contains("refused") && !status.trouble.contains("127.0.0.1"), "{status:?}");
    // a node is accepted nevertheless, and waits
    let mut node = Node::of(&world.gateway, 1).await;
    let _pool = Pool::on(TcpListener::bind(address).await.unwrap(), Script::default());
    node.job(&terms).await;
    let status = world.until("connected", |status| status.pool == PoolState::Connected).await;
    assert_eq!((status.trouble.as_str(), status.nodes), ("", 1));
}

#[tokio::test]
async fn a_session_after_a_break_has_its_own_extranonce() {
    let pool = Pool::start(Script::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    let (old, _) = node.job(&terms).await;
    pool.change(|script| script.extranonce1 = "11223344".into());
    pool.drop_connections();
    let message = node.news("client.show_message").await;
    assert!(message[0].as_str().unwrap().starts_with("pool lost"), "{message}");
    assert!(!message.to_string().contains(&pool.address.to_string()), "only the gateway knows the pool");
    assert_eq!(node.news("mining.set_extranonce").await, json!(["11223344", 8]));
    let (new, clean) = node.job(&terms).await;
    assert!(!clean, "the previous block is the same");
    assert!(new.job().sequence() > old.job().sequence());
    assert!(new.job().header().unwrap().coinbase_prefix.ends_with(&[0x11, 0x22, 0x33, 0x44]));
    // the old job still counts, but the pool's old session is gone
    let settled = mine(&old, &terms, 0, settles_only(&terms));
    assert_eq!(node.submit(1, &settled).await["result"], true);
    let lost = mine(&old, &terms, 0, meets_pool);
    assert_eq!(refusal(&node.submit(1, &lost).await), (20, "pool-lost".into()));
    let good = mine(&new, &terms, 0, meets_pool);
    assert_eq!(node.submit(1, &good).await["result"], true);
    let status = world.status();
    assert_eq!((status.verdicts.accepted, status.verdicts.lost), (1, 1));
    assert_eq!(status.counted.values().sum::<u64>(), 3);
}

#[tokio::test]
async fn sequences_continue_after_a_gateway_was_killed() {
    let pool = Pool::start(Script::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let mut last = 0;
    for _ in 0..3 {
        let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
        let (_, assignments) = watch::channel(Arc::default());
        let config = GatewayConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            api: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: dir.path().to_owned(),
            agent: "second".into(),
        };
        let second = Gateway::start(
            config,
            hashlease_fixtures::job_signer().clone(),
            assignments,
            Arc::new(ShareChecker::new(1)),
            SystemClock::shared(),
            Tcp::shared(),
        )
        .await;
        assert!(matches!(second, Err(GatewayError::Locked { .. })), "only one gateway per data directory");
        let (job, _) = Node::of(&world.gateway, 1).await.job(&terms).await;
        assert!(job.job().sequence() > last);
        last = job.job().sequence();
        // dropped without a goodbye, as if killed
    }
}

#[tokio::test]
async fn a_cancelled_lease_ends_earlier_and_lets_its_nodes_go() {
    let pool = Pool::start(Script::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    let (job, _) = node.job(&terms).await;
    let share = mine(&job, &terms, 0, settles_only(&terms));
    assert_eq!(node.submit(1, &share).await["result"], true);
    let sooner = Terms { end: UnixSeconds::new(now() + 3), ..terms.clone() };
    world.leases.send_replace(Arc::new(vec![assignment(sooner.clone(), pool.address)]));
    let rest = node.rest().await;
    assert!(now() >= sooner.end.get(), "not before the lease's end");
    let jobs: Vec<_> = rest.iter().filter(|message| message["method"] == "hashlease.job").collect();
    assert!(!jobs.is_empty(), "jobs arrived until the end");
    for job in jobs {
        assert!(job["params"][1]["job"]["notAfter"].as_u64().unwrap() < terms.end.get());
    }
    assert_eq!(jobs_after(&rest, sooner.end.get()), 0);
    let status = world.until("over", |status| status.pool == PoolState::Over).await;
    assert_eq!(status.counted.values().sum::<u64>(), 1, "the count outlives the change");
    let answer = Node::connect(&world.gateway).await.ask("mining.authorize", json!(["1", TOKEN])).await;
    assert_eq!(refusal(&answer), (24, "unauthorized".into()));
}

/// Jobs that may be mined at or after a time.
fn jobs_after(messages: &[Value], time: u64) -> usize {
    let ends = messages.iter().filter_map(|message| message["params"][1]["job"]["notAfter"].as_u64());
    ends.filter(|end| *end >= time).count()
}

#[tokio::test]
async fn a_new_destination_is_a_new_session_under_the_same_link() {
    let first = Pool::start(Script::default()).await;
    let second = Pool::start(Script { extranonce1: "99".into(), ..Script::default() }).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), first.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    node.job(&terms).await;
    world.leases.send_replace(Arc::new(vec![assignment(terms.clone(), second.address)]));
    let (job, clean) = node
        .job_where(&terms, |job| {
            hex::encode(&job.job().header().unwrap().coinbase_prefix) == "0200000001aa99"
        })
        .await;
    assert!(!clean, "the previous block is the same");
    let share = mine(&job, &terms, 0, meets_pool);
    assert_eq!(node.submit(1, &share).await["result"], true);
    assert_eq!((first.submits().len(), second.submits().len()), (0, 1));
    // the assignment is withdrawn altogether
    world.leases.send_replace(Arc::new(vec![]));
    node.rest().await;
    assert!(world.gateway.status().is_empty());
}

#[tokio::test]
async fn leases_of_another_signer_are_not_served_and_two_are_told_apart() {
    let (a, b) = (Pool::start(Script::default()).await, Pool::start(Script::default()).await);
    b.change(|script| script.extranonce1 = "bb".into());
    let dir = tempfile::tempdir().unwrap();
    let foreign = Terms { job_signer: alloy_primitives::Address::repeat_byte(9), ..terms(3) };
    let leases = vec![
        assignment(terms(1), a.address),
        assignment(terms(2), b.address),
        assignment(foreign, a.address),
    ];
    let world = start(dir.path(), leases.clone()).await;
    let mut node = Node::of(&world.gateway, 2).await;
    let subscribed = node.ask("mining.subscribe", json!([])).await;
    assert_eq!(
        (&subscribed["result"][1], &subscribed["result"][2]),
        (&json!("00000000"), &json!(4)),
        "placeholders"
    );
    let (job, _) = node.job(&leases[1].terms).await;
    assert_eq!(hex::encode(&job.job().header().unwrap().coinbase_prefix), "0200000001aabb");
    let served: BTreeMap<u64, usize> =
        world.gateway.status().iter().map(|status| (status.lease, status.nodes)).collect();
    assert_eq!(served, BTreeMap::from([(1, 0), (2, 1)]));
}

/// Forbidden requests and shares of a node are refused by the same names as a miner's.
#[tokio::test]
async fn every_mistake_of_a_node_has_a_reason() {
    let pool = Pool::start(Script::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    assert_eq!(refusal(&node.ask("mining.dig", json!([])).await), (20, "unknown-method".into()));

    let (job, _) = node.job(&terms).await;
    let good = mine(&job, &terms, 0, settles_only(&terms));
    let length = good.tail.len();
    for wrong in [0, length - 1, length + 1, 32, 33] {
        let share = Submission { tail: vec![0x5a; wrong], ..good.clone() };
        assert_eq!(refusal(&node.submit(1, &share).await), (20, "extranonce-length".into()), "{wrong}");
    }
    let mask = job.job().header().unwrap().version_mask;
    for bit in (0..32).map(|bit| 1 << bit).filter(|bit| bit & mask == 0) {
        let share = Submission { bits: good.bits | bit, ..good.clone() };
        assert_eq!(refusal(&node.submit(1, &share).await), (20, "version-outside-mask".into()), "{bit:08x}");
    }
    let unknown = Submission { job: "ffff".into(), ..good.clone() };
    assert_eq!(refusal(&node.submit(1, &unknown).await), (21, "unknown-job".into()));
    assert_eq!(node.submit(1, &good).await["result"], true);
    assert_eq!(refusal(&node.submit(1, &good).await), (22, "duplicate".into()));
}

#[tokio::test]
async fn a_full_epoch_counts_no_more_but_the_pool_gets_its_shares() {
    let pool = Pool::start(Script::default()).await;
    let dir = tempfile::tempdir().unwrap();
    // 25 hashes can be credited: two shares of 2^4; eight times as many are counted
    let terms = Terms { rate: HashRate::new(1), ..terms(1) };
    assert_eq!(terms.most_shares(), 16);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let mut node = Node::of(&world.gateway, 1).await;
    let (job, _) = node.job(&terms).await;
    let mut nonce = 0;
    for _ in 0..16 {
        let share = mine(&job, &terms, nonce, settles_only(&terms));
        nonce = share.nonce + 1;
        assert_eq!(node.submit(1, &share).await["result"], true);
    }
    let more = mine(&job, &terms, nonce, settles_only(&terms));
    assert_eq!(refusal(&node.submit(1, &more).await), (20, "epoch-full".into()));
    let for_pool = mine(&job, &terms, nonce, meets_pool);
    assert_eq!(node.submit(1, &for_pool).await["result"], true);
    assert_eq!(refusal(&node.submit(1, &for_pool).await), (22, "duplicate".into()));
    assert_eq!(pool.submits().len(), 1);
    assert_eq!(world.status().counted.values().copied().collect::<Vec<_>>(), [16]);
}
