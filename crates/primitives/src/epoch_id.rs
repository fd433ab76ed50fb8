//! Names an epoch of a lease.

use crate::LeaseId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One epoch of one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EpochId {
    /// The lease.
    pub lease: LeaseId,
    /// Its epoch, from 0.
    pub epoch: u32,
}

impl EpochId {
    /// An epoch of a lease.
    #[must_use]
    pub const fn new(lease: LeaseId, epoch: u32) -> Self {
        Self { lease, epoch }
    }
}

impl fmt::Display for EpochId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {} of lease {}", self.epoch, self.lease)
    }
}
