//! The jobs of one lease that a member took, and what they make due.

use crate::store::TakenJob;
use alloy_primitives::B256;
use hashlease_primitives::{Terms, UnixMillis, UnixSeconds, Work};
use hashlease_share::{DueLog, EpochFull, Logged, SecondSet, VerifiedJob};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

/// A flood is noted once in this time: a note tells as much as any number of them.
const NOTES: Duration = Duration::from_secs(1);

/// The jobs of a lease: a log while the lease can be credited, then only its due seconds.
#[derive(Debug)]
pub(crate) enum TakenJobs {
    Open(Box<JobLog>),
    /// Due seconds of a lease whose jobs were dropped, counted from each epoch's start.
    Dropped(SecondSet),
}

/// The log of a lease's jobs.
#[derive(Debug)]
pub(crate) struct JobLog {
    terms: Terms,
    due: DueLog,
    // digest → arrival, of each job that is durable
    taken: HashMap<B256, UnixMillis>,
    // of those that are not durable yet
    unstored: HashMap<B256, TakenJob>,
    // sequences that several jobs have
    reused: BTreeSet<u64>,
    newest: UnixMillis,
    noted: Option<UnixMillis>,
    index: u64,
}

/// What to do about a job that came.
#[derive(Debug)]
pub(crate) enum Step {
    /// It was taken before, at this time.
    Known(UnixMillis),
    /// It counts, or is kept at least: store it, and then call [`JobLog::stored`].
    Store(TakenJob),
    /// More jobs come than are counted: store the note if there is one.
    OverPace(Option<TakenJob>),
    /// Its epoch is full.
    Full(EpochFull),
}

impl JobLog {
    pub(crate) fn new(terms: &Terms) -> Self {
        Self {
            due: DueLog::new(terms),
            terms: terms.clone(),
            taken: HashMap::new(),
            unstored: HashMap::new(),
            reused: BTreeSet::new(),
            newest: UnixMillis::default(),
            noted: None,
            index: 0,
        }
    }

    /// The arrival of a job that is durable.
    pub(crate) fn arrival(&self, digest: &B256) -> Option<UnixMillis> {
        self.taken.get(digest).copied()
    }

    /// Whether several jobs have this sequence, so that none of them is due.
    pub(crate) fn is_reused(&self, sequence: u64) -> bool {
        self.reused.contains(&sequence)
    }

    /// Logs a job that came at `now`. A clock that went back counts as one that stood still.
    pub(crate) fn log(&mut self, job: &VerifiedJob, now: UnixMillis) -> Step {
        let digest = job.job().digest(&self.terms.domain);
        if let Some(received) = self.arrival(&digest) {
            return Step::Known(received);
        }
        // storing it failed before
        if let Some(taken) = self.unstored.get(&digest) {
            return Step::Store(taken.clone());
        }
        self.newest = self.newest.max(now);
        let received = self.newest;
        match self.due.log(job, received) {
            Logged::EpochFull(full) => return Step::Full(full),
            Logged::OverPace => {
                let is_recent = self.noted.is_some_and(|noted| received < noted.plus(NOTES));
                if is_recent {
                    return Step::OverPace(None);
                }
                self.noted = Some(received);
                return Step::OverPace(Some(self.entry(received, None)));
            }
            Logged::SequenceReused => drop(self.reused.insert(job.job().sequence())),
            Logged::Due | Logged::NotUsable(_) | Logged::Known => {}
        }
        let taken = self.entry(received, Some(job));
        self.unstored.insert(digest, taken.clone());
        Step::Store(taken)
    }

    fn entry(&mut self, received: UnixMillis, job: Option<&VerifiedJob>) -> TakenJob {
        self.index = self.index.saturating_add(1);
        TakenJob { index: self.index, received, job: job.map(|job| job.signed().clone()) }
    }

    /// The job is durable.
    pub(crate) fn stored(&mut self, digest: B256) {
        if let Some(taken) = self.unstored.remove(&digest) {
            self.taken.insert(digest, taken.received);
        }
    }

    /// Another lease has a job's work from `at` on.
    pub(crate) fn lose(&mut self, sequence: u64, at: UnixMillis) {
        self.due.take_away(sequence, at);
    }

    /// Reads an entry of the store again; entries come in their order.
    pub(crate) fn read(&mut self, entry: &TakenJob, job: Option<&VerifiedJob>) {
        self.newest = self.newest.max(entry.received);
        self.index = self.index.max(entry.index);
        let Some(job) = job else {
            self.noted = Some(entry.received);
            self.due.note(entry.received);
            return;
        };
        if self.due.log(job, entry.received) == Logged::SequenceReused {
            self.reused.insert(job.job().sequence());
        }
        self.taken.insert(job.job().digest(&self.terms.domain), entry.received);
    }
}

impl TakenJobs {
    pub(crate) fn new(terms: &Terms) -> Self {
        Self::Open(Box::new(JobLog::new(terms)))
    }

    /// Due seconds of dropped jobs: each a start and a number of seconds.
    pub(crate) fn dropped(due: &[(UnixSeconds, u64)]) -> Self {
        let mut seconds = SecondSet::default();
        for (from, count) in due {
            seconds.insert(*from, from.plus(*count));
        }
        Self::Dropped(seconds)
    }

    fn seconds(&self, from: UnixSeconds, to: UnixSeconds) -> u64 {
        match self {
            Self::Open(log) => log.due.seconds(from, to),
            Self::Dropped(seconds) => seconds.count(from, to),
        }
    }

    /// Work that was due from the lease's start up to `as_of`.
    pub(crate) fn due(&self, terms: &Terms, as_of: UnixSeconds) -> Work {
        terms.rate.over(self.seconds(terms.start, as_of.min(terms.end)))
    }

    /// Due seconds of each epoch as rented: the only part of the jobs that still counts once the
    /// lease is over.
    pub(crate) fn by_epoch(&self, terms: &Terms) -> Vec<(UnixSeconds, u64)> {
        let rented = terms.as_rented();
        let epochs = (0..rented.epochs()).map(|epoch| (rented.epoch_start(epoch), rented.epoch_end(epoch)));
        epochs.map(|(from, to)| (from, self.seconds(from, to))).filter(|(_, seconds)| *seconds > 0).collect()
    }
}
