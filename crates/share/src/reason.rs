//! Why a job or a share does not count: one stable name per rule.

use hashlease_primitives::LeaseId;
use serde::Serialize;

/// Why a job or a share was refused. Its [`code`](Reason::code) is stable and the same towards the miner, in the
/// log, in the API and from `hashlease verify`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    // ---- evidence rules on jobs
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
    /// The signature is malformed, not low-s, or not of the lease's job signer.
    #[error("job signature is not of the lease's job signer")]
    JobSignature,
    /// The window of header times is empty or too long.
    #[error("job window: expected 0 to {max} seconds from {not_before}, ends at {not_after}")]
    JobWindow {
        /// First header time.
        not_before: u64,
        /// Last header time.
        not_after: u64,
        /// Longest window, seconds.
        max: u64,
    },
    /// The coinbase is too long, or 64 bytes, which could be taken for an inner Merkle node.
    #[error("job coinbase of {length} bytes: expected at most {max} and not 64")]
    JobCoinbase {
        /// Length of prefix, tail and suffix, bytes.
        length: usize,
        /// Longest coinbase, bytes.
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
    /// The lease's algorithm has no verifier here.
    #[error("algorithm {0} is not served")]
    AlgorithmNotServed(hashlease_primitives::Algorithm),

    // ---- evidence rules on shares
    /// The extranonce tail has another length than the job says.
    #[error("extranonce of {actual} bytes: expected {expected}")]
    ExtranonceLength {
        /// The job's tail length.
        expected: usize,
        /// What came.
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
        ntime: u64,
        /// First time allowed.
        not_before: u64,
    },
    /// The header time is after the job's window.
    #[error("ntime {ntime} is after the job's window: expected {not_after} or earlier")]
    NtimeTooLate {
        /// The share's time.
        ntime: u64,
        /// Last time allowed.
        not_after: u64,
    },
    /// The header time lies in no epoch of the lease, or not in the one asked for.
    #[error("ntime {ntime} is in no epoch of the lease that is being counted")]
    OutsideEpoch {
        /// The share's time.
        ntime: u64,
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

    // ---- local rules of the node
    /// No such job, or it was superseded and its grace is over.
    #[error("job {job:?} is unknown")]
    UnknownJob {
        /// The job id as submitted, shortened.
        job: String,
    },
    /// The job was superseded by a new block and the grace is over.
    #[error("job {job:?} was superseded")]
    JobSuperseded {
        /// The job id.
        job: String,
    },
    /// The header time is far from the node's clock.
    #[error("ntime {ntime} is far from the clock {now}: expected within {tolerance} s")]
    NtimeFarFromClock {
        /// The share's time.
        ntime: u64,
        /// The node's time.
        now: u64,
        /// Distance allowed, seconds.
        tolerance: u64,
    },
    /// The header counted for another lease.
    #[error("header was already counted for lease {0}")]
    SeenInOtherLease(LeaseId),
    /// The epoch of the share is closed.
    #[error("epoch {0} is closed")]
    EpochClosed(u32),
    /// A field of the submit can't be read.
    #[error("malformed submit: {0}")]
    Malformed(String),
    /// Submit before authorize, or for a worker that did not authorize.
    #[error("worker is not authorised")]
    Unauthorized,
    /// Submit before subscribe.
    #[error("not subscribed")]
    NotSubscribed,
    /// The share could not be made durable; it does not count.
    #[error("share could not be stored: {0}")]
    NotDurable(String),
}

impl Reason {
    /// The stable kebab-case name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OtherLease { .. } => "other-lease",
            Self::JobUnsigned => "job-unsigned",
            Self::JobSignature => "job-signature",
            Self::JobWindow { .. } => "job-window",
            Self::JobCoinbase { .. } => "job-coinbase",
            Self::JobBranch { .. } => "job-branch",
            Self::AlgorithmNotServed(_) => "algorithm-not-served",
            Self::ExtranonceLength { .. } => "extranonce-length",
            Self::VersionOutsideMask { .. } => "version-outside-mask",
            Self::NtimeTooEarly { .. } => "ntime-too-early",
            Self::NtimeTooLate { .. } => "ntime-too-late",
            Self::OutsideEpoch { .. } => "outside-epoch",
            Self::AboveTarget => "above-target",
            Self::Duplicate => "duplicate",
            Self::KeyCollides => "key-collides",
            Self::UnknownJob { .. } => "unknown-job",
            Self::JobSuperseded { .. } => "job-superseded",
            Self::NtimeFarFromClock { .. } => "ntime-far-from-clock",
            Self::SeenInOtherLease(_) => "seen-in-other-lease",
            Self::EpochClosed(_) => "epoch-closed",
            Self::Malformed(_) => "malformed",
            Self::Unauthorized => "unauthorized",
            Self::NotSubscribed => "not-subscribed",
            Self::NotDurable(_) => "not-durable",
        }
    }

    /// The number that Stratum V1 gives such a refusal.
    #[must_use]
    pub const fn stratum_code(&self) -> i32 {
        match self {
            Self::UnknownJob { .. } | Self::JobSuperseded { .. } => 21,
            Self::Duplicate | Self::SeenInOtherLease(_) => 22,
            Self::AboveTarget => 23,
            Self::Unauthorized => 24,
            Self::NotSubscribed => 25,
            _ => 20,
        }
    }
}
