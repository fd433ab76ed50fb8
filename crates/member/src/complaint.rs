//! Why evidence does not count.

use crate::store::StoredComplaint;
use hashlease_evidence::{EvidenceHead, Report, TermsDiffer};
use hashlease_primitives::{Commitment, Terms};
use hashlease_share::EvidenceReason;

/// A rule that evidence breaks: the epoch counts as empty, unless another member has good evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Complaint {
    /// The file is of other terms than the chain's.
    #[error("evidence is of other terms: {0}")]
    Terms(#[from] TermsDiffer),
    /// The file is of another epoch, or has another claim, than the provider signed.
    #[error(
        "evidence is of epoch {} with root {} and {} shares: the provider signed epoch {} with root {} and {}",
        got.epoch, got.commitment.root, got.commitment.count,
        signed.epoch, signed.commitment.root, signed.commitment.count
    )]
    Claim { signed: EpochClaim, got: EpochClaim },
    /// The file has more or fewer shares than the provider signed.
    #[error("evidence has {got} shares: the provider signed {signed}")]
    ShareCount { signed: u64, got: u64 },
    /// A job does not count.
    #[error("job {sequence}: {reason}")]
    Job { sequence: u64, reason: EvidenceReason },
    /// A share does not count.
    #[error("share {index}: {reason}")]
    Share { index: u64, reason: EvidenceReason },
    /// The shares give another root or count than the provider signed.
    #[error(
        "root and count: claimed {} and {}, the shares give {} and {}",
        claimed.root, claimed.count, rebuilt.root, rebuilt.count
    )]
    Root { claimed: Commitment, rebuilt: Commitment },
}

/// An epoch, and the root and count that it is said to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EpochClaim {
    pub(crate) epoch: u32,
    pub(crate) commitment: Commitment,
}

impl Complaint {
    /// The stable kebab-case name.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Terms(_) => "terms-differ",
            Self::Claim { .. } => "claim-differs",
            Self::ShareCount { .. } => "share-count",
            Self::Job { reason, .. } | Self::Share { reason, .. } => reason.code(),
            Self::Root { .. } => "root-differs",
        }
    }

    /// The first part of a file's head that differs from the chain or from the provider's signed
    /// claim; `shares` is the number of shares in the file.
    pub(crate) fn about_head(
        head: &EvidenceHead,
        shares: u64,
        terms: &Terms,
        signed: EpochClaim,
    ) -> Option<Self> {
        if let Some(difference) = head.differs_from(terms) {
            return Some(difference.into());
        }
        let got = EpochClaim { epoch: head.epoch, commitment: head.commitment };
        if got != signed {
            return Some(Self::Claim { signed, got });
        }
        let signed = signed.commitment.count;
        (shares != signed).then_some(Self::ShareCount { signed, got: shares })
    }

    /// The first mistake in the jobs, shares and root of a file.
    pub(crate) fn about_content(report: &Report) -> Option<Self> {
        if let Some(job) = report.jobs_named.first() {
            return Some(Self::Job { sequence: job.sequence, reason: job.refused.clone() });
        }
        if let Some(share) = report.named.first() {
            return Some(Self::Share { index: share.index, reason: share.refused.clone() });
        }
        (!report.holds()).then_some(Self::Root { claimed: report.claimed, rebuilt: report.rebuilt })
    }
}

impl From<&Complaint> for StoredComplaint {
    fn from(complaint: &Complaint) -> Self {
        Self::new(complaint.code(), complaint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;

    #[test]
    fn complaints_are_stored_by_code_and_sentence() {
        let commitment = |root, count| Commitment { root: B256::repeat_byte(root), count };
        let [one, two] = [1, 2].map(B256::repeat_byte);
        let (signed, got) = (commitment(1, 5), commitment(2, 6));
        let claim = |epoch, commitment| EpochClaim { epoch, commitment };
        let differ = TermsDiffer::Duration { expected: 10, got: 20 };
        for (complaint, code, message) in [
            (
                Complaint::Terms(differ),
                "terms-differ",
                "evidence is of other terms: duration: expected 10, got 20".to_owned(),
            ),
            (
                Complaint::Claim { signed: claim(3, signed), got: claim(4, got) },
                "claim-differs",
                format!(
                    "evidence is of epoch 4 with root {two} and 6 shares: \
                     the provider signed epoch 3 with root {one} and 5"
                ),
            ),
            (
                Complaint::ShareCount { signed: 5, got: 6 },
                "share-count",
                "evidence has 6 shares: the provider signed 5".to_owned(),
            ),
            (
                Complaint::Job { sequence: 7, reason: EvidenceReason::JobUnsigned },
                "job-unsigned",
                "job 7: job is not signed".to_owned(),
            ),
            (
                Complaint::Share { index: 8, reason: EvidenceReason::OtherEpoch { expected: 3, actual: 4 } },
                "other-epoch",
                "share 8: share is of epoch 4: expected 3".to_owned(),
            ),
            (
                Complaint::Root { claimed: signed, rebuilt: got },
                "root-differs",
                format!("root and count: claimed {one} and 5, the shares give {two} and 6"),
            ),
        ] {
            assert_eq!(
                StoredComplaint::from(&complaint),
                StoredComplaint { code: code.to_owned(), message },
                "{complaint:?}"
            );
        }
    }
}
