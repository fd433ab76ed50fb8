//! The content of an evidence file: a head with the claim and the jobs, and the shares.

use hashlease_primitives::{Commitment, HashRate, SettlementWeight, SignedJob, Terms, UnixSeconds};
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
    /// The duration is no whole number of epochs.
    #[error("duration: expected whole epochs of {epoch_length} s, got {got} s")]
    Duration { epoch_length: u32, got: u32 },
    /// The end is before the start, or after the rented time.
    #[error("end: expected {start} to {latest}, got {got}")]
    End { start: UnixSeconds, latest: UnixSeconds, got: UnixSeconds },
    /// The escrow derives another weight from rate and duration.
    #[error("weight: expected 2^{} for this rate and duration, got 2^{}", expected.log2(), got.log2())]
    Weight { expected: SettlementWeight, got: SettlementWeight },
    /// The lease is too small or too large for any weight.
    #[error("rate: no lease can be of {rate} for {duration} s")]
    Rate { rate: HashRate, duration: u32 },
    /// The lease ends before this epoch.
    #[error("epoch: expected below {epochs}, got {got}")]
    Epoch { epochs: u32, got: u32 },
}

/// A term of the file that differs from the chain's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}, got {got}")]
#[allow(missing_docs, reason = "the message explains the fields")]
pub struct TermsDiffer {
    pub field: &'static str,
    pub expected: String,
    pub got: String,
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
    /// The first statement of the file that no lease can have. Terms and epoch are only the file's
    /// word.
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

    /// The first of the file's terms that differs from the chain's. `end` may differ, because a
    /// cancellation brings it closer: shares after the chain's end are refused one by one.
    #[must_use]
    pub fn differs_from(&self, chain: &Terms) -> Option<TermsDiffer> {
        let pairs = [
            ("lease", self.terms.id.to_string(), chain.id.to_string()),
            ("chain id", self.terms.domain.chain_id.to_string(), chain.domain.chain_id.to_string()),
            ("escrow", self.terms.domain.contract.to_string(), chain.domain.contract.to_string()),
            ("oracle", self.terms.oracle.to_string(), chain.oracle.to_string()),
            ("provider", self.terms.provider.to_string(), chain.provider.to_string()),
            ("job signer", self.terms.job_signer.to_string(), chain.job_signer.to_string()),
            ("algorithm", self.terms.algorithm.to_string(), chain.algorithm.to_string()),
            ("weight", self.terms.weight.log2().to_string(), chain.weight.log2().to_string()),
            ("rate", self.terms.rate.to_string(), chain.rate.to_string()),
            ("start", self.terms.start.to_string(), chain.start.to_string()),
            ("duration", self.terms.duration.to_string(), chain.duration.to_string()),
            ("epoch length", self.terms.epoch_length.to_string(), chain.epoch_length.to_string()),
        ];
        pairs.into_iter().find(|(_, file, chain)| file != chain).map(|(field, got, expected)| TermsDiffer {
            field,
            expected,
            got,
        })
    }
}
