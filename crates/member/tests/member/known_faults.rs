//! Known faults of a member.
//!
//! Each test passes while its fault is there and fails once it is mended: turn it into the test of
//! the right result then.

use crate::world::*;
use hashlease_primitives::{HeaderJob, Lease, LeaseId, Statement, Work};
use serde_json::json;

/// A lease that has just started.
fn started() -> Lease {
    let mut lease = lease(1, 0, 24, 0);
    lease.terms.start -= 1;
    lease.terms.end -= 1;
    lease
}

/// A member of that lease accepts this job, and its window is due then.
async fn takes(change: impl FnOnce(&mut HeaderJob)) {
    let world = World::start(1, 1).await;
    let lease = started();
    world.show(&lease);
    let mut header = job(&lease.terms, 1, now() + 1, now() + 300).job.header().unwrap().clone();
    change(&mut header);
    world.client(0).post_job(&sign(&lease.terms, header)).await.unwrap();
}

/// Today: a member accepts jobs for hours to come at once, and they make all that time due, whether
/// or not a node can mine them. Right: a job counts only if its window contains the moment at which
/// the member receives it.
#[tokio::test]
async fn known_fault_jobs_of_later_windows_are_accepted() {
    let world = World::start(1, 1).await;
    let lease = started();
    world.show(&lease);
    for hours in [1, 5, 20] {
        let at = now() + hours * 3_600;
        world.client(0).post_job(&job(&lease.terms, hours, at, at + 599)).await.unwrap();
    }
}

/// Today: a member accepts a job whose sequence is below that of an earlier one; nodes never hand
/// it out, so its time is due and can't be mined. Right: sequences must ascend, or nodes hand it
/// out.
#[tokio::test]
async fn known_fault_job_of_a_lower_sequence_is_accepted() {
    let world = World::start(1, 1).await;
    let lease = started();
    world.show(&lease);
    for sequence in [u64::MAX / 2, 1_000, 5] {
        let job = job(&lease.terms, sequence, now() + 1, now() + 300);
        world.client(0).post_job(&job).await.unwrap();
    }
}

/// Today: a member accepts a job whose sequence exceeds 32 bits and counts it as due, but nodes
/// refuse all its shares. Right: members refuse it, or nodes count its shares.
#[tokio::test]
async fn known_fault_job_of_a_large_sequence_is_accepted() {
    takes(|job| job.sequence = 1 << 32).await;
}

/// Today: a member checks and answers every statement of a request, however many there are and even
/// if all are the same; a stranger keeps a member busy for seconds with one request. Right: at most
/// as many as the contract accepts, and one per lease.
#[tokio::test]
async fn known_fault_number_of_statements_has_no_limit() {
    let world = World::start(1, 1).await;
    let lease = lease(1, 2, 3, 60);
    world.show(&lease);
    let statement = Statement {
        lease: LeaseId(1),
        as_of: lease.terms.epoch_end(0),
        work: Work::ZERO,
        due: Work::ZERO,
        evidence: EMPTY.root,
        last: false,
    };
    let body = json!({"statements": vec![statement; 1_000]}).to_string();
    assert!(body.len() < 256 * 1_024);
    let (status, answer) = world.raw_post("v1/statements", body).await;
    assert_eq!(status, 409);
    assert_eq!(answer["refusals"].as_array().unwrap().len(), 1_000);
}

/// Today: the answer to one request of 80 bytes contains all jobs of a lease, up to one per second
/// of an epoch. Right: one page of them.
#[tokio::test]
async fn known_fault_list_of_jobs_has_no_limit() {
    let world = World::start(1, 1).await;
    let lease = started();
    world.show(&lease);
    for sequence in 1..=150 {
        let job = job(&lease.terms, sequence, now() + 1, now() + 500);
        world.client(0).post_job(&job).await.unwrap();
    }
    let (status, jobs) = world.raw_get("v1/leases/1/jobs?after=0").await;
    assert_eq!((status, jobs.as_array().unwrap().len()), (200, 150));
}
