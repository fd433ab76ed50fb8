//! Closes epochs in time, and signs their roots.
//!
//! An epoch whose root is late counts as empty. Nothing here therefore waits for the chain or a
//! member, and no lease waits for another: each lease has a task, which wakes when its next epoch
//! closes. An epoch is closed for good, so a clock that is in doubt closes none.

use crate::{context::Context, deliver_roots::Roots, error::SettleError};
use hashlease_ledger::LedgerError;
use hashlease_primitives::{
    Clock as _, Commitment, EpochId, EpochRoot, Lease, SignedEpochRoot, Terms, UnixMillis,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};
use tracing::{error, info};

/// Pause before a step that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Longest sleep, because the clock may be set and a cancellation may make the lease end earlier.
const MAX_SLEEP: Duration = Duration::from_secs(5);

/// Closes a lease's epochs for as long as the lease is served, and puts their signed roots into
/// `roots` while the members can still use them.
pub(crate) async fn close_in_time(
    context: Arc<Context>,
    lease: watch::Receiver<Lease>,
    roots: Arc<watch::Sender<Roots>>,
) {
    let mut logged = None;
    loop {
        let lease = lease.borrow().clone();
        let outcome = close_due(&context, &lease, &roots).await;
        let pause = match &outcome {
            Ok(()) => until_next_close(&lease.terms, context.clock.now()).min(MAX_SLEEP),
            Err(_) => RETRY_PAUSE,
        };
        let code = outcome.as_ref().err().map(SettleError::code);
        if code != logged
            && let Err(error) = &outcome
        {
            error!(lease = %lease.terms.id, code, %error, "closing blocked");
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

/// Closes the epochs that are due.
pub(crate) async fn close_due(
    context: &Context,
    lease: &Lease,
    roots: &watch::Sender<Roots>,
) -> Result<(), SettleError> {
    let terms = &lease.terms;
    match context.book.read(terms.id, |held| held.terms().as_rented() == terms.as_rented()) {
        Some(true) => {}
        Some(false) => return Err(SettleError::Book(LedgerError::OtherTerms(terms.id).into())),
        // the book gets its terms with the next look at the chain
        None => return Ok(()),
    }
    for epoch in 0..terms.epochs() {
        let closes = terms.epoch_closes(epoch);
        let known = context.book.read(terms.id, |held| held.closed(epoch)).flatten();
        let commitment = match known {
            Some(commitment) => commitment,
            None => match context.clock.agreed() {
                Ok(now) if closes <= now.seconds() => {
                    let commitment = context.book.close(EpochId::new(terms.id, epoch)).await?;
                    let (root, shares) = (commitment.root, commitment.count);
                    info!(lease = %terms.id, epoch, %root, shares, "epoch closed");
                    commitment
                }
                Err(doubt) if closes <= doubt.wall() => return Err(doubt.into()),
                Ok(_) | Err(_) => break,
            },
        };
        show(context, lease, epoch, commitment, roots)?;
    }
    Ok(())
}

/// Signs a root once, and hands it to the deliveries until no member can use it any more.
fn show(
    context: &Context,
    lease: &Lease,
    epoch: u32,
    commitment: Commitment,
    roots: &watch::Sender<Roots>,
) -> Result<(), SettleError> {
    let terms = &lease.terms;
    let useful = context.clock.now().seconds() <= terms.root_deadline(epoch).plus(lease.half_window());
    let shown = roots.borrow().contains_key(&epoch);
    if useful && !shown {
        let signed = sign(context, terms, epoch, commitment)?;
        roots.send_modify(|roots| drop(roots.insert(epoch, signed)));
    } else if shown && !useful {
        roots.send_modify(|roots| drop(roots.remove(&epoch)));
    }
    Ok(())
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
