//! Chooses the lease that a miner works for.

use crate::{
    check_places::CheckPlaces,
    extranonce::Sizes,
    job_form::JobForm,
    log_budget::LogBudget,
    mined_lease::{CONNECT_AHEAD, MinedLease, MinedLeases},
    peers::Peers,
    refusal_log::RefusalLog,
    session_numbers::SessionNumbers,
};
use hashlease_check::ShareChecker;
use hashlease_ledger::Book;
use hashlease_primitives::{Algorithm, LeaseId, SharedClock, Terms, UnixMillis, UnixSeconds, Work};
use hashlease_share::MIN_STOCK_TAIL;
use std::{net::IpAddr, sync::Arc, time::Instant};
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

/// What all sessions share, whatever address they come in at.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) book: Book,
    pub(crate) leases: watch::Receiver<Arc<MinedLeases>>,
    pub(crate) numbers: SessionNumbers,
    pub(crate) checker: Arc<ShareChecker>,
    pub(crate) clock: SharedClock,
    pub(crate) peers: Peers,
    pub(crate) refusals: RefusalLog,
    pub(crate) lines: LogBudget,
    pub(crate) places: CheckPlaces,
}

/// Answers the sessions of one address which lease a worker gets, and which extranonce sizes.
#[derive(Clone, Debug)]
pub(crate) struct LeaseChoice {
    pub(crate) shared: Shared,
    algorithm: Algorithm,
}

impl LeaseChoice {
    /// For the miners of one algorithm.
    pub(crate) const fn new(shared: Shared, algorithm: Algorithm) -> Self {
        Self { shared, algorithm }
    }

    /// The millisecond that it is now.
    pub(crate) fn now(&self) -> UnixMillis {
        self.shared.clock.now()
    }

    /// The algorithm of this address's miners.
    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Leases that this address's miners can mine for.
    fn served(&self) -> Vec<Arc<MinedLease>> {
        let leases = self.shared.leases.borrow();
        let served = leases.values().filter(|served| served.terms().algorithm == self.algorithm);
        served.map(Arc::clone).collect()
    }

    /// The lease that a worker should mine for now.
    pub(crate) fn choose(&self, worker: &str) -> Option<Arc<MinedLease>> {
        let served = self.served();
        let known: Vec<_> = served
            .iter()
            .map(|served| {
                let counted = self.shared.book.counted(served.id());
                (served.terms(), served.current_job().is_some(), counted)
            })
            .collect();
        let candidates = known.iter().map(|(terms, has_job, counted)| Candidate {
            terms,
            counted: *counted,
            has_job: *has_job,
        });
        let chosen = choose(worker, self.now().seconds(), candidates)?;
        served.into_iter().find(|served| served.id() == chosen)
    }

    /// The lease of another algorithm that a worker's name pins.
    pub(crate) fn other_algorithm(&self, worker: &str) -> Option<(LeaseId, Algorithm)> {
        let pin = pinned(worker)?;
        let leases = self.shared.leases.borrow();
        let terms = leases.values().map(|served| served.terms()).find(|terms| pin.is(terms.id))?;
        (terms.algorithm != self.algorithm).then_some((terms.id, terms.algorithm))
    }

    /// Whether a lease that the worker could get is about to start, so that waiting is worthwhile.
    pub(crate) fn starts_soon(&self, worker: &str) -> bool {
        let now = self.now().seconds();
        let pinned = pinned(worker);
        self.served().iter().filter(|served| pinned.is_none_or(|pin| pin.is(served.id()))).any(|served| {
            let terms = served.terms();
            now < terms.start && terms.start <= now.plus(CONNECT_AHEAD)
        })
    }

    /// Sizes for a new session, the best ones first. Most miners can't be given others later, and
    /// name their lease only after they were told. So the first ones fit every lease that the
    /// session may end up with, and what miners of its address needed before.
    pub(crate) fn sizes(&self, worker: Option<&str>, address: IpAddr) -> [Sizes; 2] {
        let job = |served: &Arc<MinedLease>| served.current_job();
        let pinned = worker.and_then(pinned);
        let jobs: Vec<_> = match pinned {
            Some(pin) => self.served().iter().filter(|served| pin.is(served.id())).filter_map(job).collect(),
            None => self.served().iter().filter_map(job).collect(),
        };
        let size = |short: bool| {
            let is_short = |form: &JobForm| form.tail_length() < MIN_STOCK_TAIL;
            let forms = jobs.iter().map(|job| &job.form).filter(|form| is_short(form) == short);
            forms.map(|form| form.layout().sizes()).reduce(Sizes::smaller)
        };
        // a short tail is not due and tells few sessions apart: it narrows no other lease's
        let sizes = size(false).or_else(|| size(true)).unwrap_or(Sizes::PLACEHOLDER);
        let needed = self.shared.peers.needed(address, Instant::now()).filter(|_| pinned.is_none());
        [needed.map_or(sizes, |needed| sizes.smaller(needed)), sizes]
    }

    /// Version bits that every lease grants which a session may end up with.
    pub(crate) fn version_mask(&self) -> Option<u32> {
        let jobs: Vec<_> = self.served().iter().filter_map(|served| served.current_job()).collect();
        jobs.iter().map(|job| job.form.free_version_bits()).reduce(|one, other| one & other)
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
