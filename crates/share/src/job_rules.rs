//! Evidence rules on jobs, checked once per job.

use crate::EvidenceReason;
use hashlease_pow::{
    ethash::{EthashEpoch, LightCache},
    sha256::HeaderTemplate,
};
use hashlease_primitives::{
    Algorithm, EthashJob, HeaderJob, Job, SignedJob, Terms, UnixSeconds, recover_signer,
};
use std::sync::Arc;

// `contracts/src/verify/JobRules.sol` has the same limits: `tests/vectors/shares.json`.

/// Longest window of a job, seconds.
pub const MAX_JOB_WINDOW: u64 = 600;
/// Latest time in a signed job, a `uint40`: all later times would have the same signature.
const LAST_TIME: UnixSeconds = UnixSeconds::new((1 << 40) - 1);
/// Longest coinbase, bytes; one of 64 is refused as well.
pub const MAX_COINBASE: usize = 4_096;
/// Longest Merkle branch, hashes.
pub const MAX_BRANCH: usize = 16;
/// Shortest free part of the extranonce, bytes.
pub const MIN_TAIL: usize = 2;
/// Longest free part of the extranonce, bytes. A longer one could close the coinbase's script early
/// and write outputs of its own.
pub const MAX_TAIL: usize = 32;
/// Version bits that miners may be given (BIP 323).
pub const VERSION_BITS: u32 = 0x1fff_ffe0;
/// Longest signed prefix of an Ethash nonce, bytes: it leaves one byte for the epoch and one for
/// the miner. At least one byte is the gateway's own.
pub const MAX_NONCE_PREFIX: usize = 6;

/// A job whose signature and shape were verified for a lease. Only [`VerifiedJob::verify`] makes
/// one.
#[derive(Clone, Debug)]
pub struct VerifiedJob {
    signed: SignedJob,
    /// The terms at its verification, by which its shares are judged.
    pub(crate) terms: Terms,
    pub(crate) work: JobWork,
}

/// The parts of a job that hashing needs, prepared once.
#[derive(Clone, Debug)]
pub(crate) enum JobWork {
    Header(HeaderTemplate),
    Ethash(SealWork),
}

#[derive(Clone, Debug)]
pub(crate) struct SealWork {
    /// Epoch of the DAG.
    pub(crate) dag: EthashEpoch,
    /// Epoch of the lease.
    pub(crate) epoch: u32,
    pub(crate) cache: Option<Arc<LightCache>>,
}

impl VerifiedJob {
    /// Checks a job by the evidence rules: it is of this lease, its job signer signed it, and it is
    /// within the limits of the verifier on chain. The lease counts as rented: an end that a
    /// cancellation brought closer makes no job bad, it cuts the job's shares.
    ///
    /// # Errors
    /// The [`EvidenceReason`] of the first rule that fails.
    pub fn verify(terms: &Terms, signed: SignedJob) -> Result<Self, EvidenceReason> {
        let job = &signed.job;
        let work = work_of(terms, job)?;
        if signed.signature == [0; 65] {
            return Err(EvidenceReason::JobUnsigned);
        }
        if recover_signer(&job.digest(&terms.domain), &signed.signature) != Some(terms.job_signer) {
            return Err(EvidenceReason::JobSignature);
        }
        Ok(Self { terms: terms.clone(), signed, work })
    }

    /// The job.
    #[must_use]
    pub const fn job(&self) -> &Job {
        &self.signed.job
    }

    /// The terms of its lease at its verification.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The job with its signature.
    #[must_use]
    pub const fn signed(&self) -> &SignedJob {
        &self.signed
    }

    /// The DAG epoch of a job for Ethash or Etchash: opening its shares needs the light cache of
    /// that epoch.
    #[must_use]
    pub const fn dag_epoch(&self) -> Option<EthashEpoch> {
        match &self.work {
            JobWork::Ethash(work) => Some(work.dag),
            JobWork::Header(_) => None,
        }
    }

    /// Sets the light cache for the job's shares; a cache of another epoch is ignored.
    #[must_use]
    pub fn with_cache(mut self, cache: Arc<LightCache>) -> Self {
        self.set_cache(cache);
        self
    }

    /// [`VerifiedJob::with_cache`] in place.
    pub fn set_cache(&mut self, cache: Arc<LightCache>) {
        if let JobWork::Ethash(work) = &mut self.work
            && cache.epoch() == work.dag
        {
            work.cache = Some(cache);
        }
    }
}

/// Checks a job by the evidence rules but for its signature: a job that breaks one is not signed.
///
/// # Errors
/// The [`EvidenceReason`] of the first rule that fails.
pub fn check_unsigned(terms: &Terms, job: &Job) -> Result<(), EvidenceReason> {
    work_of(terms, job).map(|_| ())
}

/// Every rule on a job but those on its signature, and what hashing needs of it.
fn work_of(terms: &Terms, job: &Job) -> Result<JobWork, EvidenceReason> {
    if job.lease() != terms.id {
        return Err(EvidenceReason::OtherLease { expected: terms.id, actual: job.lease() });
    }
    let (not_before, not_after) = (job.not_before(), job.not_after());
    let ordered = not_before <= not_after && not_after <= LAST_TIME;
    if !ordered || not_after.since(not_before) > MAX_JOB_WINDOW {
        return Err(EvidenceReason::JobWindow { not_before, not_after, max: MAX_JOB_WINDOW });
    }
    let rented = terms.as_rented();
    if !rented.is_active(not_before) || !rented.is_active(not_after) {
        let Terms { start, end, .. } = rented;
        return Err(EvidenceReason::JobOutsideLease { not_before, not_after, start, end });
    }
    match (terms.algorithm, job) {
        (Algorithm::Sha256d | Algorithm::Scrypt, Job::Header(job)) => header_work(job),
        (Algorithm::Ethash | Algorithm::Etchash, Job::Ethash(job)) => seal_work(&rented, job),
        (algorithm, _) => Err(EvidenceReason::JobKind(algorithm)),
    }
}

fn header_work(job: &HeaderJob) -> Result<JobWork, EvidenceReason> {
    let tail = usize::from(job.tail_length);
    let length = job.coinbase_prefix.len().saturating_add(tail).saturating_add(job.coinbase_suffix.len());
    if length > MAX_COINBASE || length == 64 {
        return Err(EvidenceReason::JobCoinbase { length, max: MAX_COINBASE });
    }
    if !(MIN_TAIL..=MAX_TAIL).contains(&tail) {
        return Err(EvidenceReason::JobTail { length: tail, min: MIN_TAIL, max: MAX_TAIL });
    }
    if job.branch.len() > MAX_BRANCH {
        return Err(EvidenceReason::JobBranch { length: job.branch.len(), max: MAX_BRANCH });
    }
    if job.version_mask & !VERSION_BITS != 0 {
        return Err(EvidenceReason::JobVersionMask { mask: job.version_mask, allowed: VERSION_BITS });
    }
    let HeaderJob { coinbase_prefix, coinbase_suffix, branch, prev_hash, n_bits, .. } = job;
    Ok(JobWork::Header(HeaderTemplate::new(
        coinbase_prefix,
        tail,
        coinbase_suffix,
        branch,
        prev_hash,
        *n_bits,
    )))
}

fn seal_work(rented: &Terms, job: &EthashJob) -> Result<JobWork, EvidenceReason> {
    if !(1..=MAX_NONCE_PREFIX).contains(&job.nonce_prefix.len()) {
        return Err(EvidenceReason::JobNoncePrefix { length: job.nonce_prefix.len(), max: MAX_NONCE_PREFIX });
    }
    let block = job.block_number;
    let dag = match rented.algorithm {
        Algorithm::Etchash => EthashEpoch::of_etchash_block(block),
        _ => EthashEpoch::of_ethash_block(block),
    };
    let dag = dag.map_err(|_| EvidenceReason::JobBlock { block })?;
    // the header's own time is hidden in the seal hash, so the window must determine the epoch
    match (rented.epoch_of(job.not_before), rented.epoch_of(job.not_after)) {
        (Ok(epoch), Ok(last)) if epoch == last => Ok(JobWork::Ethash(SealWork { dag, epoch, cache: None })),
        _ => Err(EvidenceReason::JobOutsideEpoch { not_before: job.not_before, not_after: job.not_after }),
    }
}
