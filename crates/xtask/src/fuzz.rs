//! Runs the fuzz targets of `tests/fuzzing`.

use crate::{step::succeed, tools};
use anyhow::{Context as _, Result, ensure};
use std::{
    path::Path,
    process::{Command, Output},
};

/// Version of cargo-fuzz.
const CARGO_FUZZ: &str = "0.13.2";
/// Not into the package's own folder.
const BUILT_INTO: [&str; 2] = ["--target-dir", "target/fuzz"];
/// Longest input, bytes: a format's deepest corner is nearer than that.
const LONGEST: usize = 4_096;

/// Runs one target, or all, for so many seconds each. What a run learned stays in `target/fuzz-corpus` for the next.
pub(crate) fn run(root: &Path, seconds: u64, only: Option<&str>) -> Result<()> {
    tools::install(root, "cargo-fuzz", CARGO_FUZZ)?;
    let all = targets(root)?;
    let chosen: Vec<&String> = all.iter().filter(|target| only.is_none_or(|only| only == *target)).collect();
    ensure!(!chosen.is_empty(), "no such fuzz target: expected one of {}", all.join(", "));
    succeed(fuzz(root, "build").args(BUILT_INTO).args(only))?;
    for target in chosen {
        let corpus = root.join("target/fuzz-corpus").join(target);
        std::fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
        eprintln!("── {target}");
        let mut run = fuzz(root, "run");
        run.args(BUILT_INTO).arg(target).arg(corpus).arg("--");
        run.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={LONGEST}"));
        // no step of a target takes that long; what does is a finding, too. A thread that is just ending would be taken for a
        // leak of what the standard library keeps of it.
        succeed(run.args(["-timeout=20", "-detect_leaks=0", "-print_final_stats=1", "-verbosity=0"]))?;
    }
    Ok(())
}

fn fuzz(root: &Path, command: &str) -> Command {
    let mut fuzz = Command::new(tools::file(root, "cargo-fuzz"));
    fuzz.args(["fuzz", command, "--fuzz-dir", "tests/fuzzing"]);
    // the sanitizer's flags are unstable; the compiler is the one that everything else is built with
    fuzz.current_dir(root).env("RUSTC_BOOTSTRAP", "1");
    fuzz
}

/// What the package has; cargo-fuzz knows.
fn targets(root: &Path) -> Result<Vec<String>> {
    let Output { status, stdout, stderr } = fuzz(root, "list").output().context("cargo-fuzz")?;
    ensure!(status.success(), "cargo fuzz list: {}", String::from_utf8_lossy(&stderr));
    Ok(String::from_utf8_lossy(&stdout).lines().map(str::to_owned).collect())
}
