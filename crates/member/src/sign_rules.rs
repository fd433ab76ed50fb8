//! The rules by which a member signs a statement or refuses it.

use crate::figures::LeaseFigures;
use hashlease_committee::{EpochState, Refusal, least_last_due};
use hashlease_primitives::{Lease, Statement, Terms, UnixMillis, UnixSeconds};

impl LeaseFigures {
    /// Checks that a member can sign `asked`: evidence and work equal its own, and `due` is not
    /// above its own count.
    pub(crate) fn check(&self, lease: &Lease, asked: &Statement, now: UnixMillis) -> Result<(), Refusal> {
        let terms = &lease.terms;
        let refuse =
            |code: &str, message: String| Err(Refusal { lease: terms.id, code: code.to_owned(), message });
        let length = u64::from(terms.epoch_length);
        let Some(epoch) = epoch_ending_at(terms, asked.as_of) else {
            let expected = format!("expected {} + k × {length}, at most {}", terms.start, terms.end);
            return refuse("not-an-epoch-end", format!("asOf {}: {expected}", asked.as_of));
        };
        if asked.as_of.millis() > now {
            return refuse("epoch-not-over", format!("asOf {}: now is {}", asked.as_of, now.seconds()));
        }
        let own = self.statement(lease, epoch, now);
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
            // equal evidence means equal work; a lower figure in a last statement would cost the
            // provider the rest
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

/// The epoch of the lease whose end is `time`.
fn epoch_ending_at(terms: &Terms, time: UnixSeconds) -> Option<u32> {
    let length = u64::from(terms.epoch_length);
    let elapsed = time.since(terms.start);
    if time > terms.end || elapsed.checked_rem(length)? != 0 {
        return None;
    }
    // no epoch ends at the start
    u32::try_from(elapsed.checked_div(length)?.checked_sub(1)?).ok()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use hashlease_fixtures::{lease, terms};
    use hashlease_primitives::{HashRate, Work};

    /// One epoch of 100 s that started at 1,000; two hashes per second.
    fn over() -> Lease {
        let terms = Terms { rate: HashRate::new(2), ..terms(1_000, 100, 100) };
        Lease { window: 1_000, ..lease(terms) }
    }

    /// A time at which no epoch of the lease ends is never mistaken for the end of epoch 0.
    #[test]
    fn only_the_end_of_an_epoch_names_one() {
        let terms = Terms { end: UnixSeconds::new(1_300), duration: 300, ..over().terms };
        let epoch = |time| epoch_ending_at(&terms, UnixSeconds::new(time));
        assert_eq!([1_100, 1_200, 1_300].map(epoch), [Some(0), Some(1), Some(2)]);
        assert_eq!([0, 900, 1_000, 1_099, 1_101, 1_400, u64::MAX].map(epoch), [None; 7]);
        let end = 1_000 + (1 << 33);
        let seconds = Terms { end: UnixSeconds::new(end), epoch_length: 1, ..terms.clone() };
        assert_eq!(epoch_ending_at(&seconds, UnixSeconds::new(end)), None, "above 32 bits");
        let none = Terms { epoch_length: 0, ..terms };
        assert_eq!(epoch_ending_at(&none, UnixSeconds::new(1_100)), None);
    }

    #[test]
    fn the_last_word_does_not_free_a_provider_of_what_was_due() {
        let (lease, now) = (over(), 1_200_000);
        let mut figures = LeaseFigures::default();
        figures.add_due(vec![(UnixSeconds::new(1_000), 100)]);
        let own = figures.statement(&lease, 0, UnixMillis::new(now)).statement;
        assert!(own.last && own.due == Work::new(200));
        let asked = |due: u128, last: bool| {
            figures
                .check(&lease, &Statement { due: Work::capped(due), last, ..own }, UnixMillis::new(now))
                .map_err(|refusal| refusal.code)
        };
        assert_eq!(asked(200, true), Ok(()));
        assert_eq!(asked(190, true), Ok(()), "members may differ by a few seconds");
        assert_eq!(asked(189, true), Err("due-below-counted".to_owned()));
        assert_eq!(asked(0, true), Err("due-below-counted".to_owned()));
        assert_eq!(asked(0, false), Ok(()), "a later statement can add the rest");
        assert_eq!(asked(201, false), Err("due-above-counted".to_owned()));
    }
}
