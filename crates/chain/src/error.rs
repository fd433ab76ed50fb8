//! What can go wrong between us and the chain.

use alloy::{
    contract::Error as ContractError,
    transports::{RpcError, TransportErrorKind},
};
use alloy_primitives::{Address, B256};

/// Why a read or a transaction failed.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The endpoint is on another chain than the deployment.
    #[error("RPC endpoint {endpoint} serves chain {actual}: the deployment is on chain {expected}")]
    WrongChain {
        /// Endpoint without credentials.
        endpoint: String,
        /// Chain id of the deployment.
        expected: u64,
        /// What the endpoint says.
        actual: u64,
    },
    /// No code where a contract should be.
    #[error("no contract at {address} ({what}): is the deployment on this chain?")]
    NoContract {
        /// Which contract.
        what: &'static str,
        /// Where it should be.
        address: Address,
    },
    /// The endpoint could not be reached, or answered with an error.
    #[error("RPC: {0}")]
    Rpc(String),
    /// A contract refused, with the name of its error.
    #[error("{call} reverted: {reason}")]
    Reverted {
        /// What was called.
        call: &'static str,
        /// The contract's error, decoded where it is one of ours.
        reason: String,
    },
    /// A transaction was mined and failed.
    #[error("{call} failed in transaction {hash}")]
    Failed {
        /// What was called.
        call: &'static str,
        /// The transaction.
        hash: B256,
    },
    /// A transaction was not mined in time; it may still be.
    #[error("{call} is not mined after {seconds} s (nonce {nonce}): it stays in flight")]
    NotMined {
        /// What was called.
        call: &'static str,
        /// Its nonce.
        nonce: u64,
        /// How long we waited.
        seconds: u64,
    },
    /// The sending account can't pay for gas.
    #[error("account {account} can't pay for gas of {call}: fund it with native currency")]
    NoGasMoney {
        /// What was called.
        call: &'static str,
        /// Who sends.
        account: Address,
    },
    /// The chain says something that can't be.
    #[error("{what}: expected {expected}, got {actual}")]
    Unexpected {
        /// Of what.
        what: &'static str,
        /// What a sound contract says.
        expected: String,
        /// What came.
        actual: String,
    },
}

/// The first line of an error without addresses of endpoints, which may carry keys.
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

/// Decodes what a contract reverted with, by the errors of our contracts.
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

/// An error's own words: the enum around it repeats its name, `Name(Name { … })`.
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
