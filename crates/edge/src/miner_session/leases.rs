//! The lease that a session mines for: taken up, left, and exchanged for another one.

use super::{MinerSession, STRANGER};
use crate::{
    miner_messages::{LEASE_OVER, NO_JOB},
    vardiff::Vardiff,
};
use hashlease_stratum::server::{Reply, SessionEnd};
use std::time::Duration;
use tracing::info;

/// How long a miner waits for a job of its lease.
const PATIENCE: Duration = Duration::from_secs(120);

impl MinerSession {
    /// What is due each time that the session looks.
    pub(super) fn look(&mut self) -> Reply {
        if self.workers.is_empty() {
            let is_long = self.connected.elapsed() >= STRANGER;
            return if is_long { SessionEnd::NoWorker(STRANGER).into() } else { Reply::nothing() };
        }
        let reply = self.check_lease();
        if reply.end.is_some() {
            return reply;
        }
        let reply = reply.then(self.hand_out_if_due());
        if self.tally.vardiff(|vardiff| vardiff.look(self.choice.now())) {
            return reply.then(self.retarget());
        }
        reply
    }

    /// Takes up a lease once the miner is subscribed and authorised, and hands out its job.
    pub(super) fn take_up_lease(&mut self) -> Reply {
        let (true, Some(worker), None) = (self.subscribed, self.worker(), &self.lease) else {
            return Reply::nothing();
        };
        let Some(lease) = self.choice.choose(worker) else { return Reply::nothing() };
        if self.choice.shared.lines.has_room() {
            info!(peer = %self.peer, ?worker, lease = %lease.id(), "miner takes up a lease");
        }
        let mut jobs = lease.jobs();
        let job = lease.current_job();
        jobs.mark_unchanged();
        let (rate, now) = (lease.terms().rate, self.choice.now());
        self.tally.vardiff(|vardiff| {
            if !vardiff.is_measured() {
                *vardiff = Vardiff::new(rate, now);
            }
        });
        let seat = lease.counts.seat();
        self.lease = Some((lease, jobs, seat));
        // work for an earlier lease is no use to this one, on the same block too
        self.told_block = None;
        self.without_job_since = None;
        match job {
            Some(job) => self.hand_out(&job),
            None => Reply::nothing(),
        }
    }

    /// Leaves a lease that is over or has had no job for long, and takes up one that started.
    fn check_lease(&mut self) -> Reply {
        let now = self.choice.now();
        let worker = self.worker().unwrap_or_default();
        let Some((lease, _, _)) = &self.lease else {
            let waits = self.choice.choose(worker).is_some() || self.choice.starts_soon(worker);
            if self.subscribed && !waits {
                return SessionEnd::NoActiveLease.into();
            }
            return self.take_up_lease();
        };
        if !lease.terms().is_active(now.seconds()) {
            let goes_on = self.choice.choose(worker).is_some();
            self.lease = None;
            if !goes_on {
                // the miner's own failover takes over
                return self.message(LEASE_OVER).ending(SessionEnd::LeaseOver);
            }
            return self.take_up_lease();
        }
        if lease.current_job().is_some() {
            self.without_job_since = None;
            return Reply::nothing();
        }
        let since = *self.without_job_since.get_or_insert(now);
        // a miner without work shows nothing about its rate
        self.tally.vardiff(|vardiff| vardiff.pause(now));
        if since.until(now) < PATIENCE {
            return Reply::nothing();
        }
        self.leave_idle_lease()
    }

    /// Exchanges a lease without a job for one that has some; otherwise the miner's own failover
    /// takes over.
    fn leave_idle_lease(&mut self) -> Reply {
        let worker = self.worker().unwrap_or_default();
        let has_job = |lease: &std::sync::Arc<crate::mined_lease::MinedLease>| lease.current_job().is_some();
        if self.choice.choose(worker).filter(has_job).is_none() {
            return self.message(NO_JOB).ending(SessionEnd::NoJob(PATIENCE));
        }
        self.lease = None;
        self.take_up_lease()
    }
}
