//! What an evidence file says: the head with its claim and jobs, and the shares.

use hashlease_primitives::{Commitment, SettlementWeight, SignedJob, Terms};
use hashlease_share::Share;

/// What a file says before its shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceHead {
    /// Terms of the lease as the file has them.
    pub terms: Terms,
    /// Epoch.
    pub epoch: u32,
    /// What is claimed.
    pub commitment: Commitment,
    /// Jobs, ascending by sequence.
    pub jobs: Vec<SignedJob>,
}

/// A share in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceShare {
    /// Sequence of its job.
    pub job: u64,
    /// What the miner chose.
    pub share: Share,
}

/// A file's content. That it can be read says nothing of its truth: see [`Evidence::recheck`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What is claimed, and the jobs.
    pub head: EvidenceHead,
    /// Shares, ascending by key.
    pub shares: Vec<EvidenceShare>,
}

impl EvidenceHead {
    /// What no lease can be in the terms and the epoch, in words: they are only what the file states.
    #[must_use]
    pub fn contradiction(&self) -> Option<String> {
        let Terms { rate, start, end, duration, epoch_length, weight, .. } = self.terms;
        if epoch_length == 0 || duration.checked_rem(epoch_length) != Some(0) {
            return Some(format!("duration: expected whole epochs of {epoch_length} s, got {duration} s"));
        }
        let last = start.plus(u64::from(duration));
        if !(start..=last).contains(&end) {
            return Some(format!("end: expected {start} to {last}, got {end}"));
        }
        match SettlementWeight::of_lease(rate, epoch_length, duration) {
            Some(right) if right == weight => {}
            Some(right) => {
                let (expected, got) = (right.log2(), weight.log2());
                return Some(format!(
                    "weight: expected 2^{expected} for this rate and duration, got 2^{got}"
                ));
            }
            None => return Some(format!("rate: no lease can be of {rate} for {duration} s")),
        }
        let epochs = duration.checked_div(epoch_length).unwrap_or_default();
        (self.epoch >= epochs).then(|| format!("epoch: expected below {epochs}, got {}", self.epoch))
    }

    /// The first of the file's terms that is not the chain's, in words. `end` may differ, since a cancellation
    /// brings it closer: what lies outside is refused share by share.
    #[must_use]
    pub fn differs_from(&self, chain: &Terms) -> Option<String> {
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
        pairs
            .into_iter()
            .find(|(_, file, chain)| file != chain)
            .map(|(field, file, chain)| format!("{field}: expected {chain}, got {file}"))
    }
}
