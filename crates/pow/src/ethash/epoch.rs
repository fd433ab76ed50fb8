//! The epoch of a block, and the sizes of its cache and dataset.

use crate::keccak::keccak256;
use alloy_primitives::B256;

/// Blocks of an epoch of Ethash, and of Etchash before the switch.
const EPOCH_BLOCKS: u64 = 30_000;
/// Blocks of an epoch of Etchash from the switch on.
const LONG_EPOCH_BLOCKS: u64 = 60_000;
/// The block at which ECIP-1099 doubled the epochs of Ethereum Classic.
const ECIP_1099_BLOCK: u64 = 11_700_000;

/// Bytes of an item of the cache and of the dataset.
pub(super) const ITEM_BYTES: u64 = 64;
/// Bytes that one access of the dataset reads: two items.
pub(super) const PAGE_BYTES: u64 = 128;

const CACHE_BYTES_INIT: u64 = 1 << 24;
const CACHE_BYTES_GROWTH: u64 = 1 << 17;
const DATASET_BYTES_INIT: u64 = 1 << 30;
const DATASET_BYTES_GROWTH: u64 = 1 << 23;

/// Identifies a light cache: the index that determines its size, and how often its seed was hashed.
///
/// Blocks that need the same cache have equal epochs, for Ethash and for Etchash; before the switch
/// of ECIP-1099 all their epochs are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EthashEpoch {
    index: u32,
    seed_rounds: u32,
}

/// The block lies beyond the last supported epoch.
///
/// Caches grow with the block number without end. The limit keeps an invented block number from
/// requiring gigabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {block}: expected a DAG epoch of at most {}, got {epoch}", EthashEpoch::LAST_INDEX)]
pub struct EpochOutOfRange {
    /// The block asked for.
    pub block: u64,
    /// Its epoch.
    pub epoch: u64,
}

impl EthashEpoch {
    /// The last supported index, as in other implementations: its cache has 270 MiB, its dataset
    /// 17 GiB.
    pub const LAST_INDEX: u32 = 2047;

    /// The epoch of an Ethash block, one for every 30,000 blocks (yellow paper, appendix J).
    ///
    /// # Errors
    /// If the block lies beyond epoch 2047.
    pub const fn of_ethash_block(block: u64) -> Result<Self, EpochOutOfRange> {
        let epoch = block / EPOCH_BLOCKS;
        Self::checked(block, epoch, epoch)
    }

    /// The epoch of an Etchash block (ECIP-1099): one for every 30,000 blocks below block
    /// 11,700,000, one for every 60,000 from there on.
    ///
    /// Sizes depend on the index, which halves at the switch. The seed is still hashed once for
    /// every 30,000 blocks, so that no seed is used twice.
    ///
    /// # Errors
    /// If the block lies beyond epoch 2047.
    pub const fn of_etchash_block(block: u64) -> Result<Self, EpochOutOfRange> {
        if block < ECIP_1099_BLOCK {
            return Self::of_ethash_block(block);
        }
        let epoch = block / LONG_EPOCH_BLOCKS;
        Self::checked(block, epoch, epoch.saturating_mul(LONG_EPOCH_BLOCKS / EPOCH_BLOCKS))
    }

    /// First Ethash block of the epoch after this block's; the largest number if there is none.
    #[must_use]
    pub const fn next_of_ethash_block(block: u64) -> u64 {
        (block / EPOCH_BLOCKS).saturating_add(1).saturating_mul(EPOCH_BLOCKS)
    }

    /// First Etchash block of the epoch after this block's; the largest number if there is none.
    #[must_use]
    pub const fn next_of_etchash_block(block: u64) -> u64 {
        // the switch is at a multiple of both
        let length = if block < ECIP_1099_BLOCK { EPOCH_BLOCKS } else { LONG_EPOCH_BLOCKS };
        (block / length).saturating_add(1).saturating_mul(length)
    }

    const fn checked(block: u64, epoch: u64, seed_rounds: u64) -> Result<Self, EpochOutOfRange> {
        if epoch > Self::LAST_INDEX as u64 {
            return Err(EpochOutOfRange { block, epoch });
        }
        #[allow(clippy::cast_possible_truncation)] // at most twice the last index
        Ok(Self { index: epoch as u32, seed_rounds: seed_rounds as u32 })
    }

    /// The number that determines the sizes.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }

    /// How often the seed was hashed, from 32 zero bytes on.
    #[must_use]
    pub const fn seed_rounds(self) -> u32 {
        self.seed_rounds
    }

    /// Bytes of the light cache: a prime number of items, so that indices spread well.
    #[must_use]
    pub fn cache_size(self) -> u64 {
        prime_size(CACHE_BYTES_INIT + CACHE_BYTES_GROWTH * u64::from(self.index), ITEM_BYTES)
    }

    /// Bytes of the full dataset: a prime number of pages of 128 bytes.
    #[must_use]
    pub fn dataset_size(self) -> u64 {
        prime_size(DATASET_BYTES_INIT + DATASET_BYTES_GROWTH * u64::from(self.index), PAGE_BYTES)
    }

    /// Seed of the cache, which also names the epoch to miners.
    #[must_use]
    pub fn seed(self) -> B256 {
        (0..self.seed_rounds).fold(B256::ZERO, |seed, _| keccak256(seed.as_slice()))
    }
}

/// The largest size below `bound` that is a prime number of units; the search goes over odd
/// numbers, since `bound` has an even number of units.
fn prime_size(bound: u64, unit: u64) -> u64 {
    let mut units = bound / unit - 1;
    while !is_prime(units) {
        units -= 2;
    }
    units * unit
}

/// By trial division: of odd numbers below 2^28, some thousand divisions each.
fn is_prime(odd: u64) -> bool {
    let mut divisor = 3;
    while divisor * divisor <= odd {
        if odd.is_multiple_of(divisor) {
            return false;
        }
        divisor += 2;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_prime;

    #[test]
    fn primes_agree_with_a_sieve() {
        let mut composite = vec![false; 20_000];
        for number in 2..composite.len() {
            for multiple in (2 * number..composite.len()).step_by(number) {
                composite[multiple] = true;
            }
        }
        for odd in (3..composite.len()).step_by(2) {
            assert_eq!(is_prime(odd as u64), !composite[odd], "{odd}");
        }
    }
}
