//! A set of seconds.

use hashlease_primitives::UnixSeconds;
use std::collections::BTreeMap;

/// Seconds, as disjoint half-open intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecondSet {
    // start → end; neighbours never touch
    intervals: BTreeMap<UnixSeconds, UnixSeconds>,
}

impl SecondSet {
    /// Adds `[from, to)`.
    pub fn insert(&mut self, from: UnixSeconds, to: UnixSeconds) {
        if from >= to {
            return;
        }
        let (mut from, mut to) = (from, to);
        // merge every interval that overlaps or touches the new one
        while let Some((&start, &end)) = self.intervals.range(..=to).next_back() {
            if end < from {
                break;
            }
            from = from.min(start);
            to = to.max(end);
            self.intervals.remove(&start);
        }
        self.intervals.insert(from, to);
    }

    /// Takes `[from, to)` out.
    pub fn remove(&mut self, from: UnixSeconds, to: UnixSeconds) {
        if from >= to {
            return;
        }
        while let Some((&start, &end)) = self.intervals.range(..to).next_back() {
            if end <= from {
                break;
            }
            self.intervals.remove(&start);
            if to < end {
                self.intervals.insert(to, end);
            }
            if start < from {
                self.intervals.insert(start, from);
            }
        }
    }

    /// Number of seconds within `[from, to)`.
    #[must_use]
    pub fn count(&self, from: UnixSeconds, to: UnixSeconds) -> u64 {
        self.within(from, to).map(|(start, end)| end.since(start)).fold(0, u64::saturating_add)
    }

    /// Number of seconds within `[from, to)` that are not in `others`.
    #[must_use]
    pub fn count_without(&self, others: &Self, from: UnixSeconds, to: UnixSeconds) -> u64 {
        self.within(from, to)
            .map(|(start, end)| end.since(start).saturating_sub(others.count(start, end)))
            .fold(0, u64::saturating_add)
    }

    /// The parts of the intervals that lie within `[from, to)`.
    fn within(&self, from: UnixSeconds, to: UnixSeconds) -> impl Iterator<Item = (UnixSeconds, UnixSeconds)> {
        let before = self.intervals.range(..from).next_back();
        // an empty range may not be asked for
        let rest = self.intervals.range(from..to.max(from));
        before
            .into_iter()
            .chain(rest)
            .map(move |(start, end)| ((*start).max(from), (*end).min(to)))
            .filter(|(start, end)| start < end)
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_like_a_row_of_seconds(
            steps in prop::collection::vec((any::<bool>(), 0u64..200, 0u64..200), 0..40),
            from in 0u64..200,
            to in 0u64..200,
        ) {
            let mut set = SecondSet::default();
            let mut row = [false; 200];
            for (inserted, a, b) in steps {
                let (start, end) = (UnixSeconds::new(a), UnixSeconds::new(b));
                if inserted { set.insert(start, end) } else { set.remove(start, end) }
                for second in a..b {
                    row[second as usize] = inserted;
                }
            }
            let expected = (from..to).filter(|second| row[*second as usize]).count();
            let (start, end) = (UnixSeconds::new(from), UnixSeconds::new(to));
            prop_assert_eq!(set.count(start, end), expected as u64);
            let mut others = SecondSet::default();
            others.insert(UnixSeconds::new(50), UnixSeconds::new(70));
            others.insert(UnixSeconds::new(90), UnixSeconds::new(91));
            let without = (from..to)
                .filter(|second| row[*second as usize] && !(50..70).contains(second) && *second != 90)
                .count();
            prop_assert_eq!(set.count_without(&others, start, end), without as u64);
        }
    }
}
