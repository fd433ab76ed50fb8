//! Finds the job of a submitted share and completes what the miner left out.

use super::MinerSession;
use crate::{job_form::JobForm, refusal::Refusal, share_intake::PreparedShare};
use hashlease_share::{EvidenceReason, HeaderShare, SubmittedHeader};
use hashlease_stratum::Submit;
use hashlease_stratum::server::SessionRefusal;
use std::sync::Arc;

impl MinerSession {
    /// # Errors
    /// The [`Refusal`] by the first rule that the share breaks.
    pub(super) fn prepare(&self, submit: &Submit) -> Result<PreparedShare, Refusal> {
        if !self.subscribed {
            return Err(SessionRefusal::NotSubscribed.into());
        }
        let worker = self.worker_of(&submit.worker).ok_or(SessionRefusal::Unauthorized)?.to_owned();
        let unknown =
            || Refusal::from(EvidenceReason::UnknownJob { job: submit.job_id.chars().take(64).collect() });
        let told = self.told.get(&submit.job_id).ok_or_else(unknown)?;
        let (lease, job) = (&told.lease, &told.job);
        let JobForm::Header(form) = &job.form;
        let tail = form.layout.complete(told.sizes, told.number.get(), &submit.extranonce2)?;
        if lease.is_stale(job) {
            return Err(Refusal::JobSuperseded { sequence: job.sequence() });
        }
        let mask = job.form.free_version_bits();
        let mask = self.rolling.map_or(mask, |rolling| rolling.mask & mask);
        // a miner that never asked to roll may send zeros
        let bits = submit.version_bits.filter(|bits| self.rolling.is_some() || *bits != 0);
        let share = HeaderShare::submitted(
            &form.job,
            mask,
            SubmittedHeader { tail: &tail, ntime: submit.ntime, nonce: submit.nonce, version_bits: bits },
        )?;
        let (lease, job) = (Arc::clone(lease), Arc::clone(job));
        Ok(PreparedShare { lease, job, told: told.target, worker, share: share.into() })
    }

    /// The authorised worker that a share counts under. Pay does not depend on the name, so on a
    /// connection with a single worker it is that one's, whatever the share says: some firmware
    /// authorises one name and submits another.
    fn worker_of(&self, name: &str) -> Option<&str> {
        let known = self.workers.iter().find(|known| known.eq_ignore_ascii_case(name));
        let known = known.or_else(|| self.workers.first().filter(|_| self.workers.len() == 1));
        known.map(String::as_str)
    }
}
