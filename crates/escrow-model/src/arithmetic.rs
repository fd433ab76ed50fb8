//! Single amounts: pure functions of base units and work.

use alloy_primitives::{U256, U512};
use hashlease_primitives::{HashRate, Work};

/// Number of hashes that a price pays for.
pub const PRICE_UNIT: u128 = 1_000_000_000_000_000_000_000;

/// `floor(a × b / c)`; zero if `c` is zero, as a lease without committed work pays and loses
/// nothing. Callers keep `b ≤ c` or cap the result, so it fits 128 bits.
fn mul_div(a: u128, b: u128, c: u128) -> u128 {
    let product = U256::from(a).saturating_mul(U256::from(b));
    product.checked_div(U256::from(c)).unwrap_or_default().saturating_to()
}

/// `ceil(price × rate × duration / 10^21)`; `None` above 128 bits.
#[must_use]
pub fn payment(price: u128, rate: HashRate, duration: u32) -> Option<u128> {
    let product =
        U512::from(price).saturating_mul(U512::from(rate.per_second())).saturating_mul(U512::from(duration));
    let unit = U512::from(PRICE_UNIT);
    let rounded = product.saturating_add(unit.saturating_sub(U512::ONE)).checked_div(unit)?;
    u128::try_from(rounded).ok()
}

/// `floor(payment × bps / 10,000)`.
#[must_use]
pub fn bond(payment: u128, bps: u16) -> u128 {
    mul_div(payment, u128::from(bps), 10_000)
}

/// Most work that may be credited by a time: `min(committed, 1.25 × rate × elapsed)`.
#[must_use]
pub fn credit_cap(rate: HashRate, duration: u32, elapsed: u64) -> Work {
    let cap = rate.per_second().saturating_mul(u128::from(elapsed)).saturating_mul(5) / 4;
    Work::capped(cap).min(rate.over(u64::from(duration)))
}

/// Money released for credited work: `floor(payment × min(credited, committed) / committed)`.
///
/// Independent of the product's `Lease::released` on purpose: tests compare the contracts with this
/// one, so the two must not share code.
#[must_use]
pub fn released(payment: u128, credited: Work, committed: Work) -> u128 {
    mul_div(payment, credited.min(committed).hashes(), committed.hashes())
}

/// `floor(released × bps / 10,000)` of all money released so far; a collection books the difference
/// to the last one.
#[must_use]
pub fn fee(released: u128, bps: u16) -> u128 {
    mul_div(released, u128::from(bps), 10_000)
}

/// Missing work that causes no slash: `max(due / 20, 3.1 × √(w × due))`, the root rounded down.
#[must_use]
pub fn tolerance(due: Work, weight: Work) -> Work {
    let square = U256::from(961u16)
        .saturating_mul(U256::from(weight.hashes()))
        .saturating_mul(U256::from(due.hashes()))
        .checked_div(U256::from(100u8))
        .unwrap_or_default(); // the divisor is 100
    // a root of at most 202 bits has at most 101
    let root: u128 = square.root(2).saturating_to();
    Work::capped((due.hashes() / 20).max(root))
}

/// Due work that is missing beyond the tolerance: `due − credited − tolerance`, or zero.
#[must_use]
pub fn missing(due: Work, credited: Work, weight: Work) -> Work {
    due.saturating_sub(credited.min(due)).saturating_sub(tolerance(due, weight))
}

/// Part of the bond that missing work costs: `floor(bond × missing / committed)`, at most the bond.
#[must_use]
pub fn slash(bond: u128, due: Work, credited: Work, committed: Work, weight: Work) -> u128 {
    mul_div(bond, missing(due, credited, weight).hashes(), committed.hashes()).min(bond)
}

/// What a termination costs of the bond: half of it before the start; else the mean of the slash for
/// what was due, and of the slash had the rest been asked for like what went before, with nothing
/// more delivered.
#[must_use]
pub fn termination(bond: u128, due: Work, credited: Work, run: Run, weight: Work) -> u128 {
    // before the start nothing ran, so nothing can be foreseen
    let Some(foreseen) = due.hashes().saturating_mul(run.duration.into()).checked_div(run.ran.into()) else {
        return bond / 2;
    };
    let foreseen = Work::capped(foreseen);
    let of = |due| slash(bond, due, credited, run.committed(), weight);
    // each is at most the bond, and half a base unit is the provider's
    of(due).midpoint(of(foreseen))
}

/// Fee for capacity held ready, from work that was not asked for: `floor(payment × unasked ×
/// cancelBps / (committed × 10,000))`.
#[must_use]
pub fn capacity_fee(payment: u128, unasked: Work, committed: Work, bps: u16) -> u128 {
    let product =
        U512::from(payment).saturating_mul(U512::from(unasked.hashes())).saturating_mul(U512::from(bps));
    let whole = U512::from(committed.hashes()).saturating_mul(U512::from(10_000u16));
    // without committed work there was no capacity
    product.checked_div(whole).unwrap_or_default().saturating_to()
}

/// Work that a cancellation cut off, as far as the provider delivered until then: `min(rate × cut,
/// committed − credited) × min(1, credited / (rate × ran))`, rounded down; all of it if nothing ran.
#[must_use]
pub fn cut_off(credited: Work, run: Run) -> Work {
    let (promised, committed) = (run.promised(), run.committed());
    if run.ran == 0 {
        return committed;
    }
    let cut = committed.saturating_sub(promised).min(committed.saturating_sub(credited));
    let share = credited.min(promised);
    Work::capped(mul_div(cut.hashes(), share.hashes(), promised.hashes()))
}

/// How long a lease was rented for, and how long it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Hashes per second.
    pub rate: HashRate,
    /// Seconds rented.
    pub duration: u32,
    /// Seconds from the start to the end, at most the duration.
    pub ran: u64,
}

impl Run {
    /// Work rented.
    #[must_use]
    pub fn committed(&self) -> Work {
        self.rate.over(u64::from(self.duration))
    }

    /// Work of the seconds that it ran.
    #[must_use]
    pub fn promised(&self) -> Work {
        self.rate.over(self.ran)
    }
}

/// Payment that no credit can reach any more, once a cancelled lease runs for `ran` seconds in all:
/// `payment − ⌈payment × min(committed, 1.25 × rate × ran) / committed⌉`.
#[must_use]
pub fn returned(payment: u128, rate: HashRate, ran: u64, duration: u32) -> u128 {
    let committed = U256::from(rate.over(u64::from(duration)).hashes());
    let reach = U256::from(credit_cap(rate, duration, ran).hashes());
    let product = U256::from(payment).saturating_mul(reach);
    let rounded_up = product.saturating_add(committed.saturating_sub(U256::ONE)).checked_div(committed);
    // at most the payment, so it fits 128 bits; without committed work the whole payment returns
    payment.saturating_sub(rounded_up.unwrap_or_default().saturating_to())
}

/// Part of the bond that a void epoch costs: one epoch's pay, `floor(payment / epochs)`, or nothing
/// if the lease has no epoch.
#[must_use]
pub fn epoch_pay(payment: u128, epochs: u32) -> u128 {
    payment.checked_div(u128::from(epochs)).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn silence_never_slashes(bond: u128, credited: u64, committed in 1..u64::MAX) {
            let (credited, committed) = (Work::capped(credited.into()), Work::capped(committed.into()));
            prop_assert_eq!(slash(bond, Work::ZERO, credited, committed, Work::new(1)), 0);
        }
    }

    #[test]
    fn known_amounts() {
        // 100 TH/s for 24 h are 8.64 × 10^18 hashes: 0.00864 of the price, rounded up
        assert_eq!(payment(1_000_000, HashRate::new(100_000_000_000_000), 86_400), Some(8_640));
        assert_eq!(payment(1, HashRate::new(1), 1), Some(1), "rounded up");
        assert_eq!(payment(u128::MAX, HashRate::capped((1 << 96) - 1), u32::MAX), None);
        // half of the work is missing, with a tolerance of a twentieth of the due work
        assert_eq!(slash(1_000, Work::new(10_000), Work::new(5_000), Work::new(10_000), Work::new(1)), 450);
    }
}
