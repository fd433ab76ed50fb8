//! Leases from logs.
//!
//! A scan uses only logs at the confirmation depth or deeper, and the next scan starts above them,
//! so a reorg within the depth changes nothing here. A lease's amounts are read from the contract,
//! not summed up from events.

use crate::{Chain, ChainError, Provider, bindings::LeaseEscrow};
use alloy::{
    providers::Provider as _,
    rpc::types::{Filter, Log},
    sol_types::SolEvent,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use hashlease_primitives::{Lease, LeaseId};
use std::collections::BTreeMap;

/// Blocks per request of logs. Endpoints have limits, so the number is halved when one refuses.
const PIECE: u64 = 10_000;

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
    leases: BTreeMap<LeaseId, WatchedLease>,
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
            Err(error) if error.is_error_resp() && piece > 1 => piece /= 2,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

impl LeaseWatcher {
    /// Starts at the deployment's block. A log counts once `confirmations` blocks follow its own.
    #[must_use]
    pub fn new(chain: Chain, filter: LeaseFilter, confirmations: u64) -> Self {
        let next_block = chain.deployment().block;
        Self { chain, filter, confirmations, next_block, leases: BTreeMap::new() }
    }

    /// Reads new logs and refreshes every unsettled lease. After an error the next call continues
    /// from the same block, so nothing is lost.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn poll(&mut self) -> Result<&BTreeMap<LeaseId, WatchedLease>, ChainError> {
        let newest = self.chain.block_number().await?.checked_sub(self.confirmations);
        if let Some(newest) = newest.filter(|newest| *newest >= self.next_block) {
            let mut found = self.rented(newest).await?;
            for (id, boxes) in self.boxes(newest).await? {
                let known = found.get_mut(&id).or_else(|| self.leases.get_mut(&id));
                if let Some(known) = known {
                    known.node_box = boxes.nodeBox;
                    known.gateway_box = boxes.gatewayBox;
                }
            }
            self.leases.append(&mut found);
            self.next_block = newest.saturating_add(1);
        }
        for (id, watched) in &mut self.leases {
            if !watched.lease.settled {
                watched.lease = self.chain.lease(*id).await?;
            }
        }
        Ok(&self.leases)
    }

    async fn rented(&self, newest: u64) -> Result<BTreeMap<LeaseId, WatchedLease>, ChainError> {
        let mut filter = Filter::new()
            .address(self.chain.deployment().escrow)
            .event_signature(LeaseEscrow::Rented::SIGNATURE_HASH);
        match self.filter {
            LeaseFilter::Provider(address) => filter = filter.topic2(topic(address)),
            LeaseFilter::JobSigner(address) => filter = filter.topic3(topic(address)),
            LeaseFilter::Oracle(_) => {}
        }
        let mut leases = BTreeMap::new();
        for log in logs_in_pieces(self.chain.provider(), &filter, self.next_block, newest).await? {
            let event = decoded::<LeaseEscrow::Rented>(&log)?;
            let id = lease_id(event.lease)?;
            let lease = self.chain.lease(id).await?;
            if matches!(self.filter, LeaseFilter::Oracle(oracle) if oracle != lease.terms.oracle) {
                continue;
            }
            leases.insert(id, WatchedLease { lease, node_box: Bytes::new(), gateway_box: Bytes::new() });
        }
        Ok(leases)
    }

    async fn boxes(&self, newest: u64) -> Result<Vec<(LeaseId, LeaseEscrow::Boxes)>, ChainError> {
        let filter = Filter::new()
            .address(self.chain.deployment().escrow)
            .event_signature(LeaseEscrow::Boxes::SIGNATURE_HASH);
        let logs = logs_in_pieces(self.chain.provider(), &filter, self.next_block, newest).await?;
        let event = |log| {
            let event = decoded::<LeaseEscrow::Boxes>(log)?;
            Ok((lease_id(event.lease)?, event))
        };
        logs.iter().map(event).collect()
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
