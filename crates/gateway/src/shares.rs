//! The shares of a lease that the gateway has seen, and its own count of them.

use crate::refusal::Refusal;
use alloy_primitives::B256;
use hashlease_share::EvidenceReason;
use std::collections::{BTreeMap, HashSet};

/// Shares of one epoch that are remembered. Beyond it, shares that meet only the pool's target are
/// refused; shares that meet the settlement target are accepted up to the limit of an epoch.
const MAX_SEEN: usize = 1 << 20;

/// Keys of shares, by epoch, and how many of them settle.
#[derive(Debug)]
pub(crate) struct Shares {
    most: usize,
    seen: BTreeMap<u32, HashSet<B256>>,
    counted: BTreeMap<u32, u64>,
}

impl Default for Shares {
    fn default() -> Self {
        Self { most: MAX_SEEN, seen: BTreeMap::new(), counted: BTreeMap::new() }
    }
}

impl Shares {
    /// Remembers a share by its key, and counts it if it settles.
    pub(crate) fn count(&mut self, epoch: u32, key: B256, settles: bool) -> Result<(), Refusal> {
        let seen = self.seen.entry(epoch).or_default();
        if seen.contains(&key) {
            return Err(EvidenceReason::Duplicate.into());
        }
        if !settles && seen.len() >= self.most {
            return Err(Refusal::TooManyShares(epoch));
        }
        seen.insert(key);
        if settles {
            let count = self.counted.entry(epoch).or_default();
            *count = count.saturating_add(1);
        }
        Ok(())
    }

    /// Whether an epoch has `most` shares that settle.
    pub(crate) fn is_full(&self, epoch: u32, most: u64) -> bool {
        self.counted.get(&epoch).is_some_and(|count| *count >= most)
    }

    /// Forgets the keys of epochs that no job can have a share of any more; their counts stay.
    pub(crate) fn forget(&mut self, over: impl Fn(u32) -> bool) {
        self.seen.retain(|epoch, _| !over(*epoch));
    }

    /// Shares at the settlement target, by epoch.
    pub(crate) const fn counted(&self) -> &BTreeMap<u32, u64> {
        &self.counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> B256 {
        B256::repeat_byte(number)
    }

    #[test]
    fn settling_shares_always_count_and_the_rest_up_to_a_limit() {
        let mut shares = Shares { most: 2, ..Shares::default() };
        assert_eq!(shares.count(0, key(1), false), Ok(()));
        assert_eq!(shares.count(0, key(2), true), Ok(()));
        assert_eq!(shares.count(0, key(3), false), Err(Refusal::TooManyShares(0)));
        assert_eq!(shares.count(0, key(3), true), Ok(()), "the share's work was done");
        assert_eq!(shares.count(1, key(3), false), Ok(()), "each epoch has its own limit");
        for known in [key(1), key(2), key(3)] {
            for settles in [false, true] {
                assert_eq!(shares.count(0, known, settles), Err(EvidenceReason::Duplicate.into()));
            }
        }
        assert_eq!(shares.counted(), &BTreeMap::from([(0, 2)]));
        assert!(shares.is_full(0, 2) && !shares.is_full(0, 3) && !shares.is_full(1, 1));
    }

    #[test]
    fn counts_outlive_the_shares() {
        let mut shares = Shares::default();
        for epoch in 0..3 {
            shares.count(epoch, key(1), true).unwrap();
        }
        shares.forget(|epoch| epoch < 2);
        assert_eq!(shares.counted().len(), 3);
        assert_eq!(shares.count(2, key(1), true), Err(EvidenceReason::Duplicate.into()));
        assert_eq!(
            shares.count(1, key(1), true),
            Ok(()),
            "forgotten: no job leads to a share of this epoch any more"
        );
    }
}
