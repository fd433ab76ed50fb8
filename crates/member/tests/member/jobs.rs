//! Jobs: which ones a member accepts and serves, and what time they make due.

use crate::world::*;
use hashlease_committee::gather;
use hashlease_member::SeatView;
use hashlease_primitives::{
    Domain, EpochId, HashRate, HeaderJob, Lease, LeaseId, SignedJob, Statement, Terms, UnixSeconds, Work,
};
use redb::TableDefinition;
use serde_json::{Value, json};
use std::time::Duration;

/// A lease in its first epoch, started `gone` seconds ago, at 5 hashes per second.
fn running(id: u64, gone: u64) -> Lease {
    let mut lease = lease(id, 0, 2, 0);
    lease.terms.start -= gone;
    lease.terms.end -= gone;
    lease.terms.rate = HashRate::new(5);
    lease
}

/// The first second that counts of a job received at `received`.
fn counted_from(received: u64) -> u64 {
    received.div_ceil(1_000)
}

async fn due(world: &World, epoch: u32) -> u128 {
    world.view(0, LeaseId(1), epoch).await.statement.due.hashes()
}

#[tokio::test]
async fn a_job_that_breaks_a_rule_is_refused_with_its_code_and_makes_nothing_due() {
    let world = World::start(1, 1).await;
    let lease = running(1, 700);
    world.show(&lease);
    let mut second = lease.clone();
    second.terms.id = LeaseId(2);
    world.show(&second);
    let terms = &lease.terms;
    let good = job(terms, 1, now(), now() + 300);
    let refused = async |job: &SignedJob| world.post_refused("v1/jobs", job).await;
    let changed = |change: fn(&mut HeaderJob)| {
        let mut job = good.job.header().unwrap().clone();
        change(&mut job);
        sign(terms, job)
    };

    let unsigned = SignedJob { signature: [0; 65], ..good.clone() };
    assert_eq!(refused(&unsigned).await, (422, "job-unsigned".into()));
    let strangers = sign_with(&provider(), &terms.domain, good.job.header().unwrap().clone());
    assert_eq!(refused(&strangers).await, (422, "job-signature".into()));
    let mut altered = good.clone();
    altered.job.header_mut().unwrap().not_after += 1;
    assert_eq!(refused(&altered).await, (422, "job-signature".into()));
    let elsewhere = Domain { chain_id: 1, ..terms.domain };
    let foreign = sign_with(job_signer(), &elsewhere, good.job.header().unwrap().clone());
    assert_eq!(refused(&foreign).await, (422, "job-signature".into()));
    // signed for one lease, posted for another
    let mut other = good.clone();
    other.job.header_mut().unwrap().lease = LeaseId(2);
    assert_eq!(refused(&other).await, (422, "job-signature".into()));
    other.job.header_mut().unwrap().lease = LeaseId(3);
    assert_eq!(refused(&other).await, (404, "unknown-lease".into()));

    let long = changed(|job| job.not_after = job.not_before + 601);
    assert_eq!(refused(&long).await, (422, "job-window".into()));
    let backwards = changed(|job| job.not_after = job.not_before - 1);
    assert_eq!(refused(&backwards).await, (422, "job-window".into()));
    let Terms { start, end, .. } = *terms;
    for (from, to) in [(start - 1, start + 9), (end - 10, end), (end, end + 9), (start - 10, start - 1)] {
        let outside = job(terms, 1, from.get(), to.get());
        assert_eq!(refused(&outside).await, (422, "job-outside-lease".into()), "{from} to {to}");
    }
    let node = changed(|job| job.coinbase_suffix = vec![2; 64 - 50 - 4].into());
    assert_eq!(refused(&node).await, (422, "job-coinbase".into()));
    for tail_length in [0, 1, 33] {
        let mut header = good.job.header().unwrap().clone();
        header.tail_length = tail_length;
        assert_eq!(refused(&sign(terms, header)).await, (422, "job-tail".into()), "{tail_length}");
    }
    let branch = changed(|job| job.branch = vec![job.prev_hash; 17]);
    assert_eq!(refused(&branch).await, (422, "job-branch".into()));

    // windows of later and of earlier hours, and a sequence that no node can tell miners
    let at = now();
    for (from, to) in [(at + 120, at + 300), (at + 3_600, at + 4_000), (at - 400, at - 120)] {
        assert_eq!(refused(&job(terms, 1, from, to)).await, (422, "job-off-clock".into()), "{from} to {to}");
    }
    let large = changed(|job| job.sequence = 1 << 32);
    assert_eq!(refused(&large).await, (422, "job-sequence-too-large".into()));

    for lease in [LeaseId(1), LeaseId(2)] {
        assert_eq!(world.jobs(0, lease).await, []);
        assert_eq!(world.view(0, lease, 0).await.statement.due, Work::ZERO);
    }
    // none of them prevents the right job
    world.client(0).post_job(&good).await.unwrap();
    assert_eq!(world.jobs(0, LeaseId(1)).await, [good]);
}

#[tokio::test]
async fn an_unreadable_body_is_answered_in_the_form_of_every_error() {
    let world = World::start(1, 1).await;
    let lease = Lease { signer_dictated: true, ..running(1, 700) };
    world.show(&lease);
    let good = serde_json::to_value(job(&lease.terms, 1, now(), now() + 300)).unwrap();
    let with = |path: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(path).unwrap() = value;
        body.to_string()
    };
    let bodies = [
        String::new(),
        "no JSON".to_owned(),
        "[]".to_owned(),
        json!({"job": good["job"]}).to_string(),
        with("/signature", json!("0x1234")),
        with("/signature", json!("not hexadecimal")),
        with("/job/sequence", json!(-1)),
        with("/job/notAfter", json!(1.5)),
        with("/job/version", json!(1u64 << 32)),
        with("/job/prevHash", json!("0x00")),
    ];
    for body in bodies {
        let (status, answer) = world.raw_post("v1/jobs", body.clone()).await;
        assert!(matches!(status, 400 | 422), "{status} for {body}");
        assert_eq!(answer["code"], "malformed", "{body}");
        assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
    }
    let (status, answer) = world.raw_post("v1/jobs", vec![b' '; 300_000]).await;
    assert_eq!((status, answer["code"].as_str()), (413, Some("too-long")));
    let (status, answer) = world.raw_get("v1/leases/one/jobs").await;
    assert_eq!((status, answer["code"].as_str()), (400, Some("malformed")));
    let (status, answer) = world.raw_get("v1/leases/1/statement").await;
    assert_eq!((status, answer["code"].as_str()), (400, Some("malformed")), "which epoch?");
    let (status, answer) = world.raw_get("v2/jobs").await;
    assert_eq!((status, answer["code"].as_str()), (404, Some("no-such-route")));
    let (status, answer) = world.raw_get("v1/jobs").await;
    assert_eq!((status, answer["code"].as_str()), (405, Some("method-not-allowed")));
    assert_eq!(world.jobs(0, LeaseId(1)).await, []);
    let (status, answer) = world.raw_get("v1/status").await;
    let signer = json!(member_signer(0).address());
    let leases = json!([{"lease": 1, "selfAttributed": false, "signerDictated": true}]);
    assert_eq!((status, &answer["signer"], &answer["leases"]), (200, &signer, &leases));
}

#[tokio::test]
async fn a_job_wakes_only_the_requests_that_wait_for_its_lease() {
    let world = World::start(1, 1).await;
    let lease = running(1, 10);
    world.show(&lease);
    let second = running(2, 10);
    world.show(&second);
    let client = world.client(0).clone();
    let waiting = tokio::spawn(async move { client.jobs(LeaseId(1), 1, 30).await.unwrap() });
    // sequences in any order
    let jobs = [7, 3].map(|sequence| job(&lease.terms, sequence, now(), now() + 60));
    let other = job(&second.terms, 9, now(), now() + 60);
    world.client(0).post_job(&other).await.unwrap();
    world.client(0).post_job(&jobs[0]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished(), "only the second job of lease 1 answers the request");
    world.client(0).post_job(&jobs[1]).await.unwrap();
    // long before the request's 30 s are over
    let woken = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    let page = woken.expect("woken by the job").unwrap();
    assert_eq!((page.jobs.len(), &page.jobs[0].signed, page.next), (1, &jobs[1], 2));
    assert_eq!(world.jobs(0, LeaseId(1)).await, jobs);
    let none = world.client(0).jobs(LeaseId(1), u64::MAX, 0).await.unwrap();
    assert_eq!((none.jobs.len(), none.next), (0, u64::MAX));
}

#[tokio::test]
async fn the_first_receipt_of_a_job_counts_even_after_a_restart() {
    let mut world = World::start(1, 1).await;
    let lease = running(1, 10);
    let terms = &lease.terms;
    world.show(&lease);
    let signed = job(terms, 1, now() - 10, now() + 300);
    let first = world.client(0).post_job(&signed).await.unwrap();
    assert_eq!(first.signer(terms, &signed.job), Some(member_signer(0).address()));
    assert_eq!(first.not_due, None);
    let due_then = due(&world, 0).await;
    assert!(due_then > 0);
    world.clock.advance(1);
    assert_eq!(world.client(0).post_job(&signed).await.unwrap(), first);
    world.restart(0).await;
    // long after the job's window
    world.clock.advance(1_000);
    assert_eq!(world.client(0).post_job(&signed).await.unwrap(), first);
    assert_eq!(world.jobs(0, LeaseId(1)).await, [signed]);
    assert_eq!(due(&world, 0).await, due_then);
}

#[tokio::test]
async fn of_two_jobs_with_one_sequence_neither_is_due() {
    let mut world = World::start(1, 1).await;
    let lease = running(1, 10);
    let terms = &lease.terms;
    world.show(&lease);
    let (first, twin) = (job(terms, 1, now() - 10, now() + 300), job(terms, 1, now() - 10, now() + 500));
    let receipt = world.client(0).post_job(&first).await.unwrap();
    let from = counted_from(receipt.received.get());
    assert_eq!(due(&world, 0).await, u128::from(now_of(&first) + 301 - from) * 5);
    // it is taken, because a node may mine it
    let again = world.client(0).post_job(&twin).await.unwrap();
    let reason = again.not_due.clone().unwrap();
    assert_eq!(reason.code, "job-sequence");
    assert_eq!(reason.message, "several jobs have the sequence 1: none of them is due");
    let told = world.client(0).post_job(&first).await.unwrap();
    assert_eq!((told.received, told.not_due), (receipt.received, again.not_due));
    let due_then = due(&world, 0).await;
    assert!(due_then <= 5 * 3, "{due_then}: at most the moments until the twin came");
    world.restart(0).await;
    assert_eq!(due(&world, 0).await, due_then);
    assert_eq!(world.jobs(0, LeaseId(1)).await, [first, twin]);
}

/// The second before which a job of these tests was made.
fn now_of(signed: &SignedJob) -> u64 {
    (signed.job.not_before() + 10).get()
}

#[tokio::test]
async fn a_job_makes_due_the_seconds_from_its_receipt_to_the_end_of_its_window() {
    let world = World::start(1, 1).await;
    let lease = running(1, 60);
    world.show(&lease);
    let terms = &lease.terms;
    let begin = now();
    // a job whose window is over makes no time due, however long the window was
    world.client(0).post_job(&job(terms, 1, begin - 60, begin - 1)).await.unwrap();
    assert_eq!(due(&world, 0).await, 0);
    // a job whose window is open makes its remainder due
    let receipt = world.client(0).post_job(&job(terms, 2, begin - 50, begin + 200)).await.unwrap();
    let from = counted_from(receipt.received.get());
    let expected = u128::from(begin + 201 - from) * 5;
    assert_eq!(due(&world, 0).await, expected);
    // a window inside it adds nothing, a window that ends later adds the rest
    world.client(0).post_job(&job(terms, 3, begin - 50, begin + 150)).await.unwrap();
    assert_eq!(due(&world, 0).await, expected);
    // sequences need not ascend
    world.client(0).post_job(&job(terms, 1_000, begin + 30, begin + 250)).await.unwrap();
    assert_eq!(due(&world, 0).await, expected + 50 * 5);
    world.client(0).post_job(&job(terms, 500, begin + 40, begin + 260)).await.unwrap();
    assert_eq!(due(&world, 0).await, expected + 60 * 5);
    // no stock device can use it: it is taken, and makes nothing due
    let mut header = job(terms, 501, begin, begin + 400).job.header().unwrap().clone();
    header.tail_length = 2;
    let receipt = world.client(0).post_job(&sign(terms, header)).await.unwrap();
    assert_eq!(receipt.not_due.unwrap().code, "tail-below-stock");
}

#[tokio::test]
async fn due_ends_with_the_epoch_and_with_the_lease() {
    let world = World::start(1, 1).await;
    // 60 s before the end of the first epoch
    let lease = running(1, 3_540);
    world.show(&lease);
    let terms = &lease.terms;
    let (first_end, end) = (terms.epoch_end(0), terms.end);
    let post = async |sequence, from: UnixSeconds, to: UnixSeconds| {
        let receipt = world.client(0).post_job(&job(terms, sequence, from.get(), to.get())).await.unwrap();
        counted_from(receipt.received.get())
    };
    // miners that went elsewhere take 300 s to come back, so time from then on counts
    let from = post(1, first_end - 60, first_end + 500).await + 300;
    assert_eq!(due(&world, 0).await, 0);
    let expected = u128::from((first_end + 501).get() - from) * 5;
    assert!((due(&world, 1).await).abs_diff(expected) <= 5);
    world.clock.advance(3_600);
    post(2, end - 60, end - 1).await;
    assert!((due(&world, 1).await).abs_diff(expected) <= 5, "the lease ends before miners are back");
    // a cancellation moves the end earlier
    let mut cancelled = lease.clone();
    cancelled.terms.end = first_end;
    world.show(&cancelled);
    assert_eq!(due(&world, 0).await, 0);
    assert_eq!(code(world.client(0).statement(EpochId::new(LeaseId(1), 1)).await), "no-such-epoch");
}

#[tokio::test]
async fn due_survives_a_restart() {
    let mut world = World::start(1, 1).await;
    let lease = running(1, 10);
    world.show(&lease);
    world.client(0).post_job(&job(&lease.terms, 1, now() - 10, now() + 300)).await.unwrap();
    world.client(0).post_job(&job(&lease.terms, 2, now() + 40, now() + 450)).await.unwrap();
    let before = due(&world, 1).await;
    assert!(before > 5 * 400, "{before}");
    world.restart(0).await;
    assert_eq!(due(&world, 1).await, before);
}

#[tokio::test]
async fn more_jobs_than_miners_keep_up_with_make_nothing_due_and_are_not_kept() {
    let mut world = World::start(1, 1).await;
    let lease = running(1, 10);
    world.show(&lease);
    let terms = &lease.terms;
    let begin = now();
    let of = |sequence| job(terms, sequence, begin, begin + 500);
    // an interval of 30 s: 22 jobs a minute
    for sequence in 1..=22 {
        world.client(0).post_job(&of(sequence)).await.unwrap();
    }
    let in_pace = due(&world, 0).await;
    for sequence in 23..=60 {
        assert_eq!(world.post_refused("v1/jobs", &of(sequence)).await, (409, "job-pace".into()));
    }
    let beyond = due(&world, 0).await;
    assert!(beyond + 55 * 5 < in_pace, "a minute is lost: {in_pace}, {beyond}");
    assert_eq!(world.jobs(0, LeaseId(1)).await.len(), 22);
    world.restart(0).await;
    assert!(due(&world, 0).await.abs_diff(beyond) <= 5, "it is noted on the disk as well");
    // a known job is no further one, and later there is room again
    world.client(0).post_job(&of(1)).await.unwrap();
    world.clock.advance(61);
    world.client(0).post_job(&of(61)).await.unwrap();
}

#[tokio::test]
async fn jobs_are_listed_page_by_page() {
    let world = World::start(1, 1).await;
    let lease = running(1, 10);
    world.show(&lease);
    let terms = &lease.terms;
    for sequence in 1..=20 {
        let mut header = job(terms, sequence, now(), now() + 60).job.header().unwrap().clone();
        header.coinbase_suffix = vec![3; 4_000].into();
        world.client(0).post_job(&sign(terms, header)).await.unwrap();
    }
    let page = world.client(0).jobs(LeaseId(1), 0, 0).await.unwrap();
    assert!((1..20).contains(&page.jobs.len()), "{}", page.jobs.len());
    let (status, answer) = world.raw_get("v1/leases/1/jobs?after=0").await;
    assert!(status == 200 && answer.to_string().len() < 80_000);
    assert_eq!(world.jobs(0, LeaseId(1)).await.len(), 20, "each once, over all pages");
}

#[tokio::test]
async fn a_job_that_reaches_one_member_reaches_all_with_their_own_receipts() {
    let world = World::start(3, 2).await;
    let lease = running(1, 10);
    let terms = &lease.terms;
    world.show(&lease);
    let signed = job(terms, 1, now(), now() + 300);
    let posted = world.client(1).post_job(&signed).await.unwrap();
    for index in [0, 2] {
        let there = until_some("the job at the others", async || {
            world.client(index).jobs(LeaseId(1), 0, 0).await.unwrap().jobs.pop()
        });
        let there = there.await;
        assert_eq!(there.signed, signed);
        assert!(there.received >= posted.received, "each counts it from when it came there");
        let receipt = world.client(index).post_job(&signed).await.unwrap();
        assert_eq!(receipt.received, there.received);
        assert_eq!(receipt.signer(terms, &signed.job), Some(member_signer(index).address()));
    }
}

#[tokio::test]
async fn a_member_that_was_away_is_told_of_jobs_that_are_still_open() {
    let mut world = World::start(2, 1).await;
    let lease = running(1, 10);
    world.show(&lease);
    let [short, long] =
        [(1, 30), (2, 300)].map(|(sequence, to)| job(&lease.terms, sequence, now(), now() + to));
    world.kill(1);
    for signed in [&short, &long] {
        world.client(0).post_job(signed).await.unwrap();
    }
    world.clock.advance(60);
    world.restart(1).await;
    // its address may be another one now
    world.show(&lease);
    let third = job(&lease.terms, 3, now() + 60, now() + 300);
    world.client(0).post_job(&third).await.unwrap();
    until_some("the job at the other", async || (!world.jobs(1, LeaseId(1)).await.is_empty()).then_some(()))
        .await;
    assert!(!world.jobs(1, LeaseId(1)).await.contains(&short), "its window is over");
}

/// Checks that a member drops the jobs of `lease` once the lease is as in `over`.
async fn jobs_are_dropped_once(lease: Lease, over: Lease) {
    let mut world = World::start(1, 1).await;
    world.show(&lease);
    let (begin, last, epoch) = (now(), lease.terms.end - 1, lease.terms.epochs() - 1);
    let signed = job(&lease.terms, 1, begin - 10, last.min(UnixSeconds::new(begin + 300)).get());
    world.client(0).post_job(&signed).await.unwrap();
    let due_then = due(&world, epoch).await;
    assert!(due_then > 0);
    until_some("the lease to be over", async || {
        (over.settled || now() > over.settle_after().get()).then_some(())
    })
    .await;
    world.show(&over);
    let dropped = async |world: &World| world.jobs(0, LeaseId(1)).await.is_empty().then_some(());
    until_some("the jobs to be dropped", async || dropped(&world).await).await;
    assert_eq!(code(world.client(0).post_job(&signed).await), "lease-over");
    assert_eq!(due(&world, epoch).await, due_then, "the due time of the dropped jobs stays");

    // the lease is shown as not over again, so the member drops no more jobs now
    world.show(&lease);
    world.restart(0).await;
    assert_eq!((world.jobs(0, LeaseId(1)).await, due(&world, epoch).await), (vec![], due_then));
    assert_eq!(code(world.client(0).post_job(&signed).await), "lease-over");

    // the state after a kill before the member dropped the last job
    world.kill(0);
    let path = world.data_dir(0).join("member.redb");
    let database = until_some("the store to be free", async || redb::Database::open(&path).ok()).await;
    let table: TableDefinition<'_, (u64, u64), (u64, &[u8])> = TableDefinition::new("taken");
    let write = database.begin_write().unwrap();
    let bytes = serde_json::to_vec(&signed).unwrap();
    write.open_table(table).unwrap().insert((1, 1), (begin * 1_000, bytes.as_slice())).unwrap();
    write.commit().unwrap();
    drop(database);
    world.restart(0).await;
    assert_eq!(due(&world, epoch).await, due_then, "nothing counts twice");
}

#[tokio::test]
async fn jobs_are_dropped_once_their_lease_is_settled() {
    let lease = running(1, 10);
    let settled = Lease { settled: true, ..lease.clone() };
    jobs_are_dropped_once(lease, settled).await;
}

#[tokio::test]
async fn jobs_are_dropped_once_their_lease_can_be_settled_by_anybody() {
    let mut lease = running(1, 10);
    lease.terms.epoch_length = 14;
    lease.terms.duration = 14;
    lease.terms.end = lease.terms.start + 14;
    let settleable = Lease { window: 0, ..lease.clone() };
    jobs_are_dropped_once(lease, settleable).await;
}

#[tokio::test]
async fn a_due_above_the_members_own_count_is_refused_and_any_below_is_signed() {
    let world = World::start(3, 2).await;
    let mut lease = running(1, 10);
    lease.terms.end = lease.terms.start + u64::from(EPOCH);
    let terms = &lease.terms;
    // members that can't tell each other
    let seats = (0..3).map(|index| SeatView { url: None, ..world.seat(index) }).collect();
    world.show_among(&lease, seats, 1);
    let signed = job(terms, 1, now(), now() + 300);
    world.client(0).post_job(&signed).await.unwrap();
    world.client(1).post_job(&signed).await.unwrap();
    world.clock.advance(20);
    world.client(2).post_job(&signed).await.unwrap();
    world.clock.advance(u64::from(EPOCH));
    world.deliver(terms, &evidence(terms, 0, &[(&job_in(terms, 0, 1), 5)])).await;
    let mut views = Vec::new();
    for index in 0..3 {
        views.push(world.verified(index, terms.id, 0).await);
    }
    let [most, second, least] = [0, 1, 2].map(|index| views[index].statement.due.hashes());
    assert!(least + 19 * 5 <= most.min(second), "{most} {second} {least}");
    let own = views[0].statement;
    let (code, message) = world.not_signed(0, Statement { due: Work::capped(most + 1), ..own }).await;
    assert_eq!(code, "due-above-counted");
    assert_eq!(message, format!("due: counted {most}, asked for {}", most + 1));
    for due in [most, most - 1, 0] {
        world.client(0).sign(&[Statement { due: Work::capped(due), ..own }]).await.unwrap();
    }

    // two of three members can sign the higher figure, all three only the lower one
    let (seats, domain) = (world.seats(), terms.oracle_domain());
    let two = strongest(terms, &views, 2).unwrap();
    assert_eq!((two.due.hashes(), two.work), (most.min(second), Work::new(40)));
    gather(&seats, &[two], &domain, 2).await.unwrap();
    let error = gather(&seats, &[two], &domain, 3).await.unwrap_err();
    assert!(error.to_string().contains("due-above-counted"), "{error}");
    let three = strongest(terms, &views, 3).unwrap();
    assert_eq!(three.due.hashes(), least);
    assert_eq!(gather(&seats, &[three], &domain, 3).await.unwrap().len(), 195);
}
