//! Records and their bytes.
//!
//! A body is `u8 type · u8 version (1) · fields`. Integers are little-endian; `text` is a `u8` length and so many bytes
//! of UTF-8. Terms, jobs and shares are as in [`hashlease_share::wire`].
//!
//! ```text
//! type  fields
//! 1     lease: terms
//! 2     job: u64 at · u64 lease · header job
//! 3     share: u64 at · u64 lease · u64 job · 32 key · u32 epoch · header share · text worker
//! 4     verdict: u64 at · u64 lease · 32 key · u8 accepted (0, 1) · text code
//! 5     epoch closed: u64 at · u64 lease · u32 epoch · 32 root · u64 count
//! 6     job: as 2, with an Ethash job
//! 7     share: as 3, with an Ethash share
//! ```
//! Times `at` are Unix milliseconds, all others Unix seconds.

mod codec;
#[cfg(test)]
pub(crate) mod tests;

use crate::wire::fitting;
use alloy_primitives::B256;
use hashlease_primitives::{Commitment, LeaseId, SignedJob, Terms, UnixMillis};
use hashlease_share::{Share, VerifiedShare, wire::WireError};

/// Longest body of a record, bytes.
pub const MAX_BODY: usize = 64 * 1_024;

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A lease's terms, when it is first seen and when its end came closer.
    Lease(Terms),
    /// A verified job, before any miner gets it.
    Job {
        /// When it came, Unix milliseconds.
        at: UnixMillis,
        /// The job and its signature.
        signed: SignedJob,
    },
    /// A counted share. Only [`Record::share`] and reading a journal make one, so nothing unverified is credited:
    ///
    /// ```compile_fail,E0639
    /// # use hashlease_journal::Record;
    /// # fn forge(lease: hashlease_primitives::LeaseId, share: hashlease_share::Share) -> Record {
    /// Record::Share { at: 0, lease, job: 1, key: Default::default(), epoch: 0, share, worker: String::new() }
    /// # }
    /// ```
    #[non_exhaustive]
    Share {
        /// When it came, Unix milliseconds.
        at: UnixMillis,
        /// Lease.
        lease: LeaseId,
        /// Sequence of its job.
        job: u64,
        /// Identity: the hash of the header, raw digest bytes.
        key: B256,
        /// Epoch of its header time.
        epoch: u32,
        /// What the miner chose.
        share: Share,
        /// Worker, at most 255 bytes.
        worker: String,
    },
    /// The pool's verdict on a share.
    Verdict {
        /// When it came, Unix milliseconds.
        at: UnixMillis,
        /// Lease.
        lease: LeaseId,
        /// Key of the share.
        key: B256,
        /// Whether the pool took it.
        accepted: bool,
        /// The pool's reason otherwise; cut to 255 bytes when it is written.
        code: String,
    },
    /// An epoch was closed.
    EpochClosed {
        /// When, Unix milliseconds.
        at: UnixMillis,
        /// Lease.
        lease: LeaseId,
        /// Epoch.
        epoch: u32,
        /// Root and count.
        commitment: Commitment,
    },
}

/// A body that can't be read, or a record that has none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Newer than this program.
    #[error("record of type {0} is not known to this version")]
    UnknownType(u8),
    /// Written by a newer program.
    #[error("record of type {kind}, version {actual}: expected version {expected}")]
    UnknownVersion {
        /// Type.
        kind: u8,
        /// Version that this program reads.
        expected: u8,
        /// Version as written.
        actual: u8,
    },
    /// A field is missing, out of range, or followed by more.
    #[error("record: {0}")]
    Wire(#[from] WireError),
}

impl Record {
    /// The record of a counted share: only the verifier makes what it takes. `worker` is cut to 255 bytes.
    #[must_use]
    pub fn share(at: UnixMillis, share: &VerifiedShare, worker: &str) -> Self {
        Self::Share {
            at,
            lease: share.lease(),
            job: share.job(),
            key: share.key(),
            epoch: share.epoch(),
            share: share.share().clone(),
            worker: fitting(worker).to_owned(),
        }
    }
}
