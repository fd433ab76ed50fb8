//! A lease from its renting to its settlement.

use crate::arithmetic::{
    Run, bond, capacity_fee, credit_cap, cut_off, epoch_pay, fee, missing, released, returned, slash,
    termination,
};
use hashlease_primitives::{HashRate, SettlementWeight, Work};
use std::collections::BTreeSet;

/// The conditions agreed when renting, which never change. The escrow admits no lease without
/// epochs or of zero-length epochs, and none of more than 2^32 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Base units.
    pub payment: u128,
    /// Bond, basis points of the payment.
    pub bond_bps: u16,
    /// Fee for capacity held ready, basis points of what it would have earned.
    pub cancel_bps: u16,
    /// Fee of released money, basis points.
    pub fee_bps: u16,
    /// Hashes per second.
    pub rate: HashRate,
    /// Work of each share.
    pub weight: SettlementWeight,
    /// First second, Unix.
    pub start: u64,
    /// Seconds of an epoch.
    pub epoch_length: u32,
    /// Epochs rented.
    pub epochs: u32,
    /// Credit window, seconds.
    pub window: u32,
    /// Whether the oracle can void epochs.
    pub voids: bool,
    /// Whether the provider chose the job signer, or is it.
    pub dictated: bool,
}

impl Conditions {
    /// Seconds rented.
    #[must_use]
    pub const fn duration(&self) -> u32 {
        self.epoch_length.saturating_mul(self.epochs)
    }

    /// Work rented.
    #[must_use]
    pub fn committed(&self) -> Work {
        self.rate.over(u64::from(self.duration()))
    }
}

/// How a lease's end was moved to an earlier time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By the NFT's owner.
    Cancelled,
    /// By the provider.
    Terminated,
}

/// Cumulative figures of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementFigures {
    /// End of the epoch up to which they count, Unix seconds.
    pub as_of: u64,
    /// Verified work.
    pub work: Work,
    /// Work that was asked for.
    pub due: Work,
    /// No later statement will follow.
    pub last: bool,
}

/// Base units that were booked to each side, summed up over the lease's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Booked {
    /// Released money after the fee, the rest of the bond, and the fee for capacity.
    pub provider: u128,
    /// Refunds, slashes and parts of void epochs: the holder's, who claims them from the lease.
    pub holder: u128,
    /// Fee of released money.
    pub payee: u128,
    /// Quarters of void epochs' pay.
    pub challenger: u128,
}

impl Booked {
    /// All money that left the lease.
    #[must_use]
    pub const fn total(&self) -> u128 {
        self.provider.saturating_add(self.holder).saturating_add(self.payee).saturating_add(self.challenger)
    }
}

/// Amounts of each account when a lease is over, base units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Released money after the fee: the provider's.
    pub provider: u128,
    /// Fee of it: the oracle's payee's.
    pub fee: u128,
    /// Payment that was not released, without the fee for capacity: the holder's.
    pub refund: u128,
    /// Out of the bond to the holder.
    pub slashed: u128,
    /// Out of the bond back to the provider.
    pub bond: u128,
    /// Fee for capacity that was held ready and not used: the provider's.
    pub capacity_fee: u128,
}

/// Why a call has no effect, named like the contract's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EscrowError {
    /// The lease is over.
    #[error("AlreadySettled")]
    AlreadySettled,
    /// The figures are for a future time.
    #[error("AsOfInFuture")]
    AsOfInFuture,
    /// The figures are for a time after the lease's end.
    #[error("AsOfAfterEnd")]
    AsOfAfterEnd,
    /// The figures are not for the end of an epoch.
    #[error("AsOfNotEpochEnd")]
    AsOfNotEpochEnd,
    /// All credited work is collected.
    #[error("NothingToCollect")]
    NothingToCollect,
    /// Not all work is credited, the last statement is missing, and the window is still open.
    #[error("NotSettleable")]
    NotSettleable,
    /// The end was moved earlier already.
    #[error("AlreadyEnding")]
    AlreadyEnding,
    /// The running epoch is the last.
    #[error("NothingToShorten")]
    NothingToShorten,
    /// The oracle can't void epochs.
    #[error("OracleNeverVoids")]
    OracleNeverVoids,
    /// No such epoch.
    #[error("EpochOutOfBounds")]
    EpochOutOfBounds,
    /// The epoch is void already.
    #[error("EpochIsVoid")]
    EpochIsVoid,
}

/// A lease's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// As agreed.
    pub conditions: Conditions,
    /// First second after it, Unix.
    pub end: u64,
    /// Whether and how the end was moved earlier.
    pub ending: Option<Ending>,
    /// The rest of the bond, base units.
    pub bond: u128,
    /// Work credited.
    pub credited: Work,
    /// Work that was due.
    pub due: Work,
    /// Time of the newest figures; 0 before the first.
    pub as_of: u64,
    /// The oracle said that no later statement follows.
    pub last: bool,
    /// When it said so, Unix seconds; 0 before.
    pub said_at: u64,
    /// Work whose money was collected.
    pub collected: Work,
    /// The lease is over.
    pub settled: bool,
    /// Amounts booked so far.
    pub booked: Booked,
    void: BTreeSet<u32>,
}

impl Life {
    /// A lease right after renting.
    #[must_use]
    pub fn rented(conditions: Conditions) -> Self {
        Self {
            end: conditions.start.saturating_add(u64::from(conditions.duration())),
            ending: None,
            bond: bond(conditions.payment, conditions.bond_bps),
            credited: Work::ZERO,
            due: Work::ZERO,
            as_of: 0,
            last: false,
            said_at: 0,
            collected: Work::ZERO,
            settled: false,
            booked: Booked::default(),
            void: BTreeSet::new(),
            conditions,
        }
    }

    /// Seconds from the start to the end.
    const fn ran(&self) -> u64 {
        self.end.saturating_sub(self.conditions.start)
    }

    const fn open(&self) -> Result<(), EscrowError> {
        if self.settled { Err(EscrowError::AlreadySettled) } else { Ok(()) }
    }

    /// Credits a statement of the lease's oracle; returns whether it changed anything.
    ///
    /// # Errors
    /// Why the statement is skipped.
    pub fn credit(&mut self, now: u64, said: &StatementFigures) -> Result<bool, EscrowError> {
        self.open()?;
        let Conditions { rate, start, epoch_length, .. } = self.conditions;
        if said.as_of > now {
            return Err(EscrowError::AsOfInFuture);
        }
        if said.as_of > self.end {
            return Err(EscrowError::AsOfAfterEnd);
        }
        let elapsed = said.as_of.saturating_sub(start);
        if elapsed == 0 || elapsed.checked_rem(u64::from(epoch_length)) != Some(0) {
            return Err(EscrowError::AsOfNotEpochEnd);
        }
        let before = self.clone();
        let work = said.work.min(credit_cap(rate, self.conditions.duration(), elapsed));
        self.credited = self.credited.max(work);
        self.due = self.due.max(said.due.min(rate.over(elapsed)));
        self.as_of = self.as_of.max(said.as_of);
        if said.last && said.as_of == self.end && !self.last {
            (self.last, self.said_at) = (true, now);
        }
        Ok(before != *self)
    }

    /// The oracle found an epoch's claim void.
    ///
    /// # Errors
    /// Why the epoch can't be voided.
    pub fn void_epoch(&mut self, epoch: u32) -> Result<(), EscrowError> {
        self.open()?;
        if !self.conditions.voids {
            return Err(EscrowError::OracleNeverVoids);
        }
        let ran = self.ran().checked_div(u64::from(self.conditions.epoch_length)).unwrap_or_default();
        if u64::from(epoch) >= ran {
            return Err(EscrowError::EpochOutOfBounds);
        }
        if !self.void.insert(epoch) {
            return Err(EscrowError::EpochIsVoid);
        }
        let taken = epoch_pay(self.conditions.payment, self.conditions.epochs).min(self.bond);
        self.bond = self.bond.saturating_sub(taken);
        let quarter = taken / 4;
        self.booked.challenger = self.booked.challenger.saturating_add(quarter);
        self.booked.holder = self.booked.holder.saturating_add(taken.saturating_sub(quarter));
        Ok(())
    }

    /// Books the money of work credited since the last collection.
    ///
    /// # Errors
    /// [`EscrowError::NothingToCollect`] if there is none, or [`EscrowError::AlreadySettled`].
    pub fn collect(&mut self) -> Result<(), EscrowError> {
        self.open()?;
        if self.credited <= self.collected {
            return Err(EscrowError::NothingToCollect);
        }
        self.book_credit();
        Ok(())
    }

    fn book_credit(&mut self) {
        let Conditions { payment, fee_bps, .. } = self.conditions;
        let committed = self.conditions.committed();
        let paid = |work| {
            let all = released(payment, work, committed);
            (all.saturating_sub(fee(all, fee_bps)), fee(all, fee_bps))
        };
        let ((net, fees), (net_before, fees_before)) = (paid(self.credited), paid(self.collected));
        self.booked.provider = self.booked.provider.saturating_add(net).saturating_sub(net_before);
        self.booked.payee = self.booked.payee.saturating_add(fees).saturating_sub(fees_before);
        self.collected = self.credited;
    }

    /// The NFT's owner ends the lease with the running epoch.
    ///
    /// # Errors
    /// Why the lease can't be cancelled.
    pub fn cancel(&mut self, now: u64) -> Result<(), EscrowError> {
        self.shorten(now, Ending::Cancelled)?;
        self.booked.holder = self.booked.holder.saturating_add(self.returned_at_once());
        self.settle_if_unstarted();
        Ok(())
    }

    /// The provider ends the lease with the running epoch.
    ///
    /// # Errors
    /// Why the lease can't be terminated.
    pub fn terminate(&mut self, now: u64) -> Result<(), EscrowError> {
        self.shorten(now, Ending::Terminated)?;
        self.settle_if_unstarted();
        Ok(())
    }

    fn shorten(&mut self, now: u64, ending: Ending) -> Result<(), EscrowError> {
        self.open()?;
        if self.ending.is_some() {
            return Err(EscrowError::AlreadyEnding);
        }
        let Conditions { start, epoch_length, .. } = self.conditions;
        let length = u64::from(epoch_length);
        let end = match now.checked_sub(start) {
            None => start,
            Some(elapsed) => {
                let running = elapsed.checked_div(length).unwrap_or_default();
                start.saturating_add(running.saturating_add(1).saturating_mul(length))
            }
        };
        if end >= self.end {
            return Err(EscrowError::NothingToShorten);
        }
        (self.end, self.ending) = (end, Some(ending));
        Ok(())
    }

    fn settle_if_unstarted(&mut self) {
        if self.ran() == 0 {
            self.book_all();
        }
    }

    /// What a cancellation returns at once: the payment that no credit can reach any more, less its
    /// part of the fee.
    #[must_use]
    pub fn returned_at_once(&self) -> u128 {
        let Conditions { payment, rate, cancel_bps, .. } = self.conditions;
        let freed = returned(payment, rate, self.ran(), self.conditions.duration());
        freed.saturating_sub(fee(freed, cancel_bps))
    }

    /// Ends the lease.
    ///
    /// # Errors
    /// [`EscrowError::NotSettleable`] if it is too early, or [`EscrowError::AlreadySettled`].
    pub fn settle(&mut self, now: u64) -> Result<(), EscrowError> {
        self.open()?;
        let all_credited = self.credited >= self.conditions.committed() && !self.conditions.voids;
        // a higher statement in the block of the last word must not be lost
        let last_word = self.last && now > self.said_at;
        let window_over = now >= self.end.saturating_add(u64::from(self.conditions.window));
        if !(all_credited || last_word || window_over) {
            return Err(EscrowError::NotSettleable);
        }
        self.book_all();
        Ok(())
    }

    const fn run(&self) -> Run {
        Run { rate: self.conditions.rate, duration: self.conditions.duration(), ran: self.ran() }
    }

    /// Work that the provider was ready for and that was not asked for.
    fn unasked(&self) -> Work {
        let run = self.run();
        let by_provider = self.ending == Some(Ending::Terminated);
        if self.conditions.voids || self.conditions.dictated {
            // work is due by agreement only, or asked for by the provider's choice: its absence says
            // nothing about the renter
            return if self.ending == Some(Ending::Cancelled) {
                cut_off(self.credited, run)
            } else {
                Work::ZERO
            };
        }
        let ready = if by_provider { run.promised() } else { run.committed() };
        let asked = self.due.max(self.credited);
        ready.saturating_sub(asked.min(ready))
    }

    /// Fee for capacity held ready: none to a provider that was short beyond the tolerance, and none
    /// before the last word unless the lease never started.
    fn capacity_fee(&self) -> u128 {
        let Conditions { payment, cancel_bps, weight, .. } = self.conditions;
        let is_short = missing(self.due, self.credited, weight.work()) != Work::ZERO;
        if is_short || !(self.last || self.ran() == 0) {
            return 0;
        }
        capacity_fee(payment, self.unasked(), self.conditions.committed(), cancel_bps)
    }

    /// The amounts if the lease were settled now, including all earlier collections and refunds.
    #[must_use]
    pub fn settlement(&self) -> Settlement {
        let Conditions { payment, bond_bps, fee_bps, weight, .. } = self.conditions;
        let locked = bond(payment, bond_bps);
        let committed = self.conditions.committed();
        let paid = released(payment, self.credited, committed);
        let fees = fee(paid, fee_bps);
        let lost = if self.ending == Some(Ending::Terminated) {
            termination(locked, self.due, self.credited, self.run(), weight.work())
        } else {
            slash(locked, self.due, self.credited, committed, weight.work())
        };
        let slashed = lost.min(self.bond);
        let capacity_fee = self.capacity_fee();
        Settlement {
            provider: paid.saturating_sub(fees),
            fee: fees,
            refund: payment.saturating_sub(paid).saturating_sub(capacity_fee),
            slashed,
            bond: self.bond.saturating_sub(slashed),
            capacity_fee,
        }
    }

    fn book_all(&mut self) {
        self.settled = true;
        self.book_credit();
        let Settlement { refund, slashed, bond, capacity_fee, .. } = self.settlement();
        let early = if self.ending == Some(Ending::Cancelled) { self.returned_at_once() } else { 0 };
        let to_holder = refund.saturating_sub(early).saturating_add(slashed);
        self.booked.holder = self.booked.holder.saturating_add(to_holder);
        self.booked.provider = self.booked.provider.saturating_add(bond).saturating_add(capacity_fee);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn conditions() -> impl Strategy<Value = Conditions> {
        let money = (0..=u128::MAX, 0u16..=10_000, 0u16..=10_000, 0u16..=300);
        let kind = (any::<bool>(), any::<bool>());
        (money, 1u64..1 << 50, 1u32..=86_400, 1u32..=300, kind).prop_map(
            |((payment, bond_bps, cancel_bps, fee_bps), rate, epoch_length, epochs, (voids, dictated))| {
                Conditions {
                    payment,
                    bond_bps,
                    cancel_bps: cancel_bps.min(bond_bps),
                    fee_bps,
                    rate: HashRate::capped(rate.into()),
                    weight: SettlementWeight::from_log2(20).unwrap(),
                    start: 1_000_000,
                    epoch_length,
                    epochs,
                    window: 1_000,
                    voids,
                    dictated,
                }
            },
        )
    }

    /// A random event in a lease's life, some time after the last one.
    fn happen(life: &mut Life, now: &mut u64, (what, when, share, due): (u8, u64, u64, u64)) {
        let Conditions { start, rate, epoch_length, epochs, .. } = life.conditions;
        let length = u64::from(epoch_length);
        *now += when % (length * (u64::from(epochs) / 8 + 2));
        let now = *now;
        let over = now.saturating_sub(start) / length;
        match what % 6 {
            0 | 1 => {
                let as_of = start + length * over;
                let promise = rate.over(as_of - start).hashes();
                let part = |permille: u64| Work::capped(promise / 1_000 * u128::from(permille % 1_500));
                let said = StatementFigures { as_of, work: part(share), due: part(due), last: when % 3 == 0 };
                let _ = life.credit(now, &said);
            }
            2 => drop(life.collect()),
            3 => drop(life.void_epoch(u32::try_from(share % 300).unwrap())),
            4 => drop(if share % 2 == 0 { life.cancel(now) } else { life.terminate(now) }),
            _ => drop(life.settle(now)),
        }
    }

    proptest! {
        #[test]
        fn every_base_unit_is_somebodys(
            terms in conditions(), events in prop::collection::vec(any::<(u8, u64, u64, u64)>(), 0..30)
        ) {
            // the sums can't hold a bond and a payment of 128 bits each
            let terms = Conditions { payment: terms.payment >> 1, ..terms };
            let mut life = Life::rented(terms);
            let bonded = life.bond;
            let mut now = terms.start - 10;
            for event in events {
                let before = life.booked;
                happen(&mut life, &mut now, event);
                prop_assert!(life.booked.total() <= terms.payment + bonded);
                prop_assert!(life.booked.provider >= before.provider && life.booked.holder >= before.holder);
            }
            let _ = life.settle(u64::MAX);
            prop_assert!(life.settled);
            prop_assert_eq!(life.booked.total(), terms.payment + bonded);
            let over = life.clone();
            prop_assert_eq!(life.settle(u64::MAX), Err(EscrowError::AlreadySettled));
            prop_assert_eq!(life.void_epoch(0), Err(EscrowError::AlreadySettled));
            prop_assert_eq!(life, over);
        }

        #[test]
        fn silence_never_slashes_and_never_pays(terms in conditions()) {
            let mut life = Life::rented(Conditions { payment: terms.payment >> 1, ..terms });
            life.settle(u64::MAX).unwrap();
            let split = life.settlement();
            prop_assert_eq!((split.slashed, split.provider, split.fee), (0, 0, 0));
            prop_assert_eq!(split.refund, life.conditions.payment);
        }
    }

    /// Ten epochs of 100 s at 1 MH/s for a million base units.
    fn example() -> Conditions {
        Conditions {
            payment: 1_000_000,
            bond_bps: 2_000,
            cancel_bps: 200,
            fee_bps: 100,
            rate: HashRate::new(1_000_000),
            weight: SettlementWeight::from_log2(10).unwrap(),
            start: 1_000,
            epoch_length: 100,
            epochs: 10,
            window: 500,
            voids: false,
            dictated: false,
        }
    }

    #[test]
    fn a_lease_that_is_cancelled_half_way() {
        let mut life = Life::rented(example());
        // in the third epoch: at 1.25 times the rate, three epochs can reach 375,000, so 625,000
        // return, less the 12,500 set aside
        life.cancel(1_250).unwrap();
        assert_eq!(life.end, 1_300);
        assert_eq!(life.booked.holder, 612_500);
        // the work due in three epochs is credited: 300,000 of the payment
        let said = StatementFigures {
            as_of: 1_300,
            work: Work::new(300_000_000),
            due: Work::new(300_000_000),
            last: true,
        };
        assert_eq!(life.credit(1_400, &said), Ok(true));
        assert_eq!(life.settle(1_400), Err(EscrowError::NotSettleable), "in the block of the last word");
        life.settle(1_401).unwrap();
        // seven epochs were not asked for: two percent of 700,000
        let all =
            Booked { provider: 297_000 + 200_000 + 14_000, holder: 686_000, payee: 3_000, challenger: 0 };
        assert_eq!(life.booked, all);
    }

    #[test]
    fn a_provider_who_leaves_half_way_pays_half_of_what_vanishing_would_cost() {
        let mut life = Life::rented(example());
        life.terminate(1_499).unwrap();
        let said = StatementFigures {
            as_of: 1_500,
            work: Work::new(500_000_000),
            due: Work::new(500_000_000),
            last: true,
        };
        life.credit(1_500, &said).unwrap();
        life.settle(1_501).unwrap();
        // five more epochs of the same would be short by 500 less a tolerance of 50: 90,000
        let split = life.settlement();
        assert_eq!((split.refund, split.slashed, split.bond), (500_000, 45_000, 155_000));
    }
}
