//! The content of an evidence file: a head with the claim and the jobs, and the shares.

use alloy_primitives::Address;
use hashlease_primitives::{
    Algorithm, Commitment, Domain, HashRate, LeaseId, SettlementWeight, SignedJob, Terms, UnixSeconds,
};
use hashlease_share::Share;

/// The part of a file before its shares. Nothing in it is checked yet: see
/// [`EvidenceHead::contradiction`] and [`EvidenceHead::differs_from`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceHead {
    /// Terms of the lease as the file has them.
    pub terms: Terms,
    /// The epoch, from 0.
    pub epoch: u32,
    /// The claim.
    pub commitment: Commitment,
    /// Jobs, ascending by sequence.
    pub jobs: Vec<SignedJob>,
}

/// Terms or an epoch that no lease can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
pub enum Contradiction {
    /// The duration is not a whole number of epochs.
    #[error("duration: expected whole epochs of {epoch_length} s, got {got} s")]
    Duration { epoch_length: u32, got: u32 },
    /// The end is before the start, or after the rented time.
    #[error("end: expected {start} to {latest}, got {got}")]
    End { start: UnixSeconds, latest: UnixSeconds, got: UnixSeconds },
    /// The escrow derives another weight from rate and duration.
    #[error("weight: expected 2^{} for this rate and duration, got 2^{}", expected.log2(), got.log2())]
    Weight { expected: SettlementWeight, got: SettlementWeight },
    /// The lease is too small or too large for any weight.
    #[error("rate: no lease can have {rate} for {duration} s")]
    Rate { rate: HashRate, duration: u32 },
    /// The lease ends before this epoch.
    #[error("epoch: expected below {epochs}, got {got}")]
    Epoch { epochs: u32, got: u32 },
}

/// A term of the file that differs from the chain's, which is the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain variants and fields")]
pub enum TermsDiffer {
    #[error("lease: expected {expected}, got {got}")]
    Lease { expected: LeaseId, got: LeaseId },
    #[error("chain id: expected {expected}, got {got}")]
    ChainId { expected: u64, got: u64 },
    #[error("escrow: expected {expected}, got {got}")]
    Escrow { expected: Address, got: Address },
    #[error("oracle: expected {expected}, got {got}")]
    Oracle { expected: Address, got: Address },
    #[error("provider: expected {expected}, got {got}")]
    Provider { expected: Address, got: Address },
    #[error("job signer: expected {expected}, got {got}")]
    JobSigner { expected: Address, got: Address },
    #[error("algorithm: expected {expected}, got {got}")]
    Algorithm { expected: Algorithm, got: Algorithm },
    #[error("weight: expected {}, got {}", expected.log2(), got.log2())]
    Weight { expected: SettlementWeight, got: SettlementWeight },
    #[error("rate: expected {expected}, got {got}")]
    Rate { expected: HashRate, got: HashRate },
    #[error("start: expected {expected}, got {got}")]
    Start { expected: UnixSeconds, got: UnixSeconds },
    #[error("duration: expected {expected}, got {got}")]
    Duration { expected: u32, got: u32 },
    #[error("epoch length: expected {expected}, got {got}")]
    EpochLength { expected: u32, got: u32 },
}

impl TermsDiffer {
    /// The first term in which a file differs from the chain. `end` may differ, because a
    /// cancellation makes it earlier: shares after the chain's end are refused one by one.
    #[must_use]
    pub fn between(file: &Terms, chain: &Terms) -> Option<Self> {
        if (Terms { end: chain.end, ..file.clone() }) == *chain {
            return None;
        }
        // without `..`, so that a new field of the terms is named here, too
        let Terms {
            id,
            domain: Domain { chain_id, contract },
            oracle,
            provider,
            job_signer,
            algorithm,
            weight,
            rate,
            start,
            end: _,
            duration,
            epoch_length,
        } = *chain;
        let differ = if file.id != id {
            Self::Lease { expected: id, got: file.id }
        } else if file.domain.chain_id != chain_id {
            Self::ChainId { expected: chain_id, got: file.domain.chain_id }
        } else if file.domain.contract != contract {
            Self::Escrow { expected: contract, got: file.domain.contract }
        } else if file.oracle != oracle {
            Self::Oracle { expected: oracle, got: file.oracle }
        } else if file.provider != provider {
            Self::Provider { expected: provider, got: file.provider }
        } else if file.job_signer != job_signer {
            Self::JobSigner { expected: job_signer, got: file.job_signer }
        } else if file.algorithm != algorithm {
            Self::Algorithm { expected: algorithm, got: file.algorithm }
        } else if file.weight != weight {
            Self::Weight { expected: weight, got: file.weight }
        } else if file.rate != rate {
            Self::Rate { expected: rate, got: file.rate }
        } else if file.start != start {
            Self::Start { expected: start, got: file.start }
        } else if file.duration != duration {
            Self::Duration { expected: duration, got: file.duration }
        } else {
            // the only one left
            Self::EpochLength { expected: epoch_length, got: file.epoch_length }
        };
        Some(differ)
    }
}

/// A share in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceShare {
    /// Sequence of its job.
    pub job: u64,
    /// The miner's choices.
    pub share: Share,
}

/// A file's content. A file that can be read may still be wrong: see [`Evidence::recheck`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Terms, claim and jobs.
    pub head: EvidenceHead,
    /// Shares, ascending by key.
    pub shares: Vec<EvidenceShare>,
}

impl EvidenceHead {
    /// The first field of the file that no lease can have. The file proves neither its terms nor
    /// its epoch.
    #[must_use]
    pub fn contradiction(&self) -> Option<Contradiction> {
        let Terms { rate, start, end, duration, epoch_length, weight, .. } = self.terms;
        let whole = duration.checked_rem(epoch_length) == Some(0);
        let Some(epochs) = duration.checked_div(epoch_length).filter(|_| whole) else {
            return Some(Contradiction::Duration { epoch_length, got: duration });
        };
        let latest = start.plus(u64::from(duration));
        if !(start..=latest).contains(&end) {
            return Some(Contradiction::End { start, latest, got: end });
        }
        match SettlementWeight::of_lease(rate, epoch_length, duration) {
            Some(expected) if expected == weight => {}
            Some(expected) => return Some(Contradiction::Weight { expected, got: weight }),
            None => return Some(Contradiction::Rate { rate, duration }),
        }
        (self.epoch >= epochs).then_some(Contradiction::Epoch { epochs, got: self.epoch })
    }

    /// The first of the file's terms that differs from the chain's: [`TermsDiffer::between`].
    #[must_use]
    pub fn differs_from(&self, chain: &Terms) -> Option<TermsDiffer> {
        TermsDiffer::between(&self.terms, chain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms {
            id: LeaseId(1),
            domain: Domain { chain_id: 2, contract: Address::repeat_byte(3) },
            oracle: Address::repeat_byte(4),
            provider: Address::repeat_byte(5),
            job_signer: Address::repeat_byte(6),
            algorithm: Algorithm::Sha256d,
            weight: SettlementWeight::from_log2(7).unwrap(),
            rate: HashRate::new(8),
            start: UnixSeconds::new(9),
            end: UnixSeconds::new(19),
            duration: 10,
            epoch_length: 5,
        }
    }

    #[test]
    fn every_term_but_the_end_has_to_be_the_chains() {
        let differs = |change: &dyn Fn(&mut Terms)| {
            let mut terms = terms();
            change(&mut terms);
            let head = EvidenceHead { terms, epoch: 0, commitment: Commitment::default(), jobs: Vec::new() };
            head.differs_from(&self::terms()).map(|differ| (differ, differ.to_string()))
        };
        assert_eq!(differs(&|_| {}), None);
        assert_eq!(
            differs(&|terms| terms.end = terms.end.minus(1)),
            None,
            "the chain says when the lease ends"
        );

        let (old, new) = (Address::repeat_byte, Address::repeat_byte(0xff));
        let weight = |log2| SettlementWeight::from_log2(log2).unwrap();
        let case = |change: &dyn Fn(&mut Terms), differ: TermsDiffer, message: &str| {
            assert_eq!(differs(change), Some((differ, message.to_owned())));
        };
        case(
            &|terms| terms.id = LeaseId(9),
            TermsDiffer::Lease { expected: LeaseId(1), got: LeaseId(9) },
            "lease: expected 1, got 9",
        );
        case(
            &|terms| terms.domain.chain_id = 9,
            TermsDiffer::ChainId { expected: 2, got: 9 },
            "chain id: expected 2, got 9",
        );
        case(
            &|terms| terms.domain.contract = new,
            TermsDiffer::Escrow { expected: old(3), got: new },
            &format!("escrow: expected {}, got {new}", old(3)),
        );
        case(
            &|terms| terms.oracle = new,
            TermsDiffer::Oracle { expected: old(4), got: new },
            &format!("oracle: expected {}, got {new}", old(4)),
        );
        case(
            &|terms| terms.provider = new,
            TermsDiffer::Provider { expected: old(5), got: new },
            &format!("provider: expected {}, got {new}", old(5)),
        );
        case(
            &|terms| terms.job_signer = new,
            TermsDiffer::JobSigner { expected: old(6), got: new },
            &format!("job signer: expected {}, got {new}", old(6)),
        );
        case(
            &|terms| terms.algorithm = Algorithm::Scrypt,
            TermsDiffer::Algorithm { expected: Algorithm::Sha256d, got: Algorithm::Scrypt },
            &format!("algorithm: expected {}, got {}", Algorithm::Sha256d, Algorithm::Scrypt),
        );
        case(
            &|terms| terms.weight = weight(8),
            TermsDiffer::Weight { expected: weight(7), got: weight(8) },
            "weight: expected 7, got 8",
        );
        case(
            &|terms| terms.rate = HashRate::new(9),
            TermsDiffer::Rate { expected: HashRate::new(8), got: HashRate::new(9) },
            "rate: expected 8, got 9",
        );
        case(
            &|terms| terms.start = terms.start.plus(1),
            TermsDiffer::Start { expected: UnixSeconds::new(9), got: UnixSeconds::new(10) },
            "start: expected 9, got 10",
        );
        case(
            &|terms| terms.duration = 15,
            TermsDiffer::Duration { expected: 10, got: 15 },
            "duration: expected 10, got 15",
        );
        case(
            &|terms| terms.epoch_length = 2,
            TermsDiffer::EpochLength { expected: 5, got: 2 },
            "epoch length: expected 5, got 2",
        );
    }
}
