//! The checkout, and its tools as commands that run in it.

use anyhow::Result;
use hashlease_toolchain::Toolchain;
use std::{path::Path, process::Command};

pub(crate) struct Workshop {
    pub tools: Toolchain,
}

impl Workshop {
    pub(crate) fn root(&self) -> &Path {
        self.tools.root()
    }

    /// Forge's platform binary: npm's launcher exits 0 when tests fail.
    pub(crate) fn forge(&self, arguments: &[&str]) -> Result<Command> {
        let mut forge = Command::new(self.tools.tool("forge")?);
        forge.args(arguments).current_dir(self.root()).env_remove("FOUNDRY_PROFILE");
        Ok(forge)
    }

    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(arguments).current_dir(self.root());
        cargo
    }
}
