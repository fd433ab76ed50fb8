//! The statements that enough members may sign, the strongest first.

use crate::api::StatementView;
use alloy_primitives::B256;
use hashlease_primitives::{Statement, Terms, UnixSeconds, Work};
use std::collections::BTreeMap;

/// The statements to ask signatures for, one after the other, until `threshold` members sign one.
/// Views of another lease or another moment than `as_of` are dropped.
///
/// Members that hold the same evidence make a group. Within one, `work` and `due` are each taken
/// from the figure that `threshold` members reach downwards: a member that overstates a figure and
/// then does not sign only costs a step. Whatever the other members say, `threshold` honest ones
/// that hold the same evidence sign one of these.
#[must_use]
pub fn proposals(
    terms: &Terms,
    as_of: UnixSeconds,
    views: &[StatementView],
    threshold: usize,
) -> Vec<Statement> {
    let mut groups: BTreeMap<B256, Vec<&Statement>> = BTreeMap::new();
    for StatementView { statement, pending, .. } in views {
        let is_asked = statement.lease == terms.id && statement.as_of == as_of;
        if is_asked && (!pending || statement.last) {
            groups.entry(statement.evidence).or_default().push(statement);
        }
    }
    let mut groups: Vec<_> = groups.into_iter().filter(|(_, group)| group.len() >= threshold).collect();
    // the largest first; liars can be a group of their own, but no larger than they are many
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.len()));
    let mut all = Vec::new();
    for (evidence, group) in groups {
        let works = from_threshold_down(&group, threshold, |statement| statement.work);
        let dues = from_threshold_down(&group, threshold, |statement| statement.due);
        for due in &dues {
            for work in &works {
                let says_last =
                    |own: &&&Statement| own.last && own.due >= *due && *due >= terms.least_last_due(own.due);
                let may_be_last = group.iter().filter(says_last).count() >= threshold;
                let of = |last| Statement { lease: terms.id, as_of, work: *work, due: *due, evidence, last };
                all.extend(may_be_last.then(|| of(true)));
                all.push(of(false));
            }
        }
    }
    all
}

/// The distinct figures of a group in falling order, without those that fewer than `threshold`
/// members reach.
fn from_threshold_down(group: &[&Statement], threshold: usize, figure: fn(&Statement) -> Work) -> Vec<Work> {
    let mut figures: Vec<_> = group.iter().map(|statement| figure(statement)).collect();
    figures.sort_unstable_by(|a, b| b.cmp(a));
    let mut reached = figures.split_off(threshold.saturating_sub(1).min(figures.len()));
    reached.dedup();
    reached
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use alloy_primitives::Address;
    use hashlease_primitives::{Algorithm, Domain, HashRate, LeaseId, SettlementWeight};
    use proptest::prelude::*;

    const AS_OF: UnixSeconds = UnixSeconds::new(10);

    fn terms() -> Terms {
        Terms {
            id: LeaseId(1),
            domain: Domain { chain_id: 1, contract: Address::ZERO },
            oracle: Address::ZERO,
            provider: Address::ZERO,
            job_signer: Address::ZERO,
            algorithm: Algorithm::Sha256d,
            weight: SettlementWeight::from_log2(0).unwrap(),
            rate: HashRate::new(100),
            start: UnixSeconds::new(0),
            end: AS_OF,
            duration: 10,
            epoch_length: 10,
        }
    }

    fn view(evidence: u8, work: u64, due: u64, last: bool) -> StatementView {
        let statement = Statement {
            lease: LeaseId(1),
            as_of: AS_OF,
            work: Work::new(work),
            due: Work::new(due),
            evidence: B256::repeat_byte(evidence),
            last,
        };
        StatementView { statement, pending: false, epochs: vec![] }
    }

    fn figures(views: &[StatementView], threshold: usize) -> Vec<(u128, u128, bool)> {
        let all = proposals(&terms(), AS_OF, views, threshold);
        all.iter().map(|one| (one.work.hashes(), one.due.hashes(), one.last)).collect()
    }

    #[test]
    fn what_enough_members_reach_comes_first() {
        let views = [view(1, 5, 900, true), view(1, 5, 700, true), view(1, 5, 800, false)];
        assert_eq!(figures(&views, 3), [(5, 700, false)], "all three must reach it");
        assert_eq!(figures(&views, 2), [(5, 800, false), (5, 700, true), (5, 700, false)]);
        assert_eq!(figures(&views, 1)[0], (5, 900, true));
        let apart = [view(1, 5, 900, true), view(1, 5, 699, true)];
        assert_eq!(figures(&apart, 2), [(5, 699, false)], "the first would free the provider of 201");
        let split = [view(1, 5, 900, true), view(2, 5, 900, true)];
        assert_eq!(figures(&split, 2), [], "no two members hold the same evidence");
    }

    #[test]
    fn liars_only_cost_steps() {
        let honest = || view(1, 50, 800, true);
        for liar in [view(1, 0, 800, true), view(1, 50, 0, true), view(2, 50, 800, true)] {
            assert_eq!(figures(&[liar, honest(), honest()], 2)[0], (50, 800, true));
        }
        let boast = figures(&[view(1, 99, 999, true), honest(), honest()], 2);
        assert_eq!(boast[0], (50, 800, true), "what a second member reaches");
        let mut other = honest();
        other.statement.as_of = UnixSeconds::new(999);
        assert_eq!(figures(&[other, honest()], 2), [], "an answer for another epoch is none");
        let mut other = honest();
        other.statement.lease = LeaseId(2);
        assert_eq!(figures(&[other, honest()], 2), [], "nor is one for another lease");
        let mut unsure = honest();
        unsure.pending = true;
        unsure.statement.last = false;
        assert_eq!(figures(&[unsure, honest()], 2), []);
    }

    /// What an honest member with its own view signs.
    fn signs(own: &Statement, asked: &Statement) -> bool {
        let is_due = asked.due <= own.due && (!asked.last || asked.due >= terms().least_last_due(own.due));
        asked.evidence == own.evidence && asked.work == own.work && is_due && (own.last || !asked.last)
    }

    fn liar() -> impl Strategy<Value = StatementView> {
        (0u8..3, 0u64..100, 0u64..1_000, any::<bool>()).prop_map(|(evidence, work, due, last)| {
            let mut view = view(evidence, work, due, last);
            if work % 7 == 0 {
                view.statement.as_of = UnixSeconds::new(due);
            }
            view
        })
    }

    proptest! {
        /// `threshold` honest members agree, each with a `due` of its own; the others say anything
        /// and sign nothing. The honest ones get a statement signed, and the first of them that they
        /// sign takes nothing that all of them reach.
        #[test]
        fn enough_honest_members_get_their_statement(
            dues in prop::collection::vec(790u64..810, 1..6),
            liars in prop::collection::vec(liar(), 0..5),
            seed in any::<u64>(),
        ) {
            let threshold = dues.len();
            let honest: Vec<_> = dues.iter().map(|due| view(1, 50, *due, true)).collect();
            let mut views = [honest.clone(), liars].concat();
            let length = views.len();
            views.rotate_left(usize::try_from(seed % 97).unwrap() % length);
            let asked = proposals(&terms(), AS_OF, &views, threshold);
            let signed = asked.iter().find(|asked| honest.iter().all(|own| signs(&own.statement, asked)));
            let least = dues.iter().min().copied().map(Work::new);
            prop_assert!(signed.is_some_and(|signed| Some(signed.due) == least && signed.last), "{:?}", asked);
            prop_assert!(asked.len() <= 2 * length * length * 3, "bounded");
        }
    }
}
