//! Finds the job of a submitted share and completes what the miner left out.

use super::MinerSession;
use crate::refusal::Refusal;
use crate::{
    job_form::JobForm,
    share_intake::{PreparedShare, job_id, parse_job_id},
};
use hashlease_primitives::LeaseId;
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
        let (true, Some(number)) = (self.knows(&submit.worker), &self.number) else {
            return Err(SessionRefusal::Unauthorized.into());
        };
        let unknown =
            || Refusal::from(EvidenceReason::UnknownJob { job: submit.job_id.chars().take(64).collect() });
        let (lease_id, sequence) = parse_job_id(&submit.job_id).ok_or_else(unknown)?;
        let (lease, _) = self.lease.as_ref().ok_or_else(unknown)?;
        let (expected, actual) = (lease.id(), LeaseId(lease_id));
        if actual != expected {
            let known = self.choice.leases.borrow().contains_key(&actual);
            return Err(if known {
                EvidenceReason::OtherLease { expected, actual }.into()
            } else {
                unknown()
            });
        }
        // ids carry 32 bits of the sequence: enough for the jobs that are kept
        let job = lease.job(u64::from(sequence)).ok_or_else(unknown)?;
        let JobForm::Header(form) = &job.form;
        let tail = form.layout.complete(&self.layout, number.get(), &submit.extranonce2)?;
        if job.is_stale() {
            return Err(Refusal::JobSuperseded { job: job_id(lease_id, job.sequence()) });
        }
        let mask = form.job.version_mask;
        let mask = self.rolling.map_or(mask, |rolling| rolling.mask & mask);
        // a miner that never asked to roll may send zeros
        let bits = submit.version_bits.filter(|bits| self.rolling.is_some() || *bits != 0);
        let share = HeaderShare::submitted(
            &form.job,
            mask,
            SubmittedHeader { tail: &tail, ntime: submit.ntime, nonce: submit.nonce, version_bits: bits },
        )?;
        let worker = submit.worker.clone();
        Ok(PreparedShare { lease: Arc::clone(lease), job, worker, share: share.into() })
    }
}
