//! Checks a share in full, forwards it to the gateway, and counts it in the book.

use crate::mineable_job::MineableJob;
use crate::mined_lease::MinedLease;
use crate::refusal::Refusal;
use crate::shown_shares::show_first;
use alloy_primitives::B256;
use hashlease_check::ShareChecker;
use hashlease_ledger::{Book, CountRefusal, PoolVerdict, Reserved};
use hashlease_primitives::{Algorithm, Target, UnixSeconds};
use hashlease_share::{EvidenceReason, OpenedShare, Share, VerifiedShare};
use hashlease_stratum::client::{SubmitOutcome, UpstreamHandle};
use std::sync::Arc;
use tokio::sync::{Semaphore, oneshot};
use tracing::{debug, warn};

/// Largest accepted difference between a header's time and our clock, seconds.
pub(crate) const CLOCK_TOLERANCE: u64 = 300;
/// How long after a job's window its shares may arrive, seconds.
pub(crate) const LATE: u64 = 2;

/// A submitted share with its job found and its extranonce completed, not checked yet.
#[derive(Clone, Debug)]
pub(crate) struct PreparedShare {
    /// The lease of the job.
    pub(crate) lease: Arc<MinedLease>,
    /// The job that the share names.
    pub(crate) job: Arc<MineableJob>,
    /// The target that the miner was told with the job.
    pub(crate) told: Target,
    /// Worker, for the journal and the log.
    pub(crate) worker: String,
    /// What the miner chose, of the kind of the job.
    pub(crate) share: Share,
}

/// How a share was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Durable, and worth the lease's settlement weight.
    Counted,
    /// It meets only the pool's target: forwarded, not counted.
    ForwardedOnly,
    /// It meets only the target that the node gave: it shows how fast the miner is.
    OwnTarget,
}

/// Checks a share by the evidence rules and the local rules, forwards it to the gateway, and counts
/// it. A slow hash waits for one of its address's `places`.
///
/// # Errors
/// The [`Refusal`] of the first rule that the share breaks; nothing is counted then.
pub(crate) async fn count_share(
    prepared: PreparedShare,
    book: &Book,
    checker: &ShareChecker,
    places: &Semaphore,
) -> Result<Taken, Refusal> {
    let PreparedShare { lease, job, worker, share, .. } = &prepared;
    check_window(job, lease.now())?;
    if job.is_lost() {
        return Err(Refusal::WorkOfAnotherLease { sequence: job.sequence() });
    }
    if let Share::Header(header) = share {
        check_clock(header.ntime.into(), lease.now(), job)?;
    }
    let opened = {
        // what takes microseconds is checked here, without a queue
        let is_slow = lease.terms().algorithm != Algorithm::Sha256d;
        // never closed
        let _place = if is_slow { places.acquire().await.ok() } else { None };
        checker.open(&job.verified, share, lease.terms().end).await?
    };
    let for_pool = job.pool_target().is_some_and(|target| opened.meets(target));
    let for_us = opened.meets(prepared.told);
    let key = opened.key();
    let (reserved, settled) = match reserve(book, opened) {
        Ok(reserved) => reserved,
        Err(refusal) => return take_uncounted(&prepared, key, (for_pool, for_us), book, refusal),
    };
    show_first(lease, job, share, &settled).await;
    if job.is_lost() {
        return Err(Refusal::WorkOfAnotherLease { sequence: job.sequence() });
    }
    // a block must not wait for a disk
    let verdict = lease.link().map(|link| forward(&prepared, &link, book, for_pool.then_some(key)));
    let counted = reserved.count(&settled, worker).await;
    if let Some(verdict) = verdict {
        // the verdict may be written only after its share
        let _ = verdict.send(counted.is_ok());
    }
    counted?;
    Ok(Taken::Counted)
}

/// Takes a share that earns nothing, or nothing more: the pool may want it, it may be a block, and
/// it shows how fast the miner is.
fn take_uncounted(
    prepared: &PreparedShare,
    key: B256,
    (for_pool, for_us): (bool, bool),
    book: &Book,
    refusal: Refusal,
) -> Result<Taken, Refusal> {
    let too_easy = matches!(refusal, Refusal::Evidence(EvidenceReason::AboveTarget));
    if !too_easy && !is_full(&refusal) {
        return Err(refusal);
    }
    let link = prepared.lease.link().filter(|_| for_pool);
    if link.is_none() && !(too_easy && for_us) {
        return Err(refusal);
    }
    if !prepared.job.note_uncounted(key) {
        return Err(EvidenceReason::Duplicate.into());
    }
    let Some(link) = link else {
        prepared.lease.counts.own_target_only();
        return Ok(Taken::OwnTarget);
    };
    prepared.lease.counts.forward_only();
    // no share is written for it, so nothing has to come before the verdict
    let _ = forward(prepared, &link, book, Some(key)).send(true);
    Ok(Taken::ForwardedOnly)
}

/// Whether a share is refused only because its epoch takes no more.
const fn is_full(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Count(CountRefusal::EpochFull { .. } | CountRefusal::TooManyJobs { .. }))
}

/// Reserves the key of a share that meets the settlement target.
fn reserve(book: &Book, opened: OpenedShare) -> Result<(Reserved, VerifiedShare), Refusal> {
    let settled = opened.settle()?;
    let reserved = book.reserve(&settled)?;
    Ok((reserved, settled))
}

/// A job ends with its window: what comes later was mined on a job that nobody asks for any more.
fn check_window(job: &MineableJob, now: UnixSeconds) -> Result<(), Refusal> {
    let (_, not_after) = job.window();
    if now > not_after.plus(LATE) {
        return Err(Refusal::JobWindowOver { sequence: job.sequence(), not_after, now });
    }
    Ok(())
}

/// A header time inside the job's window must also be near our clock.
fn check_clock(ntime: UnixSeconds, now: UnixSeconds, job: &MineableJob) -> Result<(), Refusal> {
    let (from, to) = job.window();
    if ntime.get().abs_diff(now.get()) > CLOCK_TOLERANCE && (from..=to).contains(&ntime) {
        return Err(Refusal::NtimeFarFromClock { ntime, now, tolerance: CLOCK_TOLERANCE });
    }
    Ok(())
}

/// Sends a share to the gateway without waiting. If the share meets the pool's target (`key`), the
/// pool's verdict is written once it arrives and the share is durable; the gateway counts the
/// others itself.
fn forward(
    prepared: &PreparedShare,
    link: &UpstreamHandle,
    book: &Book,
    key: Option<B256>,
) -> oneshot::Sender<bool> {
    let PreparedShare { lease, job, worker, share, .. } = prepared;
    let (durable, is_durable) = oneshot::channel();
    let id = lease.id();
    let Share::Header(share) = share else {
        debug!(lease = %id, "share is not forwarded: the link has no words for it");
        return durable;
    };
    let crate::job_form::JobForm::Header(form) = &job.form;
    let mask = form.job.version_mask;
    let bits = (mask != 0).then_some(share.version & mask);
    let outcome = link.submit(
        &id.to_string(),
        &format!("{:x}", job.sequence()),
        &share.tail,
        share.ntime,
        share.nonce,
        bits,
    );
    let (book, worker) = (book.clone(), worker.clone());
    tokio::spawn(async move {
        let verdict = match outcome.await {
            SubmitOutcome::Accepted => PoolVerdict::Accepted,
            SubmitOutcome::Rejected { code, message } => PoolVerdict::Rejected { code, message },
            SubmitOutcome::Lost => PoolVerdict::Lost,
        };
        if !verdict.is_accepted() {
            debug!(lease = %id, ?worker, reason = %verdict, "share was not accepted upstream");
        }
        let Some(key) = key else { return };
        if is_durable.await == Ok(true)
            && let Err(error) = book.verdict(id, key, &verdict).await
        {
            warn!(lease = %id, %error, "pool verdict could not be stored");
        }
    });
    durable
}
