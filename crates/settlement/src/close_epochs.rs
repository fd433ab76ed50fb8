//! Closing epochs in time, and handing their roots to the committee.
//!
//! A root that comes after its deadline counts as empty, so nothing here waits for the chain, and no lease waits for
//! another: one task per lease, which wakes when the next epoch closes.

use crate::{
    context::{Context, seats},
    error::SettleError,
};
use hashlease_committee::Seat;
use hashlease_primitives::{Commitment, EpochId, EpochRoot, Lease, SignedEpochRoot, Terms, UnixMillis};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time::sleep};
use tracing::{debug, info, warn};

/// How soon a root that a member did not take is offered again.
const AGAIN: Duration = Duration::from_secs(1);
/// Longest sleep: the clock may be set, and the lease's end may come closer.
const LOOK: Duration = Duration::from_secs(5);

/// Which members confirmed the roots of which epochs, and what was said last of the others.
#[derive(Default)]
pub(crate) struct Delivered {
    seats: BTreeMap<u32, BTreeSet<usize>>,
    trouble: String,
}

impl Delivered {
    fn has(&self, epoch: u32, seat: usize) -> bool {
        self.seats.get(&epoch).is_some_and(|seats| seats.contains(&seat))
    }
}

/// Closes a lease's epochs and delivers their roots, for as long as the lease is served.
pub(crate) async fn close_in_time(context: Arc<Context>, lease: watch::Receiver<Lease>) {
    let mut delivered = Delivered::default();
    let mut trouble = None;
    loop {
        let terms = lease.borrow().terms.clone();
        let outcome = step(&context, &terms, &mut delivered).await;
        let pause = match &outcome {
            Ok(true) => until_next_close(&terms, context.clock.now()).min(LOOK),
            Ok(false) | Err(_) => AGAIN,
        };
        let code = outcome.as_ref().err().map(SettleError::code);
        if code != trouble
            && let Err(error) = &outcome
        {
            warn!(lease = %terms.id, code, %error, "closing blocked");
        }
        trouble = code;
        sleep(pause).await;
    }
}

/// Time until the next epoch has to be closed.
fn until_next_close(terms: &Terms, now: UnixMillis) -> Duration {
    let closes = (0..terms.epochs()).map(|epoch| terms.epoch_closes(epoch).millis());
    let next = closes.into_iter().find(|closes| *closes > now);
    next.map_or(LOOK, |closes| now.until(closes))
}

/// Closes what has to be closed and offers the roots; says whether every member has every root.
async fn step(context: &Context, terms: &Terms, delivered: &mut Delivered) -> Result<bool, SettleError> {
    let now = context.clock.seconds();
    if context.book.read(terms.id, |_| ()).is_none() {
        // its terms are not in the book yet
        return Ok(false);
    }
    let over = (0..terms.epochs()).take_while(|epoch| terms.epoch_closes(*epoch) <= now).count();
    let mut roots = Vec::new();
    for epoch in 0..u32::try_from(over).unwrap_or(u32::MAX) {
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
    let seats = seats(&committee);
    roots.retain(|(epoch, _)| seats.iter().any(|seat| !delivered.has(*epoch, seat.index)));
    let signed = roots.into_iter().map(|(epoch, commitment)| sign(context, terms, epoch, commitment));
    let signed = signed.collect::<Result<Vec<_>, _>>()?;
    deliver(terms, &signed, &seats, delivered).await;
    Ok(delivered.trouble.is_empty() && seats.len() == committee.members.len())
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

/// Offers the roots to all members at once, the newest first: older ones had their time.
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
                        warn!(%lease, epoch, %member, "root came too late for this member");
                    }
                    confirmed.push(epoch);
                }
                Err(error) => return (seat.index, confirmed, Some(error.to_string())),
            }
        }
        (seat.index, confirmed, None)
    });
    let mut troubles = Vec::new();
    for (seat, confirmed, trouble) in futures::future::join_all(deliveries).await {
        for epoch in confirmed {
            delivered.seats.entry(epoch).or_default().insert(seat);
        }
        troubles.extend(trouble);
    }
    let trouble = troubles.join("; ");
    if trouble != delivered.trouble {
        if !trouble.is_empty() {
            warn!(lease = %terms.id, trouble, "a root is not delivered yet");
        }
        delivered.trouble = trouble;
    }
}
