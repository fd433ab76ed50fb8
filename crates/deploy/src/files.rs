//! The files of `script/deployments`.

use crate::{Environment, address, problem};
use alloy_primitives::Address;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

/// A deployment's contracts, as the deployment script wrote them.
#[derive(Clone, Debug, Deserialize)]
pub struct Deployed {
    /// Address of each contract.
    pub contracts: BTreeMap<String, DeployedContract>,
}

/// One contract of a deployment.
#[derive(Clone, Debug, Deserialize)]
pub struct DeployedContract {
    /// Where it is.
    pub address: Address,
}

impl Deployed {
    /// Reads a deployment's file.
    ///
    /// # Errors
    /// If it can't be read, or is no such file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }
}

/// Accounts that are contracts of some deployment, which can use nothing that they are given. The
/// addresses are the same on every chain, so the file of another chain tells them before the first
/// compilation.
///
/// # Errors
/// If a file can't be read.
pub fn account_problems(root: &Path, environment: &Environment) -> Result<Vec<String>> {
    let folder = root.join("script/deployments");
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "toml"));
    paths.sort();
    let mut lines = Vec::new();
    for path in paths {
        let deployed = Deployed::read(&path)?;
        for (name, contract) in &deployed.contracts {
            for variable in
                ["HASHLEASE_ORACLE_PAYEE", "HASHLEASE_GOVERNOR", "HASHLEASE_GUARDIAN", "HASHLEASE_TREASURY"]
            {
                if address(environment.get(variable)) == Some(contract.address) {
                    let got = format!("{name} {}", contract.address);
                    lines.push(problem(variable, "an account outside of the deployment", &got));
                }
            }
        }
    }
    lines.dedup();
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_is_the_escrow_is_told() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("script/deployments");
        fs::create_dir_all(&folder).unwrap();
        let escrow = Address::repeat_byte(0xe5);
        let text = format!("[contracts.LeaseEscrow]\naddress = \"{escrow}\"\ninitcode_hash = \"0x\"\n");
        fs::write(folder.join("1.toml"), text).unwrap();
        fs::write(folder.join("README.md"), "no deployment").unwrap();
        let payee = |address: String| [("HASHLEASE_ORACLE_PAYEE", address)].into_iter().collect();
        let lines = account_problems(root.path(), &payee(escrow.to_string())).unwrap();
        let expected = format!("an account outside of the deployment, got LeaseEscrow {escrow}");
        assert_eq!(lines, [format!("HASHLEASE_ORACLE_PAYEE: expected {expected}")]);
        let other = payee(Address::repeat_byte(1).to_string());
        assert_eq!(account_problems(root.path(), &other).unwrap(), [""; 0]);
        fs::write(folder.join("2.toml"), "half a fi").unwrap();
        assert!(account_problems(root.path(), &other).unwrap_err().to_string().contains("2.toml"));
    }
}
