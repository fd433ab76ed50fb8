//! One header counts once, whichever session, job or lease it comes through.

use super::{
    miner::{Found, Mined, Miner, refusal},
    world::{World, job, terms, with_tail},
};
use crate::share_intake::{PreparedShare, count_share};
use alloy_primitives::Bytes;
use hashlease_primitives::HeaderJob;
use hashlease_share::{HeaderShare, SubmittedHeader};
use tokio::sync::Semaphore;

/// Two jobs from which two sessions can build the same header. Each job contains the other
/// session's bytes at their place: the first job has the second session's bytes in its prefix, the
/// second job has the first session's choice in its suffix.
fn overlapping(job: &HeaderJob, second: &Mined) -> (HeaderJob, HeaderJob) {
    let own = own(second, job);
    let prefix = Bytes::from([job.coinbase_prefix.as_ref(), &own].concat());
    let suffix = Bytes::from([&CHOICE, job.coinbase_suffix.as_ref()].concat());
    (
        HeaderJob { coinbase_prefix: prefix, ..job.clone() },
        HeaderJob { coinbase_suffix: suffix, ..job.clone() },
    )
}

/// The extranonce2 that the first session chooses.
const CHOICE: [u8; 4] = [0xc0, 0xff, 0xee, 0x00];

/// A session's filler and extranonce1.
fn own(told: &Mined, job: &HeaderJob) -> Vec<u8> {
    [&told.coinb1[job.coinbase_prefix.len()..], &told.extranonce1].concat()
}

/// The first session's share of the first job, and the same header as the second session's of the
/// second job.
fn same_header(first: &Mined, second: &Mined, own: &[u8]) -> (Found, Found) {
    let mut chosen = first.clone();
    chosen.extranonce2 = CHOICE.to_vec();
    let one = chosen.mine();
    let mut other = one.clone();
    other.worker = second.worker.clone();
    other.job = second.id.clone();
    other.extranonce2 = hex::encode(own);
    (one, other)
}

#[tokio::test]
async fn the_same_submit_again_is_a_duplicate() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    let share = job.mine();
    assert_eq!(miner.submit(&share).await["result"], true);
    for _ in 0..3 {
        world.refuses(&mut miner, &job, &share, 22, "duplicate").await;
    }
}

#[tokio::test]
async fn two_copies_in_one_packet_count_once() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    let params = job.mine().params();
    let line = format!("{{\"id\":4,\"method\":\"mining.submit\",\"params\":{params}}}\n");
    miner.bytes(line.repeat(2).as_bytes()).await;
    assert_eq!(miner.answer().await["result"], true);
    assert_eq!(refusal(&miner.answer().await), (22, "duplicate".to_owned()));
    assert_eq!(world.counted(1), 1);
}

#[tokio::test]
async fn other_spellings_of_the_same_fields_are_duplicates() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, mut mined) = world.working().await;
    // ids count up: the tenth has a letter, whose case can change
    for sequence in 2..=10 {
        world.offer(job(&world.terms(1), sequence)).await;
        mined = miner.job_of(1, sequence).await;
    }
    assert!(mined.id.ends_with('a'), "{}", mined.id);
    let mut job = mined;
    job.extranonce2 = vec![0xab, 0xcd, 0xef, 0xab];
    job.bits = Some(0x00ab_c000);
    let share = job.mine();
    assert_eq!(miner.submit(&share).await["result"], true);
    let mut spellings = vec![share.clone(); 6];
    spellings[0].extranonce2 = share.extranonce2.to_uppercase();
    spellings[1].ntime = share.ntime.to_uppercase();
    spellings[1].nonce = share.nonce.to_uppercase();
    spellings[2].job = format!("0000{}", share.job);
    spellings[3].bits = Some("00ABC000".into());
    spellings[4].extranonce2 = format!("0x{}", share.extranonce2);
    spellings[4].nonce = format!("0x{}", share.nonce);
    spellings[5].worker = "1.RIG".into();
    for spelling in spellings {
        assert_ne!(spelling.params(), share.params());
        world.refuses(&mut miner, &job, &spelling, 22, "duplicate").await;
    }
}

#[tokio::test]
async fn bits_that_say_nothing_are_the_same_as_none() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let (mut miner, job) = world.working().await;
    let mut share = job.mine();
    assert_eq!(miner.submit(&share).await["result"], true);
    share.bits = Some("00000000".into());
    world.refuses(&mut miner, &job, &share, 22, "duplicate").await;
}

#[tokio::test]
async fn the_same_header_under_another_job_and_session_is_a_duplicate() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    let plain = job(&world.terms(1), 1);
    let (mut first, at_first) = world.working().await;
    let mut second = world.miner("1.second").await;
    let at_second = second.job().await;
    let (one, other) = overlapping(&plain, &at_second);
    world.offer(HeaderJob { sequence: 2, ..one }).await;
    let to_first = first.job().await;
    world.offer(HeaderJob { sequence: 3, ..other }).await;
    let to_second = longer_suffix(&mut second, &at_second).await;
    let (share, again) = same_header(&to_first, &to_second, &own(&at_first, &plain));
    assert_eq!(first.submit(&share).await["result"], true);
    world.refuses(&mut second, &to_second, &again, 22, "duplicate").await;
}

/// The next job whose coinbase suffix is longer than that of an earlier one.
async fn longer_suffix(miner: &mut Miner, before: &Mined) -> Mined {
    loop {
        let told = miner.job().await;
        if told.coinb2.len() > before.coinb2.len() {
            return told;
        }
    }
}

#[tokio::test]
async fn the_same_header_for_another_lease_was_seen_there() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1), terms(2)]).await;
    let plain = job(&world.terms(2), 1);
    world.offer(plain.clone()).await;
    let mut second = world.miner("2.rig").await;
    // a job signer that puts the same coinbase into two leases
    let at_second = second.job().await;
    let (one, other) = overlapping(&plain, &at_second);
    world.offer(HeaderJob { lease: world.terms(1).id, sequence: 2, ..one.clone() }).await;
    world.offer(HeaderJob { sequence: 3, ..other }).await;
    let to_second = longer_suffix(&mut second, &at_second).await;
    let (mut first, to_first) = world.working().await;
    let own = own(&to_first, &one);
    let (share, again) = same_header(&to_first, &to_second, &own);
    assert_eq!(first.submit(&share).await["result"], true);
    assert_eq!(refusal(&second.submit(&again).await), (22, "seen-in-other-lease".to_owned()));
    assert_eq!((world.counted(1), world.counted(2)), (1, 0));
    // the same in the other order
    let (share, again) = same_header(&to_first, &to_second, &own);
    assert_eq!(second.submit(&again).await["result"], true);
    assert_eq!(refusal(&first.submit(&share).await), (22, "seen-in-other-lease".to_owned()));
    assert_eq!((world.counted(1), world.counted(2)), (1, 1));
}

#[tokio::test]
async fn a_restart_does_not_forget_what_was_counted() {
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = World::start(dir.path(), [terms.clone()]).await;
    let handed_out = with_tail(job(&terms, 1), 6);
    world.offer(handed_out.clone()).await;
    let (mut miner, job) = world.working().await;
    let share = job.mine();
    assert_eq!(miner.submit(&share).await["result"], true);
    world.stop().await;

    let world = World::start(dir.path(), [terms]).await;
    assert_eq!(world.counted(1), 1, "replayed");
    world.offer(handed_out.clone()).await;
    // no session has that extranonce1 any more, so the test bypasses the socket
    let word = |text: &str| u32::from_str_radix(text, 16).unwrap();
    let tail = [job.extranonce1.clone(), hex::decode(&share.extranonce2).unwrap()].concat();
    let (ntime, nonce) = (word(&share.ntime), word(&share.nonce));
    let lease = world.served(1);
    let again = PreparedShare {
        job: lease.job(1).unwrap(),
        told: lease.terms().weight.target(),
        worker: share.worker.clone(),
        share: HeaderShare::submitted(
            &handed_out,
            0,
            SubmittedHeader { tail: &tail, ntime, nonce, version_bits: None },
        )
        .unwrap()
        .into(),
        lease,
    };
    let result =
        count_share(again, &world.book, &hashlease_check::ShareChecker::new(1), &Semaphore::new(1)).await;
    assert_eq!(result.map_err(|refusal| refusal.code()), Err("duplicate"));
    assert_eq!(world.counted(1), 1);
}
