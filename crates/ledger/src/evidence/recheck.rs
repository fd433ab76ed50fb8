//! Counting an epoch again from its evidence.

use super::{Evidence, EvidenceError, EvidenceHead, EvidenceReader, EvidenceShare};
use alloy_primitives::B256;
use hashlease_pow::ethash::{EthashEpoch, LightCache};
use hashlease_primitives::Work;
use hashlease_share::{Reason, VerifiedJob, VerifiedShare, open_many};
use hashlease_trie::{Builder, Commitment, TrieError};
use std::{collections::HashMap, io::Read, num::NonZero, sync::Arc, thread};

/// Shares that are checked at a time: enough for every core, little beside the file.
const CHUNK: usize = 1 << 16;
/// Refused shares that a report names one by one.
const NAMED: usize = 10_000;

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobVerdict {
    /// Sequence.
    pub sequence: u64,
    /// Why it does not count, if so.
    pub refused: Option<Reason>,
}

/// A share that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareVerdict {
    /// Position in the file, from 0.
    pub index: u64,
    /// Sequence of its job.
    pub job: u64,
    /// Its key, when it could be computed.
    pub key: Option<B256>,
    /// Why it does not count.
    pub refused: Reason,
}

/// The result of counting again.
#[derive(Clone, Debug)]
pub struct Report {
    /// Each job.
    pub jobs: Vec<JobVerdict>,
    /// Shares in the file.
    pub shares: u64,
    /// Shares that do not count.
    pub refused: u64,
    /// The first 10,000 of them, in the order of the file.
    pub named: Vec<ShareVerdict>,
    /// Root and count of the shares that count.
    pub rebuilt: Commitment,
    /// What the file claims.
    pub claimed: Commitment,
    /// Work of the shares that count, capped at 1.25 of the epoch's promise.
    pub work: Work,
}

impl Report {
    /// Every share counts, and root and count are as claimed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.rebuilt == self.claimed && self.refused == 0 && self.jobs.iter().all(|job| job.refused.is_none())
    }

    /// The first thing that does not hold, in words.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        if let Some(JobVerdict { sequence, refused: Some(reason) }) =
            self.jobs.iter().find(|job| job.refused.is_some())
        {
            return Some(format!("job {sequence}: {reason} ({})", reason.code()));
        }
        if let Some(ShareVerdict { index, refused, .. }) = self.named.first() {
            return Some(format!("share {index}: {refused} ({})", refused.code()));
        }
        (self.rebuilt != self.claimed).then(|| {
            format!(
                "root and count: claimed {} and {}, the shares give {} and {}",
                self.claimed.root, self.claimed.count, self.rebuilt.root, self.rebuilt.count
            )
        })
    }
}

/// Most DAGs that the jobs of one evidence file may be of. The light cache of each takes seconds to build and up to
/// 270 MiB, so a file could otherwise ask for any amount of both. Two are what an epoch of a lease may touch; a chain stays
/// at one for days.
pub const MAX_DAGS: usize = 4;

/// Where light caches come from: called once for each epoch of the DAG that the jobs are of.
pub type CacheSource<'a> = &'a (dyn Fn(EthashEpoch) -> Arc<LightCache> + 'a);

/// What a recheck asks of its surroundings, and tells them.
pub struct Recheck<'a> {
    /// Light caches for jobs of Ethash.
    pub caches: CacheSource<'a>,
    /// Hears each share that counts, in the order of the file.
    pub counted: &'a mut dyn FnMut(&VerifiedShare),
    /// Hears after each piece how many shares are done.
    pub progress: &'a mut dyn FnMut(u64),
}

/// The count so far.
struct Count<'a> {
    head: &'a EvidenceHead,
    verified: HashMap<u64, VerifiedJob>,
    report: Report,
    builder: Builder,
    last: Option<B256>,
}

impl<'a> Count<'a> {
    /// Verifies the jobs.
    fn new(head: &'a EvidenceHead, caches: CacheSource<'_>) -> Self {
        let mut verified = HashMap::new();
        let mut built = HashMap::<EthashEpoch, Arc<LightCache>>::new();
        let mut with_cache = |job: VerifiedJob| {
            let Some(epoch) = job.dag_epoch() else { return Ok(job) };
            if built.len() >= MAX_DAGS && !built.contains_key(&epoch) {
                return Err(Reason::JobDag { epoch: epoch.index(), max: MAX_DAGS });
            }
            let cache = built.entry(epoch).or_insert_with(|| caches(epoch));
            Ok(job.with_cache(Arc::clone(cache)))
        };
        let jobs = head.jobs.iter().map(|signed| {
            let sequence = signed.job.sequence();
            let job = VerifiedJob::verify(&head.terms, signed.clone()).and_then(&mut with_cache);
            let refused = job.map(|job| verified.insert(sequence, job)).err();
            JobVerdict { sequence, refused }
        });
        let jobs = jobs.collect();
        let report = Report {
            jobs,
            shares: 0,
            refused: 0,
            named: Vec::new(),
            rebuilt: Commitment::default(),
            claimed: head.commitment,
            work: Work::default(),
        };
        Self { head, verified, report, builder: Builder::new(), last: None }
    }

    /// Counts the next shares.
    fn add(&mut self, shares: &[EvidenceShare], counted: &mut dyn FnMut(&VerifiedShare)) {
        let opened = self.open_all(shares);
        for (share, opened) in shares.iter().zip(opened) {
            let index = self.report.shares;
            self.report.shares = index.saturating_add(1);
            let (key, verdict) = match opened {
                Ok(share) => {
                    let verdict = self.push(share.key());
                    if verdict.is_ok() {
                        counted(&share);
                    }
                    (Some(share.key()), verdict)
                }
                Err(reason) => (None, Err(reason)),
            };
            if let Err(refused) = verdict {
                self.report.refused = self.report.refused.saturating_add(1);
                if self.report.named.len() < NAMED {
                    self.report.named.push(ShareVerdict { index, job: share.job, key, refused });
                }
            }
        }
    }

    /// The key takes its place in the trie, if it is above the one before.
    fn push(&mut self, key: B256) -> Result<(), Reason> {
        self.builder.push(key).map_err(|error| match error {
            TrieError::Duplicate(_) => Reason::Duplicate,
            TrieError::Collision(..) => Reason::KeyCollides,
            _ => Reason::OutOfOrder { after: self.last.unwrap_or_default() },
        })?;
        self.last = Some(key);
        Ok(())
    }

    /// Opens shares on all cores, in the order of the file.
    fn open_all(&self, shares: &[EvidenceShare]) -> Vec<Result<VerifiedShare, Reason>> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let piece = shares.len().div_ceil(cores).max(64);
        if shares.len() <= piece {
            return self.open(shares);
        }
        thread::scope(|scope| {
            let parts: Vec<_> =
                shares.chunks(piece).map(|part| (part, scope.spawn(move || self.open(part)))).collect();
            // a thread that died has its part done again here
            parts
                .into_iter()
                .flat_map(|(part, done)| done.join().unwrap_or_else(|_| self.open(part)))
                .collect()
        })
    }

    fn open(&self, shares: &[EvidenceShare]) -> Vec<Result<VerifiedShare, Reason>> {
        let unknown = |job: u64| Reason::UnknownJob { job: job.to_string() };
        let mut verdicts: Vec<_> = shares.iter().map(|share| Err(unknown(share.job))).collect();
        let known = shares
            .iter()
            .enumerate()
            .filter_map(|(at, share)| Some((at, self.verified.get(&share.job)?, &share.share)));
        let places: Vec<usize> = known.clone().map(|(at, ..)| at).collect();
        open_many(&self.head.terms, known.map(|(_, job, share)| (job, share)), |i, opened| {
            let verdict = opened.and_then(|opened| {
                if opened.epoch() == self.head.epoch {
                    opened.settle()
                } else {
                    Err(Reason::OtherEpoch { expected: self.head.epoch, actual: opened.epoch() })
                }
            });
            if let Some(place) = places.get(i).and_then(|at| verdicts.get_mut(*at)) {
                *place = verdict;
            }
        });
        verdicts
    }

    fn finish(self) -> Report {
        let Self { head, mut report, builder, .. } = self;
        report.rebuilt = builder.finish().commitment();
        report.work = head.terms.weight.times(report.rebuilt.count).min(head.terms.epoch_cap());
        report
    }
}

impl<R: Read> EvidenceReader<R> {
    /// Verifies every job signature and every share in full, and rebuilds the trie, in one pass and with little memory
    /// however long the file is.
    ///
    /// # Errors
    /// [`EvidenceError`] when the file can't be read to its end.
    pub fn recheck(mut self, recheck: Recheck<'_>) -> Result<Report, EvidenceError> {
        let head = self.head().clone();
        let mut count = Count::new(&head, recheck.caches);
        let mut shares = Vec::new();
        while self.next(&mut shares, CHUNK)? {
            count.add(&shares, recheck.counted);
            (recheck.progress)(count.report.shares);
        }
        Ok(count.finish())
    }
}

impl Evidence {
    /// [`EvidenceReader::recheck`] of what is in memory already. Light caches are built where they are needed, which
    /// takes seconds each.
    #[must_use]
    pub fn recheck(&self) -> Report {
        self.recheck_keys(&|epoch| Arc::new(LightCache::build(epoch))).0
    }

    /// [`Evidence::recheck`], and the keys of the shares that count, ascending.
    #[must_use]
    pub fn recheck_keys(&self, caches: CacheSource<'_>) -> (Report, Vec<B256>) {
        let mut keys = Vec::with_capacity(self.shares.len());
        let report = self.recheck_with(Recheck {
            caches,
            counted: &mut |share| keys.push(share.key()),
            progress: &mut |_| {},
        });
        (report, keys)
    }

    /// [`Evidence::recheck`] with everything that it may be given.
    #[must_use]
    pub fn recheck_with(&self, recheck: Recheck<'_>) -> Report {
        let mut count = Count::new(&self.head, recheck.caches);
        for shares in self.shares.chunks(CHUNK) {
            count.add(shares, recheck.counted);
            (recheck.progress)(count.report.shares);
        }
        count.finish()
    }
}
