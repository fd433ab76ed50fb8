//! The jobs that a miner was told, under ids of its session.
//!
//! A share is judged by what the miner was told with its job, not by what it was told since: shares
//! are under way while extranonce, target or lease change.

use crate::{
    extranonce::Sizes, mineable_job::MineableJob, mined_lease::MinedLease, session_numbers::SessionNumber,
};
use hashlease_primitives::Target;
use std::{collections::VecDeque, sync::Arc};

/// Jobs remembered; the oldest go first. A job is told again at most once a second, and mined for
/// minutes at most.
const MAX_TOLD: usize = 256;
/// Bits of an id that count the session's jobs; above them is the session's number, so that no
/// share names a job of an earlier session.
const COUNTER_BITS: u32 = 20;

/// A job as the miner was told it.
#[derive(Clone, Debug)]
pub(crate) struct ToldJob {
    pub(crate) lease: Arc<MinedLease>,
    pub(crate) job: Arc<MineableJob>,
    pub(crate) sizes: Sizes,
    pub(crate) number: Arc<SessionNumber>,
    pub(crate) target: Target,
}

/// The jobs of a session.
#[derive(Debug, Default)]
pub(crate) struct ToldJobs {
    jobs: VecDeque<(u64, Arc<ToldJob>)>,
    counter: u64,
}

impl ToldJobs {
    /// Remembers a job. Returns its id.
    pub(crate) fn tell(&mut self, job: ToldJob) -> String {
        self.counter = self.counter.wrapping_add(1) & (1_u64 << COUNTER_BITS).wrapping_sub(1);
        let id = job.number.get().wrapping_shl(COUNTER_BITS) | self.counter;
        if self.jobs.len() >= MAX_TOLD {
            self.jobs.pop_front();
        }
        self.jobs.push_back((id, Arc::new(job)));
        format!("{id:x}")
    }

    /// The job with this id, however it is spelled.
    pub(crate) fn get(&self, id: &str) -> Option<&Arc<ToldJob>> {
        let is_hex = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = is_hex.then(|| u64::from_str_radix(id, 16).ok()).flatten()?;
        self.jobs.iter().rev().find(|(told, _)| *told == id).map(|(_, job)| job)
    }
}
