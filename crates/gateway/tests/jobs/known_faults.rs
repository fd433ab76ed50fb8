//! Known faults of the gateway.
//!
//! Each test passes while its fault is there and fails once it is mended: turn it into the test of
//! the right result then.

use super::world::*;
use hashlease_primitives::UnixSeconds;
use serde_json::json;

/// Today: the gateway signs a job of a pool whose clock is 320 s ahead, and the job is due, but
/// nodes refuse its shares as too far from their clock. Right: one limit for all.
#[tokio::test]
async fn known_fault_job_is_signed_further_ahead_than_nodes_accept() {
    let mut ahead = notify("a", 1, true);
    ahead[7] = json!(format!("{:08x}", now() + 320));
    let pool = Pool::start(Script { notify: ahead, ..Script::default() }).await;
    let dir = tempfile::tempdir().unwrap();
    let terms = terms(1);
    let world = start(dir.path(), vec![assignment(terms.clone(), pool.address)]).await;
    let (job, _) = Node::of(&world.gateway, 1).await.job(&terms).await;
    assert!(job.job().not_before() > UnixSeconds::new(now() + 300), "{job:?}");
}
