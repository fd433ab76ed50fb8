//! When a member signs a statement, and when it refuses.

use crate::figures::Figures;
use hashlease_committee::{EpochState, Refusal, least_last_due};
use hashlease_primitives::{Lease, Statement, UnixMillis};

impl Figures {
    /// Whether a member can sign `asked`: its own evidence and work, and no `due` above its own count.
    pub(crate) fn check(&self, lease: &Lease, asked: &Statement, now: UnixMillis) -> Result<(), Refusal> {
        let terms = &lease.terms;
        let refuse =
            |code: &str, message: String| Err(Refusal { lease: terms.id, code: code.to_owned(), message });
        let elapsed = Some(asked.as_of.since(terms.start)).filter(|elapsed| *elapsed > 0);
        let length = u64::from(terms.epoch_length);
        let whole = elapsed.filter(|elapsed| elapsed.is_multiple_of(length) && asked.as_of <= terms.end);
        let Some(elapsed) = whole else {
            let expected = format!("expected {} + k × {length}, at most {}", terms.start, terms.end);
            return refuse("not-an-epoch-end", format!("asOf {}: {expected}", asked.as_of));
        };
        if asked.as_of.millis() > now {
            return refuse("epoch-not-over", format!("asOf {}: now is {}", asked.as_of, now.seconds()));
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
    use hashlease_primitives::{
        Algorithm, Domain, HashRate, LeaseId, SettlementWeight, Terms, UnixSeconds, Work,
    };

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
            rate: HashRate::new(2),
            start: UnixSeconds::new(1_000),
            end: UnixSeconds::new(1_100),
            duration: 100,
            epoch_length: 100,
        };
        Lease {
            terms,
            token: Address::ZERO,
            window: 1_000,
            payment: 1,
            bond: 1,
            credited: Work::ZERO,
            due: Work::ZERO,
            as_of: UnixSeconds::new(0),
            collected: Work::ZERO,
            last: false,
            settled: false,
        }
    }

    #[test]
    fn the_last_word_does_not_free_a_provider_of_what_was_due() {
        let (lease, now) = (over(), 1_200_000);
        let mut figures = Figures::default();
        figures.add_due(vec![(UnixSeconds::new(1_000), 100)]);
        let own = figures.statement(&lease, 0, UnixMillis::new(now)).statement;
        assert!(own.last && own.due == Work::new(200));
        let asked = |due: u128, last: bool| {
            figures
                .check(&lease, &Statement { due: Work::capped(due), last, ..own }, UnixMillis::new(now))
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
