//! Developer commands: `cargo xtask --help`.

mod check;
mod fuzz;
mod graph;
mod instructions;
mod lives;
mod mutants;
mod slither;
mod step;
mod suite;
mod tools;
mod trees;
mod workshop;

use anyhow::Result;
use clap::{Parser, Subcommand};
use graph::Show;
use hashlease_toolchain::Toolchain;
use std::process::ExitCode;
use step::{say_when_slow, step, succeed};
use workshop::Workshop;

/// Developer commands of Hashlease. Missing tools are installed into the checkout.
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
        /// Leave out the end-to-end tests, which run in real time.
        #[arg(long)]
        quick: bool,
    },
    /// Checks formatting, graphs, branching trees, lints, documentation, bindings and gas; warnings
    /// are errors.
    Check,
    /// Checks imports: cycles of files, the table of crates in `docs/architecture.md`, and the
    /// packages that evidence depends on. Prints the graphs.
    Graph {
        /// Update the table in `docs/architecture.md` first.
        #[arg(long)]
        write: bool,
        /// Print the graphs as JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Writes the ABIs of the contracts into `contracts/abi`.
    Bindings,
    /// Writes the gas snapshot into `snapshots`.
    Gas,
    /// Makes the mistakes of `tests/mutations.toml` one by one, in a copy. A named test must fail
    /// for each.
    Mutants {
        /// Part of a mistake's name, or a language: solidity or rust.
        only: Option<String>,
    },
    /// Counts the instructions of hashing, checking and committing with valgrind, and fails above
    /// their limits.
    Instructions,
    /// Runs the fuzz targets of `tests/fuzzing`, or one of them.
    Fuzz {
        /// Name of the target.
        target: Option<String>,
        /// Seconds for each target.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Deploys the contracts: `cargo xtask deploy --help`.
    #[command(disable_help_flag = true)]
    Deploy {
        /// Options, and those of forge after `--`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs slither over the contracts; needs Python 3.
    Slither,
    /// Compares many random lives of leases between the contracts and their model in Rust.
    Lives {
        /// Number of lives.
        #[arg(default_value_t = 4_000)]
        count: u32,
    },
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
        Task::Test { quick } => suite::run(&workshop, quick),
        Task::Check => check::run(&workshop),
        Task::Graph { write, json } => {
            let show = if json { Show::Json } else { Show::Table };
            graph::run(workshop.root(), show, write)
        }
        Task::Bindings => step("bindings", || check::bindings(&workshop, &[])),
        Task::Gas => step("gas", || check::gas(&workshop, false)),
        Task::Mutants { only } => step("mutants", || mutants::run(&workshop.tools, only.as_deref())),
        Task::Instructions => step("instructions", || instructions::run(workshop.root())),
        Task::Fuzz { target, seconds } => {
            step("fuzz", || fuzz::run(workshop.root(), seconds, target.as_deref()))
        }
        Task::Deploy { arguments } => {
            let deploy = ["run", "--quiet", "--locked", "-p", "hashlease-deploy", "--"];
            succeed(workshop.cargo(&deploy).args(arguments))
        }
        Task::Slither => step("slither", || slither::run(&workshop)),
        Task::Lives { count } => step("lives", || lives::run(&workshop, count)),
    }
}
