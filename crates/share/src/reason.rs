//! The evidence rules by name: why a job or a share does not count, whoever checks it.

use alloy_primitives::{B256, Bytes};
use hashlease_primitives::{Algorithm, LeaseId, UnixSeconds};
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

/// Why a job or a share does not count. Every rule is a pure function of lease, job and share, so
/// edge, gateway, members, watchers and contracts find the same reason.
///
/// Its [`code`](EvidenceReason::code) is stable. Serialized it is `{"code": …, "message": …}`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceReason {
    /// The job names another lease.
    #[error("job is of another lease: expected {expected}, got {actual}")]
    OtherLease {
        /// The lease that is being served.
        expected: LeaseId,
        /// The lease that the job names.
        actual: LeaseId,
    },
    /// The job carries no signature.
    #[error("job is not signed")]
    JobUnsigned,
    /// The signature is malformed, not low-s, or not by the lease's job signer.
    #[error("job signature is not by the lease's job signer")]
    JobSignature,
    /// The window of header times is backwards, too long, or ends later than a signature can cover.
    #[error("job window {not_before} to {not_after}: expected 0 to {max} seconds, before 2^40")]
    JobWindow {
        /// First header time.
        not_before: UnixSeconds,
        /// Last header time.
        not_after: UnixSeconds,
        /// Longest window, seconds.
        max: u64,
    },
    /// The window of header times is not inside the lease as rented.
    #[error("job window {not_before} to {not_after}: expected inside {start} to {end}, the end excluded")]
    JobOutsideLease {
        /// First header time.
        not_before: UnixSeconds,
        /// Last header time.
        not_after: UnixSeconds,
        /// First second of the lease.
        start: UnixSeconds,
        /// First second after the lease as rented.
        end: UnixSeconds,
    },
    /// The coinbase is too long, or 64 bytes, which could be taken for an inner Merkle node.
    #[error("job coinbase of {length} bytes: expected at most {max} and not 64")]
    JobCoinbase {
        /// Length of prefix, tail and suffix, bytes.
        length: usize,
        /// Longest coinbase, bytes.
        max: usize,
    },
    /// The free part of the extranonce is too short or too long.
    #[error("job tail of {length} bytes: expected {min} to {max}")]
    JobTail {
        /// The job's tail length, bytes.
        length: usize,
        /// Shortest tail, bytes.
        min: usize,
        /// Longest tail, bytes.
        max: usize,
    },
    /// The Merkle branch is too long.
    #[error("job branch of {length} hashes: expected at most {max}")]
    JobBranch {
        /// Length of the branch.
        length: usize,
        /// Longest branch.
        max: usize,
    },
    /// The mask lets miners choose version bits that are not theirs.
    #[error("job version mask {mask:08x}: expected bits of {allowed:08x} only")]
    JobVersionMask {
        /// The job's mask.
        mask: u32,
        /// Bits that a mask may have.
        allowed: u32,
    },
    /// The job is of the kind of another algorithm.
    #[error("job is not one for {0}")]
    JobKind(Algorithm),
    /// The gateway's part of the nonce is empty, or leaves no room for the epoch and the miner.
    #[error("job nonce prefix of {length} bytes: expected 1 to {max}")]
    JobNoncePrefix {
        /// Length of the prefix, bytes.
        length: usize,
        /// Longest prefix, bytes.
        max: usize,
    },
    /// The block's DAG epoch is beyond the supported range.
    #[error("job block {block}: its DAG is larger than any that is served")]
    JobBlock {
        /// Number of the block.
        block: u64,
    },
    /// The evidence already has jobs of as many DAGs as it may have.
    #[error("job is of DAG epoch {epoch}: the evidence has jobs of {max} others, which is the most")]
    JobDag {
        /// Number of the DAG's epoch.
        epoch: u32,
        /// Largest number of DAGs that one evidence file may use.
        max: usize,
    },
    /// An Ethash job's window is not inside one epoch of the lease.
    #[error("job window {not_before} to {not_after} is not inside one epoch of the lease")]
    JobOutsideEpoch {
        /// Start of the window.
        not_before: UnixSeconds,
        /// End of the window.
        not_after: UnixSeconds,
    },
    /// The extranonce tail has another length than the job says.
    #[error("extranonce of {actual} bytes: expected {expected}")]
    ExtranonceLength {
        /// The job's tail length.
        expected: usize,
        /// The submitted length.
        actual: usize,
    },
    /// Version bits outside the mask differ from the job's.
    #[error("version {version:08x} differs from the job's {job:08x} outside the mask {mask:08x}")]
    VersionOutsideMask {
        /// The share's version.
        version: u32,
        /// The job's version.
        job: u32,
        /// Bits that may be chosen.
        mask: u32,
    },
    /// The header time is before the job's window.
    #[error("ntime {ntime} is before the job's window: expected {not_before} or later")]
    NtimeTooEarly {
        /// The share's time.
        ntime: UnixSeconds,
        /// First time allowed.
        not_before: UnixSeconds,
    },
    /// The header time is after the job's window.
    #[error("ntime {ntime} is after the job's window: expected {not_after} or earlier")]
    NtimeTooLate {
        /// The share's time.
        ntime: UnixSeconds,
        /// Last time allowed.
        not_after: UnixSeconds,
    },
    /// The share's time is not before the end of the lease.
    #[error("time {time} is after the lease's end: expected before {end}")]
    OutsideEpoch {
        /// The header's time; for Ethash the last of the job's window.
        time: UnixSeconds,
        /// First second after the lease.
        end: UnixSeconds,
    },
    /// The share is of another epoch than the one that is being counted.
    #[error("share is of epoch {actual}: expected {expected}")]
    OtherEpoch {
        /// The epoch that is being counted.
        expected: u32,
        /// The share's.
        actual: u32,
    },
    /// The share is of the kind of another algorithm.
    #[error("share is not one for {0}")]
    ShareKind(Algorithm),
    /// The nonce does not begin with the lease's part.
    #[error("nonce {nonce:016x} does not begin with the job's prefix {prefix}")]
    NonceOutsidePrefix {
        /// The share's nonce.
        nonce: u64,
        /// The job's prefix.
        prefix: Bytes,
    },
    /// The nonce's byte after the lease's part is not the epoch modulo 256.
    #[error("nonce's epoch byte is {actual:02x}: expected {expected:02x}")]
    NonceOfOtherEpoch {
        /// Epoch of the job's window, modulo 256.
        expected: u8,
        /// The nonce's byte.
        actual: u8,
    },
    /// The claimed mix is not that of the nonce.
    #[error("mix hash {actual}: expected {expected}")]
    WrongMix {
        /// The mix as computed.
        expected: B256,
        /// The mix as claimed.
        actual: B256,
    },
    /// The hash is above the target.
    #[error("hash is above the target")]
    AboveTarget,
    /// The header was counted before, whatever fields it came in.
    #[error("header was already submitted")]
    Duplicate,
    /// The key equals another in its first 64 bits, which the trie can't hold.
    #[error("header's key collides with another in its first 64 bits")]
    KeyCollides,
    /// The share does not come after the one before it in an evidence file.
    #[error("share is out of order: its key is below {after}")]
    OutOfOrder {
        /// The key before it.
        after: B256,
    },
    /// The light cache of the job's DAG is not built yet.
    #[error("light cache of DAG epoch {epoch} is not ready")]
    CacheNotReady {
        /// Number of the DAG's epoch.
        epoch: u32,
    },
    /// No job has this sequence or id.
    #[error("job {job:?} is unknown")]
    UnknownJob {
        /// The job id as submitted, shortened.
        job: String,
    },
}

impl Serialize for EvidenceReason {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fields = to.serialize_struct("EvidenceReason", 2)?;
        fields.serialize_field("code", self.code())?;
        fields.serialize_field("message", &self.to_string())?;
        fields.end()
    }
}

impl EvidenceReason {
    /// The stable kebab-case name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OtherLease { .. } => "other-lease",
            Self::JobUnsigned => "job-unsigned",
            Self::JobSignature => "job-signature",
            Self::JobWindow { .. } => "job-window",
            Self::JobOutsideLease { .. } => "job-outside-lease",
            Self::JobCoinbase { .. } => "job-coinbase",
            Self::JobTail { .. } => "job-tail",
            Self::JobBranch { .. } => "job-branch",
            Self::JobVersionMask { .. } => "job-version-mask",
            Self::JobKind(_) => "job-kind",
            Self::JobNoncePrefix { .. } => "job-nonce-prefix",
            Self::JobBlock { .. } => "job-block",
            Self::JobDag { .. } => "job-dag",
            Self::JobOutsideEpoch { .. } => "job-outside-epoch",
            Self::ShareKind(_) => "share-kind",
            Self::NonceOutsidePrefix { .. } => "nonce-outside-prefix",
            Self::NonceOfOtherEpoch { .. } => "nonce-of-other-epoch",
            Self::WrongMix { .. } => "wrong-mix",
            Self::OutOfOrder { .. } => "out-of-order",
            Self::CacheNotReady { .. } => "cache-not-ready",
            Self::ExtranonceLength { .. } => "extranonce-length",
            Self::VersionOutsideMask { .. } => "version-outside-mask",
            Self::NtimeTooEarly { .. } => "ntime-too-early",
            Self::NtimeTooLate { .. } => "ntime-too-late",
            Self::OutsideEpoch { .. } => "outside-epoch",
            Self::OtherEpoch { .. } => "other-epoch",
            Self::AboveTarget => "above-target",
            Self::Duplicate => "duplicate",
            Self::KeyCollides => "key-collides",
            Self::UnknownJob { .. } => "unknown-job",
        }
    }
}
