//! Why a step of settlement did not happen. Every step is tried again.

use hashlease_chain::ChainError;
use hashlease_committee::GatherError;
use hashlease_ledger::BookError;
use hashlease_primitives::KeyError;

/// Why a step did not happen.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The chain can't be read, or a transaction was not mined.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The book can't be read or written.
    #[error(transparent)]
    Book(#[from] BookError),
    /// Too few members signed.
    #[error(transparent)]
    Signatures(#[from] GatherError),
    /// Too few members have the same evidence.
    #[error("members do not agree on the evidence up to epoch {epoch}: {}", reasons.join("; "))]
    NoAgreement {
        /// The last of the epochs.
        epoch: u32,
        /// Why members gave no view.
        reasons: Vec<String>,
    },
    /// The provider's key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No URL of an epoch's evidence can be made.
    #[error("evidence URL of epoch {epoch}: {source}")]
    EvidenceUrl {
        /// Which epoch.
        epoch: u32,
        /// What is wrong with it.
        source: url::ParseError,
    },
}

impl SettleError {
    /// Stable kebab-case name, for logs and alerts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Chain(_) => "chain",
            Self::Book(_) => "book",
            Self::Signatures(_) => "signatures-missing",
            Self::NoAgreement { .. } => "members-disagree",
            Self::Key(_) => "key",
            Self::EvidenceUrl { .. } => "evidence-url",
        }
    }
}
