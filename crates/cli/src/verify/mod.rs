//! `hashlease verify`: recounts an epoch from its evidence file, or checks one share, offline.

mod report;
mod single;

use alloy_primitives::{Address, B256};
use anyhow::{Result, bail};
use clap::Args;
use hashlease_chain::Deployment;
use hashlease_check::{CacheSettings, Caches, EthashEpoch, LightCache};
use hashlease_evidence::{EvidenceHead, EvidenceReader, Recheck, Report};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs::File,
    io::{Read, Seek as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  hashlease verify lease-1-epoch-0.hlev
  hashlease verify --deployment deployment.toml --provider 0x… --job-signer 0x… *.hlev
  hashlease verify --json lease-1-epoch-0.hlev | jq .holds
  hashlease verify --share 7 --json lease-1-epoch-0.hlev > share.json
  hashlease verify share.json

Exit status: 0 if everything holds, 1 if something does not, 2 if a file can't be read.")]
pub(crate) struct VerifyArgs {
    /// Evidence files, which nodes serve under `/v1/leases/{id}/epochs/{epoch}/evidence`, or single
    /// shares, which `--share --json` writes.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// File with the contracts' addresses that the evidence must name.
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,
    /// Escrow that the evidence must name.
    #[arg(long, value_name = "ADDRESS")]
    escrow: Option<Address>,
    /// Provider that the evidence must name.
    #[arg(long, value_name = "ADDRESS")]
    provider: Option<Address>,
    /// Job signer that the evidence must name.
    #[arg(long, value_name = "ADDRESS")]
    job_signer: Option<Address>,
    /// Root that the epoch must have.
    #[arg(long, value_name = "HASH", conflicts_with = "share")]
    root: Option<B256>,
    /// Check only this share of each file, counted from 0, and show what it hashes.
    #[arg(long, value_name = "NUMBER")]
    share: Option<u64>,
    /// Directory that keeps Ethash light caches between runs; each takes seconds to build.
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// List every refused job and share; otherwise the first 20, or the first 10,000 as JSON.
    #[arg(long, conflicts_with = "share")]
    all: bool,
    /// One JSON object per file.
    #[arg(long)]
    json: bool,
}

/// Result of one file.
struct Checked {
    head: EvidenceHead,
    report: Report,
    /// Differences between the file and the arguments, and contradictions within its terms.
    differences: Vec<String>,
}

impl Checked {
    /// Everything in the file is correct, and its terms are as the arguments demand.
    fn holds(&self) -> bool {
        self.differences.is_empty() && self.report.holds()
    }
}

pub(crate) fn run(arguments: &VerifyArgs) -> Result<ExitCode> {
    let deployment = arguments.deployment.as_deref().map(Deployment::read).transpose()?;
    let caches = caches(arguments);
    let (mut all_hold, mut all_read) = (true, true);
    for path in &arguments.files {
        match verify_file(path, arguments, deployment.as_ref(), &caches) {
            Ok(holds) => all_hold &= holds,
            Err(error) => {
                all_read = false;
                let (file, error) = (path.display().to_string(), format!("{error:#}"));
                if arguments.json {
                    println!("{}", serde_json::json!({"file": file, "holds": false, "error": error}));
                }
                eprintln!("error: file {file}: {error}");
            }
        }
    }
    Ok(ExitCode::from(match (all_read, all_hold) {
        (false, _) => 2,
        (true, false) => 1,
        (true, true) => 0,
    }))
}

/// Checks a file of either kind and prints the result. Returns whether the file holds.
fn verify_file(
    path: &Path,
    arguments: &VerifyArgs,
    deployment: Option<&Deployment>,
    caches: &Caches,
) -> Result<bool> {
    let mut file = File::open(path)?;
    let single = match (is_json(&mut file)?, arguments.share) {
        (true, Some(_)) => bail!("--share picks a share from an evidence file, but this is a single share"),
        (true, None) if arguments.root.is_some() => {
            bail!("--root is the root of a whole epoch, but this is a single share")
        }
        (true, None) => Some(single::read(file)?),
        (false, Some(number)) => Some(single::pick(file, number)?),
        (false, None) => None,
    };
    if let Some(single) = single {
        let mut differences = differences(arguments, deployment, &single.terms);
        differences.extend(single.contradiction().map(|found| found.to_string()));
        return Ok(report::single(path, &single, &differences, arguments, caches));
    }
    let file = File::open(path)?;
    let checked = check(file, arguments, deployment, caches)?;
    if arguments.json {
        println!("{}", report::as_json(path, &checked));
    } else {
        report::print(path, &checked, arguments);
    }
    Ok(checked.holds())
}

/// Whether a file starts like JSON. Evidence files start with their magic number.
fn is_json(file: &mut File) -> Result<bool> {
    let mut start = Vec::new();
    file.by_ref().take(256).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start.trim_ascii_start().first() == Some(&b'{'))
}

/// A progress bar on standard error, hidden unless that is a terminal.
fn progress(shares: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} shares, {per_sec}, {eta} left {msg}");
    ProgressBar::new(shares).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The light caches, shared by all files of a run.
fn caches(arguments: &VerifyArgs) -> Caches {
    Caches::new(CacheSettings { directory: arguments.cache_dir.clone(), ..CacheSettings::default() })
}

/// Returns a light cache. Builds it on this thread if the system gives no other. The caches log
/// errors of their files, also later; none of them stops the check.
fn light_cache(caches: &Caches, epoch: EthashEpoch) -> Arc<LightCache> {
    caches.get(epoch).unwrap_or_else(|_| Arc::new(LightCache::build(epoch)))
}

/// Reads a file and recounts it.
fn check(
    source: impl Read,
    wanted: &VerifyArgs,
    deployment: Option<&Deployment>,
    caches: &Caches,
) -> Result<Checked> {
    let reader = EvidenceReader::open(source)?;
    let head = reader.head().clone();
    let bar = progress(reader.left());
    let report = reader.recheck(Recheck {
        caches: &|epoch| {
            bar.set_message(format!("(light cache of DAG epoch {})", epoch.index()));
            let cache = light_cache(caches, epoch);
            bar.set_message("");
            cache
        },
        counted: &mut |_| {},
        progress: &mut |done| bar.set_position(done),
        named: if wanted.all { usize::MAX } else { 10_000 },
    });
    bar.finish_and_clear();
    let report = report?;
    let mut differences = differences(wanted, deployment, &head.terms);
    differences.extend(head.contradiction().map(|found| found.to_string()));
    if let Some(expected) = wanted.root.filter(|expected| *expected != report.rebuilt.root) {
        differences.push(format!("root: expected {expected}, got {}", report.rebuilt.root));
    }
    Ok(Checked { head, report, differences })
}

/// Differences between the terms and the arguments, in words.
fn differences(
    wanted: &VerifyArgs,
    deployment: Option<&Deployment>,
    terms: &hashlease_primitives::Terms,
) -> Vec<String> {
    let mut differences = Vec::new();
    let mut expect = |what: &str, expected: Option<String>, actual: String| {
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            differences.push(format!("{what}: expected {expected}, got {actual}"));
        }
    };
    let of = |get: fn(&Deployment) -> Address| deployment.map(|deployment| get(deployment).to_string());
    expect("chain id", deployment.map(|d| d.chain_id.to_string()), terms.domain.chain_id.to_string());
    let escrow = terms.domain.contract.to_string();
    expect("escrow", of(|d| d.escrow), escrow.clone());
    expect("escrow", wanted.escrow.map(|address| address.to_string()), escrow);
    expect("oracle", of(|d| d.oracle), terms.oracle.to_string());
    expect("provider", wanted.provider.map(|address| address.to_string()), terms.provider.to_string());
    expect("job signer", wanted.job_signer.map(|address| address.to_string()), terms.job_signer.to_string());
    differences
}
