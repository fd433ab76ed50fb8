//! Runs the fuzz targets of `tests/fuzzing`.

use crate::{step::succeed, tools};
use anyhow::{Context as _, Result, ensure};
use std::{
    path::Path,
    process::{Command, Output},
};

/// Version of cargo-fuzz.
const CARGO_FUZZ: &str = "0.13.2";
/// The fuzz package would otherwise build into a folder of its own.
const BUILT_INTO: [&str; 2] = ["--target-dir", "target/fuzz"];
/// Longest input, bytes. Shorter inputs reach every branch of the formats.
const LONGEST: usize = 4_096;

/// Runs one target or all of them, each for `seconds`. The corpus is kept in `target/fuzz-corpus`
/// for the next run.
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
        // an input that takes 20 s is a finding. Leak detection reports the standard library's data
        // of threads that are just ending, so it is off.
        succeed(run.args(["-timeout=20", "-detect_leaks=0", "-print_final_stats=1", "-verbosity=0"]))?;
    }
    Ok(())
}

fn fuzz(root: &Path, command: &str) -> Command {
    let mut fuzz = Command::new(tools::file(root, "cargo-fuzz"));
    fuzz.args(["fuzz", command, "--fuzz-dir", "tests/fuzzing"]);
    // the sanitizer's flags are unstable, and the compiler is a stable one
    fuzz.current_dir(root).env("RUSTC_BOOTSTRAP", "1");
    fuzz
}

/// Names of all fuzz targets.
fn targets(root: &Path) -> Result<Vec<String>> {
    let Output { status, stdout, stderr } = fuzz(root, "list").output().context("cargo-fuzz")?;
    ensure!(status.success(), "cargo fuzz list: {}", String::from_utf8_lossy(&stderr));
    Ok(String::from_utf8_lossy(&stdout).lines().map(str::to_owned).collect())
}
