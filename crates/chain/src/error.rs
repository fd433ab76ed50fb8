//! Errors of reads and transactions.

use alloy::{
    contract::Error as ContractError,
    transports::{RpcError, TransportErrorKind},
};
use alloy_primitives::{Address, B256};

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
    HttpClient(String),
    /// The endpoint could not be reached, or answered with an error.
    #[error("RPC: {0}")]
    Rpc(String),
    /// A dry run reverted. `reason` is decoded if it is an error of our contracts.
    #[error("{call} reverted: {reason}")]
    Reverted { call: &'static str, reason: String },
    /// A transaction was mined and failed.
    #[error("{call} failed in transaction {hash}")]
    Failed { call: &'static str, hash: B256 },
    /// A transaction was not mined in time, and may still be mined.
    #[error("{call} is not mined after {seconds} s (nonce {nonce}): it stays in flight")]
    NotMined { call: &'static str, nonce: u64, seconds: u64 },
    /// The sending account can't pay for gas.
    #[error("account {account} can't pay for gas of {call}: fund it with native currency")]
    NoGasMoney { call: &'static str, account: Address },
    /// A contract or the endpoint returned a value that it can't have.
    #[error("{what}: expected {expected}, got {actual}")]
    Unexpected { what: &'static str, expected: String, actual: String },
}

/// An error's text without URLs of endpoints, which may contain keys.
fn clean(error: &RpcError<TransportErrorKind>) -> String {
    match error {
        RpcError::ErrorResp(payload) => format!("{} ({})", payload.message, payload.code),
        RpcError::Transport(kind) => {
            let text = kind.to_string();
            if text.contains("://") { "endpoint can't be reached".into() } else { text }
        }
        other => other.to_string(),
    }
}

impl From<RpcError<TransportErrorKind>> for ChainError {
    fn from(error: RpcError<TransportErrorKind>) -> Self {
        Self::Rpc(clean(&error))
    }
}

impl From<ContractError> for ChainError {
    fn from(error: ContractError) -> Self {
        match error {
            ContractError::TransportError(error) => error.into(),
            other => Self::Rpc(other.to_string()),
        }
    }
}

/// Decodes the reason of a revert by the errors of our contracts.
pub(crate) fn revert_reason(error: &RpcError<TransportErrorKind>) -> Option<String> {
    use crate::bindings::{
        CommitteeOracle::CommitteeOracleErrors, LeaseEscrow::LeaseEscrowErrors, Registry::RegistryErrors,
    };
    let payload = error.as_error_resp()?;
    let data = payload.as_revert_data();
    let Some(data) = data else {
        return payload.message.contains("revert").then(|| payload.message.to_string());
    };
    if let Some(known) = payload.as_decoded_interface_error::<LeaseEscrowErrors>() {
        return Some(named(&format!("{known:?}")));
    }
    // the escrow asks the registry at renting
    if let Some(known) = payload.as_decoded_interface_error::<RegistryErrors>() {
        return Some(named(&format!("{known:?}")));
    }
    if let Some(known) = payload.as_decoded_interface_error::<CommitteeOracleErrors>() {
        return Some(named(&format!("{known:?}")));
    }
    Some(if data.is_empty() { payload.message.to_string() } else { format!("{} {data}", payload.message) })
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
    fn an_error_is_named_once() {
        assert_eq!(named("A(A { x: 1 })"), "A { x: 1 }");
        assert_eq!(named("A(B)"), "A(B)");
        assert_eq!(named("A"), "A");
    }
}
