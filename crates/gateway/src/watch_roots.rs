//! Asks the members for the roots of a lease, and compares what they claim with what was seen here.

use crate::{served_lease::ServedLease, unseen_work::UnseenWork};
use hashlease_committee::MemberClient;
use hashlease_net::HttpClient;
use hashlease_primitives::EpochId;
use std::time::Duration;
use tokio::time::sleep;

/// How often the members are asked.
const LOOK: Duration = Duration::from_secs(2);
/// Seconds after a root's deadline at which members know it.
const SETTLED: u64 = 5;
/// Seconds for which members are asked for a root; after that the epoch is left out.
const PATIENCE: u64 = 600;

/// Watches the roots of a lease until its service ends.
pub(crate) async fn watch_roots(served: &ServedLease, http: &HttpClient) {
    let mut work = UnseenWork::default();
    // an epoch that began before the service is not this run's to judge: its count may be lost
    let began = served.now();
    let mut epoch = 0u32;
    loop {
        sleep(LOOK).await;
        let (terms, now) = (served.terms(), served.now());
        if epoch >= terms.epochs() {
            // a later end may still come to light
            continue;
        }
        if terms.epoch_start(epoch) < began {
            epoch = epoch.saturating_add(1);
            continue;
        }
        let asked = terms.root_deadline(epoch).plus(SETTLED);
        if now < asked {
            continue;
        }
        let id = EpochId::new(terms.id, epoch);
        match claimed_shares(served, http, id).await {
            Some(claimed) => {
                let seen = served.counted(epoch);
                let unseen = work.add(&terms, epoch, claimed, seen);
                served.unseen(unseen);
                epoch = epoch.saturating_add(1);
            }
            None if now.since(asked) > PATIENCE => epoch = epoch.saturating_add(1),
            None => {}
        }
    }
}

/// The shares that an epoch's root claims: the median of what the members say, so that one of them
/// alone decides nothing. `None` while fewer than half of them know a root.
async fn claimed_shares(served: &ServedLease, http: &HttpClient, id: EpochId) -> Option<u64> {
    let members = served.assignment().borrow().members.clone();
    let mut counts = Vec::new();
    for member in &members {
        // a member without the root, or without an answer, says nothing
        if let Ok(view) = MemberClient::new(member.clone(), http.clone()).root(id).await
            && view.root.root.id == id
        {
            counts.push(view.root.root.commitment.count);
        }
    }
    if counts.len() < members.len().div_ceil(2) {
        return None;
    }
    counts.sort_unstable();
    counts.get(counts.len().saturating_sub(1) / 2).copied()
}
