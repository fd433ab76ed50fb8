//! How many jobs a minute are signed, taken and due, at most.

use hashlease_primitives::{Algorithm, Terms, UnixMillis};
use std::{collections::VecDeque, time::Duration};

/// The minute that jobs are counted over, seconds.
pub const PACE_SPAN: u64 = 60;
/// Jobs a minute beyond those of a signer that keeps the interval: new tips, other templates.
const SPARE_JOBS: u64 = 20;
/// Changes a minute of previous block, tail length or mask that stock devices keep up with.
const MAX_CHANGES: usize = 6;
/// The same for Ethash, whose devices change work without losing any.
const MAX_ETHASH_CHANGES: usize = 15;

/// The jobs of the last minute of one lease. Gateways sign no more than this allows, nodes mine no
/// more, and members count none beyond it.
#[derive(Clone, Debug)]
pub struct JobPace {
    most_jobs: usize,
    most_changes: usize,
    jobs: VecDeque<UnixMillis>,
    changes: VecDeque<UnixMillis>,
}

impl JobPace {
    /// For a lease's jobs.
    #[must_use]
    pub fn new(terms: &Terms) -> Self {
        let most_changes = match terms.algorithm {
            Algorithm::Sha256d | Algorithm::Scrypt => MAX_CHANGES,
            Algorithm::Ethash | Algorithm::Etchash => MAX_ETHASH_CHANGES,
        };
        Self { most_jobs: most_jobs(terms), most_changes, jobs: VecDeque::new(), changes: VecDeque::new() }
    }

    /// Adds a job that came at `at`, and says whether the minute before it, this job included, keeps
    /// to both limits. `is_change` says that previous block, tail length or mask differ from those
    /// of the job before. Jobs are added in the order in which they came.
    pub fn add(&mut self, at: UnixMillis, is_change: bool) -> bool {
        count(&mut self.jobs, at, true, self.most_jobs);
        count(&mut self.changes, at, is_change, self.most_changes);
        self.jobs.len() <= self.most_jobs && self.changes.len() <= self.most_changes
    }

    /// Whether a job at `at` would keep to both limits.
    #[must_use]
    pub fn has_room(&self, at: UnixMillis, is_change: bool) -> bool {
        let recent = |times: &VecDeque<UnixMillis>| times.iter().filter(|time| is_recent(**time, at)).count();
        recent(&self.jobs) < self.most_jobs && (!is_change || recent(&self.changes) < self.most_changes)
    }
}

/// The most jobs a minute of a lease: `20 + 60 s / min(30 s, L/10)`.
#[must_use]
pub fn most_jobs(terms: &Terms) -> usize {
    // the interval is at least a second, so this is at most 80
    let regular = PACE_SPAN.checked_div(terms.job_interval()).unwrap_or(PACE_SPAN);
    usize::try_from(SPARE_JOBS.saturating_add(regular)).unwrap_or(usize::MAX)
}

fn is_recent(time: UnixMillis, at: UnixMillis) -> bool {
    at < time.plus(Duration::from_secs(PACE_SPAN))
}

/// Drops what is older than a minute and adds `at`. One more than the limit tells as much as any
/// number, so a flood takes no memory.
fn count(times: &mut VecDeque<UnixMillis>, at: UnixMillis, is_one: bool, most: usize) {
    while times.front().is_some_and(|first| !is_recent(*first, at)) {
        times.pop_front();
    }
    if !is_one {
        return;
    }
    times.push_back(at);
    if times.len() > most.saturating_add(1) {
        times.pop_front();
    }
}
