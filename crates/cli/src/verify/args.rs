//! Arguments of `hashlease verify`.

use alloy_primitives::{Address, B256};
use clap::Args;
use std::path::PathBuf;
use url::Url;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hashlease verify lease-1-epoch-0.hlev
  hashlease verify --deployment deployment.toml --provider 0x… --job-signer 0x… *.hlev
  hashlease verify --deployment deployment.toml --rpc https://… *.hlev
  hashlease verify --json lease-1-epoch-0.hlev | jq .holds
  hashlease verify --share 7 --json lease-1-epoch-0.hlev > share.json
  hashlease verify share.json

Exit status: 0 if everything holds, 1 if something does not, 2 if a file can't be read.")]
pub(crate) struct VerifyArgs {
    /// Evidence files, which nodes serve under `/v1/leases/{id}/epochs/{epoch}/evidence`, or single
    /// shares, which `--share --json` writes.
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    /// File with the contracts' addresses that the evidence must name.
    #[arg(long, value_name = "FILE")]
    pub(super) deployment: Option<PathBuf>,
    /// RPC endpoint to read the lease from: the evidence must have its terms. Only the chain says
    /// whether the provider's offer or the renter chose the job signer.
    #[arg(long, value_name = "URL", requires = "deployment")]
    pub(super) rpc: Option<Url>,
    /// Escrow that the evidence must name.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) escrow: Option<Address>,
    /// Provider that the evidence must name.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) provider: Option<Address>,
    /// Job signer that the evidence must name.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) job_signer: Option<Address>,
    /// Root that the epoch must have.
    #[arg(long, value_name = "HASH", conflicts_with = "share")]
    pub(super) root: Option<B256>,
    /// Check only this share of each file, counted from 0, and show what it hashes.
    #[arg(long, value_name = "NUMBER")]
    pub(super) share: Option<u64>,
    /// Directory that keeps Ethash light caches between runs; each takes seconds to build.
    #[arg(long, value_name = "DIR")]
    pub(super) cache_dir: Option<PathBuf>,
    /// List every refused job and share; otherwise the first 20, or the first 10,000 as JSON.
    #[arg(long, conflicts_with = "share")]
    pub(super) all: bool,
    /// One JSON object per file.
    #[arg(long)]
    pub(super) json: bool,
}
