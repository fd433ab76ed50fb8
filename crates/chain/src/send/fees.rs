//! How much a transaction may cost.
//!
//! Every fee comes from an endpoint, so money bounds each: the most that one transaction may cost.
//! A rising fee has a second bound, a multiple of the fee that the endpoint asked for first.

use alloy_primitives::U256;

/// The highest fee of a transaction, in multiples of its first one.
const MULTIPLE: u128 = 10;
/// The most that one transaction may cost unless it is set: 0.05 of the native currency.
const PER_TRANSACTION: u64 = 50_000_000_000_000_000;

/// The most that one transaction may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeLimit(U256);

impl Default for FeeLimit {
    /// 0.05 of the native currency.
    fn default() -> Self {
        Self(U256::from(PER_TRANSACTION))
    }
}

impl FeeLimit {
    /// A limit in wei of the native currency. The fee that some layer-2 chains take for data on
    /// their parent chain comes on top.
    #[must_use]
    pub const fn wei(most: U256) -> Self {
        Self(most)
    }

    /// The limit, in wei.
    #[must_use]
    pub const fn most(self) -> U256 {
        self.0
    }

    /// The highest fee that the limit allows, in wei per gas.
    pub(super) fn per_gas(self, gas: u64) -> u128 {
        let per_gas = self.0.checked_div(U256::from(gas)).unwrap_or(self.0);
        // no price per gas has more bits, so this limit bounds nothing
        u128::try_from(per_gas).unwrap_or(u128::MAX)
    }
}

/// Fees of a transaction, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fees {
    pub(super) max: u128,
    pub(super) tip: u128,
}

/// What an endpoint wants to take a transaction, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Floor {
    /// At least this tip.
    Tip(u128),
    /// At least this fee in all.
    Max(u128),
    /// More than it was offered.
    More,
}

impl Fees {
    /// Fees that a floor allows; at least the doubled ones where it names no figure, or none above
    /// the fees that it refused.
    pub(super) fn above(self, floor: Floor) -> Self {
        match floor {
            Floor::Tip(tip) if tip > self.tip => self.with_tip(tip),
            Floor::Max(max) if max > self.max => Self { max, ..self },
            _ => self.doubled(),
        }
    }

    /// Fees that are a quarter higher. Nodes require a tenth to replace a transaction.
    pub(super) fn raised(self) -> Self {
        let raise = |fee: u128| fee.saturating_add(fee / 4).saturating_add(1);
        Self { max: raise(self.max), tip: raise(self.tip) }
    }

    /// Twice the fees. Some nodes require that much to replace a transaction.
    pub(super) fn doubled(self) -> Self {
        let double = |fee: u128| fee.saturating_mul(2).saturating_add(1);
        Self { max: double(self.max), tip: double(self.tip) }
    }

    /// The same room for the base fee, with another tip.
    fn with_tip(self, tip: u128) -> Self {
        Self { max: self.max.saturating_sub(self.tip).saturating_add(tip), tip }
    }

    pub(super) fn at_most(self, ceiling: Ceiling) -> Self {
        let max = self.max.min(ceiling.0);
        Self { max, tip: self.tip.min(max) }
    }

    /// Whether a node may take these fees in place of `other`.
    pub(super) fn replace(self, other: Self) -> bool {
        let tenth_above = |new: u128, old: u128| new >= old.saturating_add(old / 10).saturating_add(1);
        tenth_above(self.max, other.max) && tenth_above(self.tip, other.tip)
    }
}

/// The highest fee of one transaction, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ceiling(pub(super) u128);

impl Ceiling {
    /// The bound of a transaction whose first fees are these.
    pub(super) fn new(limit: FeeLimit, gas: u64, first: Fees) -> Self {
        Self(limit.per_gas(gas).min(first.max.saturating_mul(MULTIPLE)))
    }

    pub(super) const fn allows(self, fees: Fees) -> bool {
        fees.max <= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_met_and_a_wordless_one_doubles() {
        let fees = Fees { max: 2_001, tip: 1 };
        assert_eq!(fees.above(Floor::Tip(500)), Fees { max: 2_500, tip: 500 });
        assert_eq!(fees.above(Floor::Max(5_000)), Fees { max: 5_000, tip: 1 });
        let doubled = Fees { max: 4_003, tip: 3 };
        for floor in [Floor::More, Floor::Tip(1), Floor::Max(2_001)] {
            assert_eq!(fees.above(floor), doubled, "{floor:?}");
        }
    }

    #[test]
    fn money_and_the_first_fee_bound_every_fee() {
        let first = Fees { max: 100, tip: 10 };
        let rich = Ceiling::new(FeeLimit::wei(U256::MAX), 21_000, first);
        assert_eq!(rich, Ceiling(1_000));
        let poor = Ceiling::new(FeeLimit::wei(U256::from(21_000 * 150)), 21_000, first);
        assert_eq!(poor, Ceiling(150));
        assert_eq!(first.doubled().at_most(poor), Fees { max: 150, tip: 21 });
        assert!(first.raised().replace(first));
        assert!(!Fees { max: 109, tip: 12 }.replace(first));
        assert!(!Fees { max: 120, tip: 10 }.replace(first));
    }
}
