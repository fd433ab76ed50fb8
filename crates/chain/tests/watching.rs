//! An endpoint that lags, lies, forgets or refuses: leases and committees are found nevertheless.
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

#[tokio::test]
async fn leases_behind_lagging_logs_are_found_at_a_later_look() {
    let leases = vec![(1, 50), (2, 60)];
    let endpoint =
        LeaseEndpoint::start(Script { head: 100, leases, logs_lag: true, ..Script::default() }).await;
    let mut watcher = endpoint.watcher();
    assert_eq!(watcher.poll().await.unwrap().len(), 0);
    endpoint.script().logs_lag = false;
    endpoint.script().head = 115;
    assert_eq!(watcher.poll().await.unwrap().len(), 2);
}

/// A reorganisation deeper than the confirmations, or a replica that knows less.
#[tokio::test]
async fn a_lease_that_vanishes_stops_no_other_and_may_come_back() {
    let leases = vec![(1, 50), (2, 60), (3, 200)];
    let endpoint = LeaseEndpoint::start(Script { head: 100, leases, ..Script::default() }).await;
    let mut watcher = endpoint.watcher();
    assert_eq!(watcher.poll().await.unwrap().len(), 2);
    endpoint.script().vanished = Some(2);
    endpoint.script().head = 300;
    let ids =
        |leases: &std::collections::BTreeMap<LeaseId, _>| leases.keys().map(|id| id.0).collect::<Vec<_>>();
    assert_eq!(ids(watcher.poll().await.unwrap()), [1, 3], "others are refreshed, and new ones found");
    endpoint.script().vanished = None;
    endpoint.script().head = 10_000;
    assert_eq!(ids(watcher.poll().await.unwrap()), [1, 2, 3]);
}

#[tokio::test]
async fn a_settled_lease_is_read_again_until_that_is_deep() {
    let leases = vec![(1, 50)];
    let endpoint = LeaseEndpoint::start(Script { head: 100, leases, ..Script::default() }).await;
    let mut watcher = endpoint.watcher();
    let mut is_settled = async |head: u64, says: bool| {
        endpoint.script().head = head;
        endpoint.script().settled = says.then_some(1);
        watcher.poll().await.unwrap()[&LeaseId(1)].lease.settled
    };
    assert!(!is_settled(100, false).await);
    assert!(is_settled(101, true).await);
    assert!(!is_settled(102, false).await, "one answer is not believed for good");
    assert!(is_settled(103, true).await);
    assert!(!is_settled(166, false).await);
    assert!(is_settled(167, true).await);
    assert!(is_settled(231, true).await, "read for the last time");
    assert!(is_settled(232, false).await, "it is final now");
}

#[tokio::test]
async fn a_scan_that_is_cut_short_goes_on_where_it_was() {
    let script = Script {
        head: 3_000,
        leases: vec![(1, 50)],
        max_range: Some(500),
        limit_every: Some(12),
        ..Script::default()
    };
    let endpoint = LeaseEndpoint::start(script).await;
    let mut watcher = endpoint.watcher();
    let mut polls = 0;
    let found = loop {
        if let Ok(leases) = watcher.poll().await {
            break leases.len();
        }
        polls += 1;
        assert!(polls < 12, "{:?}", endpoint.script().ranges);
    };
    assert!(polls > 0, "the endpoint refused nothing");
    let starts = endpoint.script().ranges.iter().filter(|(from, _)| *from == DEPLOYED).count();
    // leases and boxes
    assert_eq!((starts, found), (2, 1), "scans from the deployment's block, and leases");
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

    /// Log requests until now.
    fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Asks for the committee until so many log requests were made.
    async fn get_until(&self, requests: usize) {
        let begun = Instant::now();
        while self.requests() < requests {
            assert!(begun.elapsed() < PATIENCE, "{} requests instead of {requests}", self.requests());
            self.get().await;
            sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn announcements_are_read_once_and_then_only_the_newest() {
    let endpoint = CommitteeEndpoint::start().await;
    endpoint.get().await;
    let first = endpoint.requests();
    endpoint.get_until(first + 2).await;
    assert_eq!(endpoint.scans(), 1, "scans from the deployment's block");
}

#[tokio::test]
async fn one_read_of_a_committee_runs_at_a_time() {
    let endpoint = CommitteeEndpoint::start().await;
    endpoint.get().await;
    let first = endpoint.requests();
    *endpoint.hang.lock().unwrap() = true;
    endpoint.get_until(first + 1).await;
    // longer than the pause between two reads
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        endpoint.get().await;
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(endpoint.requests(), first + 1, "another read began while one hangs");
}
