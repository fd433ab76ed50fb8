//! Announces a job to a miner, and before it everything that changed since the last one.

use super::{MinerSession, told_jobs::ToldJob};
use crate::{
    extranonce::{Layout, low_bytes},
    job_form::{HeaderForm, JobForm},
    mineable_job::MineableJob,
    mined_lease::MinedLease,
    session_numbers::SessionNumber,
    vardiff::assigned_work,
};
use alloy_primitives::U256;
use hashlease_primitives::{Difficulty, DifficultyBase, Target, Terms};
use hashlease_stratum::{
    Event, Notify,
    server::{Reply, SessionEnd},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tracing::debug;

impl MinerSession {
    /// Hands out the lease's job if it changed, or anew if that is due.
    pub(super) fn hand_out_if_due(&mut self) -> Reply {
        let Some((lease, _, _)) = &self.lease else { return Reply::nothing() };
        let interval = Duration::from_secs(lease.terms().job_interval());
        let Some(job) = lease.current_job() else { return Reply::nothing() };
        let now = self.choice.now();
        // a clock that was set back tells nothing
        let is_due = self.told_at.is_none_or(|told| now < told || now >= told.plus(interval));
        let is_told = self.told_job.as_ref().is_some_and(|told| Arc::ptr_eq(told, &job));
        if is_told && !is_due { Reply::nothing() } else { self.hand_out(&job) }
    }

    pub(super) fn hand_out(&mut self, job: &Arc<MineableJob>) -> Reply {
        let Some((lease, _, _)) = &self.lease else { return Reply::nothing() };
        let lease = Arc::clone(lease);
        let terms = lease.terms();
        let JobForm::Header(form) = &job.form;
        let extranonce = match self.adopt_layout(form.layout) {
            Ok(text) => text,
            Err(farewell) => return farewell,
        };
        let number = match self.number() {
            Ok(number) => number,
            Err(end) => return end.into(),
        };
        self.leaving = None;
        self.without_job_since = None;
        self.told_at = Some(self.choice.now());
        self.told_job = Some(Arc::clone(job));
        let block = job.face().block;
        // nothing unsigned decides: the miner's older work is worthless exactly on another block
        let clean = self.told_block.replace(block) != Some(block);
        let mask = self.changed_mask(job.form.free_version_bits());
        let target = self.changed_target(&lease, job, &terms);
        let notify = self.notify(form, &lease, job, number, clean);
        let text = self.dialect.event(Event::HeaderJob(&notify));
        [extranonce, mask, target, text].concat().into()
    }

    /// Changes to the sizes of a job where the session's own do not fit, and tells the miner. A miner
    /// that did not subscribe to such changes has to connect again.
    fn adopt_layout(&mut self, layout: Layout) -> Result<String, Reply> {
        let sizes = layout.sizes();
        let grows = self.extranonce_subscribed && sizes.extranonce2 > self.sizes.extranonce2;
        if layout.has_room_for(self.sizes) && !grows {
            return Ok(String::new());
        }
        if !self.extranonce_subscribed {
            return Err(self.make_reconnect(layout));
        }
        if sizes.extranonce1 != self.sizes.extranonce1 {
            // a different length of extranonce1 needs a number that is free at that length
            self.number = None;
        }
        self.sizes = sizes;
        let number = self.number()?;
        let extranonce1 = low_bytes(number.get(), sizes.extranonce1);
        let event = Event::Extranonce { extranonce1: &extranonce1, extranonce2_size: sizes.extranonce2 };
        Ok(self.dialect.event(event))
    }

    /// Lets the miner go, at once or after a while: a miner that comes back at once and still does
    /// not fit must not do so in a hot loop. Until then it goes on with the job that it has.
    fn make_reconnect(&mut self, layout: Layout) -> Reply {
        if self.leaving.is_some() {
            return Reply::nothing();
        }
        let worker = self.worker().unwrap_or_default().to_owned();
        let now = std::time::Instant::now();
        let wait = self.choice.shared.peers.make_reconnect(self.peer.ip(), &worker, layout.sizes(), now);
        if wait.is_zero() {
            return self.reconnect();
        }
        debug!(peer = %self.peer, ?worker, ?wait, "miner has to connect again, after a while");
        self.leaving = Instant::now().checked_add(wait);
        Reply::nothing()
    }

    /// Makes the miner connect again.
    pub(super) fn reconnect(&self) -> Reply {
        Reply::from(self.dialect.event(Event::Reconnect)).ending(SessionEnd::ExtranonceChanged)
    }

    /// Some firmware rolls only after it was told the mask, so it is told once at least.
    fn changed_mask(&mut self, of_job: u32) -> String {
        let Some(rolling) = self.rolling else { return String::new() };
        let mask = of_job & rolling.mask;
        if self.announced_mask == Some(mask) {
            return String::new();
        }
        self.announced_mask = Some(mask);
        self.dialect.event(Event::VersionMask(mask))
    }

    fn changed_target(&mut self, lease: &MinedLease, job: &MineableJob, terms: &Terms) -> String {
        let target = self.wanted_target(job, terms);
        if self.announced_target == Some(target) {
            return String::new();
        }
        debug!(peer = %self.peer, lease = %lease.id(), work = %target.work(), "target changes");
        self.announced_target = Some(target);
        self.dialect.event(Event::Target(target, DifficultyBase::of_stratum(terms.algorithm)))
    }

    /// The target for this connection, as the miner will read it.
    fn wanted_target(&self, job: &MineableJob, terms: &Terms) -> Target {
        let settlement = terms.weight.target();
        let weight = settlement.work().hashes();
        let pool = job.pool_target().map(|target| target.work().hashes());
        let rate = self.tally.vardiff(|vardiff| vardiff.rate());
        let work = assigned_work(weight, pool, rate);
        let target = if work == weight { settlement } else { target_of(work) };
        let base = DifficultyBase::of_stratum(terms.algorithm);
        Difficulty::of_target(target, base).whole().target(base)
    }

    /// Tells the miner a new target, with the job that it needs to adopt it, if the wanted one
    /// differs.
    pub(super) fn retarget(&mut self) -> Reply {
        let Some((lease, _, _)) = &self.lease else { return Reply::nothing() };
        let (terms, job) = (lease.terms(), lease.current_job());
        match job {
            Some(job) if self.announced_target != Some(self.wanted_target(&job, &terms)) => {
                self.hand_out(&job)
            }
            _ => Reply::nothing(),
        }
    }

    fn notify(
        &mut self,
        form: &HeaderForm,
        lease: &Arc<MinedLease>,
        mined: &Arc<MineableJob>,
        number: Arc<SessionNumber>,
        clean_jobs: bool,
    ) -> Notify {
        let (filler, padding) = form.layout.around(self.sizes, number.get());
        let job_id = self.told.tell(ToldJob {
            lease: Arc::clone(lease),
            job: Arc::clone(mined),
            sizes: self.sizes,
            number,
            // always announced by now
            target: self.announced_target.unwrap_or_else(|| lease.terms().weight.target()),
        });
        let job = &form.job;
        Notify {
            job_id,
            prev_hash: job.prev_hash,
            coinb1: [job.coinbase_prefix.as_ref(), &filler].concat(),
            coinb2: [padding.as_slice(), job.coinbase_suffix.as_ref()].concat(),
            branch: job.branch.clone(),
            version: job.version,
            n_bits: job.n_bits,
            ntime: form.ntime(self.choice.now().seconds()),
            clean_jobs,
        }
    }
}

/// The hardest target that is not harder than this work.
fn target_of(work: u128) -> Target {
    Target(U256::MAX.checked_div(U256::from(work)).unwrap_or(U256::MAX))
}
