//! Jobs: which ones a member accepts and serves, and what time they make due.

use crate::world::*;
use hashlease_committee::{gather, propose};
use hashlease_primitives::{
    Domain, EpochId, HashRate, HeaderJob, Lease, LeaseId, SignedJob, Statement, Terms, UnixMillis,
    UnixSeconds, Work,
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

    for lease in [LeaseId(1), LeaseId(2)] {
        assert_eq!(world.client(0).jobs(lease, 0, 0).await.unwrap(), []);
        assert_eq!(world.view(0, lease, 0).await.statement.due, Work::ZERO);
    }
    // none of them prevents the right job
    world.client(0).post_job(&good).await.unwrap();
    assert_eq!(world.client(0).jobs(LeaseId(1), 0, 0).await.unwrap(), [good]);
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
    assert_eq!(world.client(0).jobs(LeaseId(1), 0, 0).await.unwrap(), []);
    let (status, answer) = world.raw_get("v1/status").await;
    let signer = json!(member_signer(0).address());
    let leases = json!([{"lease": 1, "selfAttributed": false, "signerDictated": true}]);
    assert_eq!((status, &answer["signer"], &answer["leases"]), (200, &signer, &leases));
}

#[tokio::test]
async fn a_good_job_wakes_only_the_requests_that_wait_for_it() {
    let world = World::start(1, 1).await;
    let lease = running(1, 700);
    world.show(&lease);
    let mut second = running(2, 700);
    second.terms.id = LeaseId(2);
    world.show(&second);
    let client = world.client(0).clone();
    let waiting = tokio::spawn(async move { client.jobs(LeaseId(1), 4, 30).await.unwrap() });
    let jobs = [3, 4, 5, 7].map(|sequence| job(&lease.terms, sequence, now(), now() + 60));
    world.client(0).post_job(&job(&second.terms, 9, now(), now() + 60)).await.unwrap();
    for job in &jobs[..2] {
        world.client(0).post_job(job).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished(), "only a job of lease 1 after sequence 4 answers the request");
    world.client(0).post_job(&jobs[2]).await.unwrap();
    // long before the request's 30 s are over
    let woken = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert_eq!(woken.expect("woken by the job").unwrap(), [jobs[2].clone()]);
    world.client(0).post_job(&jobs[3]).await.unwrap();
    assert_eq!(world.client(0).jobs(LeaseId(1), 0, 0).await.unwrap(), jobs);
    assert_eq!(world.client(0).jobs(LeaseId(1), 5, 30).await.unwrap(), jobs[3..]);
    assert_eq!(world.client(0).jobs(LeaseId(1), u64::MAX, 0).await.unwrap(), []);
}

#[tokio::test]
async fn the_first_receipt_of_a_job_counts_even_after_a_restart() {
    let mut world = World::start(1, 1).await;
    let lease = running(1, 700);
    world.show(&lease);
    let signed = job(&lease.terms, 1, now() - 10, now() + 300);
    let first = world.client(0).post_job(&signed).await.unwrap();
    let due_then = due(&world, 0).await;
    // wait for the next second
    until_some("the clock", async || (now() > counted_from(first.received.get())).then_some(())).await;
    assert_eq!(world.client(0).post_job(&signed).await.unwrap(), first);
    world.restart(0).await;
    assert_eq!(world.client(0).post_job(&signed).await.unwrap(), first);
    // another job of the same sequence does not replace it
    let twin = job(&lease.terms, 1, now() - 10, now() + 500);
    assert_eq!(code(world.client(0).post_job(&twin).await), "job-sequence");
    assert_eq!(world.client(0).jobs(LeaseId(1), 0, 0).await.unwrap(), [signed]);
    assert_eq!(due(&world, 0).await, due_then);
}

#[tokio::test]
async fn a_job_makes_due_the_seconds_from_its_receipt_to_the_end_of_its_window() {
    let world = World::start(1, 1).await;
    let lease = running(1, 700);
    world.show(&lease);
    let terms = &lease.terms;
    let begin = now();
    // a job whose window is over makes no time due, however long the window was
    world.client(0).post_job(&job(terms, 1, begin - 600, begin - 1)).await.unwrap();
    assert_eq!(due(&world, 0).await, 0);
    // a job whose window is open makes its remainder due
    let receipt = world.client(0).post_job(&job(terms, 2, begin - 100, begin + 200)).await.unwrap();
    let from = counted_from(receipt.received.get());
    let expected = u128::from(begin + 201 - from) * 5;
    assert_eq!(due(&world, 0).await, expected);
    // a window inside it adds nothing, a window that ends later adds the rest, a later window adds
    // its whole length
    world.client(0).post_job(&job(terms, 3, begin - 50, begin + 150)).await.unwrap();
    assert_eq!(due(&world, 0).await, expected);
    world.client(0).post_job(&job(terms, 4, begin + 100, begin + 250)).await.unwrap();
    assert_eq!(due(&world, 0).await, expected + 50 * 5);
    world.client(0).post_job(&job(terms, 5, begin + 1_000, begin + 1_099)).await.unwrap();
    assert_eq!(due(&world, 0).await, expected + 50 * 5 + 100 * 5);
}

#[tokio::test]
async fn due_ends_with_the_epoch_and_with_the_lease() {
    let world = World::start(1, 1).await;
    let lease = running(1, 3_000);
    world.show(&lease);
    let terms = &lease.terms;
    let post = async |sequence, from, to| {
        world.client(0).post_job(&job(terms, sequence, from, to)).await.unwrap();
    };
    let (first_end, end) = (terms.epoch_end(0), terms.end);
    post(1, (first_end - 100).get(), (first_end + 199).get()).await;
    assert_eq!((due(&world, 0).await, due(&world, 1).await), (500, 1_500));
    post(2, (end - 50).get(), (end - 1).get()).await;
    assert_eq!((due(&world, 0).await, due(&world, 1).await), (500, 1_750), "up to the end of the lease");
    // a cancellation moves the end earlier
    let mut cancelled = lease.clone();
    cancelled.terms.end = first_end;
    world.show(&cancelled);
    assert_eq!(due(&world, 0).await, 500);
    assert_eq!(code(world.client(0).statement(EpochId::new(LeaseId(1), 1)).await), "no-such-epoch");
}

#[tokio::test]
async fn due_survives_a_restart() {
    let mut world = World::start(1, 1).await;
    let lease = running(1, 700);
    world.show(&lease);
    world.client(0).post_job(&job(&lease.terms, 1, now() - 10, now() + 300)).await.unwrap();
    world.client(0).post_job(&job(&lease.terms, 2, now() + 400, now() + 450)).await.unwrap();
    let before = due(&world, 1).await;
    assert!(before > 5 * 300, "{before}");
    world.restart(0).await;
    assert_eq!(due(&world, 1).await, before);
}

#[tokio::test]
async fn an_epoch_has_no_more_jobs_than_a_gateway_can_need() {
    let mut world = World::start(1, 1).await;
    let mut lease = running(1, 0);
    lease.terms.epoch_length = 400;
    world.show(&lease);
    let terms = &lease.terms;
    let begin = terms.start;
    for sequence in 1..=600 {
        world
            .client(0)
            .post_job(&job(terms, sequence, (begin + sequence % 400).get(), (begin + 450).get()))
            .await
            .unwrap();
    }
    let (first, one_more) = (
        job(terms, 1, (begin + 1).get(), (begin + 450).get()),
        job(terms, 601, (begin + 399).get(), (begin + 450).get()),
    );
    assert_eq!(world.post_refused("v1/jobs", &one_more).await, (409, "job-limit".into()));
    world.restart(0).await;
    assert_eq!(code(world.client(0).post_job(&one_more).await), "job-limit");
    world.client(0).post_job(&first).await.unwrap();
    // the next epoch has a job limit of its own
    world.client(0).post_job(&job(terms, 602, (begin + 400).get(), (begin + 450).get())).await.unwrap();
    let mut other = lease.clone();
    other.terms.id = LeaseId(2);
    world.show(&other);
    world.client(0).post_job(&job(&other.terms, 1, (begin + 1).get(), (begin + 450).get())).await.unwrap();
}

async fn jobs(world: &World) -> Vec<SignedJob> {
    world.client(0).jobs(LeaseId(1), 0, 0).await.unwrap()
}

/// Checks that a member drops the jobs of `lease` once the lease is as in `over`.
async fn jobs_are_dropped_once(lease: Lease, over: Lease) {
    let mut world = World::start(1, 1).await;
    world.show(&lease);
    let (begin, last, epoch) = (now(), lease.terms.end - 1, lease.terms.epochs() - 1);
    let signed = job(&lease.terms, 1, begin - 10, last.min(UnixSeconds::new(begin + 300)).get());
    world.client(0).post_job(&signed).await.unwrap();
    let second = job(
        &lease.terms,
        2,
        last.min(UnixSeconds::new(begin + 400)).get(),
        last.min(UnixSeconds::new(begin + 450)).get(),
    );
    world.client(0).post_job(&second).await.unwrap();
    let due_then = due(&world, epoch).await;
    until_some("the lease to be over", async || {
        (over.settled || now() > over.settle_after().get()).then_some(())
    })
    .await;
    world.show(&over);
    until_some("the jobs to be dropped", async || jobs(&world).await.is_empty().then_some(())).await;
    assert_eq!(code(world.client(0).post_job(&signed).await), "lease-over");
    assert_eq!(due(&world, epoch).await, due_then, "the due time of the dropped jobs stays");

    // the lease is shown as not over again, so the member drops no more jobs now
    world.show(&lease);
    world.restart(0).await;
    assert_eq!((jobs(&world).await, due(&world, epoch).await), (vec![], due_then));

    // the state after a kill before the member dropped the last job
    world.kill(0);
    let path = world.data_dir(0).join("member.redb");
    let database = until_some("the store to be free", async || redb::Database::open(&path).ok()).await;
    let table: TableDefinition<'_, (u64, u64), (u64, &[u8])> = TableDefinition::new("jobs");
    let write = database.begin_write().unwrap();
    let bytes = serde_json::to_vec(&signed).unwrap();
    write.open_table(table).unwrap().insert((1, 1), (begin * 1_000, bytes.as_slice())).unwrap();
    write.commit().unwrap();
    drop(database);
    world.restart(0).await;
    assert_eq!((jobs(&world).await, due(&world, epoch).await), (vec![signed], due_then));
    world.show(&over);
    until_some("the rest to be dropped", async || jobs(&world).await.is_empty().then_some(())).await;
    assert_eq!(due(&world, epoch).await, due_then);
}

#[tokio::test]
async fn jobs_are_dropped_once_their_lease_is_settled() {
    let lease = running(1, 700);
    let settled = Lease { settled: true, ..lease.clone() };
    jobs_are_dropped_once(lease, settled).await;
}

#[tokio::test]
async fn jobs_are_dropped_once_their_lease_can_be_settled_by_anybody() {
    let mut lease = running(1, 700);
    lease.terms.epoch_length = 704;
    lease.terms.end = lease.terms.start + 704;
    let settleable = Lease { window: 0, ..lease.clone() };
    jobs_are_dropped_once(lease, settleable).await;
}

/// A lease whose only epoch ends in a moment. The members received jobs for its last two seconds
/// beforehand: the first member both, the second member both, the third only the job of the last
/// second.
async fn about_to_end(world: &World) -> Lease {
    for (id, horizon) in (1..).zip([4, 8, 16, 32]) {
        let mut lease = lease(id, 0, 1, 0);
        let end = now() + horizon;
        lease.terms.start = UnixSeconds::new(end - u64::from(EPOCH));
        lease.terms.end = UnixSeconds::new(end);
        lease.terms.rate = HashRate::new(5);
        world.show(&lease);
        let (last, last_but_one) =
            (job(&lease.terms, 1, end - 1, end - 1), job(&lease.terms, 2, end - 2, end - 2));
        let mut newest = UnixMillis::default();
        for (index, job) in [(0, &last), (0, &last_but_one), (1, &last), (1, &last_but_one), (2, &last)] {
            newest = newest.max(world.client(index).post_job(job).await.unwrap().received);
        }
        // retry with more time on a busy machine
        if counted_from(newest.get()) <= end - 2 {
            until_some("the epoch's end", async || (now() >= end).then_some(())).await;
            return lease;
        }
    }
    panic!("the members never received the jobs in time");
}

#[tokio::test]
async fn a_due_above_the_members_own_count_is_refused_and_any_below_is_signed() {
    let world = World::start(3, 2).await;
    let lease = about_to_end(&world).await;
    let terms = &lease.terms;
    world.deliver(terms, &evidence(terms, 0, &[(&job_in(terms, 0, 1), 5)])).await;
    let mut views = Vec::new();
    for index in 0..3 {
        views.push(world.verified(index, terms.id, 0).await);
    }
    let dues: Vec<_> = views.iter().map(|view| view.statement.due.hashes()).collect();
    assert_eq!(dues, [10, 10, 5]);
    let own = views[0].statement;
    let (code, message) = world.not_signed(0, Statement { due: Work::new(11), ..own }).await;
    assert_eq!((code.as_str(), message.as_str()), ("due-above-counted", "due: counted 10, asked for 11"));
    for due in [10, 9, 0] {
        world.client(0).sign(&[Statement { due: Work::capped(due), ..own }]).await.unwrap();
    }

    // two of three members can sign the higher figure, all three only the lower one
    let (seats, domain) = (world.seats(), terms.oracle_domain());
    let two = propose(&views, 2).unwrap();
    assert_eq!((two.due, two.work), (Work::new(10), Work::new(40)));
    gather(&seats, &[two], &domain, 2).await.unwrap();
    let error = gather(&seats, &[two], &domain, 3).await.unwrap_err();
    assert!(error.to_string().contains("due-above-counted"), "{error}");
    let three = propose(&views, 3).unwrap();
    assert_eq!(three.due, Work::new(5));
    assert_eq!(gather(&seats, &[three], &domain, 3).await.unwrap().len(), 195);
}
