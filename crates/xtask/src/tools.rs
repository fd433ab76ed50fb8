//! Tools from crates.io, each of a pinned version, installed into `target/tools`.

use crate::step::succeed;
use anyhow::{Context as _, Result};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

fn bin(root: &Path) -> PathBuf {
    root.join("target/tools/bin")
}

/// Path of an installed tool.
pub(crate) fn file(root: &Path, name: &str) -> PathBuf {
    bin(root).join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Installs a tool unless this version is installed already.
pub(crate) fn install(root: &Path, name: &str, version: &str) -> Result<()> {
    // cargo's list of installed versions
    let list = root.join("target/tools/.crates.toml");
    let listed = std::fs::read_to_string(list).unwrap_or_default();
    if file(root, name).is_file() && listed.contains(&format!("\"{name} {version} (")) {
        return Ok(());
    }
    eprintln!("installing {name} {version} from crates.io into target/tools");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut install = Command::new(cargo);
    install.args(["install", "--locked", &format!("{name}@{version}"), "--root"]);
    succeed(install.arg(root.join("target/tools")).env_remove("RUSTFLAGS"))
}

/// Version of a package in `Cargo.lock`.
pub(crate) fn locked(root: &Path, name: &str) -> Result<String> {
    let text = std::fs::read_to_string(root.join("Cargo.lock")).context("Cargo.lock")?;
    let lock: toml::Table = toml::from_str(&text).context("Cargo.lock")?;
    let packages = lock.get("package").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
    let package =
        packages.iter().find(|package| package.get("name").and_then(toml::Value::as_str) == Some(name));
    let version = package.and_then(|package| package.get("version")).and_then(toml::Value::as_str);
    Ok(version.with_context(|| format!("Cargo.lock has no {name}"))?.to_owned())
}

/// `PATH` with the tools in front.
pub(crate) fn path(root: &Path) -> Result<OsString> {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(bin(root)).chain(std::env::split_paths(&rest))).context("PATH")
}
