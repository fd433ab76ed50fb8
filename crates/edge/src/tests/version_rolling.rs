//! BIP 310: which version bits a miner may choose.

use super::{
    miner::{Mined, Miner},
    world::{World, job, terms},
};
use hashlease_primitives::HeaderJob;
use serde_json::{Value, json};

async fn configure(miner: &mut Miner, params: Value) -> Value {
    let answer = miner.ask("mining.configure", params).await;
    assert_eq!(answer["error"], Value::Null);
    answer["result"].clone()
}

fn rolling(mask: &str) -> Value {
    json!([["version-rolling"], {"version-rolling.mask": mask, "version-rolling.min-bit-count": 2}])
}

fn with_bits(job: &Mined, mask: u32, bits: u32) -> Mined {
    Mined { mask, bits: Some(bits), ..job.clone() }
}

#[tokio::test]
async fn the_granted_mask_is_what_both_sides_have() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    world.offer(HeaderJob { version_mask: 0x00ff_e000, ..job(&world.terms(1), 1) }).await;
    let (mut miner, job) = world.working().await;
    for (asked, granted) in [
        ("ffffffff", "00ffe000"),
        ("1fffe000", "00ffe000"),
        ("000fffff", "000fe000"),
        ("00006000", "00006000"),
    ] {
        let result = configure(&mut miner, rolling(asked)).await;
        assert_eq!(result["version-rolling"], true);
        assert_eq!(result["version-rolling.mask"], granted, "{asked}");
    }
    let result = configure(&mut miner, json!([["version-rolling"]])).await;
    assert_eq!(result["version-rolling.mask"], "00ffe000", "no mask requested: the whole mask");
    world.counts(&mut miner, &with_bits(&job, 0x00ff_e000, 0x0080_2000)).await;
}

#[tokio::test]
async fn a_new_mask_is_sent_before_its_job() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let mut miner = Miner::connect(world.address).await;
    // no job is known yet
    let result = configure(&mut miner, rolling("1fffe000")).await;
    assert_eq!(result["version-rolling.mask"], "1fffe000");
    world.offer(HeaderJob { version_mask: 0x00ff_e000, ..job(&world.terms(1), 1) }).await;
    miner.subscribe().await;
    assert_eq!(miner.authorise("1.rig").await["result"], true);
    let told = miner.message().await.unwrap();
    assert_eq!((&told["method"], &told["params"]), (&json!("mining.set_version_mask"), &json!(["00ffe000"])));
    let first = miner.job().await;
    world.counts(&mut miner, &with_bits(&first, 0x00ff_e000, 0x00ff_e000)).await;
    // the node sends it again when the pool changes it
    world.offer(HeaderJob { version_mask: 0x0001_e000, ..job(&world.terms(1), 2) }).await;
    let told = miner.message().await.unwrap();
    assert_eq!((&told["method"], &told["params"]), (&json!("mining.set_version_mask"), &json!(["0001e000"])));
    let second = miner.job().await;
    let outside = with_bits(&second, 0x0001_e000, 0x0010_0000).mine();
    world.refuses(&mut miner, &second, &outside, 20, "version-outside-mask").await;
    // a job keeps its own mask
    world.counts(&mut miner, &with_bits(&first, 0x00ff_e000, 0x0010_0000)).await;
}

#[tokio::test]
async fn bits_outside_the_mask_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    configure(&mut miner, rolling("0000ffff")).await;
    for bits in [0x2000_0000, 0x0000_0001, 0xffff_ffff, 0x0001_0000] {
        let share = with_bits(&job, 0x0000_e000, bits).mine();
        world.refuses(&mut miner, &job, &share, 20, "version-outside-mask").await;
    }
    world.counts(&mut miner, &with_bits(&job, 0x0000_e000, 0x0000_e000)).await;
}

#[tokio::test]
async fn bits_that_the_job_sets_itself_are_granted_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    // the version of the pool's job sets some bits of the mask
    world.offer(HeaderJob { version: 0x3001_4000, ..job(&world.terms(1), 1) }).await;
    let (mut miner, job) = world.working().await;
    assert_eq!(job.version, 0x3001_4000);
    // a miner that never requested version rolling hashes the version unchanged, and may send zeros
    let mut share = job.mine();
    share.bits = Some("00000000".into());
    assert_eq!(miner.submit(&share).await["result"], true);
    let granted = 0x1fff_e000 & !0x3001_4000;
    let result = configure(&mut miner, rolling("1fffe000")).await;
    assert_eq!(result["version-rolling.mask"], format!("{granted:08x}"));
    // in these bits, replacing, setting and flipping are the same
    for bits in [0, 0x0000_2000, granted] {
        assert_eq!((job.version & !granted) | bits, job.version ^ bits);
        assert_eq!(job.version | bits, job.version ^ bits);
        world.counts(&mut miner, &with_bits(&job, granted, bits)).await;
    }
    let outside = with_bits(&job, 0x1fff_e000, 0x0000_4000).mine();
    world.refuses(&mut miner, &job, &outside, 20, "version-outside-mask").await;
    // a miner that requested fewer bits keeps the job's other bits
    configure(&mut miner, rolling("00006000")).await;
    for bits in [0, 0x0000_2000] {
        world.counts(&mut miner, &with_bits(&job, 0x0000_2000, bits)).await;
    }
}

#[tokio::test]
async fn a_share_without_bits_counts_even_after_negotiation() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    configure(&mut miner, rolling("1fffe000")).await;
    assert_eq!(job.mine().bits, None);
    world.counts(&mut miner, &job).await;
    let mut share = job.mine();
    share.bits = None;
    let mut params = share.params();
    params.as_array_mut().unwrap().push(Value::Null);
    assert_eq!(miner.ask("mining.submit", params).await["result"], true, "null means no bits");
}

#[tokio::test]
async fn other_extensions_are_answered_and_revoke_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let mut miner = Miner::connect(world.address).await;
    assert_eq!(configure(&mut miner, json!([])).await, json!({}));
    let asked = json!([["minimum-difficulty", "version-rolling", "subscribe-extranonce", "info"],
        {"minimum-difficulty.value": 2048, "version-rolling.mask": "00ffe000", "info.hw-version": "1"}]);
    let result = configure(&mut miner, asked).await;
    let expected = json!({"minimum-difficulty": false, "version-rolling": true,
        "version-rolling.mask": "00ffe000", "subscribe-extranonce": true, "info": false});
    assert_eq!(result, expected);
    // this request does not mention version bits
    let result =
        configure(&mut miner, json!([["minimum-difficulty"], {"minimum-difficulty.value": 1}])).await;
    assert_eq!(result, json!({"minimum-difficulty": false}));
    miner.subscribe().await;
    assert_eq!(miner.authorise("1.rig").await["result"], true);
    let job = miner.job().await;
    let beyond = with_bits(&job, 0x00ff_e000, 0x1000_0000).mine();
    world.refuses(&mut miner, &job, &beyond, 20, "version-outside-mask").await;
    world.counts(&mut miner, &with_bits(&job, 0x00ff_e000, 0x00f0_0000)).await;
}

#[tokio::test]
async fn an_unreadable_configure_is_malformed() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    for params in [rolling("xyz"), rolling("100000000"), json!({}), json!(["version-rolling"])] {
        let answer = miner.ask("mining.configure", params).await;
        assert_eq!(super::miner::refusal(&answer), (20, "malformed".to_owned()));
    }
    world.counts(&mut miner, &job).await;
}

#[tokio::test]
async fn the_mask_is_told_once_between_the_answer_to_authorise_and_the_first_job() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let mut miner = Miner::connect(world.address).await;
    let result = configure(&mut miner, rolling("1fffe000")).await;
    assert_eq!(result["version-rolling.mask"], "1fffe000");
    miner.subscribe().await;
    assert_eq!(miner.authorise("1.rig").await["result"], true);
    miner.job().await;
    let expected = ["mining.set_version_mask", "mining.set_difficulty", "mining.notify"];
    assert_eq!(miner.heard, expected);
    world.offer(job(&world.terms(1), 2)).await;
    miner.job_of(1, 2).await;
    assert_eq!(miner.heard[3..], ["mining.notify"]);
}

#[tokio::test]
async fn no_more_is_promised_than_every_lease_grants_and_no_less_than_the_miner_needs() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1), terms(2)]).await;
    world.offer(HeaderJob { version_mask: 0x1fff_e000, ..job(&world.terms(1), 1) }).await;
    world.offer(HeaderJob { version_mask: 0x0001_e000, ..job(&world.terms(2), 1) }).await;
    let mut miner = Miner::connect(world.address).await;
    let result = configure(&mut miner, rolling("1fffe000")).await;
    assert_eq!(result["version-rolling.mask"], "0001e000");
    let asked = json!([["version-rolling"], {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 5}]);
    let result = configure(&mut miner, asked).await;
    assert_eq!(result, json!({"version-rolling": false}));
    miner.subscribe().await;
    assert_eq!(miner.authorise("2.rig").await["result"], true);
    let told = miner.job().await;
    assert_eq!(miner.heard, ["mining.set_difficulty", "mining.notify"], "it does not roll");
    world.counts_for(2, &mut miner, &told).await;
}
