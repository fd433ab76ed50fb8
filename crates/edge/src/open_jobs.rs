//! The jobs of a lease, and which of them miners get.
//!
//! Every job that keeps to the rules may be mined until its window ends, whatever comes after it.
//! So the node chooses freely among the open ones, and chooses what costs its miners least: one that
//! stock devices can use, with the layout that they have, on the block that they mine. It follows a
//! change of these, but no stream of changes. Its jobs' sequences only break ties.

use crate::mineable_job::{Face, MineableJob};
use alloy_primitives::B256;
use hashlease_primitives::{Terms, UnixMillis, UnixSeconds};
use hashlease_share::JobPace;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

/// How long shares of a job still count after miners were given one on another block, as pools
/// usually allow.
pub(crate) const STALE_GRACE: Duration = Duration::from_secs(3);
/// Shortest time between two changes of layout or mask, while a job without such a change is open:
/// some miners connect again at each.
const HOLD: Duration = Duration::from_secs(60);
/// Time without a job that stock devices can use, seconds, after which they get another one that
/// has a layout of its own.
const PATIENCE: u64 = 120;
/// How long a job is kept after its window, seconds: its late shares get the right answer.
const KEEP: u64 = 60;

/// A lease's jobs.
#[derive(Debug)]
pub(crate) struct OpenJobs {
    jobs: BTreeMap<u64, Arc<MineableJob>>,
    current: Option<Arc<MineableJob>>,
    /// Of the last job that miners got.
    face: Option<Face>,
    /// When the layout or the mask of the current job last changed.
    layout_changed: Option<UnixMillis>,
    /// Changes of the block.
    blocks: JobPace,
    /// Blocks that were left, and when.
    left: HashMap<B256, UnixMillis>,
    /// Last second of a job that stock devices can use.
    usable_until: Option<UnixSeconds>,
    looked: Option<UnixSeconds>,
}

impl OpenJobs {
    pub(crate) fn new(terms: &Terms) -> Self {
        Self {
            jobs: BTreeMap::new(),
            current: None,
            face: None,
            layout_changed: None,
            blocks: JobPace::new(terms),
            left: HashMap::new(),
            usable_until: None,
            looked: None,
        }
    }

    /// A job by its sequence.
    pub(crate) fn get(&self, sequence: u64) -> Option<&Arc<MineableJob>> {
        self.jobs.get(&sequence)
    }

    /// Adds a job. The first one of a sequence stays.
    pub(crate) fn add(&mut self, job: Arc<MineableJob>) {
        self.jobs.entry(job.sequence()).or_insert(job);
        self.looked = None;
    }

    /// The next look chooses again, whenever it comes.
    pub(crate) const fn look_again(&mut self) {
        self.looked = None;
    }

    /// The job that miners get, as of the last look.
    pub(crate) const fn current(&self) -> Option<&Arc<MineableJob>> {
        self.current.as_ref()
    }

    /// The first second in which a job that waits for its time opens.
    pub(crate) fn next_opening(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        self.jobs.values().map(|job| job.window().0).filter(|opens| *opens > now).min()
    }

    /// The newest job, open or not.
    pub(crate) fn newest(&self) -> Option<&Arc<MineableJob>> {
        self.jobs.values().next_back()
    }

    /// Whether miners were given a job on another block, and the grace is over.
    pub(crate) fn is_stale(&self, job: &MineableJob, now: UnixMillis) -> bool {
        let left = self.left.get(&job.face().block);
        left.is_some_and(|left| now > left.plus(STALE_GRACE))
    }

    /// Chooses the current job. Returns whether another one was chosen.
    pub(crate) fn look(&mut self, now: UnixMillis) -> bool {
        let second = now.seconds();
        if self.looked == Some(second) {
            return false;
        }
        self.looked = Some(second);
        self.jobs.retain(|_, job| job.window().1.plus(KEEP) >= second);
        let jobs = &self.jobs;
        self.left.retain(|block, _| jobs.values().any(|job| job.face().block == *block));
        let chosen = self.choose(now);
        let same = match (&self.current, &chosen) {
            (Some(before), Some(chosen)) => Arc::ptr_eq(before, chosen),
            (before, chosen) => before.is_none() && chosen.is_none(),
        };
        if same {
            return false;
        }
        if let Some(chosen) = &chosen {
            self.note_change(chosen.face(), now);
        }
        self.current = chosen;
        true
    }

    fn choose(&mut self, now: UnixMillis) -> Option<Arc<MineableJob>> {
        let second = now.seconds();
        let mut open: Vec<_> = self
            .jobs
            .values()
            .filter(|job| job.is_open(second) && job.is_harmless() && !job.is_lost())
            .collect();
        let usable_until = open.iter().filter(|job| job.usable().is_ok()).map(|job| job.window().1).max();
        if usable_until.is_some() {
            self.usable_until = self.usable_until.max(usable_until);
            open.retain(|job| job.usable().is_ok());
        }
        let Some(face) = self.face else { return newest(&open) };
        let waits =
            usable_until.is_none() && self.usable_until.is_some_and(|last| last.plus(PATIENCE) > second);
        if waits {
            // miners keep their layout for the next job that they can use
            open.retain(|job| job.face().layout == face.layout);
        }
        if self.layout_changed.is_some_and(|changed| now < changed.plus(HOLD)) {
            narrow(&mut open, |job| job.face().layout == face.layout);
        }
        if !self.blocks.has_room(now, true) {
            narrow(&mut open, |job| job.face().block == face.block);
        }
        newest(&open)
    }

    fn note_change(&mut self, face: Face, now: UnixMillis) {
        let Some(before) = self.face.replace(face) else { return };
        if before.layout != face.layout {
            self.layout_changed = Some(now);
        }
        if before.block != face.block {
            self.blocks.add(now, true);
            self.left.insert(before.block, now);
            self.left.remove(&face.block);
        }
    }
}

/// The job whose window opened last: it stays open longest, and its block is the newest. A signer may
/// count sequences down, so they only break ties.
fn newest(open: &[&Arc<MineableJob>]) -> Option<Arc<MineableJob>> {
    open.iter().max_by_key(|job| (job.window().0, job.sequence())).map(|job| Arc::clone(job))
}

/// Keeps the jobs that fulfil a wish, if there are any.
fn narrow(open: &mut Vec<&Arc<MineableJob>>, wish: impl Fn(&MineableJob) -> bool) {
    if open.iter().any(|job| wish(job)) {
        open.retain(|job| wish(job));
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use alloy_primitives::Bytes;
    use hashlease_fixtures::{header_job, terms, verified};
    use hashlease_primitives::HeaderJob;

    const START: u64 = 1_000_000;

    fn lease() -> Terms {
        terms(START, 7_200, 3_600)
    }

    /// A job whose window begins at the start and lasts `seconds`.
    fn job(sequence: u64, seconds: u64) -> HeaderJob {
        HeaderJob { tail_length: 8, ..header_job(&lease(), sequence, START..=START + seconds) }
    }

    fn on(block: u8, job: HeaderJob) -> HeaderJob {
        HeaderJob { prev_hash: B256::repeat_byte(block), ..job }
    }

    fn with_tail(tail_length: u8, job: HeaderJob) -> HeaderJob {
        HeaderJob { tail_length, ..job }
    }

    struct World {
        jobs: OpenJobs,
        now: UnixMillis,
    }

    impl World {
        fn new() -> Self {
            Self { jobs: OpenJobs::new(&lease()), now: UnixSeconds::new(START).millis() }
        }

        fn pass(&mut self, seconds: u64) -> Option<u64> {
            self.now = self.now.plus(Duration::from_secs(seconds));
            self.look()
        }

        fn look(&mut self) -> Option<u64> {
            self.jobs.look(self.now);
            self.jobs.current().map(|job| job.sequence())
        }

        fn add(&mut self, job: HeaderJob) -> Option<u64> {
            let job = MineableJob::of(verified(&lease(), job), None).unwrap();
            self.jobs.add(Arc::new(job));
            self.look()
        }

        fn is_stale(&self, sequence: u64) -> bool {
            self.jobs.is_stale(self.jobs.get(sequence).unwrap(), self.now)
        }
    }

    #[test]
    fn a_job_is_mined_until_its_window_ends_whatever_its_sequence() {
        let mut world = World::new();
        assert_eq!(world.add(job(1_000, 100)), Some(1_000));
        assert_eq!(world.add(job(5, 200)), Some(1_000), "either will do");
        assert_eq!(world.pass(100), Some(1_000));
        assert_eq!(world.pass(1), Some(5));
        assert_eq!(world.pass(100), None);
        assert!(world.jobs.get(5).is_some(), "for its late shares");
        world.pass(KEEP + 1);
        assert!(world.jobs.get(5).is_none());
    }

    #[test]
    fn a_future_job_waits_for_its_time() {
        let mut world = World::new();
        world.add(job(1, 100));
        let later = HeaderJob { not_before: UnixSeconds::new(START + 50), ..job(2, 300) };
        assert_eq!(world.add(later), Some(1));
        assert_eq!(world.jobs.next_opening(world.now.seconds()), Some(UnixSeconds::new(START + 50)));
        assert_eq!(world.pass(49), Some(1));
        assert_eq!(world.pass(1), Some(2));
    }

    #[test]
    fn miners_follow_one_change_of_layout_and_no_stream_of_them() {
        let mut world = World::new();
        world.add(job(1, 600));
        assert_eq!(world.add(with_tail(5, job(2, 600))), Some(2), "a renter's new pool");
        let mut got = Vec::new();
        for sequence in 3..60 {
            world.pass(1);
            let tail = if sequence % 2 == 0 { 5 } else { 8 };
            got.push(world.add(with_tail(tail, job(sequence, 600))).unwrap());
        }
        assert!(got.iter().all(|sequence| sequence % 2 == 0), "{got:?}");
        // still the newest of those that fit
        assert_eq!(got.last(), Some(&58));
        assert_eq!(world.pass(60), Some(59), "after a minute it may change again");
    }

    #[test]
    fn the_job_that_opened_last_is_mined_whatever_its_sequence() {
        let mut world = World::new();
        assert_eq!(world.add(job(9, 100)), Some(9));
        world.pass(10);
        let fresh = HeaderJob { not_before: UnixSeconds::new(START + 10), ..job(8, 110) };
        assert_eq!(world.add(fresh), Some(8), "else miners would always have the job that ends next");
    }

    #[test]
    fn a_layout_is_not_held_once_no_job_of_it_is_open() {
        let mut world = World::new();
        world.add(job(1, 20));
        world.add(with_tail(5, job(2, 20)));
        world.add(job(3, 600));
        assert_eq!(world.pass(20), Some(2));
        assert_eq!(world.pass(1), Some(3));
    }

    #[test]
    fn a_job_that_no_stock_device_can_use_displaces_none_that_it_can() {
        let mut world = World::new();
        world.add(job(1, 100));
        // too short a tail
        assert_eq!(world.add(with_tail(3, job(2, 600))), Some(1));
        // nor does it make miners reconnect in a short gap
        assert_eq!(world.pass(101), None);
        assert_eq!(world.add(HeaderJob { version_mask: 0, ..with_tail(3, job(3, 600)) }), None);
        assert_eq!(world.pass(PATIENCE), Some(3), "nothing is lost any more");
    }

    #[test]
    fn a_job_of_the_same_layout_is_mined_though_nothing_is_due_for_it() {
        let mut world = World::new();
        world.add(job(1, 100));
        // its version sets bits of its mask
        world.add(HeaderJob { version: 0x2080_0000, ..job(2, 600) });
        assert_eq!(world.look(), Some(1));
        assert_eq!(world.pass(101), Some(2));
    }

    #[test]
    fn a_coinbase_that_stock_devices_can_not_hold_is_given_to_nobody() {
        let mut world = World::new();
        let long = HeaderJob { coinbase_prefix: Bytes::from(vec![1; 700]), ..job(1, 600) };
        assert_eq!(world.add(long), None);
        assert_eq!(world.pass(300), None);
        assert!(world.jobs.newest().unwrap().usable().is_err());
    }

    #[test]
    fn a_job_on_a_block_that_was_left_is_stale_after_the_grace() {
        let mut world = World::new();
        world.add(on(1, job(1, 600)));
        assert_eq!(world.add(on(2, job(2, 600))), Some(2));
        world.now = world.now.plus(STALE_GRACE);
        assert!(!world.is_stale(1));
        world.now = world.now.plus(Duration::from_millis(1));
        assert!(world.is_stale(1));
        assert!(!world.is_stale(2));
        // back on the first block
        assert_eq!(world.add(on(1, job(3, 600))), Some(3));
        assert!(!world.is_stale(1));
        world.now = world.now.plus(STALE_GRACE).plus(Duration::from_millis(1));
        assert!(world.is_stale(2));
    }

    #[test]
    fn a_fresher_job_on_the_same_block_makes_none_stale() {
        let mut world = World::new();
        world.add(job(1, 600));
        assert_eq!(world.add(job(2, 600)), Some(2));
        world.pass(10);
        assert!(!world.is_stale(1));
    }

    #[test]
    fn miners_follow_no_flood_of_blocks() {
        let mut world = World::new();
        let mut changes = 0;
        let mut before = world.add(on(0, job(1, 600)));
        for sequence in 2..60 {
            world.pass(1);
            let now = world.add(on(u8::try_from(sequence % 2).unwrap() + 1, job(sequence, 600)));
            changes += usize::from(now.unwrap() % 2 != before.unwrap() % 2);
            before = now;
        }
        assert!(changes <= 6, "{changes} changes in a minute");
    }
}
