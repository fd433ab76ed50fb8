//! `cargo xtask deploy`.

use alloy_primitives::Address;
use anyhow::Result;
use clap::Parser;
use hashlease_deploy::{Environment, Request, deploy};
use hashlease_toolchain::Toolchain;
use std::process::ExitCode;

/// Deploys the contracts, or whatever is missing of them.
///
/// Checks the variables `HASHLEASE_*` (docs/deploying.md lists them) and the chain first, in a
/// second; then compiles, and shows what would be sent. With `--broadcast` it sends it, compares
/// the chain with what was asked, and writes the file of the deployment and the inputs for
/// explorers into `script/deployments`. Run it again after an interruption.
#[derive(Parser)]
#[command(name = "cargo xtask deploy", bin_name = "cargo xtask deploy")]
struct Args {
    /// URL of the chain's RPC endpoint.
    #[arg(long, value_name = "URL")]
    rpc_url: String,
    /// The deployer: sends the transactions, and keeps no right on a public chain.
    #[arg(long, value_name = "ADDRESS")]
    sender: Address,
    /// Send the transactions.
    #[arg(long)]
    broadcast: bool,
    /// Options for forge, such as `-- --account NAME` for the deployer's key.
    #[arg(last = true)]
    forge: Vec<String>,
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<()> {
    let Args { rpc_url, sender, broadcast, forge } = args;
    deploy(&Toolchain::find()?, &Environment::of_process(), &Request { rpc_url, sender, broadcast, forge })
}
