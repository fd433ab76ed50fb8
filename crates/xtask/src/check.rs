//! Everything that is not a test but must hold: formatting, graphs, lints, documentation, bindings,
//! gas.

use crate::{
    graph::{self, Show},
    step::{step, succeed},
    trees,
    workshop::Workshop,
};
use anyhow::{Result, ensure};
use std::process::Output;

pub(crate) fn run(workshop: &Workshop) -> Result<()> {
    step("cargo fmt", || {
        succeed(&mut workshop.cargo(&["fmt", "--all", "--check"]))?;
        succeed(&mut workshop.cargo(&["fmt", "--manifest-path", "tests/fuzzing/Cargo.toml", "--check"]))
    })?;
    step("forge fmt", || succeed(&mut workshop.forge(&["fmt", "--check"])?))?;
    step("graph", || graph::run(workshop.root(), Show::Nothing, false))?;
    step("branching trees", || trees::check(workshop.root()))?;
    step("clippy", || clippy(workshop))?;
    step("forge lint", || forge_lint(workshop))?;
    step("documentation", || {
        let arguments = ["doc", "--workspace", "--no-deps", "--locked"];
        succeed(workshop.cargo(&arguments).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    step("bindings are up to date", || bindings(workshop, &["--check"]))?;
    step("gas equals the snapshot", || gas(workshop, true))
}

fn clippy(workshop: &Workshop) -> Result<()> {
    let deny = ["--locked", "--", "-D", "warnings"];
    succeed(workshop.cargo(&["clippy", "--workspace", "--all-targets"]).args(deny))?;
    // the packaged program, without the demo and the simulator
    let packaged = ["clippy", "-p", "hashlease-cli", "--no-default-features", "--all-targets"];
    succeed(workshop.cargo(&packaged).args(deny))?;
    // the code of processors without any of the kernels' instructions
    let portable = ["clippy", "-p", "hashlease-pow", "--all-targets", "--features", "portable"];
    succeed(workshop.cargo(&portable).args(deny))?;
    // the fuzz targets are a workspace of their own, and no other step compiles them
    let fuzzing =
        ["clippy", "--manifest-path", "tests/fuzzing/Cargo.toml", "--target-dir", "target", "--bins"];
    succeed(workshop.cargo(&fuzzing).args(deny))
}

fn forge_lint(workshop: &Workshop) -> Result<()> {
    let mut lint = workshop.forge(&["lint"])?;
    // it writes artifacts without bytecode, so it needs a folder that no other command reads
    lint.env("FOUNDRY_OUT", "cache/lint/out").env("FOUNDRY_CACHE_PATH", "cache/lint");
    let Output { status, stdout, stderr } = lint.output()?;
    let said = [stdout, stderr].concat();
    let said = String::from_utf8_lossy(&said);
    ensure!(status.success() && !said.contains("warning[") && !said.contains("note["), "{said}");
    Ok(())
}

/// Writes the bindings, or with `--check` compares them.
pub(crate) fn bindings(workshop: &Workshop, arguments: &[&str]) -> Result<()> {
    let mut run = workshop.cargo(&["run", "--locked", "-p", "hashlease-artifacts", "--"]);
    succeed(run.args(arguments).arg("--root").arg(workshop.root()))
}

/// Writes the gas snapshot, or compares it.
pub(crate) fn gas(workshop: &Workshop, compare: bool) -> Result<()> {
    let mut forge = workshop.forge(&["test", "--isolate", "--match-path", "tests/gas/*"])?;
    // the snapshot is of deployed code, which takes long to compile: everything else is left out
    for other in [
        "tests/unit/**",
        "tests/fuzz/**",
        "tests/invariant/**",
        "tests/differential/**",
        "tests/known_faults/**",
        "script/*.s.sol",
    ] {
        forge.args(["--skip", other]);
    }
    forge.env("FOUNDRY_PROFILE", "release").env("FORGE_SNAPSHOT_CHECK", compare.to_string());
    succeed(&mut forge)
}
