//! What a member keeps of one lease, with the locks that keep leases from waiting for each other.

use crate::{
    figures::LeaseFigures,
    store::{Loaded, TakenJob},
    taken_jobs::{JobLog, TakenJobs},
    view::LeaseView,
};
use hashlease_primitives::Terms;
use hashlease_share::VerifiedJob;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tracing::warn;

/// One lease at a member.
#[derive(Debug)]
pub(crate) struct LeaseRoom {
    figures: Mutex<LeaseFigures>,
    /// Held while a job is taken, so that the order of the log is that of the arrivals.
    pub(crate) taking: tokio::sync::Mutex<()>,
    /// Held while a root is changed.
    pub(crate) rooting: tokio::sync::Mutex<()>,
    /// Number of jobs that became durable since the start.
    pub(crate) jobs: watch::Sender<u64>,
    /// Number of changes of roots since the start.
    pub(crate) roots: watch::Sender<u64>,
}

impl LeaseRoom {
    pub(crate) fn new(terms: &Terms) -> Self {
        Self::with(LeaseFigures::new(TakenJobs::new(terms)))
    }

    fn with(figures: LeaseFigures) -> Self {
        Self {
            figures: Mutex::new(figures),
            taking: tokio::sync::Mutex::default(),
            rooting: tokio::sync::Mutex::default(),
            jobs: watch::Sender::new(0),
            roots: watch::Sender::new(0),
        }
    }

    /// The room as the store has it. It verifies every job again, so call it where blocking is
    /// allowed.
    pub(crate) fn read(view: &LeaseView, loaded: Loaded) -> Self {
        let Loaded { jobs, dropped, roots, contested, lost, disputed } = loaded;
        let jobs = match dropped {
            // the member may have ended while it dropped the jobs: their due seconds are complete
            Some(due) => TakenJobs::dropped(&due),
            None => read_jobs(&view.lease.terms, &jobs),
        };
        let mut figures = LeaseFigures::new(jobs);
        for (epoch, root) in roots {
            figures.set_root(epoch, root);
        }
        for (epoch, more) in contested {
            figures.contest(epoch, more);
        }
        for job in lost {
            figures.lose_job(job);
        }
        for sequence in disputed {
            figures.dispute_job(sequence);
        }
        Self::with(figures)
    }

    pub(crate) fn figures(&self) -> MutexGuard<'_, LeaseFigures> {
        // never poisoned: nothing panics under this lock
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_jobs(terms: &Terms, jobs: &[TakenJob]) -> TakenJobs {
    let mut log = JobLog::new(terms);
    for entry in jobs {
        let verified = entry.job.clone().map(|job| VerifiedJob::verify(terms, job)).transpose();
        match verified {
            Ok(job) => log.read(entry, job.as_ref()),
            Err(error) => warn!(lease = %terms.id, %error, "stored job is not of this lease, left out"),
        }
    }
    TakenJobs::Open(Box::new(log))
}
