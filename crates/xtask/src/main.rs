//! Developer commands: `cargo xtask --help`.

mod fuzz;
mod graph;
mod instructions;
mod mutants;
mod step;
mod tools;
#[cfg_attr(not(test), allow(dead_code))]
mod trees;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, Subcommand};
use graph::Show;
use hashlease_toolchain::Toolchain;
use std::{
    path::Path,
    process::{Command, ExitCode, Output},
};
use step::{say_when_slow, step, succeed};

/// Developer commands of Hashlease. Tools that are missing are installed into the checkout.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs every test: Solidity, Rust, and the whole system end to end.
    Test {
        /// Leave out what takes real time: the end-to-end tests.
        #[arg(long)]
        quick: bool,
    },
    /// Formatting, the graphs, lints, documentation warnings, bindings and gas: all as errors.
    Check,
    /// Checks what uses what: circles of files, the table of crates in `docs/architecture.md`, and the packages that
    /// evidence depends on.
    Graph {
        /// Bring the table in `docs/architecture.md` up to date first.
        #[arg(long)]
        write: bool,
        /// Print the graphs as JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Writes the ABIs of the contracts into `crates/chain/abi`.
    Bindings,
    /// Writes the gas snapshot into `snapshots`.
    Gas,
    /// Makes the mistakes of `tests/mutations.toml` one by one, in a copy: a named test must see each.
    Mutants {
        /// Only those whose name contains this.
        only: Option<String>,
    },
    /// Counts the instructions of hashing, checking and committing under valgrind: above a limit is an error.
    Instructions,
    /// Runs the fuzz targets of `tests/fuzzing`, or one of them.
    Fuzz {
        /// Which one.
        target: Option<String>,
        /// How long each runs.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Runs slither over the contracts; needs Python 3.
    Slither,
    /// Compares whole lives of leases between the contracts and the plain Rust escrow, many more than the tests do.
    Lives {
        /// How many.
        #[arg(default_value_t = 4_000)]
        count: u32,
    },
}

struct Workshop {
    tools: Toolchain,
}

impl Workshop {
    fn root(&self) -> &Path {
        self.tools.root()
    }

    /// The platform binary: npm's launcher exits 0 when tests fail.
    fn forge(&self, arguments: &[&str]) -> Result<Command> {
        let mut forge = Command::new(self.tools.tool("forge")?);
        forge.args(arguments).current_dir(self.root()).env_remove("FOUNDRY_PROFILE");
        Ok(forge)
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(arguments).current_dir(self.root());
        cargo
    }

    fn solidity(&self) -> Result<()> {
        step("forge test", || {
            // the snapshot is compared by `check`, and written by `gas` only
            let mut test = self.forge(&["test", "-vv"])?;
            succeed(test.env("FORGE_SNAPSHOT_EMIT", "false").env("FORGE_SNAPSHOT_CHECK", "false"))
        })?;
        step("a failing forge test fails the command", || self.canary())
    }

    /// Checks the samples of evidence with a program of other hands: `docs/evidence.md` alone was known to it.
    fn checker(&self) -> Result<()> {
        step("evidence by its documentation alone", || {
            let folder = self.root().join("tests/checker");
            self.tools.install_packages("tests/checker", folder.join("node_modules").is_dir())?;
            let mut check = Command::new("node");
            check.args([
                "check.mjs",
                "--against",
                "../vectors/evidence/verdicts.json",
                "../vectors/evidence",
            ]);
            succeed(check.current_dir(folder))
        })
    }

    /// Runs the one test that is made to fail, and expects forge to say so with its exit status.
    fn canary(&self) -> Result<()> {
        let mut forge = self.forge(&["test", "--match-path", "tests/canary/*"])?;
        let Output { status, stdout, .. } = forge.env("FOUNDRY_PROFILE", "canary").output()?;
        let said = String::from_utf8_lossy(&stdout);
        ensure!(said.contains("1 failed"), "the canary did not run:\n{said}");
        if status.success() {
            bail!("forge exits 0 although a test fails: no result of it can be trusted");
        }
        Ok(())
    }

    fn rust(&self, end_to_end: bool) -> Result<()> {
        step("cargo test", || {
            succeed(&mut self.cargo(&["test", "--workspace", "--locked", "--exclude", "hashlease-e2e"]))
        })?;
        step("hashing in plain Rust", || {
            let arguments = ["test", "--locked", "-p", "hashlease-pow", "--features", "portable"];
            succeed(&mut self.cargo(&arguments))
        })?;
        if end_to_end {
            step("end to end", || {
                succeed(&mut self.cargo(&["build", "--locked", "--release", "-p", "hashlease-cli"]))?;
                // one at a time: each is a whole system, and there may be two cores
                let arguments =
                    ["test", "--locked", "--release", "-p", "hashlease-e2e", "--", "--test-threads=1"];
                succeed(&mut self.cargo(&arguments))
            })?;
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        step("cargo fmt", || {
            succeed(&mut self.cargo(&["fmt", "--all", "--check"]))?;
            succeed(&mut self.cargo(&["fmt", "--manifest-path", "tests/fuzzing/Cargo.toml", "--check"]))
        })?;
        step("forge fmt", || succeed(&mut self.forge(&["fmt", "--check"])?))?;
        step("graph", || graph::run(self.root(), Show::Nothing, false))?;
        step("clippy", || {
            let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
            succeed(&mut self.cargo(&arguments))?;
            // the packaged binary, which has no demo
            let packaged = ["clippy", "-p", "hashlease-cli", "--no-default-features", "--all-targets"];
            succeed(self.cargo(&packaged).args(["--locked", "--", "-D", "warnings"]))?;
            // as a processor without any of the kernels' instructions has it compiled
            let portable = ["clippy", "-p", "hashlease-pow", "--all-targets", "--features", "portable"];
            succeed(self.cargo(&portable).args(["--locked", "--", "-D", "warnings"]))?;
            // a workspace of its own, which would else be compiled in the long run only
            let fuzzing = ["clippy", "--manifest-path", "tests/fuzzing/Cargo.toml", "--target-dir", "target"];
            succeed(self.cargo(&fuzzing).args(["--bins", "--locked", "--", "-D", "warnings"]))
        })?;
        step("forge lint", || {
            let mut lint = self.forge(&["lint"])?;
            // it leaves artifacts without bytecode, which nothing else may take for its own
            lint.env("FOUNDRY_OUT", "cache/lint/out").env("FOUNDRY_CACHE_PATH", "cache/lint");
            let Output { status, stdout, stderr } = lint.output()?;
            let said = [stdout, stderr].concat();
            let said = String::from_utf8_lossy(&said);
            ensure!(status.success() && !said.contains("warning[") && !said.contains("note["), "{said}");
            Ok(())
        })?;
        step("documentation", || {
            let arguments = ["doc", "--workspace", "--no-deps", "--locked"];
            succeed(self.cargo(&arguments).env("RUSTDOCFLAGS", "-D warnings"))
        })?;
        step("bindings are those of the contracts", || self.bindings(&["--check"]))?;
        step("gas is as in the snapshot", || self.gas(true))
    }

    fn bindings(&self, arguments: &[&str]) -> Result<()> {
        let mut run = self.cargo(&["run", "--locked", "-p", "hashlease-artifacts", "--"]);
        succeed(run.args(arguments).arg("--root").arg(self.root()))
    }

    fn gas(&self, check: bool) -> Result<()> {
        let mut forge = self.forge(&["test", "--isolate", "--match-path", "tests/gas/*"])?;
        // of what is deployed; what else there is need not be compiled for it
        for other in [
            "tests/unit/**",
            "tests/fuzz/**",
            "tests/invariant/**",
            "tests/differential/**",
            "script/*.s.sol",
        ] {
            forge.args(["--skip", other]);
        }
        forge.env("FOUNDRY_PROFILE", "release").env("FORGE_SNAPSHOT_CHECK", check.to_string());
        succeed(&mut forge)
    }

    fn slither(&self) -> Result<()> {
        let home = self.root().join("target/slither");
        let tool = |name: &str| home.join(if cfg!(windows) { "Scripts" } else { "bin" }).join(name);
        if !tool("slither").is_file() {
            eprintln!("installing slither-analyzer 0.11.6 from PyPI into target/slither");
            succeed(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
            succeed(Command::new(tool("pip")).args(["install", "slither-analyzer==0.11.6"]))?;
        }
        let (out, cache) = ("cache/slither/out", "cache/slither");
        let mut build =
            self.forge(&["build", "--build-info", "--force", "--skip", "tests/**", "--skip", "script/**"])?;
        succeed(
            build
                .env("FOUNDRY_OUT", out)
                .env("FOUNDRY_CACHE_PATH", cache)
                .env("FOUNDRY_LINT_LINT_ON_BUILD", "false"),
        )?;
        let mut slither = Command::new(tool("slither"));
        slither.args([".", "--ignore-compile", "--foundry-out-directory", out]).current_dir(self.root());
        // it asks forge for the settings
        let forge = self.tools.tool("forge")?;
        let dirs = forge.parent().map(Path::to_path_buf).into_iter();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(dirs.chain(std::env::split_paths(&path))).context("PATH")?;
        succeed(slither.env("PATH", path).env("FOUNDRY_OUT", out).env("FOUNDRY_CACHE_PATH", cache))
    }

    fn lives(&self, count: u32) -> Result<()> {
        let arguments =
            ["test", "--locked", "-p", "hashlease-ledger", "--test", "escrow_vectors", "whole_lives"];
        succeed(self.cargo(&arguments).env("HASHLEASE_LIVES", count.to_string()))?;
        let mut forge = self.forge(&["test", "--match-path", "tests/differential/Lives.t.sol"])?;
        forge.env("HASHLEASE_LIVES_FILE", "cache/lives.jsonl").env("FORGE_SNAPSHOT_EMIT", "false");
        // a life takes about as much gas as a tenth of a block
        forge
            .env("FOUNDRY_GAS_LIMIT", i64::MAX.to_string())
            .env("FOUNDRY_MEMORY_LIMIT", u32::MAX.to_string());
        succeed(&mut forge)
    }
}

fn main() -> ExitCode {
    match run(Args::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let tools = say_when_slow("installing the packages of contracts/package.json", Toolchain::find)?;
    let workshop = Workshop { tools };
    match task {
        Task::Test { quick } => {
            workshop.solidity()?;
            workshop.checker()?;
            workshop.rust(!quick)
        }
        Task::Check => workshop.check(),
        Task::Graph { write, json } => {
            let show = if json { Show::Json } else { Show::Table };
            graph::run(workshop.root(), show, write)
        }
        Task::Bindings => step("bindings", || workshop.bindings(&[])),
        Task::Gas => step("gas", || workshop.gas(false)),
        Task::Mutants { only } => step("mutants", || mutants::run(&workshop.tools, only.as_deref())),
        Task::Instructions => step("instructions", || instructions::run(workshop.root())),
        Task::Fuzz { target, seconds } => {
            step("fuzz", || fuzz::run(workshop.root(), seconds, target.as_deref()))
        }
        Task::Slither => step("slither", || workshop.slither()),
        Task::Lives { count } => step("lives", || workshop.lives(count)),
    }
}
