//! What of a pool's difficulty counts: a stranger's number, bounded by the lease.

use hashlease_primitives::{Target, Terms, Work};

/// Shares a second that a miner sends at most, unless the settlement target itself makes it more.
const MOST_A_SECOND: u128 = 10;
/// Part of a whole, in thousandths.
const WHOLE: u16 = 1_000;

/// The target by which a lease's shares are forwarded, and what the renter should know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BoundedTarget {
    /// Never easier than miners are asked for.
    pub(crate) target: Target,
    /// What the pool credits of the work in the worst case, thousandths.
    pub(crate) credited: u16,
    /// Why it is not the pool's own target, or what is odd about that.
    pub(crate) words: Option<String>,
}

/// Bounds a pool's target by the lease.
pub(crate) fn bounded_target(pool: Target, terms: &Terms) -> BoundedTarget {
    let floor = floor(terms);
    let promise = terms.rate.over(u64::from(terms.epoch_length));
    let (asked, least) = (pool.work(), floor.work());
    if pool.0 > floor.0 {
        let credited = part(asked, least);
        let words = format!(
            "pool counts a share as {asked} hashes, miners send shares of {least}: it credits {}.{} % of a miner with the lease's whole rate",
            credited / 10,
            credited % 10
        );
        return BoundedTarget { target: floor, credited, words: Some(words) };
    }
    let words = (asked > promise).then(|| {
        format!("pool asks for shares of {asked} hashes: an epoch promises {promise}, so it sees hardly any")
    });
    BoundedTarget { target: pool, credited: WHOLE, words }
}

/// The easiest target that the miners of a lease may be asked for.
fn floor(terms: &Terms) -> Target {
    let busiest = terms.rate.per_second().checked_div(MOST_A_SECOND).unwrap_or_default().max(1);
    if busiest >= terms.weight.work().hashes() {
        return terms.weight.target();
    }
    let work = alloy_primitives::U256::from(busiest);
    // the work is positive
    Target(alloy_primitives::U256::MAX.checked_div(work).unwrap_or(alloy_primitives::U256::MAX))
}

fn part(of: Work, whole: Work) -> u16 {
    let thousandths = of.hashes().saturating_mul(u128::from(WHOLE)).checked_div(whole.hashes());
    thousandths.and_then(|part| u16::try_from(part).ok()).unwrap_or(WHOLE).min(WHOLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashlease_fixtures::{terms, weight};
    use hashlease_primitives::{Difficulty, DifficultyBase, HashRate};

    fn pool(difficulty: &str) -> Target {
        difficulty.parse::<Difficulty>().unwrap().target(DifficultyBase::Bitcoin)
    }

    /// 100 TH/s in epochs of an hour, where the settlement asks for a share every few seconds.
    fn large() -> Terms {
        Terms { rate: HashRate::new(100_000_000_000_000), weight: weight(48), ..terms(1_000, 86_400, 3_600) }
    }

    #[test]
    fn a_pool_of_any_difficulty_gets_no_flood() {
        let terms = large();
        for difficulty in ["1e-60", "0.000000001", "1", "1000"] {
            let bounded = bounded_target(pool(difficulty), &terms);
            let work = bounded.target.work().hashes();
            assert!(terms.rate.per_second() / work <= MOST_A_SECOND, "{difficulty}: {work}");
            assert!(bounded.words.unwrap().contains("it credits"), "{difficulty}");
            assert!(bounded.credited < WHOLE, "{difficulty}");
        }
        // ten a second are 10^13 hashes each: difficulty 2,328 of 2^32 hashes; half of it credits half
        assert_eq!(bounded_target(pool("1164"), &terms).credited, 499);
    }

    #[test]
    fn a_difficulty_in_reach_is_the_pools_own() {
        let terms = large();
        for difficulty in ["2400", "65536", "1000000"] {
            let expected = BoundedTarget { target: pool(difficulty), credited: WHOLE, words: None };
            assert_eq!(bounded_target(pool(difficulty), &terms), expected);
        }
        let out_of_reach = bounded_target(pool("1e9"), &terms);
        assert_eq!((out_of_reach.target, out_of_reach.credited), (pool("1e9"), WHOLE));
        assert!(out_of_reach.words.unwrap().contains("hardly any"));
    }

    #[test]
    fn settlement_asks_for_as_many_shares_as_it_needs() {
        // a demo's lease: 4,000 shares an epoch of 20 s
        let small = Terms { rate: HashRate::new(2_000_000), weight: weight(11), ..terms(1_000, 40, 20) };
        let bounded = bounded_target(pool("0.000000001"), &small);
        assert_eq!(bounded.target, small.weight.target());
    }
}
