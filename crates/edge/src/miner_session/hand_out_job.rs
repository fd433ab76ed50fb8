//! Announces a job to a miner, and before it everything that changed since the last one.

use super::MinerSession;
use crate::{
    extranonce::Layout,
    job_form::{HeaderForm, JobForm},
    mined_lease::MineableJob,
    share_intake::job_id,
};
use hashlease_primitives::{DifficultyBase, Terms};
use hashlease_stratum::{
    Event, Notify,
    server::{Reply, SessionEnd},
};

impl MinerSession {
    pub(super) fn hand_out(&mut self, job: &MineableJob) -> Reply {
        let Some((lease, _)) = &self.lease else { return Reply::nothing() };
        let terms = lease.terms();
        // a job that was skipped since may have been the clean one
        let clean = self.announced_job.is_none_or(|told| lease.clean_since(told));
        let JobForm::Header(form) = &job.form;
        let extranonce = match self.adopt_layout(form.layout) {
            Ok(text) => text,
            Err(farewell) => return farewell,
        };
        let number = match self.number() {
            Ok(number) => number,
            Err(end) => return end.into(),
        };
        self.announced_job = Some(job.sequence());
        let mask = self.changed_mask(form.job.version_mask);
        let target = self.changed_target(job, &terms);
        let id = job_id(terms.id.0, job.sequence());
        let notify = self.notify(form, id, number, clean);
        let job = self.dialect.event(Event::HeaderJob(&notify));
        [extranonce, mask, target, job].concat().into()
    }

    /// Changes to the layout of a job where the session's own does not fit, and tells the miner.
    /// Ends the session of a miner that did not subscribe to such changes.
    fn adopt_layout(&mut self, layout: Layout) -> Result<String, Reply> {
        let grows = self.extranonce_subscribed && layout.extranonce2 > self.layout.extranonce2;
        if layout.has_room_for(&self.layout) && !grows {
            return Ok(String::new());
        }
        if !self.extranonce_subscribed {
            let text = self.dialect.event(Event::Reconnect);
            return Err(Reply::from(text).ending(SessionEnd::ExtranonceChanged));
        }
        if layout.extranonce1 != self.layout.extranonce1 {
            // a different length of extranonce1 needs a number that is free at that length
            self.number = None;
        }
        self.layout = layout;
        let number = self.number()?;
        let (_, extranonce1) = self.layout.session_bytes(number);
        Ok(self.dialect.event(Event::Extranonce {
            extranonce1: &extranonce1,
            extranonce2_size: self.layout.extranonce2,
        }))
    }

    fn changed_mask(&mut self, of_job: u32) -> String {
        let Some(rolling) = self.rolling else { return String::new() };
        let mask = of_job & rolling.mask;
        if mask == self.announced_mask {
            return String::new();
        }
        self.announced_mask = mask;
        self.dialect.event(Event::VersionMask(mask))
    }

    fn changed_target(&mut self, job: &MineableJob, terms: &Terms) -> String {
        let settlement = terms.weight.target();
        let target = job.pool_target.map_or(settlement, |pool| pool.easier(settlement));
        if self.announced_target == Some(target) {
            return String::new();
        }
        self.announced_target = Some(target);
        self.dialect.event(Event::Target(target, DifficultyBase::of_stratum(terms.algorithm)))
    }

    fn notify(&self, form: &HeaderForm, job_id: String, number: u64, clean_jobs: bool) -> Notify {
        let job = &form.job;
        let (filler, padding) = form.layout.around(&self.layout, number);
        Notify {
            job_id,
            prev_hash: job.prev_hash,
            coinb1: [job.coinbase_prefix.as_ref(), &filler].concat(),
            coinb2: [padding.as_slice(), job.coinbase_suffix.as_ref()].concat(),
            branch: job.branch.clone(),
            version: job.version,
            n_bits: job.n_bits,
            ntime: form.ntime(self.choice.now()),
            clean_jobs,
        }
    }
}
