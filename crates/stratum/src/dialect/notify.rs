//! A header job as it is announced to miners.

use alloy_primitives::B256;
use hashlease_primitives::{HeaderJob, HeaderTimeError};

/// A job as a pool announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Opaque id.
    pub job_id: String,
    /// Previous block, in the byte order of the header.
    pub prev_hash: B256,
    /// Coinbase before extranonce1.
    pub coinb1: Vec<u8>,
    /// Coinbase after extranonce2.
    pub coinb2: Vec<u8>,
    /// Merkle branch, from the leaf up.
    pub branch: Vec<B256>,
    /// Header version.
    pub version: u32,
    /// Compact target of the block.
    pub n_bits: u32,
    /// Header time, Unix seconds.
    pub ntime: u32,
    /// Shares of earlier jobs are worth nothing any more.
    pub clean_jobs: bool,
}

impl Notify {
    /// Announces the first second of a signed job. Its id is the sequence in hexadecimal.
    ///
    /// # Errors
    /// If the job starts after the last time that a header can hold.
    pub fn of_signed(job: &HeaderJob, clean_jobs: bool) -> Result<Self, HeaderTimeError> {
        Ok(Self {
            job_id: format!("{:x}", job.sequence),
            prev_hash: job.prev_hash,
            // the prefix contains extranonce1 already: nodes read the signed fields
            coinb1: job.coinbase_prefix.to_vec(),
            coinb2: job.coinbase_suffix.to_vec(),
            branch: job.branch.clone(),
            version: job.version,
            n_bits: job.n_bits,
            ntime: job.not_before.try_into()?,
            clean_jobs,
        })
    }
}
