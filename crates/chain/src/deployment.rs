//! Addresses of the contracts on a chain: the file that `forge script` writes into
//! `script/deployments`.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use std::{io, path::Path};

/// Addresses of one deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Chain id (EIP-155).
    pub chain_id: u64,
    /// A block before the escrow existed: logs are read from here.
    pub block: u64,
    /// `LeaseEscrow`.
    pub escrow: Address,
    /// `Registry`: what new leases may use.
    pub registry: Address,
    /// `LeaseLens`: reads for web pages.
    pub lens: Address,
    /// `Directory`: where offers and gateways are announced.
    pub directory: Address,
    /// `CommitteeOracle` that was registered with the deployment.
    pub oracle: Address,
    /// Its id in the registry.
    pub oracle_id: u32,
    /// A token that leases can be paid in.
    pub token: Address,
    /// OpenZeppelin `AccessManager` of the governor.
    pub access_manager: Address,
}

/// Why a deployment could not be read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
pub enum DeploymentError {
    /// The file can't be read.
    #[error("deployment file {path}: {source}")]
    Io { path: String, source: io::Error },
    /// The file is not a deployment. The message names line and field.
    #[error("deployment file {path}: {message}")]
    Content { path: String, message: String },
}

impl Deployment {
    /// Reads a file of `script/deployments`.
    ///
    /// # Errors
    /// [`DeploymentError`] that names the file and the field.
    pub fn read(path: &Path) -> Result<Self, DeploymentError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| DeploymentError::Io { path: shown.clone(), source })?;
        toml::from_str(&text)
            .map_err(|error| DeploymentError::Content { path: shown, message: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_file_and_field() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1.toml");
        let missing = Deployment::read(&path).unwrap_err().to_string();
        assert!(missing.contains("1.toml"), "{missing}");
        std::fs::write(&path, "chain_id = 1\nescrow = \"0x12\"\n").unwrap();
        let wrong = Deployment::read(&path).unwrap_err().to_string();
        assert!(wrong.contains("escrow"), "{wrong}");
    }
}
