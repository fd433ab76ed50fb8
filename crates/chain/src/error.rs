//! Errors of reads and transactions.

use crate::bindings::{
    CommitteeOracle::CommitteeOracleErrors, LeaseEscrow::LeaseEscrowErrors, Registry::RegistryErrors,
};
use alloy::{
    contract::Error as ContractError,
    transports::{RpcError, TransportErrorKind},
};
use alloy_primitives::{Address, B256, Bytes, U256};
use std::fmt;

/// Why a read or a transaction failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields; `call` is the contract's function")]
pub enum ChainError {
    /// The endpoint serves another chain than the deployment's. `endpoint` has no credentials.
    #[error("RPC endpoint {endpoint} serves chain {actual}: the deployment is on chain {expected}")]
    WrongChain { endpoint: String, expected: u64, actual: u64 },
    /// An address of the deployment has no code.
    #[error("no contract at {address} ({what}): is the deployment on this chain?")]
    NoContract { what: &'static str, address: Address },
    /// No HTTP client can be made, for instance because the system's TLS certificates can't be
    /// read.
    #[error("HTTP client for the RPC endpoint: {0}")]
    HttpClient(#[from] reqwest::Error),
    /// The endpoint could not be reached, or answered with an error.
    #[error("RPC: {0}")]
    Rpc(#[from] EndpointError),
    /// A contract's answer can't be decoded.
    #[error("contract's answer: {0}")]
    Answer(#[source] Box<ContractError>),
    /// A log that the endpoint gave for an event's topic is not that event.
    #[error("log of {event} in block {}: {source}", block.map_or_else(|| "?".into(), |block| block.to_string()))]
    Log { event: &'static str, block: Option<u64>, source: alloy::sol_types::Error },
    /// The endpoint has no newest block.
    #[error("RPC: no newest block")]
    NoBlock,
    /// The sending key failed.
    #[error("{call}: signing: {source}")]
    Signing { call: &'static str, source: alloy::signers::Error },
    /// A dry run reverted.
    #[error("{call} reverted: {revert}")]
    Reverted { call: &'static str, revert: Revert },
    /// A transaction was mined and failed.
    #[error("{call} failed in transaction {hash}")]
    Failed { call: &'static str, hash: B256 },
    /// A transaction was not mined in time, and may still be mined.
    #[error("{call} is not mined after {seconds} s (nonce {nonce}): it stays in flight")]
    NotMined { call: &'static str, nonce: u64, seconds: u64 },
    /// The endpoint asks for a higher fee than the limit allows.
    #[error(
        "{call} would cost up to {max_fee} wei per gas for {gas} gas: the limit is {limit} wei per transaction, and ten times the first fee"
    )]
    FeeTooHigh { call: &'static str, gas: u64, max_fee: U256, limit: U256 },
    /// The endpoint refused every fee that was tried, without a reachable floor.
    #[error("{call}: the endpoint takes no fee up to {max_fee} wei per gas")]
    FeeRefused { call: &'static str, max_fee: U256 },
    /// Another transaction of the account has the nonce. It is not replaced.
    #[error("{call}: another transaction of the account has nonce {nonce}: it is not replaced")]
    NonceTaken { call: &'static str, nonce: u64 },
    /// A file of the data directory can't be read or written.
    #[error("{path}: {source}")]
    State { path: String, source: std::io::Error },
    /// A file of the data directory was written for something else.
    #[error("{path} belongs to another deployment or account")]
    OtherState { path: String },
    /// The sending account can't pay for gas.
    #[error("account {account} can't pay for gas of {call}: fund it with native currency")]
    NoGasMoney { call: &'static str, account: Address },
    /// A contract or the endpoint returned a value that it can't have.
    #[error("{what}: expected {expected}, got {actual}")]
    Unexpected { what: &'static str, expected: &'static str, actual: String },
}

/// An endpoint's error. It prints without URLs, which may contain keys.
#[derive(Debug)]
pub struct EndpointError(RpcError<TransportErrorKind>);

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            RpcError::ErrorResp(payload) => write!(f, "{} ({})", payload.message, payload.code),
            RpcError::Transport(kind) => {
                let text = kind.to_string();
                f.write_str(if text.contains("://") { "endpoint can't be reached" } else { &text })
            }
            other => other.fmt(f),
        }
    }
}

// no `source`: its text may have the URL
impl std::error::Error for EndpointError {}

impl From<RpcError<TransportErrorKind>> for ChainError {
    fn from(error: RpcError<TransportErrorKind>) -> Self {
        Self::Rpc(EndpointError(error))
    }
}

impl ChainError {
    /// Whether the endpoint says that a read call reverts: for a lease, that there is none of this
    /// id.
    #[must_use]
    pub fn is_revert(&self) -> bool {
        let Self::Rpc(EndpointError(error)) = self else { return false };
        error.as_error_resp().is_some_and(|answer| answer.code == 3 || answer.message.contains("revert"))
    }
}

impl From<ContractError> for ChainError {
    fn from(error: ContractError) -> Self {
        match error {
            ContractError::TransportError(error) => error.into(),
            other => Self::Answer(Box::new(other)),
        }
    }
}

/// Why a dry run reverted.
#[derive(Debug)]
pub enum Revert {
    /// An error of the escrow.
    Escrow(LeaseEscrowErrors),
    /// An error of the registry, which the escrow asks at renting.
    Registry(RegistryErrors),
    /// An error of a committee's oracle.
    Oracle(CommitteeOracleErrors),
    /// An error of another contract.
    Other {
        /// The endpoint's words.
        message: String,
        /// As it was returned.
        data: Bytes,
    },
}

impl Revert {
    /// The reason, if the endpoint's error is a revert.
    pub(crate) fn of(error: &RpcError<TransportErrorKind>) -> Option<Self> {
        let payload = error.as_error_resp()?;
        let message = payload.message.to_string();
        let Some(data) = payload.as_revert_data() else {
            // some endpoints say it in words alone
            return message.contains("revert").then(|| Self::Other { message, data: Bytes::new() });
        };
        let escrow = || payload.as_decoded_interface_error().map(Self::Escrow);
        let registry = || payload.as_decoded_interface_error().map(Self::Registry);
        let oracle = || payload.as_decoded_interface_error().map(Self::Oracle);
        Some(escrow().or_else(registry).or_else(oracle).unwrap_or(Self::Other { message, data }))
    }
}

impl fmt::Display for Revert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escrow(error) => f.write_str(&named(&format!("{error:?}"))),
            Self::Registry(error) => f.write_str(&named(&format!("{error:?}"))),
            Self::Oracle(error) => f.write_str(&named(&format!("{error:?}"))),
            Self::Other { message, data } if data.is_empty() => f.write_str(message),
            Self::Other { message, data } => write!(f, "{message} {data}"),
        }
    }
}

/// An error without the enum around it, which repeats its name: `Name(Name { … })`.
fn named(shown: &str) -> String {
    let inner = shown.split_once('(').and_then(|(name, rest)| {
        let inner = rest.strip_suffix(')')?;
        inner.starts_with(name).then_some(inner)
    });
    inner.unwrap_or(shown).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_fails_is_told_without_its_url() {
        let secret = "error sending request for url (https://rpc.test/v3/secret)";
        let error = ChainError::from(TransportErrorKind::custom_str(secret));
        assert_eq!(error.to_string(), "RPC: endpoint can't be reached");
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert!(source.is_none_or(|source| !source.contains("secret")));
    }

    #[test]
    fn an_error_is_named_once() {
        assert_eq!(named("A(A { x: 1 })"), "A { x: 1 }");
        assert_eq!(named("A(B)"), "A(B)");
        assert_eq!(named("A"), "A");
    }
}
