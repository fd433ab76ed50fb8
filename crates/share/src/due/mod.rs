//! Due work: what an honest provider with stock miners could have worked on, never more.
//!
//! One function for gateways, nodes and members: [`DueLog`] takes each job with the time of its
//! arrival, and answers how many seconds are due.

mod seconds;

use crate::{
    JobPace, NotUsable, PACE_SPAN, VerifiedJob,
    job_budget::{EpochFull, JobBudget},
};
use alloy_primitives::B256;
use hashlease_primitives::{Algorithm, Job, Terms, UnixMillis, UnixSeconds, Work};
pub use seconds::SecondSet;
use std::{collections::BTreeMap, time::Duration};

/// Time that miners lose by a new previous block.
const NEW_BLOCK: Duration = Duration::from_secs(3);
/// The same for Ethash: by a new seal hash.
const NEW_SEAL: Duration = Duration::from_secs(1);
/// Time that miners lose by another layout of the extranonce or another mask: they reconnect.
const NEW_LAYOUT: Duration = Duration::from_secs(60);
/// Time without a usable job, seconds, after which miners go elsewhere.
const PATIENCE: u64 = 120;
/// Time that miners take to come back from elsewhere.
const RETURN: Duration = Duration::from_secs(300);

/// What a [`DueLog`] made of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logged {
    /// Its window is due, from its arrival on.
    Due,
    /// It is logged, and nothing is due for it: a stock device can't use it.
    NotUsable(NotUsable),
    /// Another job has its sequence: from now on neither is due. It is logged.
    SequenceReused,
    /// It was logged before; its first arrival counts.
    Known,
    /// More jobs or changes came within a minute than miners keep up with: nothing is due for the
    /// next minute. It is not logged, only noted ([`DueLog::note`]).
    OverPace,
    /// Its epoch holds as many jobs as one can. It is not logged.
    EpochFull(EpochFull),
}

/// What miners must change when it changes: the block that they work on, and how the extranonce and
/// the version are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Face {
    tip: B256,
    layout: (usize, u32),
}

#[derive(Clone, Debug)]
struct Entry {
    digest: B256,
    /// Seconds that it offers, `[from, to)`; none once its sequence was used again.
    offer: Option<(UnixSeconds, UnixSeconds)>,
}

/// The jobs of one lease in the order of their arrival, and the seconds that are due for them.
///
/// The log does not depend on the lease's present end: a cancellation only cuts what is counted.
#[derive(Clone, Debug)]
pub struct DueLog {
    terms: Terms,
    pace: JobPace,
    budget: JobBudget,
    jobs: BTreeMap<u64, Entry>,
    offered: SecondSet,
    idle: SecondSet,
    idle_until: UnixMillis,
    // end of the last window of a usable job; at first the lease's start
    open_until: UnixSeconds,
    newest: UnixMillis,
    face: Option<Face>,
}

impl DueLog {
    /// Without a job.
    #[must_use]
    pub fn new(terms: &Terms) -> Self {
        Self {
            pace: JobPace::new(terms),
            budget: JobBudget::new(terms),
            open_until: terms.start,
            terms: terms.as_rented(),
            jobs: BTreeMap::new(),
            offered: SecondSet::default(),
            idle: SecondSet::default(),
            idle_until: UnixMillis::default(),
            newest: UnixMillis::default(),
            face: None,
        }
    }

    /// Adds a job that kept to the rules on arrival ([`crate::check_arrival`]). A clock that went
    /// back counts as one that stood still.
    pub fn log(&mut self, job: &VerifiedJob, received: UnixMillis) -> Logged {
        let received = self.newest.max(received);
        let digest = job.job().digest(&self.terms.domain);
        let sequence = job.job().sequence();
        let first = self.jobs.get(&sequence);
        if first.is_some_and(|first| first.digest == digest) {
            return Logged::Known;
        }
        let is_reused = first.is_some();
        self.newest = received;
        let face = face(job.job());
        if !self.pace.add(received, self.face.is_some_and(|before| before != face)) {
            self.note(received);
            return Logged::OverPace;
        }
        if let Err(full) = self.budget.take(job) {
            return Logged::EpochFull(full);
        }
        let usable = job.check_usable();
        self.lose_time(face, usable.is_ok(), received);
        self.face = Some(face);
        if is_reused {
            self.withdraw(sequence, received.seconds());
            return Logged::SequenceReused;
        }
        let from = job.job().not_before().max(received.seconds_rounded_up());
        let to = job.job().not_after().plus(1);
        let offer = usable.is_ok().then_some((from, to));
        self.jobs.insert(sequence, Entry { digest, offer });
        match usable {
            Ok(()) => {
                self.offered.insert(from, to);
                self.open_until = self.open_until.max(to);
                Logged::Due
            }
            Err(reason) => Logged::NotUsable(reason),
        }
    }

    /// Notes that a job came at `received` beyond the pace, when a log is read again: the job itself
    /// was not kept.
    pub fn note(&mut self, received: UnixMillis) {
        let until = received.seconds_rounded_up().plus(PACE_SPAN);
        self.idle.insert(received.seconds(), until);
    }

    /// Takes a job away from the lease at `at`: its work was first shown for another lease.
    pub fn take_away(&mut self, sequence: u64, at: UnixMillis) {
        self.withdraw(sequence, at.seconds());
    }

    /// Due seconds within `[from, to)`.
    #[must_use]
    pub fn seconds(&self, from: UnixSeconds, to: UnixSeconds) -> u64 {
        self.offered.count_without(&self.idle, from, to)
    }

    /// Due work from the lease's start up to `as_of`.
    #[must_use]
    pub fn due(&self, as_of: UnixSeconds) -> Work {
        self.terms.rate.over(self.seconds(self.terms.start, as_of.min(self.terms.end)))
    }

    /// Counts no second that miners lose by a job.
    fn lose_time(&mut self, face: Face, is_usable: bool, received: UnixMillis) {
        let mut lost = Duration::ZERO;
        if let Some(before) = self.face {
            if before.tip != face.tip {
                lost = lost.saturating_add(match self.terms.algorithm {
                    Algorithm::Sha256d | Algorithm::Scrypt => NEW_BLOCK,
                    Algorithm::Ethash | Algorithm::Etchash => NEW_SEAL,
                });
            }
            if before.layout != face.layout {
                lost = lost.saturating_add(NEW_LAYOUT);
            }
        }
        if is_usable && received > self.open_until.plus(PATIENCE).millis() {
            lost = lost.saturating_add(RETURN);
        }
        if !lost.is_zero() {
            self.idle_until = self.idle_until.max(received).plus(lost);
            self.idle.insert(received.seconds(), self.idle_until.seconds_rounded_up());
        }
    }

    /// Takes back what the job with this sequence offers from the second `from` on.
    fn withdraw(&mut self, sequence: u64, from: UnixSeconds) {
        let Some(entry) = self.jobs.get_mut(&sequence) else { return };
        let Some((start, end)) = entry.offer.take() else { return };
        if end <= from {
            return;
        }
        entry.offer = (start < from).then_some((start, from));
        self.offered.remove(start.max(from), end);
        // other jobs may offer the same seconds
        for (start, end) in self.jobs.values().filter_map(|entry| entry.offer) {
            if from < end {
                self.offered.insert(start, end);
            }
        }
    }
}

fn face(job: &Job) -> Face {
    match job {
        Job::Header(job) => {
            Face { tip: job.prev_hash, layout: (usize::from(job.tail_length), job.version_mask) }
        }
        Job::Ethash(job) => Face { tip: job.seal_hash, layout: (job.nonce_prefix.len(), 0) },
    }
}
