//! The shares and jobs of an open epoch, and their limits.

use crate::refusal::CountRefusal;
use alloy_primitives::B256;
use hashlease_share::EvidenceReason;
use std::collections::HashSet;

/// Counted and reserved shares of an epoch that is not closed.
#[derive(Default)]
pub(crate) struct OpenEpoch {
    /// First 64 bits of each key: the trie can't hold two keys that share them.
    pub(crate) prefixes: HashSet<u64>,
    /// Sequences of the jobs; one stays even if its only share could not be written.
    pub(crate) jobs: HashSet<u64>,
}

/// Limits on the shares and jobs of an epoch.
#[derive(Clone, Copy)]
pub(crate) struct EpochLimits {
    pub(crate) shares: u64,
    pub(crate) jobs: usize,
}

impl OpenEpoch {
    /// Adds the share of a job, unless the epoch's root or its evidence would exceed a limit.
    pub(crate) fn add_share(
        &mut self,
        epoch: u32,
        prefix: u64,
        job: u64,
        limits: EpochLimits,
    ) -> Result<(), CountRefusal> {
        // a number of shares above 64 bits is above every limit
        if u64::try_from(self.prefixes.len()).unwrap_or(u64::MAX) >= limits.shares {
            return Err(CountRefusal::EpochFull { epoch, most: limits.shares });
        }
        if self.jobs.len() >= limits.jobs && !self.jobs.contains(&job) {
            return Err(CountRefusal::TooManyJobs { epoch, most: limits.jobs });
        }
        if !self.prefixes.insert(prefix) {
            return Err(EvidenceReason::KeyCollides.into());
        }
        self.jobs.insert(job);
        Ok(())
    }
}

/// First 64 bits of a key.
pub(crate) fn prefix(key: &B256) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = key.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_takes_no_more_shares_and_jobs_than_its_evidence_may_have() {
        let mut open = OpenEpoch::default();
        let mut take = |prefix, job| {
            let limits = EpochLimits { shares: 4, jobs: 2 };
            open.add_share(3, prefix, job, limits).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(take(1, 10), Ok(()));
        assert_eq!(take(1, 11), Err(EvidenceReason::KeyCollides.to_string()));
        assert_eq!(take(2, 11), Ok(()), "a refused share takes no place");
        assert_eq!(take(3, 12), Err(CountRefusal::TooManyJobs { epoch: 3, most: 2 }.to_string()));
        assert_eq!(take(3, 10), Ok(()));
        assert_eq!(take(4, 11), Ok(()));
        assert_eq!(take(5, 10), Err(CountRefusal::EpochFull { epoch: 3, most: 4 }.to_string()));
    }
}
