//! The rules by which a member signs a statement or refuses it.

use crate::{
    figures::{LeaseFigures, Sum},
    sign_refusal::SignRefusal,
    view::LeaseView,
};
use hashlease_committee::EpochState;
use hashlease_primitives::{Statement, Terms, UnixMillis, UnixSeconds};

impl LeaseFigures {
    /// Checks that a member can sign `asked`: the evidence equals its own, `work` is its own or less
    /// by contested shares only, and `due` is not above its own count.
    pub(crate) fn check(
        &mut self,
        view: &LeaseView,
        asked: &Statement,
        now: UnixMillis,
    ) -> Result<(), SignRefusal> {
        let terms = &view.lease.terms;
        let as_of = asked.as_of;
        let Some(epoch) = epoch_ending_at(terms, as_of) else {
            let Terms { start, end, epoch_length: length, .. } = *terms;
            return Err(SignRefusal::NotAnEpochEnd { as_of, start, length, end });
        };
        if as_of.millis() > now {
            return Err(SignRefusal::EpochNotOver { as_of, now: now.seconds() });
        }
        let (own, Sum { uncontested, pending, .. }) = self.statement(view, epoch, now);
        if pending && !own.last {
            return Err(SignRefusal::Pending);
        }
        if asked.evidence != own.evidence {
            let mut empty = self.shown(view, epoch, now).filter(|epoch| {
                matches!(
                    epoch.state,
                    EpochState::Refused { .. } | EpochState::NotFetched { .. } | EpochState::TwoRoots { .. }
                )
            });
            let (expected, got) = (own.evidence, asked.evidence);
            let empty = empty.next().map(Box::new);
            return Err(SignRefusal::EvidenceDiffers { expected, got, empty });
        }
        if asked.work > own.work {
            return Err(SignRefusal::WorkAboveVerified { verified: own.work, asked: asked.work });
        }
        if asked.work < uncontested {
            // members may differ in who was first to show a share, and in nothing else; a lower
            // figure in a last statement would cost the provider the rest
            return Err(SignRefusal::WorkBelowVerified { verified: uncontested, asked: asked.work });
        }
        if asked.due > own.due {
            return Err(SignRefusal::DueAboveCounted { counted: own.due, asked: asked.due });
        }
        if asked.last && !own.last {
            return Err(SignRefusal::LastTooEarly);
        }
        if asked.last && asked.due < terms.least_last_due(own.due) {
            return Err(SignRefusal::DueBelowCounted { counted: own.due, asked: asked.due });
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
    use crate::taken_jobs::TakenJobs;
    use hashlease_fixtures::{lease, terms};
    use hashlease_primitives::{HashRate, Lease, Work};
    use std::collections::BTreeMap;

    /// One epoch of 100 s that started at 1,000; two hashes per second.
    fn over() -> LeaseView {
        let terms = Terms { rate: HashRate::new(2), ..terms(1_000, 100, 100) };
        LeaseView {
            lease: Lease { window: 1_000, ..lease(terms) },
            seats: vec![],
            threshold: 1,
            node_keys: BTreeMap::new(),
        }
    }

    /// A time at which no epoch of the lease ends is never mistaken for the end of epoch 0.
    #[test]
    fn only_the_end_of_an_epoch_names_one() {
        let terms = Terms { end: UnixSeconds::new(1_300), duration: 300, ..over().lease.terms };
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
        let (view, now) = (over(), UnixMillis::new(1_200_000));
        let mut figures = LeaseFigures::new(TakenJobs::dropped(&[(UnixSeconds::new(1_000), 100)]));
        let (own, _) = figures.statement(&view, 0, now);
        assert!(own.last && own.due == Work::new(200));
        let mut asked = |due: u128, last: bool| {
            let statement = Statement { due: Work::capped(due), last, ..own };
            figures.check(&view, &statement, now).map_err(|refusal| refusal.code())
        };
        assert_eq!(asked(200, true), Ok(()));
        assert_eq!(asked(160, true), Ok(()), "members may differ by a fifth of so short an epoch");
        assert_eq!(asked(159, true), Err("due-below-counted"));
        assert_eq!(asked(0, true), Err("due-below-counted"));
        assert_eq!(asked(0, false), Ok(()), "a later statement can add the rest");
        assert_eq!(asked(201, false), Err("due-above-counted"));
    }
}
