//! Bodies of a member's HTTP API. JSON, camelCase; work is a decimal string of expected hashes.
//!
//! | route | body | answer |
//! |---|---|---|
//! | `POST /v1/jobs` | a signed job | [`JobReceipt`] |
//! | `GET /v1/leases/{id}/jobs?after=<place>&wait=<seconds>` | | [`TakenJobs`]; waits up to 30 s for one |
//! | `POST /v1/shares` | a [`ShownShare`] | [`ShareReceipt`] |
//! | `GET /v1/leases/{id}/lost-jobs` | | [`LostJobs`] |
//! | `POST /v1/roots` | a signed epoch root | [`RootReceipt`] |
//! | `GET /v1/leases/{id}/roots/{epoch}` | | [`RootView`] |
//! | `GET /v1/leases/{id}/epochs/{epoch}/evidence` | | evidence that the member verified and kept |
//! | `GET /v1/leases/{id}/statement?epoch=<n>` | | [`StatementView`] |
//! | `POST /v1/statements` | `{"statements": […]}`, at most [`MAX_STATEMENTS`], one per lease | [`SignedBatch`], or 409 `{"refusals": […]}` |
//! | `GET /v1/status` | | address of the member's key, and its leases |
//!
//! Errors are `{"code": <kebab-case>, "message": <text>}`.

use alloy_primitives::{Address, B256, Bytes};
use hashlease_primitives::{
    Commitment, EpochRoot, Job, LeaseId, SignedEpochRoot, SignedJob, Statement, Terms, UnixMillis,
    job_receipt_digest, recover_signer, root_receipt_digest, signature_hex,
};
use hashlease_share::Share;
use serde::{Deserialize, Serialize};

/// The most statements that a member signs at once: as many as the contract takes.
pub const MAX_STATEMENTS: usize = 100;

/// The member took a job and serves it on the jobs route from now on: its signed word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobReceipt {
    /// Time of its first arrival, Unix milliseconds.
    pub received: UnixMillis,
    /// The member's signature over the job and that time.
    #[serde(with = "signature_hex")]
    pub signature: [u8; 65],
    /// Why the job makes nothing due, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_due: Option<ErrorBody>,
}

impl JobReceipt {
    /// Who signed it for this job of the lease.
    #[must_use]
    pub fn signer(&self, terms: &Terms, job: &Job) -> Option<Address> {
        recover_signer(&job_receipt_digest(terms, job, self.received), &self.signature)
    }
}

/// A share that shows whose work its template is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShownShare {
    /// Its job, as the lease's signer signed it.
    pub job: SignedJob,
    /// The miner's choices.
    pub share: Share,
}

/// The member has seen a share, and its work is the lease's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareReceipt {
    /// Time of its arrival, Unix milliseconds.
    pub received: UnixMillis,
}

/// A job that a lease lost, because another lease was first to show a share of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LostJob {
    /// The job.
    pub sequence: u64,
    /// The lease that has the work.
    pub by: LeaseId,
    /// When the member learned of it, Unix milliseconds.
    pub at: UnixMillis,
}

/// The jobs that a lease lost, by sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LostJobs {
    /// The newest of them.
    pub jobs: Vec<LostJob>,
}

/// A job that the member took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenJob {
    /// The job.
    pub signed: SignedJob,
    /// Time of its first arrival, Unix milliseconds.
    pub received: UnixMillis,
}

/// Jobs that the member took, in the order of their arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenJobs {
    /// One page of them.
    pub jobs: Vec<TakenJob>,
    /// Place of the last one in the member's log: the next question's `after`.
    pub next: u64,
}

/// The member has an epoch root: its signed word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootReceipt {
    /// Time of its first arrival, Unix milliseconds.
    pub received: UnixMillis,
    /// Whether it arrived before the epoch's deadline.
    pub in_time: bool,
    /// The member's signature over root, count and time.
    #[serde(with = "signature_hex")]
    pub signature: [u8; 65],
}

impl RootReceipt {
    /// Who signed it for this epoch root of the lease.
    #[must_use]
    pub fn signer(&self, terms: &Terms, root: &EpochRoot) -> Option<Address> {
        recover_signer(&root_receipt_digest(terms, root, self.received), &self.signature)
    }
}

/// A member's record of an epoch root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootView {
    /// Time of its arrival, Unix milliseconds.
    pub received: UnixMillis,
    /// Whether it arrived before the epoch's deadline, by this member's own clock.
    pub in_time: bool,
    /// The provider's signed claim, with the newest place of its evidence.
    pub root: SignedEpochRoot,
    /// A second root or count under the same signature: the epoch counts as empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rival: Option<SignedEpochRoot>,
    /// What members signed who had it in time, this one included.
    #[serde(default)]
    pub receipts: Vec<RootReceipt>,
}

/// What a member made of an epoch root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum EpochState {
    /// No epoch root yet, and its deadline has not passed.
    Awaited,
    /// No epoch root before the deadline: the epoch counts as empty.
    Missing,
    /// The epoch root was late, or too few members had it in time: the epoch counts as empty.
    Late,
    /// The epoch root was in time here, but not enough other members have shown yet that they had
    /// it in time, too.
    Unconfirmed,
    /// The provider signed two different roots or counts: the epoch counts as empty.
    TwoRoots {
        /// Both of them.
        roots: [Commitment; 2],
    },
    /// Its evidence is being fetched and checked.
    Pending,
    /// Every share was verified.
    Verified,
    /// The evidence breaks a rule: the epoch counts as empty.
    Refused {
        /// Stable kebab-case name of the rule.
        #[serde(default)]
        code: String,
        /// Expected and actual values, for people.
        reason: String,
    },
    /// The epoch root's download budget is used up without a good file: the epoch counts as empty.
    NotFetched {
        /// Stable kebab-case name of the last failure.
        code: String,
        /// The last failure.
        reason: String,
    },
}

/// One epoch as a member counts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EpochView {
    /// The epoch, from 0.
    pub epoch: u32,
    /// Shares of the root that stands.
    pub count: u64,
    /// Shares of it that another lease was first to show: they are left out of the work.
    #[serde(default)]
    pub left_out: u64,
    /// Shares of its work that another lease claims as well.
    #[serde(default)]
    pub contested: u64,
    /// Their work, at most the epoch cap, as a decimal string.
    pub work: String,
    /// That root.
    pub root: B256,
    /// The epoch's state.
    #[serde(flatten)]
    pub state: EpochState,
}

/// A member's own cumulative figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementView {
    /// The strongest statement that it would sign.
    pub statement: Statement,
    /// Whether an epoch root is still awaited or being checked.
    pub pending: bool,
    /// Epochs up to the one asked for, at most the newest 256.
    pub epochs: Vec<EpochView>,
}

/// A signature over a batch of statements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedBatch {
    /// Address of the member's signing key.
    pub signer: Address,
    /// 65 bytes `r ‖ s ‖ v`.
    pub signature: Bytes,
}

/// Why a member does not sign for a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The lease.
    pub lease: LeaseId,
    /// Stable kebab-case name.
    pub code: String,
    /// Expected and actual values, for people.
    pub message: String,
}

/// A request to sign statements.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignRequest {
    /// One batch: one signature covers all of them.
    pub statements: Vec<Statement>,
}

/// Refusals of a batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusals {
    /// One for each statement that the member does not sign.
    pub refusals: Vec<Refusal>,
}

/// Any other error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Stable kebab-case name.
    pub code: String,
    /// Expected and actual values, for people.
    pub message: String,
}
