//! Jobs: which ones a member takes, and its signed word for each.

use crate::{
    figures::is_over,
    lease_room::LeaseRoom,
    request_refusal::RequestRefusal,
    state::State,
    store::StoreError,
    taken_jobs::{Step, TakenJobs},
    view::LeaseView,
};
use hashlease_committee::{ErrorBody, JobReceipt, TakenJob, TakenJobs as Page};
use hashlease_primitives::{LeaseId, SignedJob, Terms, UnixMillis, job_receipt_digest};
use hashlease_share::{VerifiedJob, check_arrival};
use std::sync::Arc;

/// Bytes of the jobs in one answer, as they are stored.
const PAGE: usize = 64 << 10;

/// A job that was taken.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) view: LeaseView,
    room: Arc<LeaseRoom>,
    pub(crate) job: Arc<VerifiedJob>,
    received: UnixMillis,
}

impl State {
    /// Verifies a job, stores it, signs for it and hands it to the other members. A job posted
    /// again keeps its first receipt.
    pub(crate) async fn accept_job(&self, signed: SignedJob) -> Result<JobReceipt, RequestRefusal> {
        let Taken { view, room, job, received } = self.take_job(signed).await?;
        let digest = job_receipt_digest(&view.lease.terms, job.job(), received);
        let signature = self.signer.sign(&digest)?;
        Ok(JobReceipt { received, signature, not_due: not_due(&room, &job) })
    }

    /// [`State::accept_job`] without a receipt.
    pub(crate) async fn take_job(&self, signed: SignedJob) -> Result<Taken, RequestRefusal> {
        let (view, room) = self.lease(signed.job.lease())?;
        let terms = &view.lease.terms;
        if is_over(&view.lease, self.clock.now()) {
            return Err(RequestRefusal::LeaseOver(terms.id));
        }
        let job = Arc::new(VerifiedJob::verify(terms, signed)?);
        let received = self.take(&view, &room, &job).await?;
        Ok(Taken { view, room, job, received })
    }

    /// When the job came first; durable on return.
    async fn take(
        &self,
        view: &LeaseView,
        room: &LeaseRoom,
        job: &Arc<VerifiedJob>,
    ) -> Result<UnixMillis, RequestRefusal> {
        let terms = &view.lease.terms;
        let digest = job.job().digest(&terms.domain);
        let known = match &room.figures().jobs {
            TakenJobs::Open(log) => log.arrival(&digest),
            TakenJobs::Dropped(_) => return Err(RequestRefusal::LeaseOver(terms.id)),
        };
        if let Some(received) = known {
            return Ok(received);
        }
        let _taking = room.taking.lock().await;
        let now = self.clock.now();
        check_arrival(job.job(), now.seconds())?;
        let step = match &mut room.figures().jobs {
            TakenJobs::Open(log) => log.log(job, now),
            TakenJobs::Dropped(_) => return Err(RequestRefusal::LeaseOver(terms.id)),
        };
        let taken = match step {
            Step::Known(received) => return Ok(received),
            Step::Full(full) => return Err(full.into()),
            Step::OverPace(note) => {
                if let Some(note) = note {
                    self.write(vec![note.entry(terms.id)?]).await?;
                }
                return Err(RequestRefusal::OverPace);
            }
            Step::Store(taken) => taken,
        };
        self.write(vec![taken.entry(terms.id)?]).await?;
        if let TakenJobs::Open(log) = &mut room.figures().jobs {
            log.stored(digest);
        }
        self.compare_job(Arc::clone(job), taken.received).await?;
        room.jobs.send_modify(|jobs| *jobs = jobs.wrapping_add(1));
        self.peers.tell_job(view, self.signer(), job.signed());
        Ok(taken.received)
    }

    /// Drops a lease's jobs and keeps their due seconds.
    pub(crate) async fn drop_jobs(&self, terms: &Terms, room: &LeaseRoom) -> Result<(), Arc<StoreError>> {
        let _taking = room.taking.lock().await;
        let due = match &room.figures().jobs {
            jobs @ TakenJobs::Open(_) => jobs.by_epoch(terms),
            TakenJobs::Dropped(_) => return Ok(()),
        };
        let (store, lease, kept) = (Arc::clone(&self.store), terms.id, due.clone());
        let dropping = tokio::task::spawn_blocking(move || store.drop_jobs(lease, &kept));
        dropping.await.unwrap_or(Err(StoreError::Ended)).map_err(Arc::new)?;
        room.figures().drop_jobs(&due);
        self.owners.drop_lease(terms.id);
        Ok(())
    }

    /// One page of the jobs that came after the place `after` in a lease's log.
    pub(crate) async fn jobs_after(&self, lease: LeaseId, after: u64) -> Result<Page, RequestRefusal> {
        let store = Arc::clone(&self.store);
        let reading = tokio::task::spawn_blocking(move || store.taken_after(lease, after, PAGE));
        let taken = reading.await.map_err(|_| RequestRefusal::Ends)??;
        let next = taken.last().map_or(after, |last| last.index);
        let jobs = taken.into_iter().filter_map(|taken| {
            let signed = taken.job?;
            Some(TakenJob { signed, received: taken.received })
        });
        Ok(Page { jobs: jobs.collect(), next })
    }
}

/// Why a job that was taken makes nothing due.
fn not_due(room: &LeaseRoom, job: &VerifiedJob) -> Option<ErrorBody> {
    let body = |code: &str, message: String| Some(ErrorBody { code: code.to_owned(), message });
    if let Err(reason) = job.check_usable() {
        return body(reason.code(), reason.to_string());
    }
    let sequence = job.job().sequence();
    match &room.figures().jobs {
        TakenJobs::Open(log) if log.is_reused(sequence) => {
            body("job-sequence", format!("several jobs have the sequence {sequence}: none of them is due"))
        }
        _ => None,
    }
}
