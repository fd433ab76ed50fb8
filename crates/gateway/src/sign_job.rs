//! Gives a drafted job its sequence and signature.

use crate::{
    job_draft::{JobDraft, NotSigned},
    job_sequence::{JobSequence, JobSequenceError},
    signer::JobSigner,
};
use hashlease_primitives::{HeaderTimeError, SignedJob, Terms, UnixSeconds};
use hashlease_share::{ArrivalRefusal, EpochFull, EvidenceReason, VerifiedJob, check_arrival};
use std::{path::Path, sync::Arc};

/// Why a pool's job can't be handed out.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Nothing of it may be signed.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// The signed job breaks a rule: the key is not that of the lease.
    #[error("job would not count: {0}")]
    Refused(#[from] EvidenceReason),
    /// Nodes and members would refuse it on its arrival.
    #[error(transparent)]
    Arrival(#[from] ArrivalRefusal),
    /// The epoch's evidence holds no more jobs.
    #[error(transparent)]
    EpochFull(#[from] EpochFull),
    /// A node could not read it.
    #[error("job window: {0}")]
    HeaderTime(#[from] HeaderTimeError),
    /// The key failed.
    #[error(transparent)]
    Key(#[from] hashlease_primitives::KeyError),
    /// Signing panicked or was stopped.
    #[error("signing: {0}")]
    Stopped(#[from] tokio::task::JoinError),
    /// The sequence could not be reserved.
    #[error("job sequence: {0}")]
    Sequence(#[from] JobSequenceError),
}

/// Signs the jobs of one lease.
#[derive(Debug)]
pub struct JobMaker {
    signer: Arc<dyn JobSigner>,
    sequence: JobSequence,
}

impl JobMaker {
    /// For a lease whose sequences are stored in `file`.
    ///
    /// # Errors
    /// When the file can't be read or holds no number.
    pub fn open(signer: Arc<dyn JobSigner>, file: &Path) -> Result<Self, JobSequenceError> {
        Ok(Self { signer, sequence: JobSequence::open(file)? })
    }

    /// Signs a job at the time `now`.
    ///
    /// # Errors
    /// [`JobError`]; nothing is handed out then.
    pub fn sign(
        &mut self,
        terms: &Terms,
        draft: JobDraft,
        now: UnixSeconds,
    ) -> Result<VerifiedJob, JobError> {
        let job = draft.into_job(self.sequence.reserve(terms.start, now)?);
        check_arrival(&job, now)?;
        let signature = self.signer.sign(&job.digest(&terms.domain))?;
        Ok(VerifiedJob::verify(terms, SignedJob { job, signature })?)
    }
}
