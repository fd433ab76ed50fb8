//! Where on the way through its epochs a chain is.

use hashlease_pow::ethash::{EpochOutOfRange, EthashEpoch};
use hashlease_primitives::Algorithm;

/// The epoch of a block, and the one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epochs {
    /// What the block needs.
    pub current: EthashEpoch,
    /// What comes next; none when that is past the last epoch served.
    pub next: Option<EthashEpoch>,
    /// The first block that needs the next one.
    pub next_from: u64,
}

/// There is no cache for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// The algorithm has no epochs.
    #[error("{0:?} has no light caches")]
    NoCaches(Algorithm),
    /// The block is too high.
    #[error(transparent)]
    OutOfRange(#[from] EpochOutOfRange),
}

impl Epochs {
    /// Those at a block of a chain.
    ///
    /// # Errors
    /// When the algorithm is another, or the block past the last epoch served.
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
