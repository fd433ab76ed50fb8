//! The escrow's arithmetic in plain Rust, for checking the contracts and for showing figures before they are final.

use alloy_primitives::{U256, U512};
use hashlease_primitives::{HashRate, Work};

/// Hashes that a price is for.
pub const PRICE_UNIT: u128 = 1_000_000_000_000_000_000_000;

/// `floor(a × b / c)`; zero when `c` is zero.
fn mul_div(a: u128, b: u128, c: u128) -> u128 {
    let product = U256::from(a).saturating_mul(U256::from(b));
    product.checked_div(U256::from(c)).unwrap_or_default().saturating_to()
}

/// `ceil(price × rate × duration / 10^21)`; `None` above 128 bits.
#[must_use]
pub fn payment(price: u128, rate: HashRate, duration: u32) -> Option<u128> {
    let product = U512::from(price).saturating_mul(U512::from(rate.0)).saturating_mul(U512::from(duration));
    let unit = U512::from(PRICE_UNIT);
    let rounded = product.saturating_add(unit.saturating_sub(U512::ONE)).checked_div(unit)?;
    u128::try_from(rounded).ok()
}

/// `floor(payment × bps / 10,000)`.
#[must_use]
pub fn bond(payment: u128, bps: u16) -> u128 {
    mul_div(payment, u128::from(bps), 10_000)
}

/// The most that may be credited by a time: `min(committed, 1.25 × rate × elapsed)`.
#[must_use]
pub fn credit_cap(rate: HashRate, duration: u32, elapsed: u64) -> Work {
    let cap = rate.0.saturating_mul(u128::from(elapsed)).saturating_mul(5) / 4;
    Work(cap).min(rate.over(u64::from(duration)))
}

/// `floor(payment × min(credited, committed) / committed)`.
#[must_use]
pub fn released(payment: u128, credited: Work, committed: Work) -> u128 {
    mul_div(payment, credited.min(committed).0, committed.0)
}

/// `floor(released × bps / 10,000)` of all that was released so far; a single collection books the difference.
#[must_use]
pub fn fee(released: u128, bps: u16) -> u128 {
    mul_div(released, u128::from(bps), 10_000)
}

/// What may be missing without a slash: `max(due / 20, 3.1 × √(w × due))`, the root rounded down.
#[must_use]
pub fn tolerance(due: Work, weight: Work) -> Work {
    let square = U256::from(961u16)
        .saturating_mul(U256::from(weight.0))
        .saturating_mul(U256::from(due.0))
        .checked_div(U256::from(100u8))
        .unwrap_or_default();
    let root: u128 = square.root(2).saturating_to();
    Work((due.0 / 20).max(root))
}

/// `floor(bond × (short − tolerance) / committed)` with `short = due − min(credited, due)`, at most the bond.
#[must_use]
pub fn slash(bond: u128, due: Work, credited: Work, committed: Work, weight: Work) -> u128 {
    let short = due.saturating_sub(credited.min(due));
    let beyond = short.saturating_sub(tolerance(due, weight));
    mul_div(bond, beyond.0, committed.0).min(bond)
}

/// Who gets what when a lease is over, base units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Released money after the fee: the provider's.
    pub provider: u128,
    /// Fee: the oracle's payee's.
    pub fee: u128,
    /// Payment that was not released: the owner's.
    pub refund: u128,
    /// Out of the bond to the owner.
    pub slashed: u128,
    /// Out of the bond back to the provider.
    pub bond: u128,
}

/// Splits payment and bond of a lease whose credit is final.
#[must_use]
pub fn settle(
    payment: u128,
    bond: u128,
    credited: Work,
    due: Work,
    committed: Work,
    weight: Work,
    fee_bps: u16,
) -> Settlement {
    let released = released(payment, credited, committed);
    let fee = fee(released, fee_bps);
    let slashed = slash(bond, due, credited, committed, weight);
    Settlement {
        provider: released.saturating_sub(fee),
        fee,
        refund: payment.saturating_sub(released),
        slashed,
        bond: bond.saturating_sub(slashed),
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_made(
            payment in 0..u128::MAX / 2, bond in 0..u128::MAX / 2, credited: u64, due: u64, committed in 1..u64::MAX,
            log2 in 0u32..40, fee_bps in 0u16..=300
        ) {
            let [credited, due, committed] = [credited, due.min(committed), committed].map(|n| Work(u128::from(n)));
            let split = settle(payment, bond, credited, due, committed, Work(1 << log2), fee_bps);
            prop_assert_eq!(split.provider + split.fee + split.refund, payment);
            prop_assert_eq!(split.slashed + split.bond, bond);
            prop_assert!(split.fee <= (split.provider + split.fee) / 100 * 3 + 3);
        }

        #[test]
        fn silence_never_slashes(bond: u128, credited: u64, committed in 1..u64::MAX) {
            let (credited, committed) = (Work(credited.into()), Work(committed.into()));
            prop_assert_eq!(slash(bond, Work(0), credited, committed, Work(1)), 0);
        }
    }

    #[test]
    fn known_amounts() {
        // 100 TH/s for 24 h are 8.64 × 10^18 hashes: 0.00864 of the price, rounded up
        assert_eq!(payment(1_000_000, HashRate(100_000_000_000_000), 86_400), Some(8_640));
        assert_eq!(payment(1, HashRate(1), 1), Some(1), "rounded up");
        assert_eq!(payment(u128::MAX, HashRate((1 << 96) - 1), u32::MAX), None);
        // half of the work missing, tolerance a twentieth of what was due
        assert_eq!(slash(1_000, Work(10_000), Work(5_000), Work(10_000), Work(1)), 450);
    }
}
