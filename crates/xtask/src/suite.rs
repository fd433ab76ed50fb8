//! Every test, in an order that keeps two cores busy.
//!
//! forge and Node run while cargo compiles. Tests in Rust may depend on time, so they start once
//! forge has ended. End-to-end tests mostly wait for the clocks of their chains, so two of them run
//! at once.

use crate::{
    step::{step, succeed, succeed_aside},
    workshop::Workshop,
};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde::Deserialize;
use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::Mutex,
    thread,
};

/// The crate of the end-to-end tests.
const END_TO_END: &str = "hashlease-e2e";
/// It has no tests, but a compiler for Solidity among its dependencies. `check` compiles and runs
/// it.
const UNTESTED: &str = "hashlease-artifacts";
/// End-to-end tests that run at once.
const AT_ONCE: usize = 2;

/// Runs everything; with `quick`, everything but the end-to-end tests.
pub(crate) fn run(workshop: &Workshop, quick: bool) -> Result<()> {
    let (beside, built) = thread::scope(|scope| {
        let beside = scope.spawn(|| beside_cargo(workshop, quick));
        let built = step("compiling the tests in Rust", || build(workshop));
        (beside.join(), built)
    });
    beside.map_err(|_| anyhow!("the thread of forge's tests panicked"))??;
    let built = built?;
    step("cargo test", || {
        let arguments = ["test", "--workspace", "--locked", "--exclude", UNTESTED, "--exclude", END_TO_END];
        succeed(&mut workshop.cargo(&arguments))
    })?;
    step("hashing in plain Rust", || {
        let arguments = ["test", "--locked", "-p", "hashlease-pow", "--features", "portable"];
        succeed(&mut workshop.cargo(&arguments))
    })?;
    if quick {
        return Ok(());
    }
    step("end to end", || end_to_end(workshop, built))
}

/// The tests of contracts and of the checker in JavaScript.
fn beside_cargo(workshop: &Workshop, quick: bool) -> Result<()> {
    step("forge test", || {
        // `check` compares the gas snapshot, and `gas` writes it
        let mut test = workshop.forge(&["test", "-vv"])?;
        succeed_aside(test.env("FORGE_SNAPSHOT_EMIT", "false").env("FORGE_SNAPSHOT_CHECK", "false"))
    })?;
    step("a failing forge test fails the command", || canary(workshop))?;
    step("evidence by its documentation alone", || checker(workshop))?;
    if quick {
        return Ok(());
    }
    step("compiling the deployment", || {
        let scripts = ["Deploy", "Check", "Govern"].map(|name| format!("script/{name}.s.sol"));
        let mut build = workshop.forge(&["build"])?;
        build.args(scripts);
        // as the end-to-end tests do it
        build.env("FOUNDRY_PROFILE", "release").env("FOUNDRY_OUT", "cache/deploy/out");
        succeed_aside(build.env("FOUNDRY_CACHE_PATH", "cache/deploy"))
    })
}

/// Runs a test that always fails, and expects forge to exit with an error.
fn canary(workshop: &Workshop) -> Result<()> {
    let mut forge = workshop.forge(&["test", "--match-path", "tests/canary/*"])?;
    let Output { status, stdout, .. } = forge.env("FOUNDRY_PROFILE", "canary").output()?;
    let said = String::from_utf8_lossy(&stdout);
    ensure!(said.contains("1 failed"), "the canary did not run:\n{said}");
    if status.success() {
        bail!("forge exits 0 although a test fails: no result of it can be trusted");
    }
    Ok(())
}

/// Checks the sample files with an independent program, written from `docs/evidence.md` alone.
fn checker(workshop: &Workshop) -> Result<()> {
    let folder = workshop.root().join("tests/checker");
    workshop.tools.install_packages("tests/checker", folder.join("node_modules").is_dir())?;
    let mut check = Command::new("node");
    check.args(["check.mjs", "--against", "../vectors/evidence/verdicts.json", "../vectors/evidence"]);
    succeed_aside(check.current_dir(folder))
}

/// A line of cargo's messages, as far as it is needed.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Executables of the end-to-end tests, and the program that they run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Built {
    tests: Vec<(String, PathBuf)>,
    program: Option<PathBuf>,
}

/// Compiles all tests in Rust, and the program itself with the same settings.
fn build(workshop: &Workshop) -> Result<Built> {
    let mut cargo = workshop.cargo(&["test", "--workspace", "--locked", "--exclude", UNTESTED, "--no-run"]);
    cargo.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let output = cargo.output().context("starting cargo")?;
    ensure!(output.status.success(), "{cargo:?}: {}", output.status);
    built(&String::from_utf8(output.stdout).context("cargo's messages")?)
}

fn built(messages: &str) -> Result<Built> {
    let mut built = Built::default();
    for line in messages.lines() {
        let message: Message =
            serde_json::from_str(line).with_context(|| format!("cargo's message {line}"))?;
        let (Some(target), Some(executable)) = (message.target, message.executable) else { continue };
        if message.reason != "compiler-artifact" {
            continue;
        }
        let is = |kind: &str| target.kind.iter().any(|one| one == kind);
        if is("test") && message.package_id.contains(END_TO_END) {
            built.tests.push((target.name, executable));
        } else if is("bin") && target.name == "hashlease" && executable.ends_with(program_name()) {
            built.program = Some(executable);
        }
    }
    // cargo reports them as they are finished
    built.tests.sort();
    Ok(built)
}

/// The program's file; its unit tests are an executable of the same target, with a longer name.
fn program_name() -> String {
    format!("hashlease{}", std::env::consts::EXE_SUFFIX)
}

/// Runs the end-to-end tests, the cases of each one by one.
fn end_to_end(workshop: &Workshop, built: Built) -> Result<()> {
    let program = built.program.context("cargo did not build hashlease")?;
    ensure!(!built.tests.is_empty(), "{END_TO_END} has no tests");
    let waiting = Mutex::new(built.tests);
    let failed = Mutex::new(Vec::new());
    let next = || waiting.lock().map(|mut waiting| waiting.pop()).unwrap_or_default();
    let run_all = || {
        while let Some((name, executable)) = next() {
            let mut test = Command::new(executable);
            test.arg("--test-threads=1").env("HASHLEASE_BIN", &program);
            test.current_dir(workshop.root().join("tests/e2e"));
            let run = step(&format!("end to end: {name}"), || succeed_aside(&mut test));
            if let (Err(error), Ok(mut failed)) = (run, failed.lock()) {
                failed.push(format!("{error:#}"));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(run_all);
        }
    });
    let failed = failed.into_inner().map_err(|_| anyhow!("a thread of the end-to-end tests panicked"))?;
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_read_from_cargos_messages() {
        let artifact = |package: &str, kind: &str, name: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"path+file:///a/{package}@0.1.0","target":{{"kind":["{kind}"],"name":"{name}"}},"executable":{executable}}}"#
            )
        };
        let program = format!("\"/target/debug/{}\"", program_name());
        let messages = [
            artifact("tests/e2e#hashlease-e2e", "test", "kill", "\"/target/debug/deps/kill-1\""),
            artifact("tests/e2e#hashlease-e2e", "test", "demo", "\"/target/debug/deps/demo-1\""),
            artifact("tests/e2e#hashlease-e2e", "lib", "hashlease_e2e", "null"),
            artifact("crates/journal#hashlease-journal", "test", "kill", "\"/target/debug/deps/kill-2\""),
            artifact("crates/cli#hashlease-cli", "bin", "hashlease", "\"/target/debug/deps/hashlease-3\""),
            artifact("crates/cli#hashlease-cli", "bin", "hashlease", &program),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let found = built(&messages.join("\n")).unwrap();
        let test = |name: &str| (name.to_owned(), PathBuf::from(format!("/target/debug/deps/{name}-1")));
        assert_eq!(found.tests, [test("demo"), test("kill")]);
        assert_eq!(found.program, Some(PathBuf::from("/target/debug").join(program_name())));
        assert!(built("no json").is_err());
    }
}
