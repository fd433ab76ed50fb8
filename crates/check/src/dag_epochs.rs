//! The DAG epoch of a block, and the one to prepare for.

use hashlease_pow::ethash::{EpochOutOfRange, EthashEpoch};
use hashlease_primitives::Algorithm;

/// A block's epoch and the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs {
    /// Epoch of the block.
    pub current: EthashEpoch,
    /// The next epoch; none if that lies beyond the last supported one.
    pub next: Option<EthashEpoch>,
    /// First block of the next epoch.
    pub next_from: u64,
}

/// Why a block has no epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// The algorithm has no light caches.
    #[error("{0:?} has no light caches")]
    NoCaches(Algorithm),
    /// The block lies beyond the last supported epoch.
    #[error(transparent)]
    OutOfRange(#[from] EpochOutOfRange),
}

impl Epochs {
    /// The epochs at a block of a chain.
    ///
    /// # Errors
    /// [`EpochError`].
    pub fn at(algorithm: Algorithm, block: u64) -> Result<Self, EpochError> {
        type Of = fn(u64) -> Result<EthashEpoch, EpochOutOfRange>;
        let (of, next_from): (Of, u64) = match algorithm {
            Algorithm::Ethash => (EthashEpoch::of_ethash_block, EthashEpoch::next_of_ethash_block(block)),
            Algorithm::Etchash => (EthashEpoch::of_etchash_block, EthashEpoch::next_of_etchash_block(block)),
            other => return Err(EpochError::NoCaches(other)),
        };
        Ok(Self { current: of(block)?, next: of(next_from).ok(), next_from })
    }
}
