//! The node forwards each share that may meet the pool's target once, and stores the pool's verdict
//! with the share.

use super::{
    gateway::Gateway,
    miner::{Found, Mined, Miner, refusal},
    world::{World, job, target, terms, until},
};
use hashlease_journal::Record;
use hashlease_primitives::{HashRate, Target, Terms};
use serde_json::{Value, json};
use std::collections::HashSet;

struct Forwarding {
    world: World,
    gateway: Gateway,
    miner: Miner,
    job: Mined,
    _dir: tempfile::TempDir,
}

/// A lease of weight 2^6 whose pool has this target.
async fn forwarding(pool: Target) -> Forwarding {
    // so few hashes that no pool's target brings a flood
    forwarding_for(Terms { rate: HashRate::new(80), ..terms(1) }, pool).await
}

async fn forwarding_for(terms: Terms, pool: Target) -> Forwarding {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms]).await;
    let gateway = Gateway::start().await;
    world.served(1).set_link(Some(gateway.handle.clone()));
    world.offer_for(job(&world.terms(1), 0x1a), Some(pool)).await;
    let (miner, job) = world.working().await;
    Forwarding { world, gateway, miner, job, _dir: dir }
}

/// The share as the gateway must receive it.
fn forwarded(share: &Found, job: &Mined) -> Value {
    // filler, extranonce1 and extranonce2
    let tail = format!("0000{}{}", hex::encode(&job.extranonce1), share.extranonce2);
    let bits = share.bits.clone().unwrap_or_else(|| "00000000".into());
    json!(["1", "1a", tail, share.ntime, share.nonce, bits])
}

fn verdicts(world: &World) -> Vec<([u8; 32], bool, String)> {
    let verdicts = world.journal().into_iter().filter_map(|record| match record {
        Record::Verdict { key, accepted, code, .. } => Some((key.0, accepted, code)),
        _ => None,
    });
    verdicts.collect()
}

fn shares(world: &World) -> usize {
    world.journal().iter().filter(|record| matches!(record, Record::Share { .. })).count()
}

#[tokio::test]
async fn every_share_that_counts_is_forwarded_once() {
    // 2^10 hashes: most counted shares miss it
    let mut all = forwarding(target(10)).await;
    let pool = target(10);
    let settles_only = all.job.mine_where(|hash| target(6).is_met_by(hash) && !pool.is_met_by(hash));
    let meets_both = all.job.mine_where(|hash| pool.is_met_by(hash));
    let rolled = Mined { bits: Some(0x0040_2000), ..all.job.clone() }.mine();
    let sent = [settles_only, meets_both, rolled];
    for share in &sent {
        assert_eq!(all.miner.submit(share).await["result"], true);
        assert_eq!(refusal(&all.miner.submit(share).await).1, "duplicate");
    }
    // a later share arrives next, so none of the earlier ones is still under way
    let last = all.job.mine();
    assert_eq!(all.miner.submit(&last).await["result"], true);
    let seen = all.gateway.submits(4).await;
    let expected: Vec<Value> = sent.iter().chain([&last]).map(|share| forwarded(share, &all.job)).collect();
    assert_eq!(seen, expected);
    assert_eq!(all.world.counted(1), 4);
}

#[tokio::test]
async fn a_share_only_good_for_the_pool_is_answered_true_forwarded_and_not_counted() {
    let pool = target(3);
    // slow enough for messages at the pool's target
    let mut all = forwarding_for(Terms { rate: HashRate::new(10), ..terms(1) }, pool).await;
    assert!(all.miner.target >= pool, "the miner gets the easier target");
    let pool_only = |job: &Mined| job.mine_where(|hash| pool.is_met_by(hash) && !target(6).is_met_by(hash));
    let share = pool_only(&all.job);
    assert_eq!(all.miner.submit(&share).await["result"], true);
    assert_eq!(all.gateway.submits(1).await, [forwarded(&share, &all.job)]);
    assert_eq!((all.world.counted(1), shares(&all.world)), (0, 0));
    // a repeated share is a duplicate, and is not forwarded again
    assert_eq!(refusal(&all.miner.submit(&share).await), (22, "duplicate".to_owned()));
    let next = pool_only(&all.job);
    assert_eq!(all.miner.submit(&next).await["result"], true);
    assert_eq!(all.gateway.submits(2).await, [forwarded(&share, &all.job), forwarded(&next, &all.job)]);
    // misses both targets
    let none = all.job.mine_where(|hash| !pool.is_met_by(hash));
    assert_eq!(refusal(&all.miner.submit(&none).await), (23, "above-target".to_owned()));
    let counted = all.job.mine_where(|hash| target(6).is_met_by(hash));
    assert_eq!(all.miner.submit(&counted).await["result"], true);
    assert_eq!(all.gateway.submits(3).await[2], forwarded(&counted, &all.job));
    assert_eq!((all.world.counted(1), shares(&all.world)), (1, 1));
}

#[tokio::test]
async fn refused_shares_are_not_forwarded() {
    let mut all = forwarding(target(8)).await;
    let low = all.job.mine_where(|hash| !target(6).is_met_by(hash));
    let mut unknown = all.job.mine();
    unknown.job = "1ffffffff".into();
    let early = Mined { ntime: all.job.ntime - 3_000, ..all.job.clone() }.mine();
    for share in [&low, &unknown, &early] {
        assert_eq!(all.miner.submit(share).await["result"], Value::Null);
    }
    let good = all.job.mine();
    assert_eq!(all.miner.submit(&good).await["result"], true);
    assert_eq!(all.gateway.submits(1).await, [forwarded(&good, &all.job)]);
}

#[tokio::test]
async fn the_pool_verdict_is_recorded_beside_the_share_and_changes_nothing() {
    let mut all = forwarding(target(6)).await;
    let taken = all.job.mine();
    assert_eq!(all.miner.submit(&taken).await["result"], true);
    until("the verdict", || verdicts(&all.world).len() == 1).await;
    all.gateway.answers(json!({"result": null, "error": [23, "low-difficulty", null]}));
    let refused = all.job.mine();
    assert_eq!(all.miner.submit(&refused).await["result"], true, "the miner is paid for the work anyway");
    until("the verdict", || verdicts(&all.world).len() == 2).await;
    let expected = [(taken.key, true, String::new()), (refused.key, false, "23 low-difficulty".to_owned())];
    assert_eq!(verdicts(&all.world), expected);
    assert_eq!(all.world.counted(1), 2);
    until("both are in the ledger", || {
        let counts = all.world.book.read(all.world.terms(1).id, |lease| lease.verdicts()).unwrap();
        (counts.accepted, counts.refused) == (1, 1)
    })
    .await;
}

#[tokio::test]
async fn a_share_that_never_reaches_the_pool_has_no_verdict() {
    let pool = target(10);
    let mut all = forwarding(pool).await;
    let settles_only = all.job.mine_where(|hash| target(6).is_met_by(hash) && !pool.is_met_by(hash));
    let meets_both = all.job.mine_where(|hash| pool.is_met_by(hash));
    for share in [&settles_only, &meets_both] {
        assert_eq!(all.miner.submit(share).await["result"], true);
    }
    until("a verdict", || !verdicts(&all.world).is_empty()).await;
    assert_eq!(all.gateway.submits(2).await.len(), 2, "the gateway receives both");
    assert_eq!(verdicts(&all.world), [(meets_both.key, true, String::new())]);
}

#[tokio::test]
async fn without_a_link_shares_count_and_with_a_dead_one_the_verdict_is_lost() {
    let mut all = forwarding(target(6)).await;
    all.world.served(1).set_link(None);
    all.world.counts(&mut all.miner, &all.job).await;
    all.world.served(1).set_link(Some(all.gateway.handle.clone()));
    // the session ends once its receiver is dropped
    all.gateway.events = None;
    let share = all.job.mine();
    assert_eq!(all.miner.submit(&share).await["result"], true);
    until("the verdict", || verdicts(&all.world) == [(share.key, false, "lost".to_owned())]).await;
    // from here on only the disk delays an answer
    for _ in 0..20 {
        all.world.counts(&mut all.miner, &all.job).await;
    }
    until("all verdicts", || verdicts(&all.world).len() == 21).await;
    let mut written = HashSet::new();
    for record in all.world.journal() {
        match record {
            Record::Share { key, .. } => assert!(written.insert(key)),
            Record::Verdict { key, .. } => assert!(written.contains(&key), "a verdict before its share"),
            _ => {}
        }
    }
    assert_eq!(all.world.counted(1), 22);
}

#[tokio::test]
async fn a_share_sent_just_before_the_end_is_forwarded() {
    let mut all = forwarding(target(6)).await;
    let share = all.job.mine();
    let line = json!({"id": 4, "method": "mining.submit", "params": share.params()}).to_string() + "\n";
    // the line after the share ends the connection
    all.miner.bytes((line + "good bye\n").as_bytes()).await;
    assert_eq!(all.gateway.submits(1).await, [forwarded(&share, &all.job)]);
    let rest = all.miner.rest().await;
    assert_eq!(rest.last().map(|answer| &answer["result"]), Some(&json!(true)));
    assert_eq!(all.world.counted(1), 1);
}

#[tokio::test]
async fn a_full_epoch_counts_no_more_but_the_pool_gets_its_shares() {
    let pool = target(10);
    // 75 hashes can be credited: two shares of 2^6; eight times as many are counted
    let small = Terms { rate: HashRate::new(1), epoch_length: 60, ..terms(1) };
    assert_eq!(small.most_shares(), 16);
    let mut all = forwarding_for(small, pool).await;
    for _ in 0..16 {
        let share = all.job.mine_where(|hash| target(6).is_met_by(hash));
        assert_eq!(all.miner.submit(&share).await["result"], true);
    }
    let settles_only = all.job.mine_where(|hash| target(6).is_met_by(hash) && !pool.is_met_by(hash));
    assert_eq!(refusal(&all.miner.submit(&settles_only).await), (20, "epoch-full".to_owned()));
    let for_pool = all.job.mine_where(|hash| pool.is_met_by(hash));
    assert_eq!(all.miner.submit(&for_pool).await["result"], true);
    assert_eq!(refusal(&all.miner.submit(&for_pool).await).1, "duplicate");
    let seen = all.gateway.submits(17).await;
    assert_eq!(seen.last(), Some(&forwarded(&for_pool, &all.job)));
    assert_eq!(shares(&all.world), 16);
}
