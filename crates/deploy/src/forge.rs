//! Forge scripts of the code that is deployed.

use anyhow::{Context as _, Result};
use hashlease_toolchain::Toolchain;
use std::{fs::File, path::Path, process::Command};

/// Artifacts of the scripts: a folder of their own, because other commands leave artifacts without
/// bytecode in `out`.
pub(crate) const OUT: &str = "cache/deploy/out";

/// A script against an endpoint. Hold [`lock`] while it runs.
///
/// # Errors
/// On a platform without forge.
pub fn forge_script(tools: &Toolchain, url: &str, script: &str) -> Result<Command> {
    let mut forge = Command::new(tools.tool("forge")?);
    forge.args(["script", script, "--rpc-url", url]);
    forge.env("FOUNDRY_PROFILE", "release").env("FOUNDRY_OUT", OUT);
    forge.env("FOUNDRY_CACHE_PATH", "cache/deploy").current_dir(tools.root());
    Ok(forge)
}

/// Waits for a lock between processes; dropping the file releases it. Forge rewrites its cache on
/// each run, and compiles everything if it reads a half-written one.
///
/// # Errors
/// If the file can't be made or locked.
pub fn lock(root: &Path) -> Result<File> {
    let path = root.join("cache/deploy.lock");
    std::fs::create_dir_all(root.join("cache")).context("cache")?;
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    file.lock().with_context(|| path.display().to_string())?;
    Ok(file)
}
