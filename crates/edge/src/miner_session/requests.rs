//! Requests by which a miner introduces itself: subscribe, authorise, configure.

use super::MinerSession;
use crate::{extranonce::low_bytes, lease_choice::pinned};
use hashlease_stratum::{
    Answer, BIP320_MASK, Id, VersionRolling,
    server::{Reply, SessionEnd, SessionRefusal},
};
use tracing::{debug, info};

/// Workers of one connection.
const MAX_WORKERS: usize = 64;
/// Longest name of a worker, bytes.
const MAX_NAME: usize = 255;

impl MinerSession {
    pub(super) fn subscribe(&mut self, id: &Id, agent: Option<String>) -> Reply {
        let number = match self.number_for_subscribe() {
            Ok(number) => number,
            Err(end) => return self.reject(id, SessionRefusal::NoExtranonce).ending(end),
        };
        self.subscribed = true;
        let agent: String = agent.unwrap_or_default().chars().take(64).collect();
        debug!(peer = %self.peer, ?agent, "subscribed");
        let answer = Answer::Subscribed {
            session: format!("{number:016x}"),
            extranonce1: low_bytes(number, self.sizes.extranonce1),
            extranonce2_size: self.sizes.extranonce2,
        };
        self.answer(id, &answer).then(self.take_up_lease())
    }

    /// The number by which the session's space is known, with the best sizes that are left.
    fn number_for_subscribe(&mut self) -> Result<u64, SessionEnd> {
        if self.number.is_none() {
            // most miners authorise later
            let [best, other] = self.choice.sizes(self.worker(), self.peer.ip());
            let reserved = self.reserve(best);
            let reserved = if best == other { reserved } else { reserved.or_else(|_| self.reserve(other)) };
            if let Err(error) = reserved {
                self.warn_of_no_extranonce(&error);
                return Err(SessionEnd::NoExtranonce);
            }
        }
        self.number().map(|number| number.get())
    }

    pub(super) fn authorise(&mut self, id: &Id, user: String) -> Reply {
        if user.len() > MAX_NAME {
            return self.reject(id, SessionRefusal::WorkerNameTooLong { length: user.len(), max: MAX_NAME });
        }
        if let Some((lease, algorithm)) = self.choice.other_algorithm(&user) {
            let refusal = SessionRefusal::OtherAlgorithm { lease, algorithm };
            let words = refusal.to_string();
            if self.choice.shared.lines.has_room() {
                info!(peer = %self.peer, worker = ?user, served = %self.choice.algorithm(), reason = words, "worker refused");
            }
            return self.reject(id, refusal).then(self.message(&words)).ending(SessionEnd::OtherAlgorithm);
        }
        let lease = self.choice.choose(&user);
        if lease.is_none() && !self.choice.starts_soon(&user) {
            debug!(peer = %self.peer, worker = ?user, "no active lease for this worker");
            return self.reject(id, SessionRefusal::NoActiveLease).ending(SessionEnd::NoActiveLease);
        }
        let current = self.lease.as_ref().map(|(lease, _, _)| lease.id());
        if let (Some(wanted), Some(current)) = (pinned(&user), current)
            && !wanted.is(current)
        {
            debug!(peer = %self.peer, worker = ?user, lease = %current, "connection mines for another lease");
            return self.reject(id, SessionRefusal::ConnectionOfOtherLease(current));
        }
        if !self.workers.iter().any(|known| known.eq_ignore_ascii_case(&user)) {
            if self.workers.len() >= MAX_WORKERS {
                return self.reject(id, SessionRefusal::TooManyWorkers { max: MAX_WORKERS });
            }
            self.workers.push(user);
        }
        self.answer(id, &Answer::Accepted).then(self.take_up_lease())
    }

    pub(super) fn configure(&mut self, id: &Id, asked: Option<VersionRolling>, others: Vec<String>) -> Reply {
        let granted = asked.map(|asked| (asked, self.mask_for_configure() & asked.mask));
        // a later request for other extensions revokes nothing
        let mut answered = Vec::new();
        let version_mask = match granted {
            Some((asked, mask)) if mask.count_ones() >= asked.min_bit_count.max(1) => {
                self.rolling = Some(asked);
                // of a job that was told; the next one comes with its own
                self.announced_mask = self.told_job.is_some().then_some(mask);
                Some(mask)
            }
            Some(_) => {
                self.rolling = None;
                answered.push(("version-rolling".to_owned(), false));
                None
            }
            None => None,
        };
        for other in others {
            let extranonce = other == "subscribe-extranonce";
            self.extranonce_subscribed |= extranonce;
            answered.push((other, extranonce));
        }
        self.answer(id, &Answer::Configured { version_mask, others: answered })
    }

    /// Version bits to promise: no more than the job grants. Before the lease is known, no more than
    /// all leases grant; before any job is known, BIP 320's.
    fn mask_for_configure(&self) -> u32 {
        let of_lease = self.lease.as_ref().and_then(|(lease, _, _)| lease.current_job());
        let of_job = of_lease.map(|job| job.form.free_version_bits());
        of_job.or_else(|| self.choice.version_mask()).unwrap_or(BIP320_MASK)
    }
}
