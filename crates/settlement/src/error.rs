//! Errors of settlement. Every failed step is retried.

use hashlease_chain::ChainError;
use hashlease_committee::{ClientError, GatherError, in_a_row};
use hashlease_ledger::BookError;
use hashlease_primitives::KeyError;

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
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
    #[error("members do not agree on the evidence up to epoch {epoch}: {}", in_a_row(failures))]
    NoAgreement { epoch: u32, failures: Vec<ClientError> },
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
            Self::Book(_) => "book",
            Self::Signatures(_) => "signatures-missing",
            Self::NoAgreement { .. } => "members-disagree",
            Self::Key(_) => "key",
            Self::EvidenceUrl { .. } => "evidence-url",
        }
    }
}
