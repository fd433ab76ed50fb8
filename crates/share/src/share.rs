//! What the miner chose, and what becomes of it.

use crate::{MAX_TAIL, Reason};
use alloy_primitives::{B256, U256};
use arrayvec::ArrayVec;
use hashlease_primitives::{LeaseId, SettlementWeight, Target, Terms, Work};

/// What a miner chose within a job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share {
    /// The free part of the extranonce.
    pub tail: ArrayVec<u8, MAX_TAIL>,
    /// Header time, Unix seconds.
    pub ntime: u32,
    /// Header nonce.
    pub nonce: u32,
    /// Header version, all 32 bits.
    pub version: u32,
}

/// A share that keeps every evidence rule but proof of work, with the hash that its header has.
#[derive(Clone, Debug)]
pub struct OpenedShare {
    share: Share,
    lease: LeaseId,
    weight: SettlementWeight,
    job: u64,
    epoch: u32,
    header: [u8; 80],
    key: B256,
    hash: U256,
}

impl OpenedShare {
    pub(crate) fn new(
        share: Share,
        terms: &Terms,
        job: u64,
        epoch: u32,
        header: [u8; 80],
        key: B256,
        hash: U256,
    ) -> Self {
        Self { share, lease: terms.id, weight: terms.weight, job, epoch, header, key, hash }
    }

    /// The header's hash as an integer.
    #[must_use]
    pub const fn hash(&self) -> U256 {
        self.hash
    }

    /// The share's identity: the hash of the header that was really hashed, raw digest bytes.
    #[must_use]
    pub const fn key(&self) -> B256 {
        self.key
    }

    /// The 80-byte header.
    #[must_use]
    pub const fn header(&self) -> &[u8; 80] {
        &self.header
    }

    /// Epoch of the header's time.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether the hash meets some target, for instance the pool's.
    #[must_use]
    pub fn meets(&self, target: Target) -> bool {
        target.is_met_by(self.hash)
    }

    /// The last evidence rule but for duplicates: the hash meets the lease's settlement target.
    ///
    /// # Errors
    /// [`Reason::AboveTarget`].
    pub fn settle(self) -> Result<VerifiedShare, Reason> {
        if !self.weight.target().is_met_by(self.hash) {
            return Err(Reason::AboveTarget);
        }
        Ok(VerifiedShare(self))
    }
}

/// A share whose job, shape and proof of work were verified. It is worth exactly the lease's settlement weight.
#[derive(Clone, Debug)]
pub struct VerifiedShare(OpenedShare);

impl VerifiedShare {
    /// What the miner chose.
    #[must_use]
    pub const fn share(&self) -> &Share {
        &self.0.share
    }

    /// The lease.
    #[must_use]
    pub const fn lease(&self) -> LeaseId {
        self.0.lease
    }

    /// Sequence of the job.
    #[must_use]
    pub const fn job(&self) -> u64 {
        self.0.job
    }

    /// Epoch of the header's time.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.0.epoch
    }

    /// The share's identity, raw digest bytes.
    #[must_use]
    pub const fn key(&self) -> B256 {
        self.0.key
    }

    /// The header's hash as an integer.
    #[must_use]
    pub const fn hash(&self) -> U256 {
        self.0.hash
    }

    /// Expected hashes that it is worth.
    #[must_use]
    pub fn work(&self) -> Work {
        self.0.weight.work()
    }
}
