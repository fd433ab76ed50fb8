//! Closes epochs in time and delivers their epoch roots (here simply *roots*) to the committee.
//!
//! An epoch whose root is late counts as empty. Nothing here therefore waits for the chain, and no
//! lease waits for another: each lease has a task, which wakes when its next epoch closes.

use crate::{
    context::{Context, seats},
    error::SettleError,
};
use hashlease_committee::{Seat, in_a_row};
use hashlease_primitives::{Commitment, EpochId, EpochRoot, Lease, SignedEpochRoot, Terms, UnixMillis};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time::sleep};
use tracing::{debug, info, warn};

/// Pause before a root is posted again to a member that did not accept it.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Longest sleep, because the clock may be set and a cancellation may make the lease end earlier.
const MAX_SLEEP: Duration = Duration::from_secs(5);

/// Which members confirmed the roots of which epochs.
#[derive(Default)]
pub(crate) struct Delivered {
    seats: BTreeMap<u32, BTreeSet<usize>>,
    /// Failures of the others as they were logged, so that the same ones are logged once.
    logged: String,
}

impl Delivered {
    fn has(&self, epoch: u32, seat: usize) -> bool {
        self.seats.get(&epoch).is_some_and(|seats| seats.contains(&seat))
    }
}

/// Closes a lease's epochs and delivers their roots, for as long as the lease is served.
pub(crate) async fn close_in_time(context: Arc<Context>, lease: watch::Receiver<Lease>) {
    let mut delivered = Delivered::default();
    let mut logged = None;
    loop {
        let terms = lease.borrow().terms.clone();
        let outcome = close_and_deliver(&context, &terms, &mut delivered).await;
        let pause = match &outcome {
            Ok(true) => until_next_close(&terms, context.clock.now()).min(MAX_SLEEP),
            Ok(false) | Err(_) => RETRY_PAUSE,
        };
        let code = outcome.as_ref().err().map(SettleError::code);
        if code != logged
            && let Err(error) = &outcome
        {
            warn!(lease = %terms.id, code, %error, "closing blocked");
        }
        logged = code;
        sleep(pause).await;
    }
}

/// Time until the next epoch closes.
fn until_next_close(terms: &Terms, now: UnixMillis) -> Duration {
    let closes = (0..terms.epochs()).map(|epoch| terms.epoch_closes(epoch).millis());
    let next = closes.into_iter().find(|closes| *closes > now);
    next.map_or(MAX_SLEEP, |closes| now.until(closes))
}

/// Closes the epochs that are due and posts their roots; returns whether every member has every
/// root.
async fn close_and_deliver(
    context: &Context,
    terms: &Terms,
    delivered: &mut Delivered,
) -> Result<bool, SettleError> {
    let now = context.clock.seconds();
    if context.book.read(terms.id, |_| ()).is_none() {
        // the book does not have its terms yet
        return Ok(false);
    }
    let mut roots = Vec::new();
    for epoch in (0..terms.epochs()).take_while(|epoch| terms.epoch_closes(*epoch) <= now) {
        let known = context.book.read(terms.id, |found| found.closed(epoch)).flatten();
        let commitment = match known {
            Some(commitment) => commitment,
            None => {
                let commitment = context.book.close(EpochId::new(terms.id, epoch)).await?;
                let (root, shares) = (commitment.root, commitment.count);
                info!(lease = %terms.id, epoch, %root, shares, "epoch closed");
                commitment
            }
        };
        roots.push((epoch, commitment));
    }
    let committee = context.committees.get(terms.oracle).await?;
    let seats = seats(&committee, &context.http);
    roots.retain(|(epoch, _)| seats.iter().any(|seat| !delivered.has(*epoch, seat.index)));
    let signed = roots.into_iter().map(|(epoch, commitment)| sign(context, terms, epoch, commitment));
    let signed = signed.collect::<Result<Vec<_>, _>>()?;
    deliver(terms, &signed, &seats, delivered).await;
    let everywhere =
        |root: &SignedEpochRoot| seats.iter().all(|seat| delivered.has(root.root.id.epoch, seat.index));
    Ok(signed.iter().all(everywhere) && seats.len() == committee.signers())
}

fn sign(
    context: &Context,
    terms: &Terms,
    epoch: u32,
    commitment: Commitment,
) -> Result<SignedEpochRoot, SettleError> {
    let id = EpochId::new(terms.id, epoch);
    let evidence = context.evidence.url(id);
    let evidence = evidence.map_err(|source| SettleError::EvidenceUrl { epoch, source })?.to_string();
    let root = EpochRoot { id, commitment, evidence };
    let digest = root.digest(&terms.oracle_domain());
    let signature = context.provider.sign(&digest)?;
    Ok(SignedEpochRoot { root, signature })
}

/// Posts the roots to all members at once, newest first: only a new root can still be in time.
pub(crate) async fn deliver(
    terms: &Terms,
    roots: &[SignedEpochRoot],
    seats: &[Seat],
    delivered: &mut Delivered,
) {
    let known = &*delivered;
    let deliveries = seats.iter().map(|seat| async {
        let mut confirmed = Vec::new();
        for signed in roots.iter().rev().filter(|signed| !known.has(signed.root.id.epoch, seat.index)) {
            let epoch = signed.root.id.epoch;
            match seat.client.post_root(signed).await {
                Ok(receipt) => {
                    let (lease, member) = (terms.id, seat.client.url());
                    if receipt.in_time {
                        debug!(%lease, epoch, %member, "root delivered");
                    } else {
                        warn!(%lease, epoch, %member, "root was late for this member");
                    }
                    confirmed.push(epoch);
                }
                Err(error) => return (seat.index, confirmed, Some(error)),
            }
        }
        (seat.index, confirmed, None)
    });
    let mut failures = Vec::new();
    for (seat, confirmed, failure) in futures::future::join_all(deliveries).await {
        for epoch in confirmed {
            delivered.seats.entry(epoch).or_default().insert(seat);
        }
        failures.extend(failure);
    }
    let failures = in_a_row(&failures);
    if failures != delivered.logged {
        if !failures.is_empty() {
            warn!(lease = %terms.id, failures, "root delivery failed");
        }
        delivered.logged = failures;
    }
}
