//! Chooses the lease that a miner works for.

use crate::{
    extranonce::Layout,
    mined_lease::{CONNECT_AHEAD, MinedLease, MinedLeases},
    session_numbers::SessionNumbers,
};
use hashlease_check::ShareChecker;
use hashlease_ledger::Book;
use hashlease_primitives::{LeaseId, SharedClock, Terms, UnixSeconds, Work};
use std::sync::Arc;
use tokio::sync::watch;

/// A lease among which to choose.
#[derive(Clone, Debug)]
pub(crate) struct Candidate<'a> {
    /// The lease's terms.
    pub(crate) terms: &'a Terms,
    /// Work counted so far.
    pub(crate) counted: Work,
    /// Whether there is a job that can be mined now.
    pub(crate) has_job: bool,
}

impl Candidate<'_> {
    /// Work promised by now and not yet counted.
    #[must_use]
    pub(crate) fn deficit(&self, now: UnixSeconds) -> Work {
        let elapsed = now.min(self.terms.end).since(self.terms.start);
        self.terms.rate.over(elapsed).saturating_sub(self.counted)
    }
}

/// The lease that a worker's name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    /// None if the number is larger than any lease's.
    lease: Option<LeaseId>,
}

impl Pin {
    pub(crate) fn is(self, lease: LeaseId) -> bool {
        self.lease == Some(lease)
    }
}

/// The lease that a worker's name pins: `<lease>` or `<lease>.<name>`, where `<lease>` is a number
/// other than zero.
#[must_use]
pub(crate) fn pinned(worker: &str) -> Option<Pin> {
    let first = worker.split_once('.').map_or(worker, |(lease, _)| lease);
    let is_number = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    let lease = first.parse().ok().map(LeaseId);
    (is_number && lease != Some(LeaseId(0))).then_some(Pin { lease })
}

/// The lease for a worker: only the pinned one if the worker names a lease, otherwise the active
/// lease with the largest deficit, preferring those with a job.
#[must_use]
pub(crate) fn choose<'a>(
    worker: &str,
    now: UnixSeconds,
    leases: impl Iterator<Item = Candidate<'a>>,
) -> Option<LeaseId> {
    let active = leases.filter(|lease| lease.terms.is_active(now));
    match pinned(worker) {
        Some(pin) => active.map(|lease| lease.terms.id).find(|found| pin.is(*found)),
        None => active
            .max_by_key(|lease| (lease.has_job, lease.deficit(now), std::cmp::Reverse(lease.terms.id)))
            .map(|lease| lease.terms.id),
    }
}

/// Answers sessions which lease a worker gets, and which extranonce sizes.
#[derive(Clone, Debug)]
pub(crate) struct LeaseChoice {
    pub(crate) book: Book,
    pub(crate) leases: watch::Receiver<Arc<MinedLeases>>,
    pub(crate) numbers: SessionNumbers,
    pub(crate) checker: Arc<ShareChecker>,
    clock: SharedClock,
}

impl LeaseChoice {
    pub(crate) const fn new(
        book: Book,
        leases: watch::Receiver<Arc<MinedLeases>>,
        numbers: SessionNumbers,
        checker: Arc<ShareChecker>,
        clock: SharedClock,
    ) -> Self {
        Self { book, leases, numbers, checker, clock }
    }

    /// The second that it is now.
    pub(crate) fn now(&self) -> UnixSeconds {
        self.clock.seconds()
    }

    /// The lease that a worker should mine for now.
    pub(crate) fn choose(&self, worker: &str) -> Option<Arc<MinedLease>> {
        let leases = Arc::clone(&self.leases.borrow());
        let now = self.now();
        let known: Vec<_> = leases
            .values()
            .map(|served| (served.terms(), served.has_job(), self.book.counted(served.id())))
            .collect();
        let candidates = known.iter().map(|(terms, has_job, counted)| Candidate {
            terms,
            counted: *counted,
            has_job: *has_job,
        });
        let chosen = choose(worker, now, candidates)?;
        leases.get(&chosen).cloned()
    }

    /// Whether a lease that the worker could get is about to start, so that waiting is worthwhile.
    pub(crate) fn starts_soon(&self, worker: &str) -> bool {
        let now = self.now();
        let pinned = pinned(worker);
        let leases = self.leases.borrow();
        leases.values().filter(|served| pinned.is_none_or(|pin| pin.is(served.id()))).any(|served| {
            let terms = served.terms();
            now < terms.start && terms.start <= now.plus(CONNECT_AHEAD)
        })
    }

    /// Sizes for a new session: those of the lease that it would get. Unless the worker is pinned
    /// to a lease, extranonce2 is short enough for all leases, because most miners can't be given a
    /// new length later.
    pub(crate) fn layout(&self, worker: Option<&str>) -> Option<Layout> {
        let layout = |served: &Arc<MinedLease>| served.jobs().borrow().as_ref().map(|job| job.form.layout());
        let first = layout(&self.choose(worker.unwrap_or_default())?)?;
        if worker.and_then(pinned).is_some() {
            return Some(first);
        }
        let leases = Arc::clone(&self.leases.borrow());
        let others =
            leases.values().filter_map(layout).filter(|other| other.extranonce1 == first.extranonce1);
        let shortest = others.map(|other| other.extranonce2).min();
        Some(Layout { extranonce2: shortest.unwrap_or(first.extranonce2), ..first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hashlease_fixtures::weight;
    use hashlease_primitives::HashRate;

    fn terms(id: u64, rate: u128) -> Terms {
        let terms = hashlease_fixtures::terms(100, 100, 10);
        Terms { id: LeaseId(id), weight: weight(4), rate: HashRate::capped(rate), ..terms }
    }

    fn candidate(terms: &Terms, counted: u128) -> Candidate<'_> {
        Candidate { terms, counted: Work::capped(counted), has_job: true }
    }

    #[test]
    fn a_pinned_worker_gets_its_lease_or_none() {
        let (a, b) = (terms(1, 10), terms(2, 1_000));
        let leases = || [candidate(&a, 0), candidate(&b, 0)].into_iter();
        assert_eq!(choose("1.rig", UnixSeconds::new(150), leases()), Some(LeaseId(1)));
        assert_eq!(choose("1", UnixSeconds::new(150), leases()), Some(LeaseId(1)));
        assert_eq!(choose("3.rig", UnixSeconds::new(150), leases()), None);
        // 2^64 + 1: no lease has this number
        assert_eq!(choose("18446744073709551617.rig", UnixSeconds::new(150), leases()), None);
        assert_eq!(choose("+1.rig", UnixSeconds::new(150), leases()), Some(LeaseId(2)), "no number");
        assert_eq!(choose("1.rig", UnixSeconds::new(250), leases()), None, "over");
    }

    #[test]
    fn unpinned_workers_get_the_largest_deficit() {
        let (a, b) = (terms(1, 10), terms(2, 1_000));
        assert_eq!(
            choose("rig", UnixSeconds::new(150), [candidate(&a, 0), candidate(&b, 0)].into_iter()),
            Some(LeaseId(2))
        );
        assert_eq!(
            choose("rig", UnixSeconds::new(150), [candidate(&a, 0), candidate(&b, 49_900)].into_iter()),
            Some(LeaseId(1))
        );
        let idle = Candidate { has_job: false, ..candidate(&b, 0) };
        assert_eq!(
            choose("rig", UnixSeconds::new(150), [candidate(&a, 0), idle].into_iter()),
            Some(LeaseId(1)),
            "b has no job"
        );
    }
}
