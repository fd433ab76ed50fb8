//! Shares that are shown before they are forwarded, the jobs that other leases lose by them, and the
//! jobs whose work several leases claim.

use crate::{jobs::Taken, request_refusal::RequestRefusal, state::State, store::Entry, view::LeaseView};
use hashlease_committee::{LostJob, LostJobs, ShareReceipt, ShownShare};
use hashlease_primitives::{LeaseId, SignedJob, UnixMillis};
use hashlease_share::{Hold, OpenedShare, Share, TakenJob, VerifiedJob};
use std::sync::Arc;
use tracing::{info, warn};

/// Lost jobs that one answer shows: the newest ones.
const MOST_LOST: usize = 256;

impl State {
    /// Takes the job of a share and the share, and passes them on. From then on the share's work is
    /// its lease's.
    pub(crate) async fn accept_share(
        &self,
        ShownShare { job: signed, share }: ShownShare,
    ) -> Result<ShareReceipt, RequestRefusal> {
        let (lease, sequence) = (signed.job.lease(), signed.job.sequence());
        let Taken { view, job, .. } = self.take_job(signed.clone()).await?;
        self.owners.has_place(lease, sequence)?;
        let opened = self.open(&view, Arc::clone(&job), share.clone()).await?;
        let taken = self.owners.show(&job, &opened)?;
        let received = self.clock.now();
        let mut entries = vec![Entry::Shown { lease, key: opened.key() }];
        entries.extend(taken.iter().map(|job| lost_entry(*job, received)));
        self.write(entries).await?;
        for job in taken {
            self.lose_job(job, received);
        }
        self.peers.tell_share(&view, self.signer(), &ShownShare { job: signed, share });
        Ok(ShareReceipt { received })
    }

    /// Opens a share that meets the settlement target, where it may take its time.
    async fn open(
        &self,
        view: &LeaseView,
        job: Arc<VerifiedJob>,
        share: Share,
    ) -> Result<OpenedShare, RequestRefusal> {
        let job = match job.dag_epoch() {
            // a stranger must not have a cache built: jobs cost nothing
            Some(epoch) => {
                let cache = self.caches.try_get(epoch).ok_or(RequestRefusal::CacheNotReady)?;
                Arc::new(VerifiedJob::clone(&job).with_cache(cache))
            }
            None => job,
        };
        let end = view.lease.terms.end;
        let opening = tokio::task::spawn_blocking(move || {
            let opened = job.open(&share, end)?;
            opened.clone().settle()?;
            Ok(opened)
        });
        opening.await.map_err(|_| RequestRefusal::Ends)?.map_err(RequestRefusal::Job)
    }

    /// Counts a job of a lease as another's from now on.
    fn lose_job(&self, TakenJob { lease, sequence, by }: TakenJob, at: UnixMillis) {
        let Ok((_, room)) = self.lease(lease) else { return };
        room.figures().lose_job(LostJob { sequence, by, at });
        info!(%lease, sequence, %by, "job's work was first shown for another lease");
    }

    /// Compares a new job with those of other leases, and notes what that changes.
    pub(crate) async fn compare_job(
        &self,
        job: Arc<VerifiedJob>,
        received: UnixMillis,
    ) -> Result<(), RequestRefusal> {
        let (lease, sequence) = (job.terms().id, job.job().sequence());
        let (hold, disputed) = self.owners.add(job, received);
        let mut entries: Vec<_> = disputed
            .iter()
            .map(|(lease, sequence)| Entry::Disputed { lease: *lease, sequence: *sequence })
            .collect();
        let mut lost = None;
        match hold {
            Hold::Free => {}
            Hold::Disputed => entries.push(Entry::Disputed { lease, sequence }),
            Hold::Lost(by) => {
                let job = TakenJob { lease, sequence, by };
                entries.push(lost_entry(job, received));
                lost = Some(job);
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        warn!(%lease, sequence, "job is over the same work as another lease's");
        self.write(entries).await?;
        for (lease, sequence) in
            disputed.into_iter().chain((hold == Hold::Disputed).then_some((lease, sequence)))
        {
            if let Ok((_, room)) = self.lease(lease) {
                room.figures().dispute_job(sequence);
            }
        }
        if let Some(job) = lost {
            self.lose_job(job, received);
        }
        Ok(())
    }

    /// Compares the open jobs of a lease that was read again.
    pub(crate) async fn compare_open_jobs(&self, view: &LeaseView, open: Vec<(SignedJob, UnixMillis)>) {
        let terms = &view.lease.terms;
        for (signed, received) in open {
            let Ok(job) = VerifiedJob::verify(terms, signed) else { continue };
            if let Err(error) = self.compare_job(Arc::new(job), received).await {
                warn!(lease = %terms.id, %error, "job can't be compared with those of other leases");
            }
        }
    }

    /// The newest jobs that a lease lost.
    pub(crate) fn lost_jobs(&self, lease: LeaseId) -> Result<LostJobs, RequestRefusal> {
        let (_, room) = self.lease(lease)?;
        let figures = room.figures();
        let mut jobs: Vec<_> = figures.lost().rev().take(MOST_LOST).collect();
        jobs.reverse();
        Ok(LostJobs { jobs })
    }
}

fn lost_entry(TakenJob { lease, sequence, by }: TakenJob, at: UnixMillis) -> Entry {
    Entry::Lost { lease, job: LostJob { sequence, by, at } }
}
