//! Named mistakes in the money code, each of which a named test must see: `tests/mutations.toml`.

use anyhow::{Context as _, Result, bail, ensure};
use hashlease_toolchain::Toolchain;
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

#[derive(Deserialize)]
struct Mutations {
    mutation: Vec<Mutation>,
}

#[derive(Deserialize)]
struct Mutation {
    name: String,
    /// What would be lost.
    why: String,
    file: PathBuf,
    find: String,
    replace: String,
    /// For `forge test --match-test`.
    test: String,
    /// For `forge test --match-path`.
    path: String,
}

/// What forge needs, copied to where it may be broken; the packages are linked.
fn copy_of(root: &Path) -> Result<PathBuf> {
    let copy = root.join("target/mutants");
    if copy.exists() {
        fs::remove_dir_all(&copy).context("target/mutants")?;
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

/// Runs the named tests. Returns whether they pass, and what forge said.
fn test(tools: &Toolchain, copy: &Path, mutation: &Mutation) -> Result<(bool, String)> {
    let mut forge = Command::new(tools.tool("forge")?);
    forge.args(["test", "--match-test", &mutation.test, "--match-path", &mutation.path]);
    // only what the named tests need is compiled
    for folder in ["unit", "fuzz", "invariant", "differential", "gas"] {
        if !mutation.path.contains(&format!("/{folder}/")) {
            forge.args(["--skip", &format!("tests/{folder}/**")]);
        }
    }
    let output = forge
        .args(["--skip", "script/*.s.sol"])
        .env_remove("FOUNDRY_PROFILE")
        .env("FORGE_SNAPSHOT_EMIT", "false")
        .current_dir(copy)
        .output()
        .context("starting forge")?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// Applies each mistake in a copy of the contracts, and expects its tests to fail there and to pass without it.
pub(crate) fn run(tools: &Toolchain, only: Option<&str>) -> Result<()> {
    let root = tools.root();
    let text = fs::read_to_string(root.join("tests/mutations.toml")).context("tests/mutations.toml")?;
    let Mutations { mutation } = toml::from_str(&text).context("tests/mutations.toml")?;
    let copy = copy_of(root)?;
    let mut unseen = Vec::new();
    for mutation in mutation.iter().filter(|mutation| only.is_none_or(|only| mutation.name.contains(only))) {
        let file = copy.join(&mutation.file);
        let sound = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let found = sound.matches(&mutation.find).count();
        ensure!(found == 1, "{}: expected its text once in {}, found {found}", mutation.name, file.display());
        let (passes, said) = test(tools, &copy, mutation)?;
        ensure!(
            passes && !said.contains("No tests"),
            "{}: fails without the mistake:\n{said}",
            mutation.name
        );
        fs::write(&file, sound.replace(&mutation.find, &mutation.replace))?;
        let (passes, said) = test(tools, &copy, mutation)?;
        fs::write(&file, sound)?;
        if said.contains("Compiler run failed") {
            bail!("{}: does not compile:\n{said}", mutation.name);
        }
        let verdict = if passes { "NOT SEEN" } else { "seen" };
        println!("{verdict:<9} {} ({})", mutation.name, mutation.why);
        if passes {
            unseen.push(mutation.name.as_str());
        }
    }
    ensure!(unseen.is_empty(), "no test sees: {}", unseen.join(", "));
    Ok(())
}
