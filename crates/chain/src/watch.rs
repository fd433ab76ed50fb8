//! Leases from logs, reconciled with the contract's state.
//!
//! A scan uses only logs at the confirmation depth or deeper, so a reorg within the depth changes
//! nothing here. Every look reads the newest part of what was scanned again: a replica that had no
//! logs yet, or other ones, is corrected by a later answer. A lease's amounts are read from the
//! contract, not summed up from events; one answer about a lease changes no other lease, and none is
//! believed for good before it is deep.

use crate::{Chain, ChainError, Provider, bindings::LeaseEscrow};
use alloy::{
    providers::Provider as _,
    rpc::types::{Filter, Log},
    sol_types::SolEvent,
    transports::{RpcError, TransportErrorKind},
};
use alloy_primitives::{Address, B256, Bytes, U256};
use hashlease_primitives::{Lease, LeaseId};
use std::collections::{BTreeMap, BTreeSet};
use tracing::{info, warn};

/// Blocks per request of logs. Endpoints have limits, so the number is halved when one refuses.
const PIECE: u64 = 10_000;
/// Scanned blocks that each look reads again.
const OVERLAP: u64 = 256;
/// Blocks after which a lease that was settled throughout is not read again.
const FINAL: u64 = 64;
/// Leases of others that are remembered, so that they are not read at each look.
const MOST_OTHERS: usize = 65_536;

/// The leases that a caller follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseFilter {
    /// Leases of a provider.
    Provider(Address),
    /// Leases whose jobs this key signs.
    JobSigner(Address),
    /// Leases that this oracle credits.
    Oracle(Address),
}

/// A lease with its newest boxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedLease {
    /// As the escrow holds it.
    pub lease: Lease,
    /// Sealed to the node.
    pub node_box: Bytes,
    /// Sealed to the gateway.
    pub gateway_box: Bytes,
}

/// Follows the leases that match a filter.
#[derive(Debug)]
pub struct LeaseWatcher {
    chain: Chain,
    filter: LeaseFilter,
    confirmations: u64,
    next_block: u64,
    piece: u64,
    leases: BTreeMap<LeaseId, WatchedLease>,
    /// Leases that the endpoint no longer has, or that are another's by its newest answer: it is asked
    /// for them again.
    gone: BTreeMap<LeaseId, WatchedLease>,
    /// Newest block when a lease was first seen settled.
    settled: BTreeMap<LeaseId, u64>,
    /// Leases that do not match the filter.
    others: BTreeSet<LeaseId>,
}

fn topic(address: Address) -> B256 {
    address.into_word()
}

fn lease_id(id: U256) -> Result<LeaseId, ChainError> {
    u64::try_from(id).map(LeaseId).map_err(|_| ChainError::Unexpected {
        what: "lease id",
        expected: "at most 64 bits",
        actual: id.to_string(),
    })
}

/// A log as the event that it was asked for by: address and topic are those of the filter, so an
/// endpoint whose log is anything else has damaged it.
pub(crate) fn decoded<E: SolEvent>(log: &Log) -> Result<E, ChainError> {
    let event = E::decode_log(&log.inner).map_err(|source| ChainError::Log {
        event: E::SIGNATURE.split_once('(').map_or(E::SIGNATURE, |(name, _)| name),
        block: log.block_number,
        source,
    })?;
    Ok(event.data)
}

/// Whether an endpoint refuses a request for logs for what it is, not for how often it is asked: a
/// smaller range may be answered.
fn is_too_much(error: &RpcError<TransportErrorKind>) -> bool {
    let Some(answer) = error.as_error_resp() else { return false };
    let words = answer.message.to_ascii_lowercase();
    answer.code != -32_005 && !words.contains("rate") && !words.contains("too many requests")
}

/// Logs of a block range, requested in pieces that the endpoint accepts.
pub(crate) async fn logs_in_pieces(
    provider: &Provider,
    filter: &Filter,
    from: u64,
    to: u64,
) -> Result<Vec<Log>, ChainError> {
    let (mut from, mut piece, mut found) = (from, PIECE, Vec::new());
    while from <= to {
        let until = to.min(from.saturating_add(piece.saturating_sub(1)));
        match provider.get_logs(&filter.clone().from_block(from).to_block(until)).await {
            Ok(logs) => {
                found.extend(logs);
                from = until.saturating_add(1);
            }
            Err(error) if is_too_much(&error) && piece > 1 => piece /= 2,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

impl LeaseFilter {
    fn matches(&self, lease: &Lease) -> bool {
        match self {
            Self::Provider(address) => *address == lease.terms.provider,
            Self::JobSigner(address) => *address == lease.terms.job_signer,
            Self::Oracle(address) => *address == lease.terms.oracle,
        }
    }
}

impl LeaseWatcher {
    /// Starts at the deployment's block. A log counts once `confirmations` blocks follow its own.
    #[must_use]
    pub fn new(chain: Chain, filter: LeaseFilter, confirmations: u64) -> Self {
        let next_block = chain.deployment().block;
        Self {
            chain,
            filter,
            confirmations,
            next_block,
            piece: PIECE,
            leases: BTreeMap::new(),
            gone: BTreeMap::new(),
            settled: BTreeMap::new(),
            others: BTreeSet::new(),
        }
    }

    /// Reads new logs and refreshes the leases. After an error the next call goes on where this one
    /// ended.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn poll(&mut self) -> Result<&BTreeMap<LeaseId, WatchedLease>, ChainError> {
        let head = self.chain.block_number().await?;
        if let Some(newest) = head.checked_sub(self.confirmations) {
            self.scan(newest).await?;
        }
        self.refresh(head).await?;
        Ok(&self.leases)
    }

    /// Reads the logs up to a block, and those of the overlap again. Each piece that was read stays
    /// read.
    async fn scan(&mut self, newest: u64) -> Result<(), ChainError> {
        let first = self.chain.deployment().block;
        let mut from = self.next_block.saturating_sub(OVERLAP).max(first);
        // an endpoint that took less before may take more now
        self.piece = self.piece.saturating_mul(2).min(PIECE);
        while from <= newest {
            let until = newest.min(from.saturating_add(self.piece.saturating_sub(1)));
            let (rented, boxes) = match self.logs(from, until).await {
                Ok(found) => found,
                Err(error) if is_too_much(&error) && self.piece > 1 => {
                    self.piece /= 2;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            self.take(&rented, &boxes).await?;
            from = until.saturating_add(1);
            self.next_block = self.next_block.max(from);
        }
        Ok(())
    }

    /// Events of new leases and of boxes in a range of blocks.
    async fn logs(&self, from: u64, to: u64) -> Result<(Vec<Log>, Vec<Log>), RpcError<TransportErrorKind>> {
        let filter = Filter::new().address(self.chain.deployment().escrow).from_block(from).to_block(to);
        let rented = filter.clone().event_signature(LeaseEscrow::Rented::SIGNATURE_HASH);
        let rented = match self.filter {
            LeaseFilter::Provider(address) => rented.topic2(topic(address)),
            LeaseFilter::JobSigner(address) => rented.topic3(topic(address)),
            LeaseFilter::Oracle(_) => rented,
        };
        let rented = self.chain.provider().get_logs(&rented).await?;
        let boxes = filter.event_signature(LeaseEscrow::Boxes::SIGNATURE_HASH);
        Ok((rented, self.chain.provider().get_logs(&boxes).await?))
    }

    async fn take(&mut self, rented: &[Log], boxes: &[Log]) -> Result<(), ChainError> {
        for log in rented {
            let id = lease_id(decoded::<LeaseEscrow::Rented>(log)?.lease)?;
            let is_known = self.leases.contains_key(&id) || self.gone.contains_key(&id);
            if is_known || self.others.contains(&id) {
                continue;
            }
            match self.chain.lease(id).await {
                Ok(lease) if self.filter.matches(&lease) => {
                    let watched = WatchedLease { lease, node_box: Bytes::new(), gateway_box: Bytes::new() };
                    self.leases.insert(id, watched);
                }
                Ok(_) => {
                    if self.others.len() >= MOST_OTHERS {
                        self.others.pop_first();
                    }
                    self.others.insert(id);
                }
                // its log comes again in the overlap
                Err(error) if error.is_revert() => {
                    warn!(lease = %id, %error, "the endpoint has a log of a lease, but not the lease");
                }
                Err(error) => return Err(error),
            }
        }
        for log in boxes {
            let boxes = decoded::<LeaseEscrow::Boxes>(log)?;
            let id = lease_id(boxes.lease)?;
            let known = self.leases.get_mut(&id).or_else(|| self.gone.get_mut(&id));
            if let Some(known) = known {
                known.node_box = boxes.nodeBox;
                known.gateway_box = boxes.gatewayBox;
            }
        }
        Ok(())
    }

    /// Reads the leases again, those that vanished as well. One that the endpoint does not have stops
    /// no other.
    async fn refresh(&mut self, head: u64) -> Result<(), ChainError> {
        let depth = self.confirmations.max(FINAL);
        let ids: Vec<_> = self.leases.keys().chain(self.gone.keys()).copied().collect();
        for id in ids {
            let is_final = self.settled.get(&id).is_some_and(|seen| head >= seen.saturating_add(depth));
            if is_final && self.leases.contains_key(&id) {
                continue;
            }
            let lease = match self.chain.lease(id).await {
                Ok(lease) if self.filter.matches(&lease) => lease,
                Ok(_) => {
                    self.lose(id, "is of others now");
                    continue;
                }
                Err(error) if error.is_revert() => {
                    self.lose(id, "is not on the chain any more");
                    continue;
                }
                Err(error) => return Err(error),
            };
            if lease.settled {
                self.settled.entry(id).or_insert(head);
            } else {
                self.settled.remove(&id);
            }
            if let Some(again) = self.gone.remove(&id) {
                info!(lease = %id, "lease is on the chain again");
                self.leases.insert(id, again);
            }
            if let Some(watched) = self.leases.get_mut(&id) {
                watched.lease = lease;
            }
        }
        Ok(())
    }

    fn lose(&mut self, id: LeaseId, why: &str) {
        if let Some(watched) = self.leases.remove(&id) {
            warn!(lease = %id, "lease {why}, by the endpoint's answer: it is asked again");
            self.gone.insert(id, watched);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::LogData;

    #[test]
    fn a_log_that_is_not_its_event_is_an_error_and_not_left_out() {
        // the first topic is right and the lease is missing
        let data = LogData::new_unchecked(vec![LeaseEscrow::Boxes::SIGNATURE_HASH], Bytes::new());
        let inner = alloy_primitives::Log { address: Address::ZERO, data };
        let log = Log { inner, block_number: Some(7), ..Log::default() };
        let error = decoded::<LeaseEscrow::Boxes>(&log).unwrap_err();
        assert!(matches!(error, ChainError::Log { event: "Boxes", block: Some(7), .. }), "{error}");
        assert!(error.to_string().starts_with("log of Boxes in block 7: "), "{error}");
    }
}
