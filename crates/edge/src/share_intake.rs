//! What becomes of a share: checked in full, forwarded, written, answered.

use crate::served_lease::{LiveJob, Served};
use hashlease_check::ShareChecker;
use hashlease_ledger::Book;
use hashlease_primitives::UnixSeconds;
use hashlease_share::{HeaderShare, Reason, Share};
use hashlease_stratum::client::SubmitOutcome;
use std::sync::Arc;
use tracing::{debug, warn};

/// Distance between header time and our clock that is allowed, seconds.
pub(crate) const CLOCK_TOLERANCE: u64 = 300;

/// A submit whose fields were read.
#[derive(Clone, Debug)]
pub(crate) struct Submitted {
    /// Worker as the miner named it, for the log.
    pub(crate) worker: String,
    /// The whole free part of the extranonce.
    pub(crate) tail: Vec<u8>,
    /// Header time, Unix seconds.
    pub(crate) ntime: u32,
    /// Header nonce.
    pub(crate) nonce: u32,
    /// Chosen version bits; none when the miner does not roll.
    pub(crate) version_bits: Option<u32>,
    /// Version bits that it may choose: the others are as in the job.
    pub(crate) version_mask: u32,
}

/// How a share that was not refused was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Durable, and worth the lease's settlement weight.
    Counted,
    /// Only good enough for the pool: forwarded, not counted.
    ForwardedOnly,
}

/// Job id towards miners: lease and sequence, so that another lease's job is told apart from an unknown one.
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

/// Checks a share by the evidence rules and the local rules, forwards it to the gateway, and counts it.
///
/// # Errors
/// The [`Reason`] of the first rule that fails; nothing is counted then.
pub(crate) async fn take_share(
    served: &Arc<Served>,
    job: &Arc<LiveJob>,
    book: &Book,
    checker: &ShareChecker,
    submitted: Submitted,
) -> Result<Taken, Reason> {
    let terms = served.terms();
    if job.is_stale() {
        return Err(Reason::JobSuperseded { job: job_id(terms.id.0, job.sequence()) });
    }
    let signed = &job.header;
    let Submitted { tail, ntime, nonce, version_bits, version_mask, .. } = &submitted;
    let share = HeaderShare::submitted(signed, *version_mask, tail, (*ntime, *nonce), *version_bits)?;
    let now = served.now();
    let ntime = UnixSeconds::from(share.ntime);
    if ntime.get().abs_diff(now.get()) > CLOCK_TOLERANCE
        && (signed.not_before..=signed.not_after).contains(&ntime)
    {
        return Err(Reason::NtimeFarFromClock { ntime, now, tolerance: CLOCK_TOLERANCE });
    }
    let whole = Share::Header(share.clone());
    let opened = checker.open(&job.verified, &whole, terms.end).await?;
    let for_pool = job.pool_target.is_some_and(|target| opened.meets(target));
    let key = opened.key();
    let reserved = opened.settle().and_then(|settled| Ok((book.reserve(&settled)?, settled)));
    let (reserved, settled) = match reserved {
        Ok(reserved) => reserved,
        // it earns nothing, or nothing more, but may be a block
        Err(Reason::AboveTarget | Reason::EpochFull { .. } | Reason::TooManyJobs { .. }) if for_pool => {
            if !job.note_uncounted(key) {
                return Err(Reason::Duplicate);
            }
            forward(served, job, book, &submitted, &share, None);
            return Ok(Taken::ForwardedOnly);
        }
        Err(reason) => return Err(reason),
    };
    // a block must not wait for a disk
    let verdict = forward(served, job, book, &submitted, &share, for_pool.then_some(key));
    let counted = reserved.count(&settled, &submitted.worker).await;
    // the verdict may be written only after its share
    let _ = verdict.send(counted.is_ok());
    counted.map(|()| Taken::Counted)
}

/// Sends a share to the gateway without waiting. Of one that meets the pool's target (`key`), the pool's verdict is
/// written once it comes and the share is durable; the others stay with the gateway, which counts them too.
fn forward(
    served: &Arc<Served>,
    job: &Arc<LiveJob>,
    book: &Book,
    submitted: &Submitted,
    share: &HeaderShare,
    key: Option<alloy_primitives::B256>,
) -> tokio::sync::oneshot::Sender<bool> {
    let (durable, is_durable) = tokio::sync::oneshot::channel();
    let lease = served.id();
    let Some(link) = served.link() else {
        debug!(%lease, "share is not forwarded: no gateway link");
        return durable;
    };
    let mask = job.header.version_mask;
    let bits = (mask != 0).then_some(share.version & mask);
    let outcome = link.submit(
        &lease.to_string(),
        &format!("{:x}", job.sequence()),
        &share.tail,
        share.ntime,
        share.nonce,
        bits,
    );
    let (book, worker) = (book.clone(), submitted.worker.clone());
    tokio::spawn(async move {
        let (accepted, code) = match outcome.await {
            SubmitOutcome::Accepted => (true, String::new()),
            SubmitOutcome::Rejected { code, message } => (false, format!("{code} {message}")),
            SubmitOutcome::Lost => (false, "lost".to_owned()),
        };
        if !accepted {
            warn!(%lease, worker, reason = code, "share was not accepted upstream");
        }
        let Some(key) = key else { return };
        if is_durable.await == Ok(true)
            && let Err(error) = book.verdict(lease, key, accepted, &code).await
        {
            warn!(%lease, %error, "pool's verdict could not be stored");
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
