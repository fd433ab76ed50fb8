//! A lease as the escrow holds it.

use crate::{Algorithm, Domain, HashRate, LeaseId, SettlementWeight, UnixSeconds, Work};
use alloy_primitives::{Address, U256};

/// What of a lease decides whether a share counts. Fixed at renting, but for `end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Token id.
    pub id: LeaseId,
    /// Chain and escrow: the domain of the lease's jobs.
    pub domain: Domain,
    /// Contract of the oracle: with the chain id, the domain of statements and epoch roots.
    pub oracle: Address,
    /// Who sells.
    pub provider: Address,
    /// Key that signs the lease's jobs.
    pub job_signer: Address,
    /// Proof-of-work family.
    pub algorithm: Algorithm,
    /// What a share is worth.
    pub weight: SettlementWeight,
    /// Hashes per second.
    pub rate: HashRate,
    /// First second.
    pub start: UnixSeconds,
    /// First second after the lease. A cancellation brings it closer.
    pub end: UnixSeconds,
    /// Seconds as rented: `committed = rate × duration`.
    pub duration: u32,
    /// Seconds of an epoch.
    pub epoch_length: u32,
}

/// A lease as the escrow holds it: its terms, its money, and what was credited so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What decides whether a share counts.
    pub terms: Terms,
    /// ERC-20 of payment and bond.
    pub token: Address,
    /// Seconds after the end during which the lease may still be credited.
    pub window: u32,
    /// Payment, base units.
    pub payment: u128,
    /// What is left of the bond, base units.
    pub bond: u128,
    /// Work credited so far.
    pub credited: Work,
    /// Work that was asked for, as far as stated.
    pub due: Work,
    /// End of the epoch up to which statements came, second 0 if none.
    pub as_of: UnixSeconds,
    /// Credit for which money was booked.
    pub collected: Work,
    /// The oracle said its last word.
    pub last: bool,
    /// Over.
    pub settled: bool,
}

/// A time outside a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time {time} is outside the lease: expected {start} to {end}, the end excluded")]
pub struct EpochError {
    /// The time asked for.
    pub time: UnixSeconds,
    /// The lease's start.
    pub start: UnixSeconds,
    /// The lease's end.
    pub end: UnixSeconds,
}

impl Terms {
    /// Work promised over the whole lease as rented.
    #[must_use]
    pub fn committed(&self) -> Work {
        self.rate.over(u64::from(self.duration))
    }

    /// The epoch that a time belongs to: `i` for `[start + i·L, start + (i+1)·L)`.
    ///
    /// # Errors
    /// [`EpochError`] when the time is not inside the lease.
    pub fn epoch_of(&self, time: UnixSeconds) -> Result<u32, EpochError> {
        let outside = EpochError { time, start: self.start, end: self.end };
        if time < self.start || time >= self.end {
            return Err(outside);
        }
        let epoch = time.since(self.start).checked_div(u64::from(self.epoch_length)).ok_or(outside)?;
        u32::try_from(epoch).map_err(|_| outside)
    }

    /// First second of an epoch.
    #[must_use]
    pub fn epoch_start(&self, epoch: u32) -> UnixSeconds {
        self.start.plus(u64::from(epoch).saturating_mul(u64::from(self.epoch_length)))
    }

    /// First second after an epoch.
    #[must_use]
    pub fn epoch_end(&self, epoch: u32) -> UnixSeconds {
        self.epoch_start(epoch).plus(u64::from(self.epoch_length))
    }

    /// Number of epochs up to the lease's end.
    #[must_use]
    pub fn epochs(&self) -> u32 {
        let seconds = self.end.since(self.start);
        u32::try_from(seconds.checked_div(u64::from(self.epoch_length)).unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// Whether `time` lies inside the lease.
    #[must_use]
    pub fn is_active(&self, time: UnixSeconds) -> bool {
        self.start <= time && time < self.end
    }

    /// When a node closes an epoch: 10 minutes after its end, a sixth of an epoch if that is shorter.
    #[must_use]
    pub fn epoch_closes(&self, epoch: u32) -> UnixSeconds {
        self.epoch_end(epoch).plus(u64::from((self.epoch_length / 6).min(600)))
    }

    /// Until when a member takes an epoch's root: 15 minutes after its end, a quarter of an epoch if that is shorter.
    #[must_use]
    pub fn root_deadline(&self, epoch: u32) -> UnixSeconds {
        self.epoch_end(epoch).plus(u64::from((self.epoch_length / 4).min(900)))
    }

    /// How often the job signer sends a fresh job: `min(30 s, L/10)`, at least one second.
    #[must_use]
    pub fn job_interval(&self) -> u64 {
        u64::from((self.epoch_length / 10).clamp(1, 30))
    }

    /// The most that one epoch can bring: 1.25 of its promise, rounded down and capped at [`Work::MAX`].
    #[must_use]
    pub fn epoch_cap(&self) -> Work {
        Work::capped(self.rate.over(u64::from(self.epoch_length)).hashes().saturating_mul(5) / 4)
    }

    /// Most shares that the root of an epoch may have: eight times what can be credited of them, ten times what was
    /// promised. Nodes count no more and members take no root of more. Else a lease of next to no hash rate, whose shares
    /// cost nothing, could give whoever checks it any number of them to keep.
    #[must_use]
    pub fn most_shares(&self) -> u64 {
        let creditable = self.epoch_cap().hashes().div_ceil(self.weight.work().hashes().max(1));
        u64::try_from(creditable).unwrap_or(u64::MAX).saturating_mul(8)
    }

    /// Domain of what the committee and the provider sign towards the oracle.
    #[must_use]
    pub const fn oracle_domain(&self) -> Domain {
        Domain { chain_id: self.domain.chain_id, contract: self.oracle }
    }

    /// Whether the provider's own key signs the jobs: the figure then means "this much work was done", not "for
    /// your pool".
    #[must_use]
    pub fn is_self_attributed(&self) -> bool {
        self.job_signer == self.provider
    }
}

impl Lease {
    /// From when on anybody can settle without the oracle.
    #[must_use]
    pub fn settle_after(&self) -> UnixSeconds {
        self.terms.end.plus(u64::from(self.window))
    }

    /// Money released for so much credited work: `floor(payment × min(work, committed) / committed)`, base units.
    #[must_use]
    pub fn released(&self, work: Work) -> u128 {
        let committed = self.terms.committed();
        let product = U256::from(self.payment).saturating_mul(U256::from(work.min(committed).hashes()));
        product.checked_div(U256::from(committed.hashes())).unwrap_or_default().saturating_to()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(rate: HashRate, epoch_length: u32) -> Terms {
        Terms {
            id: LeaseId(1),
            domain: Domain { chain_id: 1, contract: Address::ZERO },
            oracle: Address::ZERO,
            provider: Address::ZERO,
            job_signer: Address::ZERO,
            algorithm: Algorithm::Sha256d,
            weight: SettlementWeight::from_log2(0).unwrap(),
            rate,
            start: UnixSeconds::new(0),
            end: UnixSeconds::new(u64::from(epoch_length)),
            duration: epoch_length,
            epoch_length,
        }
    }

    #[test]
    fn an_epoch_brings_at_most_a_quarter_more_than_promised() {
        assert_eq!(terms(HashRate::new(1_000), 3_600).epoch_cap(), Work::new(4_500_000));
        assert_eq!(terms(HashRate::new(1), 3).epoch_cap(), Work::new(3), "rounded down");
        let most = HashRate::capped(Work::MAX.hashes() / 5 * 4);
        assert_eq!(terms(most, 1).epoch_cap(), Work::capped(Work::MAX.hashes() / 5 * 5));
    }

    #[test]
    fn an_epochs_shares_have_a_limit() {
        let of_weight = |log2, rate| Terms {
            weight: SettlementWeight::from_log2(log2).unwrap(),
            ..terms(HashRate::capped(rate), 3_600)
        };
        // credited are 4,500,000 hashes at the most
        assert_eq!(of_weight(0, 1_000).most_shares(), 8 * 4_500_000);
        assert_eq!(of_weight(11, 1_000).most_shares(), 8 * 2_198, "the last one in part");
        assert_eq!(of_weight(95, 1_000).most_shares(), 8);
        assert_eq!(of_weight(0, HashRate::MAX.per_second()).most_shares(), u64::MAX);
    }

    /// A lease's whole work fits a `uint96`, but not always a quarter more of it.
    #[test]
    fn an_epochs_most_fits_the_chain() {
        assert_eq!(terms(HashRate::MAX, 1).committed(), Work::MAX);
        assert_eq!(terms(HashRate::MAX, 1).epoch_cap(), Work::MAX);
        assert_eq!(terms(HashRate::capped(u128::MAX), u32::MAX).epoch_cap(), Work::MAX);
    }
}
