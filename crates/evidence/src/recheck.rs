//! Counts an epoch again from its evidence.

use crate::{
    content::{Evidence, EvidenceHead, EvidenceShare},
    file::{EvidenceError, EvidenceReader},
};
use alloy_primitives::B256;
use hashlease_pow::ethash::{EthashEpoch, LightCache};
use hashlease_primitives::{Algorithm, Commitment, Work};
use hashlease_share::{EvidenceReason, OpenedShare, VerifiedJob, VerifiedShare, open_many};
use hashlease_trie::{Builder, TrieError};
use std::{
    collections::{BTreeMap, HashMap},
    io::Read,
    num::NonZero,
    sync::Arc,
    thread,
};

/// Refused jobs, and refused shares, that a report lists by default.
const NAMED: usize = 10_000;

/// Shares checked at a time: enough for every core, little memory compared with the file, and about
/// a second of work.
const fn chunk(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Sha256d => 1 << 16,
        Algorithm::Scrypt => 1 << 13,
        Algorithm::Ethash | Algorithm::Etchash => 1 << 11,
    }
}

/// A job that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobVerdict {
    /// Sequence of the job.
    pub sequence: u64,
    /// Why it does not count.
    pub refused: EvidenceReason,
}

/// A share that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareVerdict {
    /// Position in the file, from 0.
    pub index: u64,
    /// Sequence of its job.
    pub job: u64,
    /// Its key, if it was hashed before a rule broke.
    pub key: Option<B256>,
    /// Why it does not count. A share of a refused job has the job's reason.
    pub refused: EvidenceReason,
}

/// The result of counting again.
#[derive(Clone, Debug)]
pub struct Report {
    /// Jobs in the file.
    pub jobs: u64,
    /// Jobs that do not count.
    pub jobs_refused: u64,
    /// The first of them, in the order of the file.
    pub jobs_named: Vec<JobVerdict>,
    /// Shares in the file.
    pub shares: u64,
    /// Shares that do not count.
    pub refused: u64,
    /// The first of them, in the order of the file.
    pub named: Vec<ShareVerdict>,
    /// Number of shares that broke each rule, by the rule's [code](EvidenceReason::code).
    pub broken: BTreeMap<&'static str, u64>,
    /// Root and count of the shares that count.
    pub rebuilt: Commitment,
    /// Root and count in the file.
    pub claimed: Commitment,
    /// Work of the shares that count, at most the epoch cap.
    pub work: Work,
}

impl Report {
    /// Whether every job and share counts, and root and count are as claimed. The terms are not
    /// checked here: see [`EvidenceHead::differs_from`] and [`EvidenceHead::contradiction`].
    #[must_use]
    pub fn holds(&self) -> bool {
        self.rebuilt == self.claimed && !self.refuses()
    }

    const fn refuses(&self) -> bool {
        self.refused > 0 || self.jobs_refused > 0
    }

    /// The first mistake in the file, in words.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        if let Some(JobVerdict { sequence, refused }) = self.jobs_named.first() {
            return Some(format!("job {sequence}: {refused} ({})", refused.code()));
        }
        if let Some(ShareVerdict { index, refused, .. }) = self.named.first() {
            return Some(format!("share {index}: {refused} ({})", refused.code()));
        }
        (!self.holds()).then(|| {
            format!(
                "root and count: claimed {} and {}, the shares give {} and {}",
                self.claimed.root, self.claimed.count, self.rebuilt.root, self.rebuilt.count
            )
        })
    }
}

/// Largest number of DAGs that the jobs of one evidence file may use. Each light cache takes
/// seconds to build and up to 270 MiB, so a file could otherwise demand any amount of both. An
/// epoch of a lease touches at most two; a chain keeps one for days.
pub const MAX_DAGS: usize = 4;

/// Source of light caches: called once for each DAG epoch that shares use.
pub type CacheSource<'a> = &'a (dyn Fn(EthashEpoch) -> Arc<LightCache> + 'a);

/// What a recheck needs, and what it reports meanwhile.
pub struct Recheck<'a> {
    /// Light caches for jobs of Ethash.
    pub caches: CacheSource<'a>,
    /// Receives each share that counts, in the order of the file. Trust none of them before the
    /// recheck ends without an error: the checksum comes last.
    pub counted: &'a mut dyn FnMut(&VerifiedShare),
    /// Receives the number of checked shares after each piece.
    pub progress: &'a mut dyn FnMut(u64),
    /// How many refused jobs, and how many refused shares, the report lists; all are counted.
    pub named: usize,
}

impl<'a> Recheck<'a> {
    /// Lists the first 10,000 refused jobs and the first 10,000 refused shares.
    pub fn new(
        caches: CacheSource<'a>,
        counted: &'a mut dyn FnMut(&VerifiedShare),
        progress: &'a mut dyn FnMut(u64),
    ) -> Self {
        Self { caches, counted, progress, named: NAMED }
    }
}

/// A share's key, if it was hashed, and whether it counts.
struct Judged {
    key: Option<B256>,
    verdict: Result<VerifiedShare, EvidenceReason>,
}

/// The count so far.
struct Count<'a> {
    head: &'a EvidenceHead,
    jobs: HashMap<u64, Result<VerifiedJob, EvidenceReason>>,
    /// DAGs whose caches the jobs have.
    built: Vec<EthashEpoch>,
    named: usize,
    report: Report,
    builder: Builder,
    last: Option<B256>,
}

/// Processes the items on all cores and keeps the order of the results. No piece has fewer items
/// than `smallest`.
fn on_all_cores<T: Sync, U: Send>(
    items: &[T],
    smallest: usize,
    work: impl Fn(&[T]) -> Vec<U> + Sync,
) -> Vec<U> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let piece = items.len().div_ceil(cores).max(smallest);
    if items.len() <= piece {
        return work(items);
    }
    let work = &work;
    thread::scope(|scope| {
        let parts: Vec<_> = items
            .chunks(piece)
            .map(|part| (part, thread::Builder::new().spawn_scoped(scope, move || work(part)).ok()))
            .collect();
        // without a thread, or after a panic in one, this thread does the part
        parts
            .into_iter()
            .flat_map(|(part, thread)| {
                thread.and_then(|thread| thread.join().ok()).unwrap_or_else(|| work(part))
            })
            .collect()
    })
}

/// Jobs verified at a time, which takes twice their memory.
const JOBS: usize = 1 << 10;

impl<'a> Count<'a> {
    /// Verifies the jobs; with `until_refused`, only up to the piece with the first refused one.
    fn new(head: &'a EvidenceHead, named: usize, until_refused: bool) -> Self {
        let mut report = Report {
            jobs: 0,
            jobs_refused: 0,
            jobs_named: Vec::new(),
            shares: 0,
            refused: 0,
            named: Vec::new(),
            broken: BTreeMap::new(),
            rebuilt: Commitment::default(),
            claimed: head.commitment,
            work: Work::default(),
        };
        let mut jobs = HashMap::with_capacity(head.jobs.len());
        let mut dags = Vec::new();
        for piece in head.jobs.chunks(JOBS) {
            if until_refused && report.jobs_refused > 0 {
                break;
            }
            let verified: Vec<_> = on_all_cores(piece, 16, |jobs| {
                jobs.iter().map(|signed| VerifiedJob::verify(&head.terms, signed.clone())).collect()
            });
            for (signed, verified) in piece.iter().zip(verified) {
                let sequence = signed.job.sequence();
                let verified = verified.and_then(|job| within_dags(job, &mut dags));
                report.jobs = report.jobs.saturating_add(1);
                if let Err(reason) = &verified {
                    report.jobs_refused = report.jobs_refused.saturating_add(1);
                    if report.jobs_named.len() < named {
                        report.jobs_named.push(JobVerdict { sequence, refused: reason.clone() });
                    }
                }
                jobs.insert(sequence, verified);
            }
        }
        Self { head, jobs, built: Vec::new(), named, report, builder: Builder::new(), last: None }
    }

    /// Gets the caches that these shares need.
    fn prepare(&mut self, shares: &[EvidenceShare], caches: CacheSource<'_>) {
        for share in shares {
            let Some(Ok(job)) = self.jobs.get(&share.job) else { continue };
            let Some(dag) = job.dag_epoch() else { continue };
            if self.built.contains(&dag) {
                continue;
            }
            let cache = caches(dag);
            for job in self.jobs.values_mut().flatten().filter(|job| job.dag_epoch() == Some(dag)) {
                job.set_cache(Arc::clone(&cache));
            }
            self.built.push(dag);
        }
    }

    /// Counts the next shares.
    fn add(&mut self, shares: &[EvidenceShare], recheck: &mut Recheck<'_>) {
        self.prepare(shares, recheck.caches);
        let judged = on_all_cores(shares, 64, |shares| self.judge(shares));
        for (share, Judged { key, verdict }) in shares.iter().zip(judged) {
            let index = self.report.shares;
            self.report.shares = index.saturating_add(1);
            let verdict = verdict.and_then(|share| self.push(share.key()).map(|()| share));
            match verdict {
                Ok(share) => (recheck.counted)(&share),
                Err(refused) => {
                    self.report.refused = self.report.refused.saturating_add(1);
                    let broken = self.report.broken.entry(refused.code()).or_default();
                    *broken = broken.saturating_add(1);
                    if self.report.named.len() < self.named {
                        self.report.named.push(ShareVerdict { index, job: share.job, key, refused });
                    }
                }
            }
        }
        (recheck.progress)(self.report.shares);
    }

    /// Appends a key to the trie if it is above the last one.
    fn push(&mut self, key: B256) -> Result<(), EvidenceReason> {
        self.builder.push(key).map_err(|error| match error {
            TrieError::Duplicate(_) => EvidenceReason::Duplicate,
            TrieError::Collision(..) => EvidenceReason::KeyCollides,
            // only a key after another one can be out of order
            _ => EvidenceReason::OutOfOrder { after: self.last.unwrap_or_default() },
        })?;
        self.last = Some(key);
        Ok(())
    }

    /// Opens shares, in their order.
    fn judge(&self, shares: &[EvidenceShare]) -> Vec<Judged> {
        let refused = |reason: EvidenceReason| Judged { key: None, verdict: Err(reason) };
        let unknown =
            |share: &EvidenceShare| refused(EvidenceReason::UnknownJob { job: share.job.to_string() });
        let mut judged: Vec<Option<Judged>> = Vec::with_capacity(shares.len());
        let mut places = Vec::with_capacity(shares.len());
        let mut known = Vec::with_capacity(shares.len());
        for (at, share) in shares.iter().enumerate() {
            judged.push(match self.jobs.get(&share.job) {
                Some(Ok(job)) => {
                    places.push(at);
                    known.push((job, &share.share));
                    None
                }
                Some(Err(reason)) => Some(refused(reason.clone())),
                None => Some(unknown(share)),
            });
        }
        open_many(self.head.terms.end, known, |i, opened| {
            let Some(place) = places.get(i).and_then(|at| judged.get_mut(*at)) else { return };
            *place = Some(match opened {
                Ok(opened) => Judged { key: Some(opened.key()), verdict: self.settle(opened) },
                Err(reason) => refused(reason),
            });
        });
        // `open_many` judges every share, so no place is empty
        judged
            .into_iter()
            .zip(shares)
            .map(|(judged, share)| judged.unwrap_or_else(|| unknown(share)))
            .collect()
    }

    fn settle(&self, opened: OpenedShare) -> Result<VerifiedShare, EvidenceReason> {
        if opened.epoch() == self.head.epoch {
            opened.settle()
        } else {
            Err(EvidenceReason::OtherEpoch { expected: self.head.epoch, actual: opened.epoch() })
        }
    }

    fn finish(self) -> Report {
        let Self { head, mut report, builder, .. } = self;
        report.rebuilt = builder.finish().commitment();
        report.work = head.terms.weight.times(report.rebuilt.count).min(head.terms.epoch_cap());
        report
    }
}

/// Refuses a job of one DAG too many. Its cache is not built before a share needs it.
fn within_dags(job: VerifiedJob, dags: &mut Vec<EthashEpoch>) -> Result<VerifiedJob, EvidenceReason> {
    match job.dag_epoch() {
        Some(dag) if !dags.contains(&dag) => {
            if dags.len() >= MAX_DAGS {
                return Err(EvidenceReason::JobDag { epoch: dag.index(), max: MAX_DAGS });
            }
            dags.push(dag);
            Ok(job)
        }
        _ => Ok(job),
    }
}

impl<R: Read> EvidenceReader<R> {
    /// Verifies every job signature and every share in full, and rebuilds the trie: in one pass,
    /// and in memory that does not grow with the number of shares.
    ///
    /// # Errors
    /// [`EvidenceError`] when the file can't be read to its end.
    pub fn recheck(self, recheck: Recheck<'_>) -> Result<Report, EvidenceError> {
        self.count(recheck, false)
    }

    /// [`EvidenceReader::recheck`] for a caller who only needs to know whether all of it holds.
    /// After the first refused job or share, the rest is read for the checksum but not checked
    /// (except up to a thousand more jobs), and the report's counts end there.
    ///
    /// # Errors
    /// [`EvidenceError`] when the file can't be read to its end.
    pub fn recheck_until_refused(self, recheck: Recheck<'_>) -> Result<Report, EvidenceError> {
        self.count(recheck, true)
    }

    fn count(self, mut recheck: Recheck<'_>, until_refused: bool) -> Result<Report, EvidenceError> {
        let (head, mut rest) = self.split();
        let mut count = Count::new(&head, recheck.named, until_refused);
        let chunk = chunk(head.terms.algorithm);
        let mut shares = Vec::new();
        while rest.next(&mut shares, chunk)? {
            if !(until_refused && count.report.refuses()) {
                count.add(&shares, &mut recheck);
            }
        }
        Ok(count.finish())
    }
}

impl Evidence {
    /// [`EvidenceReader::recheck`] of evidence in memory. Builds light caches where they are
    /// needed, which takes seconds each.
    #[must_use]
    pub fn recheck(&self) -> Report {
        self.recheck_keys(&|epoch| Arc::new(LightCache::build(epoch))).0
    }

    /// [`Evidence::recheck`], and the keys of the shares that count, ascending.
    #[must_use]
    pub fn recheck_keys(&self, caches: CacheSource<'_>) -> (Report, Vec<B256>) {
        let mut keys = Vec::with_capacity(self.shares.len());
        let report =
            self.recheck_with(Recheck::new(caches, &mut |share| keys.push(share.key()), &mut |_| {}));
        (report, keys)
    }

    /// [`EvidenceReader::recheck`] of evidence in memory.
    #[must_use]
    pub fn recheck_with(&self, mut recheck: Recheck<'_>) -> Report {
        let mut count = Count::new(&self.head, recheck.named, false);
        for shares in self.shares.chunks(chunk(self.head.terms.algorithm)) {
            count.add(shares, &mut recheck);
        }
        count.finish()
    }
}
