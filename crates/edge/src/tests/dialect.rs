//! Stratum V1 as stock miners speak it.

use super::{
    miner::{Miner, refusal},
    world::World,
};
use serde_json::{Value, json};

#[tokio::test]
async fn subscribe_is_answered_with_and_without_parameters() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    for request in [
        r#"{"id":1,"method":"mining.subscribe","params":[]}"#,
        r#"{"id":1,"method":"mining.subscribe"}"#,
        r#"{"id":1,"method":"mining.subscribe","params":null}"#,
        r#"{"id":1,"method":"mining.subscribe","params":["cpuminer/2.5.1"]}"#,
        r#"{"id":1,"method":"mining.subscribe","params":["bfgminer/5.5.0","0000000000000001"]}"#,
        r#"{"id":1,"method":"mining.subscribe","params":["agent",null,"pool.example",3333]}"#,
        r#"{"id":1,"jsonrpc":"2.0","method":"mining.subscribe","params":[null]}"#,
    ] {
        let mut miner = Miner::connect(world.address).await;
        miner.line(request).await;
        let answer = miner.answer().await;
        assert_eq!(answer["error"], Value::Null, "{request}");
        assert_eq!(answer["result"][0][1][0], "mining.notify", "{request}");
        miner.subscribed(&answer);
        assert_eq!((miner.extranonce1.len(), miner.extranonce2), (2, 4), "{request}");
        assert_eq!(miner.authorise("1.rig").await["result"], true);
        let job = miner.job().await;
        world.counts(&mut miner, &job).await;
    }
}

#[tokio::test]
async fn a_second_subscribe_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    let first = (miner.extranonce1.clone(), miner.extranonce2);
    miner.subscribe().await;
    assert_eq!((miner.extranonce1.clone(), miner.extranonce2), first);
    world.counts(&mut miner, &job).await;
}

#[tokio::test]
async fn a_password_may_be_missing_and_a_name_may_be_a_number() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    for (params, worker) in [
        (json!(["1.rig"]), "1.rig"),
        (json!(["1.rig", null]), "1.rig"),
        (json!(["1.rig", ""]), "1.rig"),
        (json!([1, "x"]), "1"),
        (
            json!(["bcrt1qlk935ze2fsu86zjp395uvtegztrkaezawxx0wf.w1", "d=0.001"]),
            "bcrt1qlk935ze2fsu86zjp395uvtegztrkaezawxx0wf.w1",
        ),
    ] {
        let mut miner = Miner::connect(world.address).await;
        miner.subscribe().await;
        assert_eq!(miner.ask("mining.authorize", params).await["result"], true);
        let mut job = miner.job().await;
        job.worker = worker.to_owned();
        world.counts(&mut miner, &job).await;
    }
    let mut nameless = Miner::connect(world.address).await;
    nameless.subscribe().await;
    let answer = nameless.ask("mining.authorize", json!([])).await;
    assert_eq!(refusal(&answer), (20, "malformed".to_owned()));
}

#[tokio::test]
async fn ids_are_echoed_as_they_came() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let mut miner = Miner::connect(world.address).await;
    for id in
        ["0", "7", "-1", "1.50", "18446744073709551616", "null", "\"auth\"", "\"\\u00e9\"", "{\"a\": 1}"]
    {
        for method in [
            "mining.subscribe",
            "mining.extranonce.subscribe",
            "mining.ping",
            "mining.configure",
            "mining.submit",
        ] {
            miner.line(&format!("{{\"params\":[],\"id\":{id},\"method\":\"{method}\"}}")).await;
            let answer = miner.raw().await.unwrap();
            assert!(answer.starts_with(&format!("{{\"id\":{id},")), "{method}: {answer}");
        }
    }
    miner.line(r#"{"method":"mining.subscribe"}"#).await;
    assert!(miner.raw().await.unwrap().starts_with(r#"{"id":null,"#), "a missing id is answered as null");
}

#[tokio::test]
async fn suggestions_are_accepted_in_every_form_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let mut miner = Miner::connect(world.address).await;
    let suggestions = [
        r#"{"id":9,"method":"mining.suggest_difficulty","params":[512]}"#,
        r#"{"id":9,"method":"mining.suggest_difficulty","params":[0.001]}"#,
        r#"{"id":9,"method":"mining.suggest_difficulty","params":["1e-3"]}"#,
        r#"{"id":9,"method":"mining.suggest_difficulty(512)","params":[]}"#,
        r#"{"id":9,"method":"mining.suggest_difficulty","params":[-1]}"#,
        r#"{"id":9,"method":"mining.suggest_difficulty","params":{}}"#,
        r#"{"id":9,"method":"mining.suggest_difficulty"}"#,
        r#"{"id":9,"method":"mining.suggest_target","params":["00ffff"]}"#,
    ];
    for suggestion in suggestions {
        miner.line(suggestion).await;
        let answer = miner.answer().await;
        assert_eq!(
            (&answer["id"], &answer["result"], &answer["error"]),
            (&json!(9), &json!(true), &Value::Null)
        );
    }
    // sent as a notification, so it gets no answer: the next answer is the subscribe's
    miner.line(r#"{"id":null,"method":"mining.suggest_difficulty","params":[1000]}"#).await;
    miner.subscribe().await;
    assert_eq!(miner.authorise("1.rig").await["result"], true);
    let job = miner.job().await;
    assert!(miner.target >= world.terms(1).weight.target());
    miner.line(suggestions[0]).await;
    assert_eq!(miner.answer().await["result"], true);
    world.counts(&mut miner, &job).await;
}

#[tokio::test]
async fn requests_without_effect_here_are_still_answered() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    // bfgminer sends this request for every job, and takes an empty list for a lie
    let answer = miner.ask("mining.get_transactions", json!([job.id])).await;
    assert_eq!(refusal(&answer), (20, "unknown-method".to_owned()));
    assert_eq!(miner.ask("mining.ping", json!([])).await["result"], "pong");
    for method in ["mining.multi_version", "mining.get_hashrate"] {
        assert_eq!(miner.ask(method, json!([1])).await["error"], Value::Null, "{method}");
    }
    assert_eq!(refusal(&miner.ask("mining.teleport", json!([])).await), (20, "unknown-method".to_owned()));
    // the server ignores answers and unknown notifications
    miner.line(r#"{"id":77,"result":true,"error":null}"#).await;
    miner.line(r#"{"id":null,"method":"mining.bye","params":[]}"#).await;
    world.counts(&mut miner, &job).await;
}

#[tokio::test]
async fn several_messages_arrive_in_one_packet() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let mut miner = Miner::connect(world.address).await;
    let packet = concat!(
        "{\"id\": 0, \"method\": \"mining.configure\", \"params\": [[\"version-rolling\"], {}]}\r\n",
        "{\"id\": 1, \"method\": \"mining.subscribe\", \"params\": []}\r\n\r\n",
        "{\"params\": [\"1.rig\", \"x\"], \"id\": \"auth\", \"method\": \"mining.authorize\"}\n",
        "{\"id\": 3, \"method\": \"mining.extranonce.subscribe\", \"params\": []}\n"
    );
    miner.bytes(packet.as_bytes()).await;
    for id in [json!(0), json!(1), json!("auth"), json!(3)] {
        let answer = miner.answer().await;
        assert_eq!((&answer["id"], &answer["error"]), (&id, &Value::Null));
        if id == 1 {
            miner.subscribed(&answer);
        }
    }
    let mut job = miner.job().await;
    job.worker = "1.rig".into();
    world.counts(&mut miner, &job).await;
}

#[tokio::test]
async fn one_message_arrives_in_many_packets() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    let share = job.mine();
    let line = json!({"id": 4, "method": "mining.submit", "params": share.params()}).to_string() + "\r\n";
    for byte in line.as_bytes() {
        miner.bytes(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(miner.answer().await["result"], true);
    assert_eq!(world.counted(1), 1);
}

#[tokio::test]
async fn duplicate_and_unknown_keys_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    let params = job.mine().params();
    miner
        .line(&format!(
            r#"{{"worker":"x","id":1,"id":2,"method":"mining.ping","method":"mining.submit","params":{params},"jsonrpc":"2.0"}}"#
        ))
        .await;
    let answer = miner.answer().await;
    assert_eq!((&answer["id"], &answer["result"]), (&json!(2), &json!(true)));
}

#[tokio::test]
async fn answers_to_shares_with_one_id_arrive_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let settlement = world.terms(1).weight.target();
    let (mut miner, job) = world.working().await;
    let good = job.mine();
    let mut odd = good.clone();
    odd.nonce.pop();
    let mut unknown = good.clone();
    unknown.job = "job".into();
    let low = job.mine_where(|hash| !settlement.is_met_by(hash));
    let mut shares = Vec::new();
    for _ in 0..20 {
        shares.extend([
            (job.mine(), None),
            (odd.clone(), Some("malformed")),
            (job.mine(), None),
            (unknown.clone(), Some("unknown-job")),
            (low.clone(), Some("above-target")),
        ]);
    }
    let packet: String = shares
        .iter()
        .map(|(share, _)| {
            format!("{}\n", json!({"method": "mining.submit", "params": share.params(), "id": 4}))
        })
        .collect();
    miner.bytes(packet.as_bytes()).await;
    for (number, (share, code)) in shares.iter().enumerate() {
        let answer = miner.answer().await;
        assert_eq!(answer["id"], 4);
        match code {
            None => assert_eq!(answer["result"], true, "share {number}: {answer} to {share:?}"),
            Some(code) => assert_eq!(refusal(&answer).1, *code, "share {number}"),
        }
    }
    assert_eq!(world.counted(1), 40);
}

#[tokio::test]
async fn a_share_without_an_end_of_line_before_the_end_counts_and_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    for _ in 0..10 {
        let (mut miner, job) = world.working().await;
        let before = world.counted(1);
        let share = job.mine();
        miner
            .bytes(
                json!({"id": 4, "method": "mining.submit", "params": share.params()}).to_string().as_bytes(),
            )
            .await;
        // it closes only its sending side
        miner.hang_up();
        let rest = miner.rest().await;
        assert_eq!(rest.last().map(|answer| &answer["result"]), Some(&json!(true)), "{rest:?}");
        assert_eq!(world.counted(1), before + 1);
    }
}

#[tokio::test]
async fn a_probe_that_connects_subscribes_and_goes_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    let records = world.journal().len();
    for _ in 0..300 {
        let mut probe = Miner::connect(world.address).await;
        probe.subscribe().await;
    }
    assert_eq!(world.journal().len(), records);
    world.counts(&mut miner, &job).await;
}
