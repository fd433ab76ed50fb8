//! Static analysis of the contracts.

use crate::{step::succeed, workshop::Workshop};
use anyhow::{Context as _, Result};
use std::{path::Path, process::Command};

const PACKAGE: &str = "slither-analyzer==0.11.6";

pub(crate) fn run(workshop: &Workshop) -> Result<()> {
    let home = workshop.root().join("target/slither");
    let tool = |name: &str| home.join(if cfg!(windows) { "Scripts" } else { "bin" }).join(name);
    if !tool("slither").is_file() {
        eprintln!("installing {PACKAGE} from PyPI into target/slither");
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        succeed(Command::new(tool("pip")).args(["install", PACKAGE]))?;
    }
    let (out, cache) = ("cache/slither/out", "cache/slither");
    let mut build =
        workshop.forge(&["build", "--build-info", "--force", "--skip", "tests/**", "--skip", "script/**"])?;
    build.env("FOUNDRY_OUT", out).env("FOUNDRY_CACHE_PATH", cache);
    succeed(build.env("FOUNDRY_LINT_LINT_ON_BUILD", "false"))?;
    let mut slither = Command::new(tool("slither"));
    slither.args([".", "--ignore-compile", "--foundry-out-directory", out]).current_dir(workshop.root());
    // it asks the first forge on the PATH for the settings
    let forge = workshop.tools.tool("forge")?;
    let folders = forge.parent().map(Path::to_path_buf).into_iter();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(folders.chain(std::env::split_paths(&path))).context("PATH")?;
    succeed(slither.env("PATH", path).env("FOUNDRY_OUT", out).env("FOUNDRY_CACHE_PATH", cache))
}
