//! Whose turn it is to bring a statement that nobody brought.

use hashlease_primitives::{Lease, UnixSeconds};

/// A keeper's place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The gateway: it is its renter's refund.
    Gateway,
    /// A member of the committee.
    Seat {
        /// Position in the contract's list.
        index: u64,
        /// Number of seats.
        of: u64,
    },
}

/// Whether a keeper brings a lease's last statement now. With `A` the last root's deadline and `W`
/// the time from it to the first settlement without a statement: the gateway from `A + W/8` on, the
/// member of seat `s` of `N` from `A + W/4 + s·W/(8N)` on, each for `W/8`; all again from `A + 5W/8`
/// on. So one keeper pays the gas, as long as one works.
#[must_use]
pub fn is_turn(lease: &Lease, place: Place, now: UnixSeconds) -> bool {
    let after = lease.roots_due();
    let window = lease.settle_after().since(after);
    let eighth = window / 8;
    let from = match place {
        Place::Gateway => eighth,
        Place::Seat { index, of } => {
            let later = u128::from(eighth).saturating_mul(u128::from(index)).checked_div(u128::from(of));
            // a seat of the list comes before the next eighth
            let later = later.and_then(|later| u64::try_from(later).ok()).unwrap_or(eighth).min(eighth);
            eighth.saturating_mul(2).saturating_add(later)
        }
    };
    let own = after.plus(from);
    let all = after.plus(eighth.saturating_mul(5));
    (own <= now && now < own.plus(eighth)) || all <= now
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use hashlease_fixtures::{lease, terms};
    use proptest::prelude::*;

    /// The last root's deadline is 900 s after its end; then 8,000 s follow.
    fn kept() -> Lease {
        Lease { window: 8_900, ..lease(terms(1_000_000, 7_200, 3_600)) }
    }

    fn turns(place: Place) -> Vec<(u64, u64)> {
        let lease = kept();
        let mut turns: Vec<(u64, u64)> = Vec::new();
        for second in 0..9_000 {
            if is_turn(&lease, place, lease.roots_due() + second) {
                match turns.last_mut() {
                    Some((_, last)) if *last + 1 == second => *last = second,
                    _ => turns.push((second, second)),
                }
            }
        }
        turns
    }

    #[test]
    fn each_keeper_has_its_turn_and_then_all() {
        let lease = kept();
        assert_eq!(lease.settle_after().since(lease.roots_due()), 8_000);
        assert_eq!(turns(Place::Gateway), [(1_000, 1_999), (5_000, 8_999)]);
        assert_eq!(turns(Place::Seat { index: 0, of: 4 }), [(2_000, 2_999), (5_000, 8_999)]);
        assert_eq!(turns(Place::Seat { index: 3, of: 4 }), [(2_750, 3_749), (5_000, 8_999)]);
        assert!(!is_turn(&lease, Place::Gateway, lease.terms.end));
    }

    proptest! {
        #[test]
        fn no_numbers_break_the_order(index: u64, of: u64, window: u32, now: u64) {
            let lease = Lease { window, ..kept() };
            let now = UnixSeconds::new(now);
            let seat = Place::Seat { index, of };
            prop_assert!(now >= lease.roots_due() || !is_turn(&lease, seat, now));
            prop_assert!(is_turn(&lease, seat, lease.settle_after()));
        }
    }
}
