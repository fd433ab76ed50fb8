//! What a lease's money must keep to, over random lives: the two kinds of oracles, early ends at
//! any moment, over-delivery and void epochs.
//!
//! `HASHLEASE_LIVES=<number>` sets the number of lives of each promise.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

use hashlease_escrow_model::{Conditions, Ending, Life, Settlement, StatementFigures, bond, released, slash};
use hashlease_primitives::{HashRate, SettlementWeight, Work};
use proptest::prelude::*;

const START: u64 = 1_000_000;
const WINDOW: u32 = 1_000;

fn config() -> ProptestConfig {
    let lives = std::env::var("HASHLEASE_LIVES").ok().and_then(|count| count.parse().ok());
    ProptestConfig::with_cases(lives.unwrap_or(50_000))
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let bps = (0u16..=10_000, 0u16..=10_000, 0u16..=300);
    // small payments round the most
    let payment = prop_oneof![0u128..5_000, 0..=u128::MAX >> 2];
    (payment, bps, 1u64..1 << 60, 1u32..=3_600, 2u32..=60, 0u8..40, any::<[bool; 2]>()).prop_map(
        |(payment, (bond_bps, cancel_bps, fee_bps), rate, epoch_length, epochs, log2, [voids, dictated])| {
            Conditions {
                payment,
                bond_bps,
                cancel_bps: cancel_bps.min(bond_bps),
                fee_bps,
                rate: HashRate::capped(rate.into()),
                weight: SettlementWeight::from_log2(log2).unwrap(),
                start: START,
                epoch_length,
                epochs,
                window: WINDOW,
                voids,
                dictated,
            }
        },
    )
}

/// A life up to the moment at which it ends early, if it does.
#[derive(Clone, Debug)]
struct Course {
    /// Statements: the epoch's end, and work and due in thousandths of what was promised by then.
    stated: Vec<(u32, u16, u16)>,
    collects: bool,
    void: Vec<u32>,
    /// Thousandths of the time from a while before the start to the last epoch.
    moment: u16,
    /// What is stated of the epochs up to the new end, in the same thousandths.
    finally: (u16, u16),
}

fn course() -> impl Strategy<Value = Course> {
    let stated = prop::collection::vec((any::<u32>(), 0u16..1_500, 0u16..1_100), 0..3);
    let void = prop::collection::vec(any::<u32>(), 0..4);
    (stated, any::<bool>(), void, 0u16..1_000, (0u16..1_500, 0u16..1_100)).prop_map(
        |(stated, collects, void, moment, finally)| Course { stated, collects, void, moment, finally },
    )
}

fn say(life: &mut Life, epoch: u64, (work, due): (u16, u16), last: bool) {
    let Conditions { start, rate, epoch_length, .. } = life.conditions;
    let elapsed = epoch * u64::from(epoch_length);
    let part = |permille: u16| Work::capped(rate.over(elapsed).hashes() / 1_000 * u128::from(permille));
    let said = StatementFigures { as_of: start + elapsed, work: part(work), due: part(due), last };
    let _ = life.credit(start + elapsed, &said);
}

impl Course {
    /// The moment of the early end, and the life until then.
    fn live(&self, terms: Conditions) -> (Life, u64) {
        let mut life = Life::rented(terms);
        let length = u64::from(terms.epoch_length);
        let span = length * u64::from(terms.epochs - 1) + 100;
        let now = START - 100 + span * u64::from(self.moment) / 1_000;
        let over = now.saturating_sub(START) / length;
        if over > 0 {
            for (epoch, work, due) in &self.stated {
                say(&mut life, u64::from(*epoch) % over + 1, (*work, *due), false);
            }
        }
        if self.collects {
            let _ = life.collect();
        }
        for epoch in &self.void {
            let _ = life.void_epoch(epoch % terms.epochs);
        }
        (life, now)
    }

    /// Says the figures of the running epoch's end, which count for every continuation alike.
    fn finish(&self, life: &mut Life, now: u64) {
        if now >= START {
            let length = u64::from(life.conditions.epoch_length);
            say(life, (now - START) / length + 1, self.finally, false);
        }
    }
}

/// The last word says nothing new; then the lease is settled.
fn settled(mut life: Life) -> Life {
    if !life.settled {
        let said = StatementFigures { as_of: life.end, work: life.credited, due: life.due, last: true };
        life.credit(life.end, &said).unwrap();
        life.settle(life.end + 1).unwrap();
    }
    let Conditions { payment, bond_bps, .. } = life.conditions;
    assert_eq!(life.booked.total(), payment + bond(payment, bond_bps), "every base unit is in one hand");
    life
}

/// The same life up to its early end, and on.
struct Fork {
    ended: Life,
    waited: Life,
    /// Before both are settled.
    at: Life,
}

fn fork(terms: Conditions, course: &Course, ending: Ending) -> Fork {
    let (life, now) = course.live(terms);
    let mut ended = life.clone();
    match ending {
        Ending::Cancelled => ended.cancel(now).unwrap(),
        Ending::Terminated => ended.terminate(now).unwrap(),
    }
    let mut at = life;
    course.finish(&mut ended, now);
    course.finish(&mut at, now);
    if !ended.settled {
        assert_eq!((ended.credited, ended.due), (at.credited, at.due));
    }
    Fork { ended: settled(ended), waited: settled(at.clone()), at }
}

fn of(life: &Life) -> Settlement {
    life.settlement()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn early_return_and_fee_never_exceed_the_refund(terms in conditions(), course in course(), more in any::<u16>()) {
        let (mut life, now) = course.live(terms);
        life.cancel(now).unwrap();
        let early = life.returned_at_once();
        let covered = |life: &Life| {
            let unreleased = terms.payment - released(terms.payment, life.credited, terms.committed());
            // the settlement's refund includes what returned early, and leaves the fee out
            life.settlement().refund >= early && early + life.settlement().capacity_fee <= unreleased
        };
        prop_assert!(covered(&life));
        course.finish(&mut life, now);
        prop_assert!(covered(&life));
        if !life.settled {
            // whatever comes later, up to all that the cap lets count
            let epochs = (life.end - START) / u64::from(terms.epoch_length);
            say(&mut life, epochs, (more % 1_500, more % 1_001), true);
            let _ = life.void_epoch(u32::from(more) % terms.epochs);
            prop_assert!(covered(&life));
            life.settle(life.end + 1).unwrap();
            prop_assert!(covered(&life));
        }
    }

    #[test]
    fn starving_is_never_cheaper_than_cancelling(terms in conditions(), course in course()) {
        let terms = Conditions { voids: false, dictated: false, ..terms };
        let Fork { ended, waited, .. } = fork(terms, &course, Ending::Cancelled);
        prop_assert!(of(&waited).capacity_fee >= of(&ended).capacity_fee);
        prop_assert!(waited.booked.holder <= ended.booked.holder);
    }

    #[test]
    fn a_provider_that_chose_who_asks_earns_nothing_by_silence(terms in conditions(), course in course()) {
        let terms = Conditions { dictated: true, ..terms };
        prop_assert_eq!(of(&fork(terms, &course, Ending::Cancelled).waited).capacity_fee, 0);
    }

    #[test]
    fn who_cancels_never_ends_with_more_than_waiting_the_fee_apart(terms in conditions(), course in course()) {
        let Fork { ended, waited, .. } = fork(terms, &course, Ending::Cancelled);
        let apart = |life: &Life| life.booked.holder + of(life).capacity_fee;
        prop_assert_eq!(apart(&ended), apart(&waited));
        prop_assert!(ended.booked.holder <= waited.booked.holder, "not with the fee either");
        prop_assert_eq!(ended.booked.payee, waited.booked.payee);
        prop_assert_eq!(ended.booked.challenger, waited.booked.challenger);
    }

    #[test]
    fn who_terminates_never_ends_with_more_than_waiting(terms in conditions(), course in course()) {
        let Fork { ended, waited, .. } = fork(terms, &course, Ending::Terminated);
        prop_assert!(of(&ended).slashed >= of(&waited).slashed);
        prop_assert!(of(&ended).capacity_fee <= of(&waited).capacity_fee);
        prop_assert!(ended.booked.provider <= waited.booked.provider);
    }

    #[test]
    fn telling_never_costs_more_of_the_bond_than_vanishing(
        terms in conditions(), course in course(), more in 0u16..=1_000
    ) {
        let Fork { ended, at, .. } = fork(terms, &course, Ending::Terminated);
        let ran = ended.end - START;
        prop_assume!(ran > 0);
        // the rest is asked for like what went before, or more
        let duration = u128::from(terms.duration());
        let least = (ended.due.hashes() * duration).div_ceil(u128::from(ran));
        let most = terms.committed().hashes();
        let due = Work::capped(least + (most - least) / 1_000 * u128::from(more));
        let mut vanished = at;
        let said = StatementFigures { as_of: vanished.end, work: vanished.credited, due, last: false };
        vanished.credit(vanished.end, &said).unwrap();
        prop_assert_eq!((vanished.due, vanished.credited), (due, ended.credited));
        prop_assert!(of(&ended).slashed <= of(&settled(vanished)).slashed);
    }

    #[test]
    fn more_asked_for_in_vain_never_lowers_the_slash(
        locked in any::<u64>(), committed in 1u64.., due in any::<u64>(), credited in any::<u64>(), log2 in 0u8..60
    ) {
        let due = due % committed;
        let weight = SettlementWeight::from_log2(log2).unwrap().work();
        let of = |due| {
            slash(locked.into(), Work::new(due), Work::new(credited), Work::new(committed), weight)
        };
        prop_assert!(of(due) <= of(due + 1));
    }
}
