//! Why the book does not count a share: the local rules, and the evidence rules that need memory.

use crate::error::BookError;
use hashlease_primitives::LeaseId;
use hashlease_share::EvidenceReason;

/// Why a share is not counted here. The local rules are applied once, on arrival, and never checked
/// again by others.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum CountRefusal {
    /// A duplicate, or a key that the trie can't hold beside another.
    #[error(transparent)]
    Evidence(#[from] EvidenceReason),
    /// The header counted for another lease.
    #[error("header was already counted for lease {0}")]
    SeenInOtherLease(LeaseId),
    /// The epoch of the share is closed.
    #[error("epoch {0} is closed")]
    EpochClosed(u32),
    /// The epoch has as many shares as its root may have: see
    /// [`most_shares`](hashlease_primitives::Terms::most_shares).
    #[error("epoch {epoch} has {most} shares already, many more than can be credited")]
    EpochFull { epoch: u32, most: u64 },
    /// The epoch has shares of as many jobs as its evidence may have.
    #[error("epoch {epoch} has shares of {most} jobs already, as many as its evidence may have")]
    TooManyJobs { epoch: u32, most: usize },
    /// The share could not be made durable; it does not count.
    #[error("share could not be stored: {0}")]
    NotDurable(#[from] BookError),
}

impl CountRefusal {
    /// The stable kebab-case name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Evidence(reason) => reason.code(),
            Self::SeenInOtherLease(_) => "seen-in-other-lease",
            Self::EpochClosed(_) => "epoch-closed",
            Self::EpochFull { .. } => "epoch-full",
            Self::TooManyJobs { .. } => "too-many-jobs",
            Self::NotDurable(_) => "not-durable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_refusal_has_a_code_of_its_own() {
        let all = [
            CountRefusal::Evidence(EvidenceReason::Duplicate),
            CountRefusal::SeenInOtherLease(LeaseId(1)),
            CountRefusal::EpochClosed(1),
            CountRefusal::EpochFull { epoch: 1, most: 2 },
            CountRefusal::TooManyJobs { epoch: 1, most: 2 },
            CountRefusal::NotDurable(BookError::UnknownLease(LeaseId(1))),
        ];
        let codes: BTreeSet<_> = all.iter().map(CountRefusal::code).collect();
        assert_eq!(codes.len(), all.len());
    }
}
