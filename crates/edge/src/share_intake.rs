//! Checks a share in full, forwards it to the gateway, and counts it in the book.

use crate::mined_lease::{MineableJob, MinedLease};
use crate::refusal::Refusal;
use hashlease_check::ShareChecker;
use hashlease_ledger::{Book, CountRefusal, PoolVerdict, Reserved};
use hashlease_primitives::UnixSeconds;
use hashlease_share::{EvidenceReason, OpenedShare, Share, VerifiedShare};
use hashlease_stratum::client::SubmitOutcome;
use std::sync::Arc;
use tokio::sync::oneshot;
use tracing::{debug, warn};

/// Largest accepted difference between a header's time and our clock, seconds.
pub(crate) const CLOCK_TOLERANCE: u64 = 300;

/// A submitted share with its job found and its extranonce completed, not checked yet.
#[derive(Clone, Debug)]
pub(crate) struct PreparedShare {
    /// The lease that the session mines for.
    pub(crate) lease: Arc<MinedLease>,
    /// The job that the share names.
    pub(crate) job: Arc<MineableJob>,
    /// Worker as the miner named it, for the log.
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
}

/// Job id towards miners: lease and sequence, so that another lease's job differs from an unknown
/// one.
#[must_use]
pub(crate) fn job_id(lease: u64, sequence: u64) -> String {
    format!("{lease:x}{sequence:08x}")
}

/// Lease and low 32 bits of the sequence of a job id.
#[must_use]
pub(crate) fn parse_job_id(id: &str) -> Option<(u64, u32)> {
    if !id.is_ascii() {
        return None;
    }
    let (lease, sequence) = id.split_at_checked(id.len().checked_sub(8)?)?;
    Some((u64::from_str_radix(lease, 16).ok()?, u32::from_str_radix(sequence, 16).ok()?))
}

/// Checks a share by the evidence rules and the local rules, forwards it to the gateway, and counts
/// it.
///
/// # Errors
/// The [`Refusal`] of the first rule that the share breaks; nothing is counted then.
pub(crate) async fn count_share(
    prepared: PreparedShare,
    book: &Book,
    checker: &ShareChecker,
) -> Result<Taken, Refusal> {
    let PreparedShare { lease, job, worker, share } = &prepared;
    if let Share::Header(header) = share {
        check_clock(header.ntime.into(), lease.now(), job)?;
    }
    let opened = checker.open(&job.verified, share, lease.terms().end).await?;
    let for_pool = job.pool_target.is_some_and(|target| opened.meets(target));
    let key = opened.key();
    let (reserved, settled) = match reserve(book, opened) {
        Ok(reserved) => reserved,
        // it earns nothing, or nothing more, but may be a block
        Err(refusal) if for_pool && earns_nothing(&refusal) => {
            if !job.note_uncounted(key) {
                return Err(EvidenceReason::Duplicate.into());
            }
            forward(&prepared, book, None);
            return Ok(Taken::ForwardedOnly);
        }
        Err(refusal) => return Err(refusal),
    };
    // a block must not wait for a disk
    let verdict = forward(&prepared, book, for_pool.then_some(key));
    let counted = reserved.count(&settled, worker).await;
    // the verdict may be written only after its share
    let _ = verdict.send(counted.is_ok());
    counted?;
    Ok(Taken::Counted)
}

/// Reserves the key of a share that meets the settlement target.
fn reserve(book: &Book, opened: OpenedShare) -> Result<(Reserved, VerifiedShare), Refusal> {
    let settled = opened.settle()?;
    let reserved = book.reserve(&settled)?;
    Ok((reserved, settled))
}

/// Whether a valid share is refused only because it is worth nothing, or nothing more, to the
/// lease.
const fn earns_nothing(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Evidence(EvidenceReason::AboveTarget)
            | Refusal::Count(CountRefusal::EpochFull { .. } | CountRefusal::TooManyJobs { .. })
    )
}

/// A header time inside the job's window must also be near our clock.
fn check_clock(ntime: UnixSeconds, now: UnixSeconds, job: &MineableJob) -> Result<(), Refusal> {
    let (from, to) = (job.verified.job().not_before(), job.verified.job().not_after());
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
    book: &Book,
    key: Option<alloy_primitives::B256>,
) -> oneshot::Sender<bool> {
    let PreparedShare { lease, job, worker, share } = prepared;
    let (durable, is_durable) = oneshot::channel();
    let id = lease.id();
    let (Some(link), Share::Header(share)) = (lease.link(), share) else {
        debug!(lease = %id, "share is not forwarded: no gateway link");
        return durable;
    };
    let mask = job.form.version_mask();
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
            warn!(lease = %id, worker, reason = %verdict, "share was not accepted upstream");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_ids_name_lease_and_sequence() {
        assert_eq!(parse_job_id(&job_id(1, 7)), Some((1, 7)));
        assert_eq!(parse_job_id(&job_id(u64::MAX, 0xffff_ffff)), Some((u64::MAX, 0xffff_ffff)));
        for bad in ["", "1", "zz00000007", "00000007", "é0000000", "1 0000007"] {
            assert_eq!(parse_job_id(bad), None, "{bad}");
        }
    }
}
