//! Mistakes in contracts, seen by forge tests.

use super::run::{Run, Verdict};
use anyhow::{Context as _, Result};
use hashlease_toolchain::Toolchain;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The named test: `forge test --match-test TEST --match-path PATH`.
pub(super) struct Test {
    pub path: String,
    pub test: String,
}

/// Copies everything that forge needs; the packages are linked.
pub(super) fn copy(root: &Path) -> Result<PathBuf> {
    let copy = root.join("target/mutants/solidity");
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| copy.display().to_string())?;
    }
    for part in ["contracts/src", "contracts/tools", "script", "tests"] {
        copy_dir(&root.join(part), &copy.join(part))?;
    }
    fs::copy(root.join("foundry.toml"), copy.join("foundry.toml")).context("foundry.toml")?;
    #[cfg(unix)]
    std::os::unix::fs::symlink(root.join("contracts/node_modules"), copy.join("contracts/node_modules"))
        .context("contracts/node_modules")?;
    #[cfg(not(unix))]
    copy_dir(&root.join("contracts/node_modules"), &copy.join("contracts/node_modules"))?;
    Ok(copy)
}

fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_dir(&source, &target)?;
        } else {
            fs::copy(&source, &target).with_context(|| source.display().to_string())?;
        }
    }
    Ok(())
}

impl Test {
    pub(super) fn run(&self, tools: &Toolchain, copy: &Path) -> Result<Run> {
        let mut forge = Command::new(tools.tool("forge")?);
        forge.args(["test", "--match-test", &self.test, "--match-path", &self.path]);
        // the other folders need not be compiled
        for folder in ["unit", "fuzz", "invariant", "differential", "gas", "known_faults"] {
            if !self.path.contains(&format!("/{folder}/")) {
                forge.args(["--skip", &format!("tests/{folder}/**")]);
            }
        }
        let output = forge
            .args(["--skip", "script/*.s.sol"])
            .env_remove("FOUNDRY_PROFILE")
            .env("FORGE_SNAPSHOT_EMIT", "false")
            // a mistake may leave a variable unused
            .env("FOUNDRY_DENY", "never")
            .current_dir(copy)
            .output()
            .context("starting forge")?;
        Ok(Run::new(&output, verdict))
    }
}

fn verdict(said: &str, success: bool) -> Verdict {
    match success {
        _ if said.contains("Compiler run failed") => Verdict::DoesNotCompile,
        _ if said.contains("No tests") => Verdict::NotFound,
        true => Verdict::Passes,
        false => Verdict::Fails,
    }
}
