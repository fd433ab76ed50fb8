//! Evidence rules on jobs, checked once per job.

use crate::{OpenedShare, Reason, Share};
use alloy_primitives::B256;
use hashlease_pow::{hash_as_integer, merkle_parent, sha256d};
use hashlease_primitives::{Algorithm, Job, SignedJob, Terms, recover_signer};

/// Longest window of header times, seconds. Shared with Solidity.
pub const MAX_JOB_WINDOW: u64 = 600;
/// Longest coinbase, bytes. Shared with Solidity.
pub const MAX_COINBASE: usize = 1_024;
/// Longest Merkle branch. Shared with Solidity.
pub const MAX_BRANCH: usize = 16;
/// Longest free part of the extranonce, bytes.
pub const MAX_TAIL: usize = 32;

/// A job whose signature and shape were verified for a lease. Only [`VerifiedJob::verify`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedJob {
    signed: SignedJob,
    algorithm: Algorithm,
}

impl VerifiedJob {
    /// Checks a job by the evidence rules: it is of this lease, signed by its job signer, and an opening of it would
    /// pass the verifier on chain.
    ///
    /// # Errors
    /// The [`Reason`] of the first rule that fails.
    pub fn verify(terms: &Terms, signed: SignedJob) -> Result<Self, Reason> {
        if terms.algorithm != Algorithm::Sha256d {
            return Err(Reason::AlgorithmNotServed(terms.algorithm));
        }
        let job = &signed.job;
        if job.lease != terms.id {
            return Err(Reason::OtherLease { expected: terms.id, actual: job.lease });
        }
        match job.not_after.checked_sub(job.not_before) {
            Some(window) if window <= MAX_JOB_WINDOW => {}
            _ => {
                return Err(Reason::JobWindow {
                    not_before: job.not_before,
                    not_after: job.not_after,
                    max: MAX_JOB_WINDOW,
                });
            }
        }
        let length = job
            .coinbase_prefix
            .len()
            .saturating_add(usize::from(job.tail_length))
            .saturating_add(job.coinbase_suffix.len());
        if length > MAX_COINBASE || length == 64 {
            return Err(Reason::JobCoinbase { length, max: MAX_COINBASE });
        }
        if usize::from(job.tail_length) > MAX_TAIL {
            return Err(Reason::ExtranonceLength {
                expected: MAX_TAIL,
                actual: usize::from(job.tail_length),
            });
        }
        if job.branch.len() > MAX_BRANCH {
            return Err(Reason::JobBranch { length: job.branch.len(), max: MAX_BRANCH });
        }
        if signed.signature == [0; 65] {
            return Err(Reason::JobUnsigned);
        }
        if recover_signer(&job.digest(&terms.domain), &signed.signature) != Some(terms.job_signer) {
            return Err(Reason::JobSignature);
        }
        Ok(Self { algorithm: terms.algorithm, signed })
    }

    /// The job.
    #[must_use]
    pub const fn job(&self) -> &Job {
        &self.signed.job
    }

    /// The job with its signature.
    #[must_use]
    pub const fn signed(&self) -> &SignedJob {
        &self.signed
    }

    /// Checks a share of this job by every evidence rule but proof of work, and rebuilds what was hashed: the
    /// witness-stripped coinbase, the leftmost Merkle path, the 80-byte header.
    ///
    /// # Errors
    /// The [`Reason`] of the first rule that fails.
    pub fn open(&self, terms: &Terms, share: &Share) -> Result<OpenedShare, Reason> {
        let job = self.job();
        if job.lease != terms.id || self.algorithm != terms.algorithm {
            return Err(Reason::OtherLease { expected: terms.id, actual: job.lease });
        }
        if share.tail.len() != usize::from(job.tail_length) {
            return Err(Reason::ExtranonceLength {
                expected: usize::from(job.tail_length),
                actual: share.tail.len(),
            });
        }
        if (share.version ^ job.version) & !job.version_mask != 0 {
            return Err(Reason::VersionOutsideMask {
                version: share.version,
                job: job.version,
                mask: job.version_mask,
            });
        }
        let ntime = u64::from(share.ntime);
        if ntime < job.not_before {
            return Err(Reason::NtimeTooEarly { ntime, not_before: job.not_before });
        }
        if ntime > job.not_after {
            return Err(Reason::NtimeTooLate { ntime, not_after: job.not_after });
        }
        let epoch = terms.epoch_of(ntime).map_err(|_| Reason::OutsideEpoch { ntime })?;
        let header = self.header(share);
        let key = sha256d(&header);
        Ok(OpenedShare::new(share.clone(), terms, job.sequence, epoch, header, key, hash_as_integer(&key)))
    }

    /// The 80-byte header that the share says was hashed.
    fn header(&self, share: &Share) -> [u8; 80] {
        let job = self.job();
        let mut coinbase = arrayvec::ArrayVec::<u8, MAX_COINBASE>::new();
        // `verify` and the length rule of `open` bound the sum: none of these can overflow
        for part in [job.coinbase_prefix.as_ref(), share.tail.as_slice(), job.coinbase_suffix.as_ref()] {
            let _ = coinbase.try_extend_from_slice(part);
        }
        let root: B256 =
            job.branch.iter().fold(sha256d(&coinbase), |left, right| merkle_parent(&left, right));
        let mut header = arrayvec::ArrayVec::<u8, 80>::new();
        for part in [
            share.version.to_le_bytes().as_slice(),
            job.prev_hash.as_slice(),
            root.as_slice(),
            &share.ntime.to_le_bytes(),
            &job.n_bits.to_le_bytes(),
            &share.nonce.to_le_bytes(),
        ] {
            let _ = header.try_extend_from_slice(part);
        }
        header.into_inner().unwrap_or([0; 80])
    }
}
