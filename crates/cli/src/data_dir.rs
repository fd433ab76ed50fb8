//! Whose a data directory is: it belongs to one role, chain, escrow and key, says so in a file of
//! its own, and is refused for any other.
//!
//! A node that took the records of another deployment for its own would count shares by another
//! lease's terms: lease numbers are the same on every chain.

use alloy_primitives::Address;
use anyhow::{Context as _, Result, ensure};
use hashlease_chain::Deployment;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::Path,
};

/// Name of the file.
const OWNER: &str = "owner.toml";
const COMMENT: &str = "# Whose data these are. Written at the first start.\n";

/// The owner of a data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Owner {
    role: String,
    chain_id: u64,
    escrow: Address,
    /// The provider's key, the job signer's or the member's.
    key: Address,
}

impl Owner {
    /// A role under a key, for the leases of a deployment.
    pub(crate) fn new(role: &str, Deployment { chain_id, escrow, .. }: &Deployment, key: Address) -> Self {
        Self { role: role.to_owned(), chain_id: *chain_id, escrow: *escrow, key }
    }

    /// Makes the directory this owner's if nobody has it yet.
    ///
    /// # Errors
    /// When it is another's, or the file can't be read or written.
    pub(crate) fn claim(&self, dir: &Path) -> Result<()> {
        let path = dir.join(OWNER);
        fs::create_dir_all(dir).with_context(|| format!("data directory {}", dir.display()))?;
        match fs::read_to_string(&path) {
            Ok(text) => {
                let held = toml::from_str(&text).with_context(|| path.display().to_string())?;
                self.require(&held, dir)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.write(dir, &path).with_context(|| path.display().to_string())
            }
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    fn require(&self, held: &Self, dir: &Path) -> Result<()> {
        let next = "use another --data-dir, or the settings and key that these data belong to";
        let fields = [
            ("role", &held.role, &self.role),
            ("chain", &held.chain_id.to_string(), &self.chain_id.to_string()),
            ("escrow", &held.escrow.to_string(), &self.escrow.to_string()),
            ("key", &held.key.to_string(), &self.key.to_string()),
        ];
        for (name, held, own) in fields {
            ensure!(held == own, "data directory {} is of {name} {held}, not {own}: {next}", dir.display());
        }
        Ok(())
    }

    /// Writes the file whole: a crash leaves it complete, or not there.
    fn write(&self, dir: &Path, path: &Path) -> Result<()> {
        let text = toml::to_string(self)?;
        let unfinished = path.with_extension("new");
        let mut file = File::create(&unfinished)?;
        file.write_all(COMMENT.as_bytes())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        // the name must be as durable as the records that follow
        File::open(dir)?.sync_all()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        let (escrow, key) = (Address::repeat_byte(1), Address::repeat_byte(2));
        Owner { role: "node".into(), chain_id: 1, escrow, key }
    }

    #[test]
    fn a_directory_is_refused_for_any_other_owner() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("data");
        owner().claim(&dir).unwrap();
        owner().claim(&dir).unwrap();
        let written = fs::read(dir.join(OWNER)).unwrap();
        let others = [
            ("role", Owner { role: "member".into(), ..owner() }),
            ("chain", Owner { chain_id: 2, ..owner() }),
            ("escrow", Owner { escrow: Address::ZERO, ..owner() }),
            ("key", Owner { key: Address::ZERO, ..owner() }),
        ];
        for (name, other) in others {
            let error = other.claim(&dir).unwrap_err().to_string();
            assert!(error.contains(&format!("is of {name} ")) && error.contains("--data-dir"), "{error}");
        }
        assert_eq!(fs::read(dir.join(OWNER)).unwrap(), written);
    }

    #[test]
    fn a_crash_while_the_file_is_written_leaves_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("owner.new"), "role = ").unwrap();
        owner().claim(dir.path()).unwrap();
        owner().claim(dir.path()).unwrap();
    }

    #[test]
    fn a_file_that_can_not_be_read_is_no_free_directory() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "role = \"node\"", "garbage"] {
            fs::write(dir.path().join(OWNER), text).unwrap();
            let error = owner().claim(dir.path()).unwrap_err();
            assert!(error.to_string().contains("owner.toml"), "{error}");
            assert_eq!(fs::read_to_string(dir.path().join(OWNER)).unwrap(), text);
        }
    }
}
