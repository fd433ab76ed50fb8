//! What a member counts of a lease, from the jobs and roots that it has.

use crate::{
    api::{EpochState, EpochView, Refusal, StatementView},
    store::{Complaint, Outcome, StoredRoot},
};
use alloy_primitives::B256;
use hashlease_ledger::DueCounter;
use hashlease_primitives::{Lease, SignedJob, Statement, Terms, Work};
use hashlease_trie::Commitment;
use std::collections::BTreeMap;

/// Jobs and roots of one lease.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) jobs: BTreeMap<u64, (u64, SignedJob)>,
    pub(crate) roots: BTreeMap<u32, StoredRoot>,
    due: DueCounter,
    // first second → jobs whose window begins with it
    begins: BTreeMap<u64, u64>,
}

/// Jobs of an epoch that a member keeps at least, however short it is.
const LEAST_JOBS: u64 = 600;

/// Jobs of an epoch that a member keeps: one a second, which no job signer needs.
pub(crate) fn most_jobs(terms: &Terms) -> u64 {
    u64::from(terms.epoch_length).max(LEAST_JOBS)
}

/// Whether nothing can come of the lease's jobs any more.
pub(crate) fn over(lease: &Lease, now: u64) -> bool {
    lease.settled || now / 1_000 > lease.settle_after()
}

/// Whether a root that came at `received` (Unix milliseconds) came in time.
pub(crate) fn in_time(terms: &Terms, epoch: u32, received: u64) -> bool {
    received <= terms.root_deadline(epoch).saturating_mul(1_000)
}

/// The least `due` that a member signs as the last word, a twentieth below its own count: the escrow tolerates so much
/// without a slash, and members see the same jobs within moments. Less would free the provider of what it owes.
pub(crate) fn least_last_due(own: Work) -> Work {
    own.saturating_sub(Work(own.0 / 20))
}

impl Figures {
    /// Takes a verified job. It counts from the first whole second after it came and was served on.
    pub(crate) fn add_job(&mut self, received: u64, signed: SignedJob) {
        let job = &signed.job;
        self.due.insert_job(job.not_before(), job.not_after(), received.div_ceil(1_000));
        let begins = self.begins.entry(job.not_before()).or_default();
        *begins = begins.saturating_add(1);
        self.jobs.insert(job.sequence(), (received, signed));
    }

    /// Jobs whose windows begin in `[from, to)`.
    pub(crate) fn jobs_within(&self, from: u64, to: u64) -> u64 {
        self.begins.range(from..to).map(|(_, count)| *count).fold(0, u64::saturating_add)
    }

    /// Seconds of each epoch in which jobs were on the table: all that counts of them once the lease is over.
    pub(crate) fn due_by_epoch(&self, terms: &Terms) -> Vec<(u64, u64)> {
        let epochs = (0..terms.epochs()).map(|epoch| (terms.epoch_start(epoch), terms.epoch_end(epoch)));
        epochs
            .map(|(from, to)| (from, self.due.seconds(from, to)))
            .filter(|(_, seconds)| *seconds > 0)
            .collect()
    }

    /// Lets the jobs go, and keeps what they made due.
    pub(crate) fn drop_jobs(&mut self, due: Vec<(u64, u64)>) {
        self.jobs.clear();
        self.begins.clear();
        self.due = DueCounter::default();
        self.add_due(due);
    }

    /// Adds what jobs made due that were let go: so many seconds from each of these moments on.
    pub(crate) fn add_due(&mut self, due: Vec<(u64, u64)>) {
        for (from, seconds) in due {
            self.due.insert(from, from.saturating_add(seconds));
        }
    }

    /// The state of an epoch and what of it counts.
    fn epoch(&self, terms: &Terms, epoch: u32, now: u64) -> (EpochState, Commitment) {
        let empty = Commitment::default();
        let Some(stored) = self.roots.get(&epoch) else {
            let over = now > terms.root_deadline(epoch).saturating_mul(1_000);
            return (if over { EpochState::Missing } else { EpochState::Awaited }, empty);
        };
        if !stored.vouched && !in_time(terms, epoch, stored.received) {
            return (EpochState::Late, empty);
        }
        match &stored.outcome {
            Outcome::Pending => (EpochState::Pending, empty),
            Outcome::Verified(commitment) => (EpochState::Verified, *commitment),
            Outcome::Refused(Complaint { code, message }) => {
                (EpochState::Refused { code: code.clone(), reason: message.clone() }, empty)
            }
            Outcome::Unfetched(Complaint { code, message }) => {
                (EpochState::NotFetched { code: code.clone(), reason: message.clone() }, empty)
            }
        }
    }

    /// Cumulative figures up to the end of `epoch`. `now` is in Unix milliseconds.
    pub(crate) fn statement(&self, lease: &Lease, epoch: u32, now: u64) -> StatementView {
        let terms = &lease.terms;
        let as_of = terms.epoch_end(epoch);
        let (mut work, mut evidence, mut epochs) = (Work(0), B256::ZERO, Vec::new());
        for epoch in 0..=epoch {
            let (state, commitment) = self.epoch(terms, epoch, now);
            let epoch_work = terms.weight.times(commitment.count).min(terms.epoch_cap());
            work = work.saturating_add(epoch_work);
            evidence = commitment.chain(&evidence);
            epochs.push(EpochView {
                epoch,
                count: commitment.count,
                work: epoch_work.to_string(),
                root: commitment.root,
                state,
            });
        }
        let pending =
            epochs.iter().any(|epoch| matches!(epoch.state, EpochState::Awaited | EpochState::Pending));
        let half_window = terms.end.saturating_add(u64::from(lease.window / 2)).saturating_mul(1_000);
        let deadline_over = now > terms.root_deadline(epoch).saturating_mul(1_000);
        let last = as_of == terms.end && deadline_over && (!pending || now >= half_window);
        let statement =
            Statement { lease: terms.id, as_of, work, due: self.due.due(terms, as_of), evidence, last };
        StatementView { statement, pending, epochs }
    }

    /// Whether a member can sign `asked`: its own evidence and work, and no `due` above its own count.
    pub(crate) fn check(&self, lease: &Lease, asked: &Statement, now: u64) -> Result<(), Refusal> {
        let terms = &lease.terms;
        let refuse =
            |code: &str, message: String| Err(Refusal { lease: terms.id, code: code.to_owned(), message });
        let elapsed = asked.as_of.checked_sub(terms.start).filter(|elapsed| *elapsed > 0);
        let length = u64::from(terms.epoch_length);
        let whole = elapsed.filter(|elapsed| elapsed.is_multiple_of(length) && asked.as_of <= terms.end);
        let Some(elapsed) = whole else {
            let expected = format!("expected {} + k × {length}, at most {}", terms.start, terms.end);
            return refuse("not-an-epoch-end", format!("asOf {}: {expected}", asked.as_of));
        };
        if asked.as_of.saturating_mul(1_000) > now {
            return refuse("epoch-not-over", format!("asOf {}: now is {}", asked.as_of, now / 1_000));
        }
        let epoch = elapsed.checked_div(length).and_then(|count| u32::try_from(count.saturating_sub(1)).ok());
        let own = self.statement(lease, epoch.unwrap_or_default(), now);
        if own.pending && !own.statement.last {
            return refuse("pending", "a root is still awaited or being checked".to_owned());
        }
        if asked.evidence != own.statement.evidence {
            let complaint = own.epochs.iter().find_map(|epoch| match &epoch.state {
                EpochState::Refused { code, reason } => {
                    Some(format!("; epoch {} was refused: {reason} ({code})", epoch.epoch))
                }
                EpochState::NotFetched { code, reason } => {
                    Some(format!("; epoch {} was not fetched: {reason} ({code})", epoch.epoch))
                }
                _ => None,
            });
            let message = format!(
                "evidence: expected {}, got {}{}",
                own.statement.evidence,
                asked.evidence,
                complaint.unwrap_or_default()
            );
            return refuse("evidence-differs", message);
        }
        if asked.work > own.statement.work {
            let message = format!("work: verified {}, asked for {}", own.statement.work, asked.work);
            return refuse("work-above-verified", message);
        }
        if asked.work < own.statement.work {
            // equal evidence is equal work; as the last word a lower figure would take the rest from the provider
            let message = format!("work: verified {}, asked for only {}", own.statement.work, asked.work);
            return refuse("work-below-verified", message);
        }
        if asked.due > own.statement.due {
            let message = format!("due: counted {}, asked for {}", own.statement.due, asked.due);
            return refuse("due-above-counted", message);
        }
        if asked.last && !own.statement.last {
            return refuse("last-too-early", "a later statement may still follow".to_owned());
        }
        let least = least_last_due(own.statement.due);
        if asked.last && asked.due < least {
            let message = format!("due: counted {}, asked for only {}", own.statement.due, asked.due);
            return refuse("due-below-counted", message);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use alloy_primitives::Address;
    use hashlease_primitives::{Algorithm, Domain, HashRate, LeaseId, SettlementWeight};

    /// One epoch of 100 s that began at 1,000; two hashes per second.
    fn over() -> Lease {
        let terms = Terms {
            id: LeaseId(1),
            domain: Domain { chain_id: 1, contract: Address::ZERO },
            oracle: Address::ZERO,
            provider: Address::ZERO,
            job_signer: Address::ZERO,
            algorithm: Algorithm::Sha256d,
            weight: SettlementWeight::from_log2(0).unwrap(),
            rate: HashRate(2),
            start: 1_000,
            end: 1_100,
            duration: 100,
            epoch_length: 100,
        };
        Lease {
            terms,
            token: Address::ZERO,
            window: 1_000,
            payment: 1,
            bond: 1,
            credited: Work(0),
            due: Work(0),
            as_of: 0,
            collected: Work(0),
            last: false,
            settled: false,
        }
    }

    #[test]
    fn the_last_word_does_not_free_a_provider_of_what_was_due() {
        let (lease, now) = (over(), 1_200_000);
        let mut figures = Figures::default();
        figures.due.insert(1_000, 1_100);
        let own = figures.statement(&lease, 0, now).statement;
        assert!(own.last && own.due == Work(200));
        let asked = |due: u128, last: bool| {
            figures
                .check(&lease, &Statement { due: Work(due), last, ..own }, now)
                .map_err(|refusal| refusal.code)
        };
        assert_eq!(asked(200, true), Ok(()));
        assert_eq!(asked(190, true), Ok(()), "members need not agree to the second");
        assert_eq!(asked(189, true), Err("due-below-counted".to_owned()));
        assert_eq!(asked(0, true), Err("due-below-counted".to_owned()));
        assert_eq!(asked(0, false), Ok(()), "a later statement brings the rest");
        assert_eq!(asked(201, false), Err("due-above-counted".to_owned()));
    }
}
