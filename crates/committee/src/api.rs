//! Bodies of a member's HTTP API. JSON, camelCase; work is a decimal string of expected hashes.
//!
//! | route | body | answer |
//! |---|---|---|
//! | `POST /v1/jobs` | a signed job | [`JobReceipt`] |
//! | `GET /v1/leases/{id}/jobs?after=<sequence>&wait=<seconds>` | | signed jobs; waits up to 30 s |
//! | `POST /v1/roots` | a signed epoch root | [`RootReceipt`] |
//! | `GET /v1/leases/{id}/roots/{epoch}` | | [`RootView`] |
//! | `GET /v1/leases/{id}/statement?epoch=<n>` | | [`StatementView`] |
//! | `POST /v1/statements` | `{"statements": […]}` | [`SignedBatch`], or 409 `{"refusals": […]}` |
//! | `GET /v1/status` | | address of the member's key, and its leases |
//!
//! Errors are `{"code": <kebab-case>, "message": <text>}`.

use alloy_primitives::{Address, B256, Bytes};
use hashlease_primitives::{LeaseId, SignedEpochRoot, Statement, UnixMillis};
use serde::{Deserialize, Serialize};

/// The member accepted a job and serves it on the jobs route from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobReceipt {
    /// Time of its first arrival, Unix milliseconds.
    pub received: UnixMillis,
}

/// The member accepted an epoch root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootReceipt {
    /// Time of its first arrival, Unix milliseconds.
    pub received: UnixMillis,
    /// Whether it arrived before the epoch's deadline.
    pub in_time: bool,
}

/// A member's record of an epoch root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootView {
    /// Time of its arrival, Unix milliseconds.
    pub received: UnixMillis,
    /// Whether it arrived before the epoch's deadline, by this member's own clock.
    pub in_time: bool,
    /// The provider's signed claim.
    pub root: SignedEpochRoot,
}

/// What a member made of an epoch root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum EpochState {
    /// No epoch root yet, and its deadline has not passed.
    Awaited,
    /// No epoch root before the deadline: the epoch counts as empty.
    Missing,
    /// The epoch root was late: the epoch counts as empty.
    Late,
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
    /// Shares that count.
    pub count: u64,
    /// Their work, at most the epoch cap, as a decimal string.
    pub work: String,
    /// Root of the counted shares.
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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Stable kebab-case name.
    pub code: String,
    /// Expected and actual values, for people.
    pub message: String,
}
