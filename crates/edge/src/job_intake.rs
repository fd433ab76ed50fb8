//! Takes a job, wherever it came from: checks it, stores it, and adds it to those that miners get.

use crate::{
    job_form::FormError, lock::lock, mineable_job::MineableJob, mined_lease::MinedLease, refusal::Refusal,
};
use hashlease_ledger::{Book, BookError};
use hashlease_primitives::{SignedJob, Target, Terms, UnixMillis};
use hashlease_share::{PACE_SPAN, VerifiedJob, check_arrival, most_jobs};
use hashlease_stratum::server::SessionRefusal;
use std::{sync::Mutex, time::Duration};
use tracing::{debug, warn};

/// New jobs a minute from one member: after an outage it has those of a whole window.
const MOST_OF_A_MEMBER: usize = 256;

/// Where jobs come from, with a limit of its own: a flood from one source takes no place from
/// another.
#[derive(Debug)]
pub(crate) struct JobSource {
    most: usize,
    minute: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    since: UnixMillis,
    taken: usize,
    beyond: u64,
}

impl JobSource {
    /// The gateway, which signs no more jobs a minute than are due.
    pub(crate) fn gateway(terms: &Terms) -> Self {
        Self { most: most_jobs(terms), minute: Mutex::default() }
    }

    /// A member.
    pub(crate) fn member() -> Self {
        Self { most: MOST_OF_A_MEMBER, minute: Mutex::default() }
    }

    /// Whether one more job may be looked at. At the begin of a minute also says how many were not,
    /// in the one before.
    fn take(&self, now: UnixMillis) -> (bool, u64) {
        let mut minute = lock(&self.minute);
        let over = now >= minute.since.plus(Duration::from_secs(PACE_SPAN)) || now < minute.since;
        let beyond = if over { std::mem::take(&mut *minute).beyond } else { 0 };
        if over {
            minute.since = now;
        }
        let has_room = minute.taken < self.most;
        if has_room {
            minute.taken = minute.taken.saturating_add(1);
        } else {
            minute.beyond = minute.beyond.saturating_add(1);
        }
        (has_room, beyond)
    }
}

/// Takes a job: checks it by the job rules and the rules on arrival, stores it, and adds it to those
/// that miners get. What is beyond its source's limit is counted, and nothing else is done for it.
pub(crate) async fn take_job(
    served: &MinedLease,
    book: &Book,
    signed: SignedJob,
    pool_target: Option<Target>,
    source: &JobSource,
) {
    let sequence = signed.job.sequence();
    if served.job(sequence).is_some_and(|known| *known.verified.signed() == signed) {
        if let Some(target) = pool_target {
            served.set_pool_target(sequence, target);
        }
        return;
    }
    let lease = served.id();
    let (has_room, beyond) = source.take(served.now_millis());
    if beyond > 0 {
        warn!(%lease, beyond, most = source.most, "more jobs came within a minute than are looked at");
    }
    if !has_room {
        served.note_job_refusal(format!("more than {} jobs came within a minute", source.most));
        return;
    }
    match check(served, book, signed, pool_target).await {
        Ok(job) => {
            debug!(%lease, sequence, "job taken");
            let signed = job.verified.signed().clone();
            served.add_job(job);
            served.tell_members(&signed);
        }
        Err(reason) => {
            served.note_job_refusal(reason.to_string());
            warn!(%lease, sequence, code = reason.code(), %reason, "job refused");
        }
    }
}

/// # Errors
/// The [`Refusal`] of the first rule that the job breaks, or why it could not be stored.
async fn check(
    served: &MinedLease,
    book: &Book,
    signed: SignedJob,
    pool_target: Option<Target>,
) -> Result<MineableJob, Refusal> {
    let terms = served.terms();
    // first the cheap rules
    check_arrival(&signed.job, served.now())?;
    let verified = VerifiedJob::verify(&terms, signed)?;
    let job = MineableJob::of(verified, pool_target).map_err(|error| match error {
        FormError::NotServed(_) => SessionRefusal::AlgorithmNotServed(terms.algorithm).into(),
        error => Refusal::from(error),
    })?;
    served.count_job(&job.verified)?;
    book.job(job.verified.signed()).await.map_err(|error| match error {
        BookError::JobSequence { sequence } => Refusal::JobSequence { sequence },
        error => Refusal::JobNotStored(error),
    })?;
    Ok(job)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_own_jobs_a_minute() {
        let terms = hashlease_fixtures::terms(0, 7_200, 3_600);
        let (gateway, member) = (JobSource::gateway(&terms), JobSource::member());
        let at = |second: u64| UnixMillis::new(second * 1_000);
        let taken = (0..100).filter(|_| gateway.take(at(100)).0).count();
        assert_eq!(taken, 22, "20 and one each 30 s");
        assert_eq!(member.take(at(100)), (true, 0));
        assert_eq!(gateway.take(at(159)), (false, 0));
        assert_eq!(gateway.take(at(160)), (true, 79), "the next minute tells of the one before");
        assert_eq!(gateway.take(at(50)), (true, 0), "a clock that is set back begins one");
    }
}
