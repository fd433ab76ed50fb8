//! What the HTTP API carries. JSON, camelCase; work is a decimal string of expected hashes.
//!
//! | route | body | answer |
//! |---|---|---|
//! | `POST /v1/jobs` | a signed job | [`JobReceipt`] |
//! | `GET /v1/leases/{id}/jobs?after=<sequence>&wait=<seconds>` | | signed jobs, waits up to 30 s for one |
//! | `POST /v1/roots` | a signed epoch root | [`RootReceipt`] |
//! | `GET /v1/leases/{id}/roots/{epoch}` | | [`RootView`] |
//! | `GET /v1/leases/{id}/statement?epoch=<n>` | | [`StatementView`] |
//! | `POST /v1/statements` | `{"statements": […]}` | [`SignedBatch`], or 409 `{"refusals": […]}` |
//! | `GET /v1/status` | | who the member is and what it serves |
//!
//! Errors are `{"code": <kebab-case>, "message": <text>}`.

use alloy_primitives::{Address, B256, Bytes};
use hashlease_primitives::{LeaseId, SignedEpochRoot, Statement, UnixMillis};
use serde::{Deserialize, Serialize};

/// A job was taken, and is on the jobs route from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobReceipt {
    /// When it came first.
    pub received: UnixMillis,
}

/// A root was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootReceipt {
    /// When it came first.
    pub received: UnixMillis,
    /// Before the epoch's deadline.
    pub in_time: bool,
}

/// A root as a member has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootView {
    /// When it came.
    pub received: UnixMillis,
    /// Before the epoch's deadline, by this member's own clock.
    pub in_time: bool,
    /// The provider's word.
    pub root: SignedEpochRoot,
}

/// What became of an epoch's root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum EpochState {
    /// None came, and the deadline is not over.
    Awaited,
    /// None came in time: counts as empty.
    Missing,
    /// It came too late: counts as empty.
    Late,
    /// Its evidence is being fetched and checked.
    Pending,
    /// Every share was verified.
    Verified,
    /// The evidence does not hold: counts as empty.
    Refused {
        /// Stable kebab-case name of the rule.
        #[serde(default)]
        code: String,
        /// What was expected and what came.
        reason: String,
    },
    /// As much was fetched for it as is for one root, in vain: counts as empty.
    NotFetched {
        /// Stable kebab-case name of what went wrong last.
        code: String,
        /// What went wrong last.
        reason: String,
    },
}

/// One epoch as a member counts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EpochView {
    /// Epoch.
    pub epoch: u32,
    /// Shares that count.
    pub count: u64,
    /// Their work, capped at 1.25 of the epoch's promise, as a decimal string.
    pub work: String,
    /// Root that counts.
    pub root: B256,
    /// What became of the root that came.
    #[serde(flatten)]
    pub state: EpochState,
}

/// A member's own cumulative figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementView {
    /// What it would sign at most.
    pub statement: Statement,
    /// Some root is still awaited or being checked.
    pub pending: bool,
    /// Epochs up to the one asked for.
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
    /// Lease.
    pub lease: LeaseId,
    /// Stable kebab-case name.
    pub code: String,
    /// What was expected and what came.
    pub message: String,
}

/// Statements to be signed.
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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Stable kebab-case name.
    pub code: String,
    /// What was expected and what came.
    pub message: String,
}
