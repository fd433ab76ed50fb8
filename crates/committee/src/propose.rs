//! Finds the strongest statement that enough members can sign.

use crate::api::StatementView;
use alloy_primitives::B256;
use hashlease_primitives::{Statement, Work};
use std::collections::BTreeMap;

/// Smallest `due` that a member signs in a last statement: a twentieth below its own count. The
/// escrow tolerates as much without a slash, and members see the same jobs within moments. A
/// smaller figure would release the provider from work that was due.
#[must_use]
pub fn least_last_due(own: Work) -> Work {
    own.saturating_sub(Work::capped(own.hashes() / 20))
}

/// The strongest statement that `threshold` members can sign: evidence on which that many agree,
/// and the highest `due` that that many of them reach. It is the last statement only if that many
/// of the members who can sign it as the last one say so.
#[must_use]
pub fn propose(views: &[StatementView], threshold: usize) -> Option<Statement> {
    let mut groups: BTreeMap<B256, Vec<&Statement>> = BTreeMap::new();
    for view in views.iter().filter(|view| !view.pending || view.statement.last) {
        groups.entry(view.statement.evidence).or_default().push(&view.statement);
    }
    let group = groups.into_values().filter(|group| group.len() >= threshold).max_by_key(Vec::len)?;
    let mut dues: Vec<_> = group.iter().map(|statement| statement.due).collect();
    dues.sort_unstable_by(|a, b| b.cmp(a));
    let due = *dues.get(threshold.checked_sub(1)?)?;
    let says_last = |own: &&&Statement| own.last && own.due >= due && due >= least_last_due(own.due);
    let lasts = group.iter().filter(says_last).count();
    let first = group.first()?;
    Some(Statement {
        work: group.iter().map(|statement| statement.work).min()?,
        due,
        last: lasts >= threshold,
        ..**first
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashlease_primitives::{LeaseId, UnixSeconds};

    fn view(evidence: u8, due: u128, last: bool, pending: bool) -> StatementView {
        let statement = Statement {
            lease: LeaseId(1),
            as_of: UnixSeconds::new(10),
            work: Work::new(5),
            due: Work::capped(due),
            evidence: B256::repeat_byte(evidence),
            last,
        };
        StatementView { statement, pending, epochs: vec![] }
    }

    #[test]
    fn the_proposal_is_what_enough_members_can_sign() {
        let views = [view(1, 30, true, false), view(1, 10, true, false), view(1, 20, false, false)];
        let three = propose(&views, 3).unwrap();
        assert_eq!((three.due, three.last), (Work::new(10), false), "all three must reach it");
        let two = propose(&views, 2).unwrap();
        assert_eq!(
            (two.due, two.last),
            (Work::new(20), false),
            "only one of the members that reach 20 says last"
        );
        let one = propose(&views, 1).unwrap();
        assert_eq!((one.due, one.last), (Work::new(30), true));
        let close = [view(1, 100, true, false), view(1, 95, true, false)];
        assert!(propose(&close, 2).is_some_and(|last| last.last && last.due == Work::new(95)));
        let apart = [view(1, 100, true, false), view(1, 94, true, false)];
        assert!(
            propose(&apart, 2).is_some_and(|last| !last.last),
            "the first would not sign 94 as the last word"
        );
        let split = [view(1, 30, true, false), view(2, 10, true, false), view(2, 20, false, true)];
        assert_eq!(propose(&split, 2), None, "no two members agree on the evidence");
    }

    /// Today: when one of three members reports less work than the two honest ones, its figure is
    /// proposed. The honest members don't sign that figure, so no work is ever credited. Right: the
    /// figure of two of three.
    #[test]
    fn known_fault_least_work_of_a_group_is_proposed() {
        let mut liar = view(1, 20, true, false);
        liar.statement.work = Work::ZERO;
        let views = [liar, view(1, 20, true, false), view(1, 20, true, false)];
        assert_eq!(propose(&views, 2).unwrap().work, Work::ZERO);
    }

    /// Today: the first answer decides `as_of`, right or wrong. Right: an answer for another lease
    /// or epoch than requested is dropped.
    #[test]
    fn known_fault_moment_of_the_first_view_is_proposed() {
        let mut liar = view(1, 20, true, false);
        liar.statement.as_of = UnixSeconds::new(999);
        liar.statement.lease = LeaseId(2);
        let views = [liar, view(1, 20, true, false), view(1, 20, true, false)];
        let proposed = propose(&views, 2).unwrap();
        assert_eq!((proposed.as_of, proposed.lease), (UnixSeconds::new(999), LeaseId(2)));
    }
}
