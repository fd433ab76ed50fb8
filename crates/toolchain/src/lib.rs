//! Foundry's binaries out of npm, installed into the checkout when they are missing.
//!
//! The platform binaries are called directly: npm's launchers exit 0 whatever happens.

use anyhow::{Context as _, Result, bail, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A checkout with its pinned tools.
#[derive(Clone, Debug)]
pub struct Toolchain {
    root: PathBuf,
}

fn platform() -> Result<String> {
    let os = match std::env::consts::OS {
        "linux" => "linux",
        "macos" => "darwin",
        "windows" => "win32",
        other => bail!("Foundry is not published for {other}: use Linux, macOS or Windows"),
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("Foundry is not published for {other}: use x86-64 or arm64"),
    };
    Ok(format!("{os}-{arch}"))
}

impl Toolchain {
    /// Finds the checkout that this was built from, or the working directory, and installs what is missing.
    ///
    /// # Errors
    /// When Node is missing or too old, npm fails, or no checkout is found.
    pub fn find() -> Result<Self> {
        let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let here = std::env::current_dir().context("working directory")?;
        let root = [built_from, here]
            .into_iter()
            .find(|dir| dir.join("foundry.toml").is_file())
            .context("no checkout of Hashlease here: run this inside the cloned repository")?;
        let root = root.canonicalize().context("checkout")?;
        let found = Self { root };
        found.install()?;
        Ok(found)
    }

    fn install(&self) -> Result<()> {
        let node = Command::new("node").arg("--version").output();
        let node = node.context("Node is missing: install Node 20 or newer from https://nodejs.org")?;
        let version = String::from_utf8_lossy(&node.stdout).trim().to_owned();
        let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
        ensure!(major.is_some_and(|major: u32| major >= 20), "Node 20 or newer is needed, found {version}");
        let forge = self.tool("forge")?;
        self.install_packages("contracts", forge.is_file())?;
        ensure!(forge.is_file(), "npm did not bring {}", forge.display());
        Ok(())
    }

    /// Installs what the `package-lock.json` of a folder of the checkout pins, unless it is `there` already and no older.
    ///
    /// # Errors
    /// When npm is missing or fails.
    pub fn install_packages(&self, folder: &str, there: bool) -> Result<()> {
        let path = self.root.join(folder);
        // npm writes this last, so a half-finished install is done again
        let (done, wanted) = (path.join("node_modules/.package-lock.json"), path.join("package-lock.json"));
        let age = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
        if there && age(&done) >= age(&wanted) {
            return Ok(());
        }
        eprintln!("installing what {folder}/package.json names from npm into {folder}/node_modules");
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        let done = Command::new(npm)
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"])
            .current_dir(&path)
            // what this program writes there may be for machines
            .stdout(std::io::stderr())
            .status()
            .context("npm is missing: it comes with Node")?;
        ensure!(done.success(), "npm ci in {} failed: {done}", path.display());
        Ok(())
    }

    /// Root of the checkout.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A Foundry binary: `forge`, `anvil` or `cast`.
    ///
    /// # Errors
    /// On a platform that Foundry is not published for.
    pub fn tool(&self, name: &str) -> Result<PathBuf> {
        let package = format!("{name}-{}", platform()?);
        let binary = if cfg!(windows) { format!("{name}.exe") } else { name.to_owned() };
        Ok(self.root.join("contracts/node_modules/@foundry-rs").join(package).join("bin").join(binary))
    }
}
