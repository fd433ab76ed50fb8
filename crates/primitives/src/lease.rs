//! A lease as the escrow holds it.

use crate::{Algorithm, Domain, HashRate, LeaseId, SettlementWeight, UnixSeconds, Work};
use alloy_primitives::{Address, U256};

/// The part of a lease that decides whether a share counts. Only `end` ever changes.
///
/// Leases of the escrow satisfy `epoch_length > 0`, `duration = k × epoch_length` and `start ≤ end
/// ≤ start + duration`. Terms in a file may break these rules: `hashlease-evidence` reports that
/// (`EvidenceHead::contradiction`), and every method here has a defined result for such terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Token id.
    pub id: LeaseId,
    /// Chain and escrow: the domain of the lease's jobs.
    pub domain: Domain,
    /// Contract of the oracle: with the chain id, the domain of statements and epoch roots.
    pub oracle: Address,
    /// Account of the seller.
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
    /// First second after the lease. A cancellation makes it earlier.
    pub end: UnixSeconds,
    /// Seconds as rented; a cancellation does not change it: `committed = rate × duration`.
    pub duration: u32,
    /// Seconds of an epoch.
    pub epoch_length: u32,
}

/// A lease as the escrow holds it: its terms, its money, and its credit so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The part that decides whether a share counts.
    pub terms: Terms,
    /// Whether the offer, not the renter, named the job signer. Evidence files don't say it.
    pub signer_dictated: bool,
    /// ERC-20 of payment and bond.
    pub token: Address,
    /// Seconds after the end during which the lease may still be credited.
    pub window: u32,
    /// Payment, base units.
    pub payment: u128,
    /// The rest of the bond, base units.
    pub bond: u128,
    /// Work credited so far.
    pub credited: Work,
    /// Work that was due, as far as stated.
    pub due: Work,
    /// End of the last epoch with a statement; second 0 before the first statement.
    pub as_of: UnixSeconds,
    /// Credited work whose money was booked.
    pub collected: Work,
    /// The oracle said that no later statement follows.
    pub last: bool,
    /// When it said so; 0 before. The lease can be settled from the next block on.
    pub last_at: UnixSeconds,
    /// The lease is closed for good.
    pub settled: bool,
}

/// Who chose the key that signs a lease's jobs, whom the renter trusts for what the figures mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignerChoice {
    /// The key is the provider's own. Credited work then says only that the work was done, not that
    /// it was done for the renter's pool.
    SelfAttributed,
    /// The offer named the key.
    Provider,
    /// The renter named it.
    Renter,
}

impl SignerChoice {
    /// The choice in words, as the lease's metadata has it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::SelfAttributed => "self-attributed",
            Self::Provider => "signer chosen by the provider",
            Self::Renter => "signer chosen by the renter",
        }
    }
}

/// A time outside a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time {time} is outside the lease: expected {start} to {end}, the end excluded")]
#[allow(missing_docs, reason = "the message explains the fields")]
pub struct TimeOutsideLease {
    pub time: UnixSeconds,
    pub start: UnixSeconds,
    pub end: UnixSeconds,
}

impl Terms {
    /// Work promised over the whole lease as rented.
    #[must_use]
    pub fn committed(&self) -> Work {
        self.rate.over(u64::from(self.duration))
    }

    /// The terms before any cancellation.
    #[must_use]
    pub fn as_rented(&self) -> Self {
        Self { end: self.start.plus(u64::from(self.duration)), ..self.clone() }
    }

    /// The epoch that a time belongs to: `i` for `[start + i·L, start + (i+1)·L)`.
    ///
    /// # Errors
    /// [`TimeOutsideLease`].
    pub fn epoch_of(&self, time: UnixSeconds) -> Result<u32, TimeOutsideLease> {
        let outside = TimeOutsideLease { time, start: self.start, end: self.end };
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
        // without an epoch length there is no epoch, and `epoch_of` finds none either
        let epochs = self.end.since(self.start).checked_div(u64::from(self.epoch_length)).unwrap_or(0);
        // a lease of the escrow lasts at most `duration`, 32 bits of seconds
        u32::try_from(epochs).unwrap_or(u32::MAX)
    }

    /// Whether `time` lies inside the lease.
    #[must_use]
    pub fn is_active(&self, time: UnixSeconds) -> bool {
        self.start <= time && time < self.end
    }

    /// When a node closes an epoch: 10 minutes after its end, or a sixth of an epoch if that is
    /// shorter.
    #[must_use]
    pub fn epoch_closes(&self, epoch: u32) -> UnixSeconds {
        self.epoch_end(epoch).plus(u64::from((self.epoch_length / 6).min(600)))
    }

    /// Deadline of an epoch root at the members: 15 minutes after the epoch's end, or a quarter of
    /// an epoch if that is shorter.
    #[must_use]
    pub fn root_deadline(&self, epoch: u32) -> UnixSeconds {
        self.epoch_end(epoch).plus(u64::from((self.epoch_length / 4).min(900)))
    }

    /// How often the job signer sends a fresh job: `min(30 s, L/10)`, at least one second.
    #[must_use]
    pub fn job_interval(&self) -> u64 {
        u64::from((self.epoch_length / 10).clamp(1, 30))
    }

    /// The most work that one epoch can contribute: 1.25 times its promise, rounded down, and at
    /// most [`Work::MAX`]. The escrow credits no more than that either.
    #[must_use]
    pub fn epoch_cap(&self) -> Work {
        Work::capped(self.rate.over(u64::from(self.epoch_length)).hashes().saturating_mul(5) / 4)
    }

    /// The most shares that an epoch root may have: eight times as many as can be credited, ten
    /// times as many as promised. Nodes stop counting there, and members refuse a root of more
    /// shares. Without this limit, a lease of almost no hash rate, whose shares cost nothing, could
    /// make members store any number of them.
    #[must_use]
    pub fn most_shares(&self) -> u64 {
        let creditable = self.epoch_cap().hashes().div_ceil(self.weight.work().hashes().max(1));
        // above 2^64 shares the limit means nothing: no share count is larger
        u64::try_from(creditable).unwrap_or(u64::MAX).saturating_mul(8)
    }

    /// The oracle's domain, for everything that the committee and the provider sign.
    #[must_use]
    pub const fn oracle_domain(&self) -> Domain {
        Domain { chain_id: self.domain.chain_id, contract: self.oracle }
    }

    /// Whether the provider's own key signs the jobs. Credited work then says only that the work
    /// was done, not that it was done for the renter's pool.
    #[must_use]
    pub fn is_self_attributed(&self) -> bool {
        self.job_signer == self.provider
    }
}

impl Lease {
    /// Who chose the job signer.
    #[must_use]
    pub fn signer_choice(&self) -> SignerChoice {
        if self.terms.is_self_attributed() {
            SignerChoice::SelfAttributed
        } else if self.signer_dictated {
            SignerChoice::Provider
        } else {
            SignerChoice::Renter
        }
    }

    /// The first second at which anybody can settle without the oracle.
    #[must_use]
    pub fn settle_after(&self) -> UnixSeconds {
        self.terms.end.plus(u64::from(self.window))
    }

    /// Money released for credited work, in base units: `floor(payment × min(work, committed) /
    /// committed)`. A lease without committed work releases nothing.
    ///
    /// The product's own formula. `hashlease_escrow_model::released` is a second one on purpose:
    /// tests compare the contracts with it, so the two must not share code.
    #[must_use]
    pub fn released(&self, work: Work) -> u128 {
        let committed = self.terms.committed();
        let product = U256::from(self.payment).saturating_mul(U256::from(work.min(committed).hashes()));
        // at most the payment, so it fits 128 bits
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
    fn an_epoch_contributes_at_most_a_quarter_more_than_promised() {
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
        // at most 4,500,000 hashes can be credited
        assert_eq!(of_weight(0, 1_000).most_shares(), 8 * 4_500_000);
        assert_eq!(of_weight(11, 1_000).most_shares(), 8 * 2_198, "the last share counts in part");
        assert_eq!(of_weight(95, 1_000).most_shares(), 8);
        assert_eq!(of_weight(0, HashRate::MAX.per_second()).most_shares(), u64::MAX);
    }

    /// A lease's whole work fits a `uint96`, but a quarter more of it does not always fit.
    #[test]
    fn the_epoch_cap_fits_the_chain() {
        assert_eq!(terms(HashRate::MAX, 1).committed(), Work::MAX);
        assert_eq!(terms(HashRate::MAX, 1).epoch_cap(), Work::MAX);
        assert_eq!(terms(HashRate::capped(u128::MAX), u32::MAX).epoch_cap(), Work::MAX);
    }
}
