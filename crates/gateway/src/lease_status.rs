//! State of the gateway's leases, as plain data.

use crate::notices::Notice;
use hashlease_stratum::RpcError;
use serde::Serialize;
use std::collections::BTreeMap;

/// Codes of refusals that are counted separately; further ones count as [`RpcError::OTHER`].
const MAX_CODES: usize = 32;

/// State of a lease's pool session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolState {
    /// The lease starts later.
    #[default]
    Waiting,
    /// Connecting.
    Connecting,
    /// The worker is authorised and jobs are handed out.
    Connected,
    /// The worker is authorised, but the pool's jobs can't be handed out.
    Unusable,
    /// No session; another attempt follows.
    Lost,
    /// The pool takes no shares. Nothing is signed; another attempt follows later.
    AtFault,
    /// The lease has ended.
    Over,
}

/// The pool's answers to forwarded shares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolVerdicts {
    /// Accepted.
    pub accepted: u64,
    /// Refused, by the pool's code.
    pub refused: BTreeMap<i64, u64>,
    /// Never answered.
    pub lost: u64,
}

impl PoolVerdicts {
    pub(crate) fn refuse(&mut self, code: i64) {
        let known = self.refused.contains_key(&code) || self.refused.len() < MAX_CODES;
        let count = self.refused.entry(if known { code } else { RpcError::OTHER }).or_default();
        *count = count.saturating_add(1);
    }
}

/// State of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseStatus {
    /// Lease.
    pub lease: u64,
    /// State of the pool session.
    pub pool: PoolState,
    /// The pool session's problem, in words; empty when there is none.
    pub trouble: String,
    /// What else the renter should know.
    pub notices: Vec<Notice>,
    /// The part of the work that the pool credits in the worst case, thousandths: less than 1,000 when
    /// its difficulty is easier than miners are asked for.
    pub credited: u16,
    /// Sequence of the newest job, 0 before the first.
    pub newest_job: u64,
    /// Shares at the settlement target by epoch: the gateway's own count since it started.
    pub counted: BTreeMap<u32, u64>,
    /// The pool's verdicts since the gateway started.
    pub verdicts: PoolVerdicts,
    /// Connected nodes.
    pub nodes: usize,
}
