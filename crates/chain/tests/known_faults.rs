//! Known faults of the chain's readers.
//!
//! Each test passes while its fault is there and fails once it is mended: turn it into the test of
//! the right result then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub, dead_code, unused_imports)]
mod endpoint;

use alloy_primitives::Address;
use endpoint::{DEPLOYED, LeaseEndpoint, Reply, Script, block_range, call_input, quantity, serve};
use hashlease_chain::Committees;
use hashlease_primitives::LeaseId;
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// A timeout so long that only a failing test reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Today: blocks whose logs a lagging replica did not have yet are never read again, and their
/// leases are lost until a restart. Right: the next poll finds them.
#[tokio::test]
async fn known_fault_lease_behind_lagging_logs_is_never_found() {
    let leases = vec![(1, 50), (2, 60)];
    let endpoint =
        LeaseEndpoint::start(Script { head: 100, leases, logs_lag: true, ..Script::default() }).await;
    let mut watcher = endpoint.watcher();
    assert_eq!(watcher.poll().await.unwrap().len(), 0);
    endpoint.script().logs_lag = false;
    for head in [115, 130, 10_000] {
        endpoint.script().head = head;
        assert_eq!(watcher.poll().await.unwrap().len(), 0, "block {head}");
    }
    assert_eq!(endpoint.watcher().poll().await.unwrap().len(), 2, "after a restart");
}

/// Today: once a lease has vanished in a reorganisation deeper than the confirmations, every poll
/// fails: no other lease is refreshed and no new lease is found. Right: the other leases are still
/// refreshed, and the vanished lease is dropped or found again.
#[tokio::test]
async fn known_fault_vanished_lease_fails_every_poll() {
    let leases = vec![(1, 50), (2, 60), (3, 200)];
    let endpoint = LeaseEndpoint::start(Script { head: 100, leases, ..Script::default() }).await;
    let mut watcher = endpoint.watcher();
    assert_eq!(watcher.poll().await.unwrap().len(), 2);
    endpoint.script().vanished = Some(2);
    for head in [300, 400, 500] {
        endpoint.script().head = head;
        let error = watcher.poll().await.unwrap_err().to_string();
        assert!(error.contains("execution reverted"), "{error}");
    }
}

/// Today: one answer that reports a lease as settled is believed for good. Right: the lease is read
/// again until the answer is as deep as the confirmations.
#[tokio::test]
async fn known_fault_settled_lease_is_never_read_again() {
    let leases = vec![(1, 50)];
    let endpoint = LeaseEndpoint::start(Script { head: 100, leases, ..Script::default() }).await;
    let mut watcher = endpoint.watcher();
    assert!(!watcher.poll().await.unwrap()[&LeaseId(1)].lease.settled);
    endpoint.script().settled = Some(1);
    assert!(watcher.poll().await.unwrap()[&LeaseId(1)].lease.settled);
    endpoint.script().settled = None;
    for head in [101, 200, 10_000] {
        endpoint.script().head = head;
        assert!(watcher.poll().await.unwrap()[&LeaseId(1)].lease.settled, "block {head}");
    }
}

/// Today: one refused request discards all pieces of a scan, and the next poll starts again at the
/// deployment's block with the largest piece. Right: the scan continues after its last good piece
/// and keeps the accepted range.
#[tokio::test]
async fn known_fault_rate_limited_scan_starts_over() {
    let script = Script {
        head: 3_000,
        leases: vec![(1, 50)],
        max_range: Some(500),
        limit_every: Some(12),
        ..Script::default()
    };
    let endpoint = LeaseEndpoint::start(script).await;
    let mut watcher = endpoint.watcher();
    for poll in 1..=8 {
        assert!(watcher.poll().await.is_err(), "poll {poll}");
        let starts = endpoint.script().ranges.iter().filter(|(from, _)| *from == DEPLOYED).count();
        assert_eq!(starts, poll, "scans from the deployment's block");
    }
}

/// A committee of three members that announced no URL, on an endpoint whose log requests can hang.
struct CommitteeEndpoint {
    committees: Committees,
    /// First block of each log request.
    asked: Arc<Mutex<Vec<u64>>>,
    hang: Arc<Mutex<bool>>,
}

impl CommitteeEndpoint {
    async fn start() -> Self {
        let (asked, hang) = (Arc::<Mutex<Vec<u64>>>::default(), Arc::<Mutex<bool>>::default());
        let (starts, hangs) = (Arc::clone(&asked), Arc::clone(&hang));
        let chain = serve(move |method, params| match method {
            "eth_blockNumber" => Reply::Result(json!(quantity(25_000))),
            "eth_getLogs" => {
                starts.lock().unwrap().push(block_range(params).0);
                if *hangs.lock().unwrap() { Reply::Never } else { Reply::Result(json!([])) }
            }
            // `memberCount` and `threshold` have no argument, `member` returns two words
            "eth_call" if call_input(params).len() == 10 => Reply::Result(json!(format!("{:#066x}", 3))),
            "eth_call" => Reply::Result(json!(format!("{:#0130x}", 7))),
            other => Reply::unknown(other),
        })
        .await;
        Self { committees: Committees::new(chain, Duration::from_secs(60)), asked, hang }
    }

    async fn get(&self) {
        assert_eq!(self.committees.get(Address::repeat_byte(5)).await.unwrap().members.len(), 3);
    }

    /// How often a scan started at the deployment's block.
    fn scans(&self) -> usize {
        self.asked.lock().unwrap().iter().filter(|from| **from == DEPLOYED).count()
    }

    /// Polls the committee until `scans` scans have started.
    async fn get_until(&self, scans: usize) {
        let begun = Instant::now();
        while self.scans() < scans {
            assert!(begun.elapsed() < PATIENCE, "{} scans instead of {scans}", self.scans());
            self.get().await;
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Today: while one member has announced no URL, all logs since the deployment are read every two
/// seconds. Right: a read starts after the last block of the previous read.
#[tokio::test]
async fn known_fault_committee_is_scanned_from_the_deployment_at_each_read() {
    let endpoint = CommitteeEndpoint::start().await;
    endpoint.get().await;
    assert_eq!(endpoint.scans(), 1);
    endpoint.get_until(3).await;
}

/// Today: while one read of a committee hangs, another starts every two seconds. Right: one read at
/// a time.
#[tokio::test]
async fn known_fault_reads_of_a_committee_pile_up() {
    let endpoint = CommitteeEndpoint::start().await;
    endpoint.get().await;
    *endpoint.hang.lock().unwrap() = true;
    endpoint.get_until(3).await;
}
