//! What happened to a lease's shares since the start, for people: the money follows the ledger.

use crate::lock::lock;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// Counts of a lease's shares and miners.
#[derive(Debug, Default)]
pub(crate) struct LeaseCounts {
    // codes are constants of the program, so there are few
    refused: Mutex<BTreeMap<&'static str, u64>>,
    forwarded_only: AtomicU64,
    own_target: AtomicU64,
    miners: Arc<AtomicUsize>,
}

/// A miner that works for the lease until this is dropped.
#[derive(Debug)]
pub(crate) struct MinerSeat(Arc<AtomicUsize>);

impl Drop for MinerSeat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl LeaseCounts {
    /// Counts a miner.
    pub(crate) fn seat(&self) -> MinerSeat {
        self.miners.fetch_add(1, Ordering::Relaxed);
        MinerSeat(Arc::clone(&self.miners))
    }

    /// Miners that work for the lease.
    pub(crate) fn miners(&self) -> usize {
        self.miners.load(Ordering::Relaxed)
    }

    /// Counts a refused share.
    pub(crate) fn refuse(&self, code: &'static str) {
        let mut refused = lock(&self.refused);
        let count = refused.entry(code).or_default();
        *count = count.saturating_add(1);
    }

    /// Refused shares by reason.
    pub(crate) fn refused(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.refused).clone()
    }

    /// Counts a share that only the pool wanted.
    pub(crate) fn forward_only(&self) {
        self.forwarded_only.fetch_add(1, Ordering::Relaxed);
    }

    /// Shares that only the pool wanted.
    pub(crate) fn forwarded_only(&self) -> u64 {
        self.forwarded_only.load(Ordering::Relaxed)
    }

    /// Counts a share that met only the node's own target.
    pub(crate) fn own_target_only(&self) {
        self.own_target.fetch_add(1, Ordering::Relaxed);
    }

    /// Shares that met only the node's own target.
    pub(crate) fn own_target(&self) -> u64 {
        self.own_target.load(Ordering::Relaxed)
    }
}
