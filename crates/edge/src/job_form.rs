//! The parts of a job that depend on its kind: its fields, and how its work is divided among
//! miners.

use crate::extranonce::{Layout, TailTooShort};
use hashlease_primitives::{HeaderJob, HeaderTimeError, Job, JobKind, UnixSeconds};

/// The fields of a job that depend on its kind.
#[derive(Clone, Debug)]
pub(crate) enum JobForm {
    /// For SHA-256d and scrypt.
    Header(HeaderForm),
}

/// A header job, and how its extranonce is divided among miners.
#[derive(Clone, Debug)]
pub(crate) struct HeaderForm {
    /// The job's fields.
    pub(crate) job: HeaderJob,
    /// The division of its extranonce.
    pub(crate) layout: Layout,
    first_ntime: u32,
    last_ntime: u32,
}

/// Why miners can't be given a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormError {
    /// No dialect for this kind of job is served.
    #[error("jobs of the kind {0:?} are not served")]
    NotServed(JobKind),
    /// The extranonce is too short to be divided.
    #[error(transparent)]
    Tail(#[from] TailTooShort),
    /// The window ends after the last time a header can have.
    #[error("job window: {0}")]
    HeaderTime(#[from] HeaderTimeError),
}

impl JobForm {
    /// # Errors
    /// [`FormError`].
    pub(crate) fn of(job: &Job) -> Result<Self, FormError> {
        match job {
            Job::Header(job) => Ok(Self::Header(HeaderForm::of(job)?)),
            Job::Ethash(_) => Err(FormError::NotServed(JobKind::Ethash)),
        }
    }

    /// The division of the job's extranonce.
    pub(crate) const fn layout(&self) -> Layout {
        let Self::Header(form) = self;
        form.layout
    }

    /// Length of the free part of the extranonce, bytes.
    pub(crate) const fn tail_length(&self) -> u8 {
        let Self::Header(form) = self;
        form.job.tail_length
    }

    /// Version bits that miners may choose: those of the mask that the job's own version leaves
    /// clear. In these, firmware that replaces, sets or flips bits hashes the same header.
    pub(crate) const fn free_version_bits(&self) -> u32 {
        let Self::Header(form) = self;
        form.job.version_mask & !form.job.version
    }
}

impl HeaderForm {
    fn of(job: &HeaderJob) -> Result<Self, FormError> {
        Ok(Self {
            job: job.clone(),
            layout: Layout::of_tail(usize::from(job.tail_length))?,
            first_ntime: job.not_before.try_into()?,
            last_ntime: job.not_after.try_into()?,
        })
    }

    /// The header time that miners start from: now, but inside the window.
    pub(crate) fn ntime(&self, now: UnixSeconds) -> u32 {
        // a clock beyond 32 bits is after every window
        u32::try_from(now).unwrap_or(u32::MAX).max(self.first_ntime).min(self.last_ntime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, Bytes};
    use hashlease_primitives::{EthashJob, LeaseId};

    fn job(not_before: u64, not_after: u64) -> HeaderJob {
        HeaderJob {
            lease: LeaseId(1),
            sequence: 1,
            prev_hash: B256::repeat_byte(1),
            n_bits: 0x1d00_ffff,
            version: 0x2000_0000,
            version_mask: 0,
            not_before: UnixSeconds::new(not_before),
            not_after: UnixSeconds::new(not_after),
            coinbase_prefix: Bytes::new(),
            tail_length: 8,
            coinbase_suffix: Bytes::new(),
            branch: vec![],
        }
    }

    #[test]
    fn miners_start_inside_the_window() {
        let JobForm::Header(form) = JobForm::of(&job(1_000, 1_100).into()).unwrap();
        for (now, expected) in [(0, 1_000), (1_050, 1_050), (1_200, 1_100), (u64::MAX, 1_100)] {
            assert_eq!(form.ntime(UnixSeconds::new(now)), expected, "at {now}");
        }
    }

    #[test]
    fn a_job_that_miners_cannot_be_given_is_refused_with_its_reason() {
        let refused = |job: Job| JobForm::of(&job).map(drop);
        let last = u64::from(u32::MAX);
        assert_eq!(refused(job(last - 9, last).into()), Ok(()));
        let late = FormError::HeaderTime(HeaderTimeError(UnixSeconds::new(last + 1)));
        assert_eq!(refused(job(last, last + 1).into()), Err(late));
        let short = HeaderJob { tail_length: 1, ..job(0, 1) };
        assert_eq!(refused(short.into()), Err(FormError::Tail(TailTooShort(1))));
        let ethash = EthashJob {
            lease: LeaseId(1),
            sequence: 1,
            seal_hash: B256::ZERO,
            block_number: 1,
            nonce_prefix: Bytes::new(),
            not_before: UnixSeconds::new(0),
            not_after: UnixSeconds::new(1),
        };
        assert_eq!(refused(ethash.into()), Err(FormError::NotServed(JobKind::Ethash)));
    }
}
