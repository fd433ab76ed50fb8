//! How the gateway's leases are doing, as plain data.

use serde::Serialize;
use std::collections::BTreeMap;

/// Codes of refusals that are told apart; the rest counts as 20.
const MAX_CODES: usize = 32;

/// Where a lease stands with its pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolState {
    /// The lease starts later.
    #[default]
    Waiting,
    /// On the way to a session.
    Connecting,
    /// The worker is let in and jobs are handed out.
    Connected,
    /// The worker is let in, but the pool's jobs can't be handed out.
    Unusable,
    /// No session; it is tried again.
    Lost,
    /// The lease has ended.
    Over,
}

/// What the pool said to forwarded shares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdicts {
    /// Taken.
    pub accepted: u64,
    /// Refused, by the pool's number.
    pub refused: BTreeMap<i64, u64>,
    /// Never answered.
    pub lost: u64,
}

impl Verdicts {
    pub(crate) fn refuse(&mut self, code: i64) {
        let known = self.refused.contains_key(&code) || self.refused.len() < MAX_CODES;
        let count = self.refused.entry(if known { code } else { 20 }).or_default();
        *count = count.saturating_add(1);
    }
}

/// How a lease is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseStatus {
    /// Lease.
    pub lease: u64,
    /// The session at the pool.
    pub pool: PoolState,
    /// What is wrong with it, in words; empty when nothing is.
    pub trouble: String,
    /// Sequence of the newest job, 0 before the first.
    pub newest_job: u64,
    /// Shares at the settlement target by epoch: the gateway's own count since it started.
    pub counted: BTreeMap<u32, u64>,
    /// The pool's verdicts since the gateway started.
    pub verdicts: Verdicts,
    /// Nodes that are connected.
    pub nodes: usize,
}
