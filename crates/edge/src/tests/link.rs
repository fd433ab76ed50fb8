//! Jobs received over the link: only valid ones reach a miner.

use super::{
    gateway::Gateway,
    world::{World, http_get, job, sign, terms, until, with_tail},
};
use crate::{
    gateway_link::{read_link, run_link},
    job_intake::{JobSource, take_job},
    link_target::LinkTarget,
};
use alloy_primitives::{B256, Bytes};
use hashlease_journal::Record;
use hashlease_net::Tcp;
use hashlease_primitives::{HeaderJob, Job, LeaseId, LocalSigner, NodeBox, Secret, SignedJob, Terms};
use hashlease_stratum::{Notify, encode};
use std::{
    io,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, sync::watch};
use tracing::subscriber::DefaultGuard;

/// The log lines of this thread from now on.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn drain(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

/// One bad job for each refusal code.
fn bad_jobs(terms: &Terms) -> Vec<(&'static str, SignedJob)> {
    let good = job(terms, 2);
    let stranger = LocalSigner::from_hex(&"33".repeat(32)).unwrap();
    let by_stranger = stranger.sign(&Job::from(good.clone()).digest(&terms.domain)).unwrap();
    let domain = hashlease_primitives::Domain { chain_id: 1, ..terms.domain };
    let other_chain = super::world::job_signer().sign(&Job::from(good.clone()).digest(&domain)).unwrap();
    let changed = HeaderJob { coinbase_suffix: Bytes::from(vec![0xcc; 70]), ..good.clone() };
    let long = HeaderJob { not_after: good.not_before + 601, ..good.clone() };
    let backwards =
        HeaderJob { not_before: good.not_before + 50, not_after: good.not_before + 49, ..good.clone() };
    let huge = HeaderJob { coinbase_suffix: Bytes::from(vec![0xbb; 4_096]), ..good.clone() };
    let node_like = HeaderJob { coinbase_suffix: Bytes::from(vec![0xbb; 11]), ..good.clone() };
    let deep = HeaderJob { branch: vec![B256::ZERO; 17], ..good.clone() };
    let foreign = HeaderJob { lease: LeaseId(2), ..good.clone() };
    vec![
        ("job-unsigned", SignedJob { signature: [0; 65], ..sign(terms, good.clone()) }),
        ("job-signature", SignedJob { job: good.clone().into(), signature: by_stranger }),
        ("job-signature", SignedJob { job: good.clone().into(), signature: other_chain }),
        ("job-signature", SignedJob { job: changed.into(), ..sign(terms, good.clone()) }),
        ("job-signature", SignedJob { job: good.clone().into(), signature: [7; 65] }),
        ("other-lease", sign(terms, foreign)),
        ("job-window", sign(terms, long)),
        ("job-window", sign(terms, backwards)),
        ("job-coinbase", sign(terms, huge)),
        ("job-coinbase", sign(terms, node_like)),
        ("job-branch", sign(terms, deep)),
        ("job-tail", sign(terms, with_tail(good.clone(), 1))),
        ("job-tail", sign(terms, with_tail(good, 33))),
    ]
}

#[tokio::test]
async fn a_bad_job_is_never_handed_out_and_its_reason_is_logged() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1), terms(2)]).await;
    let (served, terms) = (world.served(1), world.terms(1));
    let records = world.journal().len();
    let (log, _guard) = Log::start();
    for (code, bad) in bad_jobs(&terms) {
        world.receive(bad).await;
        let said = log.drain();
        assert!(said.contains("job refused"), "{code}: {said}");
        assert!(said.contains(code), "{code}: {said}");
        assert!(served.job(2).is_none() && served.current_job().is_none(), "{code} was handed out");
    }
    assert_eq!(world.journal().len(), records, "a bad job was journalled");
    // the next valid job is handed out
    world.receive(sign(&terms, job(&terms, 3))).await;
    let (mut miner, told) = world.working().await;
    assert_eq!(told.of(), (1, 3));
    world.counts(&mut miner, &told).await;
}

#[tokio::test]
async fn a_job_that_comes_too_late_is_not_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let (served, terms) = (world.served(1), world.terms(1));
    let now = super::world::now();
    let late = HeaderJob { not_before: now - 100, not_after: now - 62, ..job(&terms, 2) };
    world.receive(sign(&terms, late)).await;
    assert!(served.job(2).is_none() && served.current_job().is_none());
    // within the tolerance of the clock rule it is kept, since another clock may call it open
    let over = HeaderJob { not_before: now - 100, not_after: now - 1, ..job(&terms, 3) };
    world.receive(sign(&terms, over)).await;
    assert!(served.job(3).is_some() && served.current_job().is_none());
}

#[tokio::test]
async fn a_job_received_twice_is_written_and_handed_out_once() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let terms = world.terms(1);
    let first = sign(&terms, job(&terms, 2));
    // a second job of the same sequence must not replace the job that shares are checked against
    let second = sign(&terms, HeaderJob { prev_hash: B256::repeat_byte(1), ..job(&terms, 2) });
    for signed in [&first, &first, &second] {
        world.receive(signed.clone()).await;
    }
    assert_eq!(jobs(&world), [first]);
    let (mut miner, told) = world.working().await;
    world.counts(&mut miner, &told).await;
}

/// The jobs in the journal.
fn jobs(world: &World) -> Vec<SignedJob> {
    let jobs = world.journal().into_iter().filter_map(|record| match record {
        Record::Job { signed, .. } => Some(signed),
        _ => None,
    });
    jobs.collect()
}

#[tokio::test]
async fn another_job_under_a_used_sequence_is_refused_even_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let first = sign(&terms, job(&terms, 2));
    let second = sign(&terms, HeaderJob { prev_hash: B256::repeat_byte(1), ..job(&terms, 2) });
    let (log, _guard) = Log::start();
    let world = World::start(dir.path(), [terms.clone()]).await;
    world.receive(first.clone()).await;
    log.drain();
    world.receive(first.clone()).await;
    assert_eq!(log.drain(), "", "a repeated job is not an error");
    world.receive(second.clone()).await;
    let said = log.drain();
    assert!(said.contains("job refused") && said.contains("job-sequence"), "{said}");
    world.stop().await;

    // now only the journal knows which job came first
    let world = World::start(dir.path(), [terms.clone()]).await;
    let served = world.served(1);
    log.drain();
    world.receive(second).await;
    let said = log.drain();
    assert!(said.contains("job refused") && said.contains("job-sequence"), "{said}");
    assert!(served.job(2).is_none() && served.current_job().is_none(), "the second job was handed out");
    world.receive(first.clone()).await;
    assert_eq!(jobs(&world), [first]);
    let (mut miner, told) = world.working().await;
    world.counts(&mut miner, &told).await;
    let evidence = world.book.read(terms.id, |lease| lease.evidence(0).unwrap()).unwrap();
    assert!(evidence.recheck().holds(), "{:?}", evidence.recheck().complaint());
}

#[tokio::test]
async fn a_job_of_any_sequence_is_mined_but_not_one_that_no_share_can_name() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let terms = world.terms(1);
    let (log, _guard) = Log::start();
    world.receive(sign(&terms, job(&terms, 1 << 32))).await;
    let said = log.drain();
    assert!(said.contains("job-sequence-too-large"), "{said}");
    assert_eq!(jobs(&world), []);
    // a lower one is as good while the higher one lasts, and follows it
    let last = (1 << 32) - 1;
    let (short, long) = (job(&terms, last), job(&terms, 5));
    world.receive(sign(&terms, HeaderJob { not_after: super::world::now() + 2, ..short })).await;
    world.receive(sign(&terms, long)).await;
    let (mut miner, told) = world.working().await;
    assert_eq!(told.of(), (1, last));
    world.counts(&mut miner, &told).await;
    let told = miner.job_of(1, 5).await;
    assert!(!told.clean, "the same block");
    world.counts(&mut miner, &told).await;
}

#[tokio::test]
async fn a_flood_of_jobs_is_neither_stored_nor_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1)]).await;
    let (served, terms) = (world.served(1), world.terms(1));
    let source = JobSource::gateway(&terms);
    let (log, _guard) = Log::start();
    for sequence in 1..=300 {
        let signed = sign(&terms, job(&terms, sequence));
        take_job(&served, &world.book, signed, None, &source).await;
    }
    assert_eq!(jobs(&world).len(), 22, "20 a minute, and one each 30 s");
    assert_eq!(log.drain(), "", "nor logged one by one");
    // a member's jobs have a limit of their own
    take_job(&served, &world.book, sign(&terms, job(&terms, 400)), None, &JobSource::member()).await;
    let (_, told) = world.working().await;
    assert_eq!(told.of(), (1, 400));
}

#[tokio::test]
async fn one_of_two_simultaneous_jobs_with_one_sequence_is_handed_out() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let world = World::start(dir.path(), [terms(1)]).await;
        let (served, terms) = (world.served(1), world.terms(1));
        let [one, other] = [1, 2]
            .map(|byte| sign(&terms, HeaderJob { prev_hash: B256::repeat_byte(byte), ..job(&terms, 2) }));
        // one job comes over the gateway's link, the other from a member that serves jobs while the
        // link is down
        let ways = [one, other].map(|signed| world.receive(signed));
        futures::future::join_all(ways).await;
        let live = served.job(2).unwrap();
        assert_eq!(
            jobs(&world),
            [live.verified.signed().clone()],
            "shares are checked against the journalled job"
        );
    }
}

/// The lines with which a gateway sends a job.
fn lines(signed: &SignedJob, clean: bool) -> String {
    let notify = Notify::of_signed(signed.job.header().unwrap(), clean).unwrap();
    [encode::notify(&notify), encode::hashlease_job(&notify.job_id, signed, None)].concat()
}

#[tokio::test]
async fn only_good_jobs_from_a_link_reach_a_miner() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path(), [terms(1), terms(2)]).await;
    let (served, terms) = (world.served(1), world.terms(1));
    let mut gateway = Gateway::start().await;
    let events = gateway.events.take().unwrap();
    let (book, link) = (world.book.clone(), Arc::clone(&served));
    let following = tokio::spawn(async move { read_link(&link, &book, &JobSource::member(), events).await });
    gateway.push("{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[0.000000001]}\n");
    gateway.push(&lines(&sign(&terms, job(&terms, 1)), true));
    let mut miner = world.miner("1.rig").await;
    let first = miner.job().await;
    assert!(miner.target > terms.weight.target(), "the pool's target is the easier one");
    for (_, bad) in bad_jobs(&terms) {
        gateway.push(&lines(&bad, true));
    }
    // neither an invalid job nor a notify without its signed job reaches the miner
    gateway.push("{\"id\":null,\"method\":\"hashlease.job\",\"params\":[\"2\",{}]}\n");
    gateway.push("{\"id\":null,\"method\":\"hashlease.job\",\"params\":7}\n");
    let unsigned = lines(&sign(&terms, job(&terms, 8)), true);
    gateway.push(&format!("{}\n", unsigned.lines().next().unwrap()));
    gateway.push(&lines(&sign(&terms, job(&terms, 9)), false));
    let next = miner.job().await;
    assert_eq!((next.of(), next.clean), ((1, 9), false));
    let share = first.mine_where(|hash| terms.weight.target().is_met_by(hash));
    assert_eq!(miner.submit(&share).await["result"], true, "a bad job made it stale");
    drop(gateway);
    let end = super::world::patiently("the link ends", following).await.unwrap();
    assert!(end.authorised, "{end:?}");
}

#[tokio::test]
async fn the_state_of_a_link_does_not_show_where_the_renter_s_gateway_is() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::with_job(dir.path()).await;
    // a port that was free a moment ago
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    for (gateway, words) in [
        (unused.as_str(), "can't be reached: connection refused"),
        ("ftp://127.0.0.1:9", "the box names a scheme that is not served"),
        ("127.0.0.1", "the box names no host and port"),
    ] {
        let node_box = NodeBox { gateway: gateway.to_owned(), token: Secret::new("token".to_owned()) };
        let target = watch::Sender::new(LinkTarget { node_box: Some(node_box), members: vec![] });
        let link = run_link(
            world.served(1),
            target.subscribe(),
            world.book.clone(),
            "node/test".to_owned(),
            Tcp::shared(),
        );
        let link = tokio::spawn(link);
        until(words, || world.served(1).link_state() == words).await;
        let (api, _) = world.api(4).await;
        let status = String::from_utf8(http_get(api, "v1/status").await.body).unwrap();
        assert!(status.contains(words) && !status.contains("127.0.0.1"), "{status}");
        link.abort();
    }
}
