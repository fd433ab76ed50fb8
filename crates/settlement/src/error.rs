//! Errors of settlement. Every failed step is retried.

use hashlease_chain::ChainError;
use hashlease_committee::NoAgreement;
use hashlease_ledger::BookError;
use hashlease_primitives::{ClockDoubt, KeyError};

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
pub enum SettleError {
    /// The chain can't be read, or a transaction was not mined.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// An epoch may be over, but the clocks and the chain do not agree on that.
    #[error("no epoch is closed while the time is in doubt: {0}")]
    Clock(#[from] ClockDoubt),
    /// The book can't be read or written.
    #[error(transparent)]
    Book(#[from] BookError),
    /// Too few members hold the same evidence or sign the same figures.
    #[error(transparent)]
    Members(#[from] NoAgreement),
    /// The provider's key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The base URL and an epoch's path make no URL.
    #[error("evidence URL of epoch {epoch}: {source}")]
    EvidenceUrl { epoch: u32, source: url::ParseError },
}

impl SettleError {
    /// Stable kebab-case name, for logs and alerts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Chain(_) => "chain",
            Self::Clock(_) => "clock-in-doubt",
            Self::Book(_) => "book",
            Self::Members(NoAgreement::Pending { .. }) => "members-pending",
            Self::Members(NoAgreement::Evidence { .. }) => "members-disagree",
            Self::Members(NoAgreement::Signatures { .. }) => "signatures-missing",
            Self::Key(_) => "key",
            Self::EvidenceUrl { .. } => "evidence-url",
        }
    }
}
