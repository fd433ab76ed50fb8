//! Due work: rate times the seconds in which a signed job was open.

use hashlease_primitives::{Terms, UnixSeconds, Work};
use std::collections::BTreeMap;

/// The seconds in which at least one job was open, as disjoint half-open intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DueCounter {
    // start → end; neighbours never touch
    intervals: BTreeMap<UnixSeconds, UnixSeconds>,
}

impl DueCounter {
    /// Adds the seconds `[from, to)`.
    pub(crate) fn insert(&mut self, from: UnixSeconds, to: UnixSeconds) {
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

    /// Adds a job: from its window's start or `served`, whichever is later, through its window's
    /// last second.
    pub(crate) fn insert_job(
        &mut self,
        not_before: UnixSeconds,
        not_after: UnixSeconds,
        served: UnixSeconds,
    ) {
        self.insert(not_before.max(served), not_after.plus(1));
    }

    /// Seconds within `[from, to)`.
    #[must_use]
    pub(crate) fn seconds(&self, from: UnixSeconds, to: UnixSeconds) -> u64 {
        if from >= to {
            return 0;
        }
        let before = self.intervals.range(..from).next_back();
        before
            .into_iter()
            .chain(self.intervals.range(from..to))
            .map(|(start, end)| (*end).min(to).since((*start).max(from)))
            .fold(0, u64::saturating_add)
    }

    /// Work that was due from the lease's start up to `as_of`.
    #[must_use]
    pub(crate) fn due(&self, terms: &Terms, as_of: UnixSeconds) -> Work {
        terms.rate.over(self.seconds(terms.start, as_of.min(terms.end)))
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
            inserts in prop::collection::vec((0u64..200, 0u64..200), 0..40), from in 0u64..200, to in 0u64..200
        ) {
            let mut counter = DueCounter::default();
            let mut row = [false; 200];
            for (a, b) in inserts {
                counter.insert(UnixSeconds::new(a), UnixSeconds::new(b));
                for second in a..b {
                    row[second as usize] = true;
                }
            }
            let expected = (from..to).filter(|second| row[*second as usize]).count();
            prop_assert_eq!(counter.seconds(UnixSeconds::new(from), UnixSeconds::new(to)), expected as u64);
        }
    }

    #[test]
    fn a_job_counts_from_when_it_was_served() {
        let mut counter = DueCounter::default();
        counter.insert_job(UnixSeconds::new(100), UnixSeconds::new(109), UnixSeconds::new(104));
        assert_eq!(counter.seconds(UnixSeconds::new(0), UnixSeconds::new(1_000)), 6, "104 to 109, inclusive");
        counter.insert_job(UnixSeconds::new(100), UnixSeconds::new(109), UnixSeconds::new(200));
        assert_eq!(
            counter.seconds(UnixSeconds::new(0), UnixSeconds::new(1_000)),
            6,
            "a job served after its window adds nothing"
        );
    }
}
