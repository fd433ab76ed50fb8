//! Records and their binary format.
//!
//! A body is `u8 type · u8 version (1) · fields`. Integers are little-endian; `text` is a `u8`
//! length followed by that many bytes of UTF-8. Terms, jobs and shares are as in
//! [`hashlease_share::wire`].
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
    /// A lease's terms, written when the lease is first seen and when its end moves earlier.
    Lease(Terms),
    /// A verified job, before any miner gets it.
    Job {
        /// Time of arrival.
        at: UnixMillis,
        /// The job and its signature.
        signed: SignedJob,
    },
    /// A counted share. Only [`Record::share`] and the decoder create one, so that nothing
    /// unverified is credited:
    ///
    /// ```compile_fail,E0639
    /// # use hashlease_journal::Record;
    /// # fn forge(lease: hashlease_primitives::LeaseId, share: hashlease_share::Share) -> Record {
    /// let (key, worker) = Default::default();
    /// Record::Share { at: 0, lease, job: 1, key, epoch: 0, share, worker }
    /// # }
    /// ```
    #[non_exhaustive]
    Share {
        /// Time of arrival.
        at: UnixMillis,
        /// Lease.
        lease: LeaseId,
        /// Sequence of its job.
        job: u64,
        /// Identity: the hash of the header, raw digest bytes.
        key: B256,
        /// Epoch of its header time.
        epoch: u32,
        /// The miner's choice.
        share: Share,
        /// Worker, at most 255 bytes.
        worker: String,
    },
    /// The pool's verdict on a share.
    Verdict {
        /// Time of arrival.
        at: UnixMillis,
        /// Lease.
        lease: LeaseId,
        /// Key of the share.
        key: B256,
        /// Whether the pool accepted it.
        accepted: bool,
        /// The pool's reason if it did not, cut to 255 bytes when written.
        code: String,
    },
    /// An epoch was closed.
    EpochClosed {
        /// Time of closing.
        at: UnixMillis,
        /// Lease.
        lease: LeaseId,
        /// Epoch.
        epoch: u32,
        /// Root and count.
        commitment: Commitment,
    },
}

/// Why a body can't be decoded, or a record can't be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The type is unknown, probably that of a newer program.
    #[error("unknown record type {0}: expected 1 to 7; was the journal written by a newer version?")]
    UnknownType(u8),
    /// The version is unknown, probably that of a newer program.
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
    /// The record of a counted share. `worker` is cut to 255 bytes.
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
