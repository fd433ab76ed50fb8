//! The jobs of a pool session as templates of signed jobs: which one is signed next.
//!
//! A new previous block is taken over at once, whatever else changes at most every ten seconds: a
//! pool's clean flag makes no tip. What a pool says of extranonce, mask and difficulty belongs to
//! the template that it comes with.

use crate::job_draft::Extranonce;
use hashlease_primitives::Target;
use hashlease_stratum::Notify;
use std::time::Duration;
use tokio::time::Instant;

/// Least time between two templates over one previous block.
const PAUSE: Duration = Duration::from_secs(10);

/// A pool's job with the layout and the target that go with it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    pub(crate) notify: Notify,
    pub(crate) extranonce: Extranonce,
    /// The easiest target since the pool's job: the pool may judge by any of them.
    pub(crate) target: Option<Target>,
}

/// The template that is signed, and the pool's newer one.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    /// Of the pool's next job.
    extranonce: Extranonce,
    target: Option<Target>,
    standing: Option<Template>,
    since: Option<Instant>,
    waiting: Option<Template>,
}

impl Templates {
    /// The extranonce from the next job on.
    pub(crate) fn set_extranonce(&mut self, extranonce1: Vec<u8>, extranonce2_size: usize) {
        self.extranonce = Extranonce { extranonce1, extranonce2_size, ..self.extranonce.clone() };
    }

    /// The mask of the latest job, and of those to come.
    pub(crate) fn set_mask(&mut self, version_mask: u32) {
        self.extranonce.version_mask = version_mask;
        let latest = self.waiting.as_ref().or(self.standing.as_ref()).cloned();
        let changed = latest.filter(|latest| latest.extranonce.version_mask != version_mask);
        if let Some(mut changed) = changed {
            changed.extranonce.version_mask = version_mask;
            self.waiting = Some(changed);
        }
    }

    /// The target of the jobs to come; of earlier ones, too, if it is easier.
    pub(crate) fn set_target(&mut self, target: Target) {
        self.target = Some(target);
        for template in [&mut self.standing, &mut self.waiting].into_iter().flatten() {
            template.target = Some(template.target.map_or(target, |known| known.easier(target)));
        }
    }

    /// The pool's job. `true` when it is to be signed at once.
    pub(crate) fn offer(&mut self, notify: Notify) -> bool {
        let extranonce = self.extranonce.clone();
        self.waiting = Some(Template { notify, extranonce, target: self.target });
        self.is_tip_waiting()
    }

    /// The extranonce that the pool gave last.
    pub(crate) const fn extranonce(&self) -> &Extranonce {
        &self.extranonce
    }

    /// The target that the pool gave last.
    pub(crate) const fn target(&self) -> Option<Target> {
        self.target
    }

    /// The time from `now` until a newer template may be taken over, if there is one.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        self.waiting.as_ref()?;
        if self.is_tip_waiting() {
            return Some(Duration::ZERO);
        }
        let since = self.since.map_or(PAUSE, |since| now.saturating_duration_since(since));
        Some(PAUSE.saturating_sub(since))
    }

    /// The template to sign at `now`: the newest that may be taken over.
    pub(crate) fn take(&mut self, now: Instant) -> Option<&Template> {
        if self.wait(now).is_some_and(|wait| wait.is_zero()) {
            self.standing = self.waiting.take();
            self.since = Some(now);
        }
        self.standing.as_ref()
    }

    fn is_tip_waiting(&self) -> bool {
        match (&self.standing, &self.waiting) {
            (Some(standing), Some(waiting)) => standing.notify.prev_hash != waiting.notify.prev_hash,
            (None, waiting) => waiting.is_some(),
            (Some(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, U256};

    fn notify(id: &str, block: u8) -> Notify {
        Notify {
            job_id: id.into(),
            prev_hash: B256::repeat_byte(block),
            coinb1: vec![],
            coinb2: vec![],
            branch: vec![],
            version: 0,
            n_bits: 0,
            ntime: 0,
            clean_jobs: true,
        }
    }

    fn target(number: u64) -> Target {
        Target(U256::from(number))
    }

    fn id(templates: &mut Templates, at: Instant) -> String {
        templates.take(at).unwrap().notify.job_id.clone()
    }

    #[test]
    fn tips_are_taken_over_at_once_and_other_changes_every_ten_seconds() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut templates = Templates::default();
        assert_eq!(templates.take(begun), None);
        assert!(templates.offer(notify("a", 1)), "the first");
        assert_eq!(id(&mut templates, at(0)), "a");
        // flagged as clean, and yet no tip
        assert!(!templates.offer(notify("b", 1)));
        assert!(!templates.offer(notify("c", 1)));
        assert_eq!(templates.wait(at(4)), Some(Duration::from_secs(6)));
        assert_eq!(id(&mut templates, at(9)), "a");
        assert_eq!(id(&mut templates, at(10)), "c", "the newest");
        assert_eq!(templates.wait(at(10)), None);
        assert!(templates.offer(notify("d", 2)), "a tip");
        assert_eq!(id(&mut templates, at(11)), "d");
        templates.set_mask(7);
        assert_eq!(id(&mut templates, at(12)), "d");
        assert_eq!(templates.take(at(12)).unwrap().extranonce.version_mask, 0);
        assert_eq!(templates.take(at(21)).unwrap().extranonce.version_mask, 7);
    }

    #[test]
    fn an_extranonce_belongs_to_the_jobs_after_it() {
        let now = Instant::now();
        let mut templates = Templates::default();
        templates.set_extranonce(vec![1], 4);
        templates.offer(notify("a", 1));
        templates.set_extranonce(vec![2], 8);
        assert_eq!(templates.take(now).unwrap().extranonce.extranonce1, [1]);
        templates.offer(notify("b", 2));
        let taken = templates.take(now).unwrap();
        assert_eq!(
            (taken.extranonce.extranonce1.as_slice(), taken.extranonce.extranonce2_size),
            (&[2][..], 8)
        );
    }

    #[test]
    fn a_template_keeps_the_easiest_target_since_the_pools_job() {
        let now = Instant::now();
        let mut templates = Templates::default();
        templates.set_target(target(9));
        templates.offer(notify("a", 1));
        templates.set_target(target(5));
        assert_eq!(templates.take(now).unwrap().target, Some(target(9)));
        templates.set_target(target(12));
        assert_eq!(templates.take(now).unwrap().target, Some(target(12)));
        templates.offer(notify("b", 2));
        templates.set_target(target(3));
        assert_eq!(templates.take(now).unwrap().target, Some(target(12)), "judged by either");
        templates.offer(notify("c", 3));
        assert_eq!(templates.take(now).unwrap().target, Some(target(3)));
    }
}
