//! Which cache and dataset a block is sealed with.

use crate::keccak::keccak256;
use alloy_primitives::B256;

/// Blocks of an epoch (yellow paper, appendix J).
const BLOCKS: u64 = 30_000;
/// From this block on Ethereum Classic's epochs are twice as long (ECIP-1099).
const ETCHASH_FROM: u64 = 11_700_000;
/// Largest number of an epoch that is served: caches of up to 272 MiB, enough for decades.
const MAX_INDEX: u32 = 2_047;

/// An epoch of Ethash's dataset: what cache and dataset are made of. Epochs of Ethash and Etchash that share size and
/// seed are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EthashEpoch {
    /// Decides the sizes.
    index: u32,
    /// How often zero is hashed for the seed.
    seed_rounds: u32,
}

/// A block whose epoch is above any that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {block}: epoch {epoch} of the dataset, expected at most {MAX_INDEX}")]
pub struct EpochTooHigh {
    /// Number of the block.
    pub block: u64,
    /// Number of its epoch.
    pub epoch: u64,
}

impl EthashEpoch {
    /// The epoch of a block of Ethereum's proof of work: one every 30,000 blocks.
    ///
    /// # Errors
    /// [`EpochTooHigh`].
    pub fn of_ethash_block(block: u64) -> Result<Self, EpochTooHigh> {
        Self::of(block, block / BLOCKS, block / BLOCKS)
    }

    /// The epoch of a block of Ethereum Classic: every 30,000 blocks below block 11,700,000, every 60,000 from there
    /// on. Then the sizes follow the number of the long epoch, the seed goes on as before.
    ///
    /// # Errors
    /// [`EpochTooHigh`].
    pub fn of_etchash_block(block: u64) -> Result<Self, EpochTooHigh> {
        if block < ETCHASH_FROM {
            return Self::of_ethash_block(block);
        }
        let index = block / BLOCKS / 2;
        Self::of(block, index, index.saturating_mul(2))
    }

    fn of(block: u64, epoch: u64, seed_rounds: u64) -> Result<Self, EpochTooHigh> {
        let too_high = EpochTooHigh { block, epoch };
        let index = u32::try_from(epoch).map_err(|_| too_high)?;
        let seed_rounds = u32::try_from(seed_rounds).map_err(|_| too_high)?;
        if index > MAX_INDEX { Err(too_high) } else { Ok(Self { index, seed_rounds }) }
    }

    /// Number of the epoch.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }

    /// How often zero is hashed for the seed: with the number it names a cache.
    #[must_use]
    pub const fn seed_rounds(self) -> u32 {
        self.seed_rounds
    }

    /// What the cache grows from: zero, hashed with Keccak-256 once per 30,000 blocks.
    #[must_use]
    pub fn seed(self) -> B256 {
        let words = (0..self.seed_rounds).fold([0u64; 4], |seed, _| keccak256(&seed));
        let mut seed = B256::ZERO;
        for (to, from) in seed.0.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *to = from.to_le_bytes();
        }
        seed
    }

    /// Bytes of the cache: about 16 MiB and 128 KiB more each epoch, a prime number of 64-byte items.
    #[must_use]
    pub fn cache_bytes(self) -> u64 {
        prime_below(u64::from(self.index).saturating_mul(1 << 17).saturating_add(1 << 24), 64)
    }

    /// Bytes of the dataset: about 1 GiB and 8 MiB more each epoch, a prime number of 128-byte pages.
    #[must_use]
    pub fn dataset_bytes(self) -> u64 {
        prime_below(u64::from(self.index).saturating_mul(1 << 23).saturating_add(1 << 30), 128)
    }
}

/// The largest size below `bytes` that is a prime number of items, going down two items at a time.
fn prime_below(bytes: u64, item: u64) -> u64 {
    let mut items = bytes.checked_div(item).unwrap_or_default().saturating_sub(1);
    while !is_prime(items) {
        items = items.saturating_sub(2);
    }
    items.saturating_mul(item)
}

fn is_prime(number: u64) -> bool {
    let divisors = (3..).step_by(2).take_while(|divisor: &u64| divisor.saturating_mul(*divisor) <= number);
    number == 2
        || number > 2
            && number.checked_rem(2) != Some(0)
            && divisors.into_iter().all(|divisor| number.checked_rem(divisor) != Some(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_of_both_chains() {
        let of = |block| EthashEpoch::of_ethash_block(block).map(|epoch| (epoch.index, epoch.seed_rounds));
        assert_eq!(of(0), Ok((0, 0)));
        assert_eq!(of(29_999), Ok((0, 0)));
        assert_eq!(of(30_000), Ok((1, 1)));
        let of = |block| EthashEpoch::of_etchash_block(block).map(|epoch| (epoch.index, epoch.seed_rounds));
        assert_eq!(of(11_699_999), Ok((389, 389)));
        assert_eq!(of(11_700_000), Ok((195, 390)), "the switch of ECIP-1099");
        assert_eq!(of(11_759_999), Ok((195, 390)));
        assert_eq!(of(11_760_000), Ok((196, 392)));
        assert_eq!(of(30_000), Ok((1, 1)));
    }

    #[test]
    fn an_absurd_block_is_refused() {
        let last = 2_048 * BLOCKS - 1;
        assert!(EthashEpoch::of_ethash_block(last).is_ok());
        let error = EpochTooHigh { block: last + 1, epoch: 2_048 };
        assert_eq!(EthashEpoch::of_ethash_block(last + 1), Err(error));
        assert!(EthashEpoch::of_etchash_block(2 * last).is_ok());
        assert!(EthashEpoch::of_ethash_block(u64::MAX).is_err());
        assert!(EthashEpoch::of_etchash_block(u64::MAX).is_err());
    }

    #[test]
    fn known_sizes() {
        let sizes = |block| {
            let epoch = EthashEpoch::of_ethash_block(block).unwrap();
            (epoch.cache_bytes(), epoch.dataset_bytes())
        };
        // ethereum/tests, PoWTests/ethash_tests.json; the others are in every client's table
        assert_eq!(sizes(0), (16_776_896, 1_073_739_904));
        assert_eq!(sizes(30_000), (16_907_456, 1_082_130_304));
        assert_eq!(sizes(2_047 * 30_000), (285_081_536, 18_245_220_736));
    }
}
