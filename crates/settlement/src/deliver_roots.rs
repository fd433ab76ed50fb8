//! Delivers epoch roots (here simply *roots*) to the committee's members.
//!
//! Each member has a task of its own, so none waits for another. It posts the newest root first,
//! and looks again after each answer: only a new root can still be in time.

use crate::{
    context::{Context, seats},
    supervise::Task,
};
use hashlease_committee::{ClientError, Seat};
use hashlease_primitives::{Lease, LeaseId, SignedEpochRoot, Terms};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{debug, warn};
use url::Url;

/// Pause between two looks at the committee's seats, which the chain's reader caches.
const SEATS_PAUSE: Duration = Duration::from_secs(5);
/// First pause before the roots that a member did not take are posted again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause; a new root ends it.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// A lease's signed roots by epoch.
pub(crate) type Roots = BTreeMap<u32, SignedEpochRoot>;

/// Delivers a lease's roots to every member, for as long as the lease is served.
pub(crate) async fn deliver(
    context: Arc<Context>,
    lease: watch::Receiver<Lease>,
    roots: watch::Receiver<Roots>,
) {
    let mut tasks: BTreeMap<(usize, Url), Task> = BTreeMap::new();
    let mut logged = false;
    loop {
        let Terms { id, oracle, .. } = lease.borrow().terms.clone();
        match context.committees.get(oracle).await {
            Ok(committee) => {
                logged = false;
                let seats = seats(&committee, &context.http).into_iter();
                let mut seats: BTreeMap<_, _> =
                    seats.map(|seat| ((seat.index, seat.client.url().clone()), seat)).collect();
                tasks.retain(|place, _| seats.contains_key(place));
                seats.retain(|place, _| !tasks.contains_key(place));
                for (place, seat) in seats {
                    let roots = roots.clone();
                    let name = format!("roots of lease {id} to {}", seat.client.url());
                    let make = move || deliver_to(seat.clone(), id, roots.clone());
                    tasks.insert(place, Task::keep(name, make));
                }
            }
            // members that are known go on
            Err(error) if !logged => {
                warn!(lease = %id, %error, "committee can't be read");
                logged = true;
            }
            Err(_) => {}
        }
        sleep(SEATS_PAUSE).await;
    }
}

/// Delivers a lease's roots to a member until no more roots can come.
pub(crate) async fn deliver_to(seat: Seat, lease: LeaseId, mut roots: watch::Receiver<Roots>) {
    let mut delivered = BTreeSet::new();
    let mut failed = BTreeSet::new();
    let mut pause = FIRST_PAUSE;
    let mut logged = String::new();
    let member = seat.client.url();
    loop {
        let is_open = |epoch: &u32| !delivered.contains(epoch) && !failed.contains(epoch);
        let next = {
            let roots = roots.borrow_and_update();
            roots.iter().rev().find(|(epoch, _)| is_open(epoch)).map(|(_, signed)| signed.clone())
        };
        let refused = match &next {
            None if failed.is_empty() => match roots.changed().await {
                Ok(()) => continue,
                Err(_) => return,
            },
            // each was tried
            None => true,
            Some(signed) => {
                let epoch = signed.root.id.epoch;
                match seat.client.post_root(signed).await {
                    Ok(receipt) => {
                        if receipt.in_time {
                            debug!(%lease, epoch, %member, "root delivered");
                        } else {
                            warn!(%lease, epoch, %member, "root was late for this member");
                        }
                        delivered.insert(epoch);
                        (pause, logged) = (FIRST_PAUSE, String::new());
                        false
                    }
                    Err(error) => {
                        failed.insert(epoch);
                        let is_gone = matches!(error, ClientError::Unreachable { .. });
                        let error = error.to_string();
                        if error != logged {
                            warn!(%lease, epoch, error, "root delivery failed");
                            logged = error;
                        }
                        is_gone
                    }
                }
            }
        };
        if refused {
            // a new root is posted at once
            if timeout(pause, roots.changed()).await.is_ok_and(|changed| changed.is_err()) {
                return;
            }
            failed.clear();
            pause = pause.saturating_mul(2).min(MAX_PAUSE);
        }
    }
}
