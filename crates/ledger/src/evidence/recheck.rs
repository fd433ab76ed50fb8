//! Counting an epoch again from its evidence.

use super::Evidence;
use alloy_primitives::B256;
use hashlease_primitives::Work;
use hashlease_share::{Reason, VerifiedJob, VerifiedShare};
use hashlease_trie::{Commitment, Trie};
use std::{
    collections::{HashMap, HashSet},
    num::NonZero,
    thread,
};

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobVerdict {
    /// Sequence.
    pub sequence: u64,
    /// Why it does not count, if so.
    pub refused: Option<Reason>,
}

/// What became of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareVerdict {
    /// Position in the file, from 0.
    pub index: usize,
    /// Sequence of its job.
    pub job: u64,
    /// Its key, when a header could be built.
    pub key: Option<B256>,
    /// Why it does not count, if so.
    pub refused: Option<Reason>,
}

/// The result of counting again.
#[derive(Clone, Debug)]
pub struct Report {
    /// Each job.
    pub jobs: Vec<JobVerdict>,
    /// Each share, in the order of the file.
    pub shares: Vec<ShareVerdict>,
    /// Root and count of the shares that count.
    pub rebuilt: Commitment,
    /// What the file claims.
    pub claimed: Commitment,
    /// Work of the shares that count, capped at 1.25 of the epoch's promise.
    pub work: Work,
    /// Why the shares that count make no trie, if so.
    pub trie: Option<String>,
}

impl Report {
    /// Every share counts, and root and count are as claimed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.rebuilt == self.claimed
            && self.trie.is_none()
            && self.refused() == 0
            && self.jobs.iter().all(|job| job.refused.is_none())
    }

    /// Number of shares that do not count.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.shares.iter().filter(|share| share.refused.is_some()).count()
    }

    /// Keys of the shares that count.
    pub fn keys(&self) -> impl Iterator<Item = B256> {
        self.shares.iter().filter(|share| share.refused.is_none()).filter_map(|share| share.key)
    }

    /// The first thing that does not hold, in words.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        if let Some(JobVerdict { sequence, refused: Some(reason) }) =
            self.jobs.iter().find(|job| job.refused.is_some())
        {
            return Some(format!("job {sequence}: {reason} ({})", reason.code()));
        }
        if let Some(ShareVerdict { index, refused: Some(reason), .. }) =
            self.shares.iter().find(|share| share.refused.is_some())
        {
            return Some(format!("share {index}: {reason} ({})", reason.code()));
        }
        if let Some(trie) = &self.trie {
            return Some(trie.clone());
        }
        (self.rebuilt != self.claimed).then(|| {
            format!(
                "root and count: claimed {} and {}, the shares give {} and {}",
                self.claimed.root, self.claimed.count, self.rebuilt.root, self.rebuilt.count
            )
        })
    }
}

impl Evidence {
    /// Verifies every job signature and every share in full, and rebuilds the trie. `progress` hears how many shares
    /// are done, from several threads.
    #[must_use]
    pub fn recheck_with(&self, progress: &(dyn Fn(usize) + Sync)) -> Report {
        let mut verified = HashMap::new();
        let jobs = self.jobs.iter().map(|signed| {
            let sequence = signed.job.sequence;
            let refused = match VerifiedJob::verify(&self.terms, signed.clone()) {
                Ok(job) => {
                    verified.insert(sequence, job);
                    None
                }
                Err(reason) => Some(reason),
            };
            JobVerdict { sequence, refused }
        });
        let jobs: Vec<JobVerdict> = jobs.collect();
        let opened = self.open_all(&verified, progress);
        let mut seen = HashSet::new();
        let mut keys = Vec::new();
        let shares = opened.into_iter().enumerate().zip(&self.shares).map(|((index, opened), share)| {
            let (key, refused) = match opened {
                Ok(counted) if seen.insert(counted.key()) => {
                    keys.push(counted.key());
                    (Some(counted.key()), None)
                }
                Ok(counted) => (Some(counted.key()), Some(Reason::Duplicate)),
                Err(reason) => (None, Some(reason)),
            };
            ShareVerdict { index, job: share.job, key, refused }
        });
        let shares: Vec<ShareVerdict> = shares.collect();
        let (rebuilt, trie) = match Trie::build(keys) {
            Ok(trie) => (trie.commitment(), None),
            Err(error) => (Commitment::default(), Some(error.to_string())),
        };
        let work = self.terms.weight.times(rebuilt.count).min(self.terms.epoch_cap());
        Report { jobs, shares, rebuilt, claimed: self.commitment, work, trie }
    }

    /// [`Evidence::recheck_with`] without progress.
    #[must_use]
    pub fn recheck(&self) -> Report {
        self.recheck_with(&|_| {})
    }

    /// Opens all shares on all cores, in the order of the file.
    fn open_all(
        &self,
        jobs: &HashMap<u64, VerifiedJob>,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Vec<Result<VerifiedShare, Reason>> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let piece = self.shares.len().div_ceil(cores).max(1);
        let open = |part: &[super::EvidenceShare]| -> Vec<Result<VerifiedShare, Reason>> {
            let mut opened = Vec::with_capacity(part.len());
            for chunk in part.chunks(4_096) {
                opened.extend(chunk.iter().map(|share| self.open(jobs, share)));
                progress(chunk.len());
            }
            opened
        };
        let open = &open;
        thread::scope(|scope| {
            let parts: Vec<_> =
                self.shares.chunks(piece).map(|part| (part, scope.spawn(move || open(part)))).collect();
            // a thread that died has its part done again here
            parts.into_iter().flat_map(|(part, done)| done.join().unwrap_or_else(|_| open(part))).collect()
        })
    }

    fn open(
        &self,
        jobs: &HashMap<u64, VerifiedJob>,
        share: &super::EvidenceShare,
    ) -> Result<VerifiedShare, Reason> {
        let unknown = || Reason::UnknownJob { job: share.job.to_string() };
        let opened = jobs.get(&share.job).ok_or_else(unknown)?.open(&self.terms, &share.share)?;
        if opened.epoch() != self.epoch {
            return Err(Reason::OutsideEpoch { ntime: u64::from(share.share.ntime) });
        }
        opened.settle()
    }
}
