//! `hashlease verify`: an epoch counted again from its evidence file, offline.

use alloy_primitives::{Address, B256};
use anyhow::{Context as _, Result};
use clap::Args;
use comfy_table::{Table, presets::UTF8_BORDERS_ONLY};
use hashlease_chain::Deployment;
use hashlease_ledger::{Evidence, Report};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Refused shares that are shown one by one without `--all`.
const SHOWN: usize = 20;

#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "Examples:
  hashlease verify lease-1-epoch-0.hlev
  hashlease verify --deployment deployment.toml --provider 0x… --job-signer 0x… *.hlev
  hashlease verify --json lease-1-epoch-0.hlev | jq .holds

Exit status: 0 when every file holds, 1 when one does not, 2 when one can't be read.")]
pub(crate) struct VerifyArgs {
    /// Evidence files, as `GET /v1/leases/{id}/epochs/{n}/evidence` serves them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// File with the contracts' addresses that the evidence must be of.
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,
    /// Escrow that the lease must be of.
    #[arg(long, value_name = "ADDRESS")]
    escrow: Option<Address>,
    /// Provider that the lease must be of.
    #[arg(long, value_name = "ADDRESS")]
    provider: Option<Address>,
    /// Job signer that the lease must name.
    #[arg(long, value_name = "ADDRESS")]
    job_signer: Option<Address>,
    /// Root that the epoch must have.
    #[arg(long, value_name = "HASH")]
    root: Option<B256>,
    /// Show every refused share.
    #[arg(long)]
    all: bool,
    /// One JSON object per file.
    #[arg(long)]
    json: bool,
}

/// What came of one file.
pub(crate) struct Checked {
    pub(crate) evidence: Evidence,
    pub(crate) report: Report,
    /// Addresses that are not those asked for.
    pub(crate) differences: Vec<String>,
}

impl Checked {
    /// Everything in the file is true, and it is of the lease asked for.
    pub(crate) fn holds(&self) -> bool {
        self.differences.is_empty() && self.report.holds()
    }
}

pub(crate) fn run(arguments: &VerifyArgs) -> Result<ExitCode> {
    let deployment = arguments.deployment.as_deref().map(Deployment::read).transpose()?;
    let mut all_hold = true;
    for file in &arguments.files {
        let bytes = std::fs::read(file).with_context(|| format!("evidence file {}", file.display()))?;
        let checked = check(&bytes, arguments, deployment.as_ref(), progress)
            .with_context(|| format!("evidence file {}", file.display()))?;
        all_hold &= checked.holds();
        if arguments.json {
            println!("{}", as_json(file, &checked));
        } else {
            print(file, &checked, arguments);
        }
    }
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A bar on the standard error output; hidden by itself when that is no terminal.
fn progress(shares: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} shares, {per_sec}, {eta} left");
    ProgressBar::new(shares).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Reads and counts a file again; `progress` makes the bar for a number of shares.
pub(crate) fn check(
    bytes: &[u8],
    wanted: &VerifyArgs,
    deployment: Option<&Deployment>,
    progress: impl FnOnce(u64) -> ProgressBar,
) -> Result<Checked> {
    let evidence = Evidence::decode(bytes)?;
    let bar = progress(evidence.shares.len() as u64);
    let report = evidence.recheck_with(&|done| bar.inc(done as u64));
    bar.finish_and_clear();
    let terms = &evidence.terms;
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
    expect("root", wanted.root.map(|root| root.to_string()), report.rebuilt.root.to_string());
    Ok(Checked { evidence, report, differences })
}

fn as_json(file: &Path, checked: &Checked) -> Value {
    let Checked { evidence, report, differences } = checked;
    let terms = &evidence.terms;
    let refused: Vec<Value> = report
        .shares
        .iter()
        .filter_map(|share| {
            let reason = share.refused.as_ref()?;
            let message = reason.to_string();
            Some(json!({"share": share.index, "job": share.job, "key": share.key, "code": reason.code(), "message": message}))
        })
        .collect();
    let jobs: Vec<Value> = report
        .jobs
        .iter()
        .filter_map(|job| {
            let reason = job.refused.as_ref()?;
            Some(json!({"job": job.sequence, "code": reason.code(), "message": reason.to_string()}))
        })
        .collect();
    json!({
        "file": file.display().to_string(),
        "holds": checked.holds(),
        "lease": terms.id,
        "epoch": evidence.epoch,
        "chainId": terms.domain.chain_id,
        "escrow": terms.domain.contract,
        "oracle": terms.oracle,
        "provider": terms.provider,
        "jobSigner": terms.job_signer,
        "selfAttributed": terms.is_self_attributed(),
        "jobs": report.jobs.len(),
        "refusedJobs": jobs,
        "shares": report.shares.len(),
        "refusedShares": refused,
        "work": report.work.to_string(),
        "claimed": report.claimed,
        "rebuilt": report.rebuilt,
        "differences": differences,
        "complaint": report.complaint(),
    })
}

fn print(file: &Path, checked: &Checked, arguments: &VerifyArgs) {
    let Checked { evidence, report, differences } = checked;
    let terms = &evidence.terms;
    let attributed = if terms.is_self_attributed() { ", self-attributed" } else { "" };
    println!("{}", file.display());
    println!(
        "  lease       {} epoch {}, {} on chain {}{attributed}",
        terms.id, evidence.epoch, terms.algorithm, terms.domain.chain_id
    );
    println!("  escrow      {}", terms.domain.contract);
    println!("  oracle      {}", terms.oracle);
    println!("  provider    {}", terms.provider);
    println!("  job signer  {}", terms.job_signer);
    let good = report.jobs.iter().filter(|job| job.refused.is_none()).count();
    println!("  jobs        {good} of {} rightly signed", report.jobs.len());
    let refused = report.refused();
    println!(
        "  shares      {} of {} verified",
        report.shares.len().saturating_sub(refused),
        report.shares.len()
    );
    println!(
        "  work        {} hashes, promised {}",
        report.work,
        terms.rate.over(u64::from(terms.epoch_length))
    );
    let same = if report.rebuilt == report.claimed { "as claimed" } else { "NOT as claimed" };
    println!("  root        {} of {} shares, rebuilt, {same}", report.rebuilt.root, report.rebuilt.count);
    for job in report.jobs.iter().filter(|job| job.refused.is_some()) {
        if let Some(reason) = &job.refused {
            println!("  job {}: {reason} ({})", job.sequence, reason.code());
        }
    }
    if refused > 0 {
        let shown = if arguments.all { refused } else { refused.min(SHOWN) };
        let mut table = Table::new();
        table.load_style(UTF8_BORDERS_ONLY).set_header(["share", "job", "rule", "why"]);
        for share in report.shares.iter().filter(|share| share.refused.is_some()).take(shown) {
            if let Some(reason) = &share.refused {
                table.add_row([
                    share.index.to_string(),
                    share.job.to_string(),
                    reason.code().to_owned(),
                    reason.to_string(),
                ]);
            }
        }
        println!("{table}");
        if shown < refused {
            println!("  and {} more: pass --all", refused.saturating_sub(shown));
        }
    }
    for difference in differences {
        println!("  other lease: {difference}");
    }
    let colour = std::io::stdout().is_terminal();
    let paint =
        |text: &str, code: u8| if colour { format!("\x1b[1;{code}m{text}\x1b[0m") } else { text.to_owned() };
    if checked.holds() {
        println!("  {}", paint("holds", 32));
        if arguments.deployment.is_none() && arguments.escrow.is_none() {
            println!(
                "  compare escrow, provider and job signer with the chain, or pass --deployment, --provider, --job-signer"
            );
        }
    } else {
        let why = report.complaint().or_else(|| differences.first().cloned()).unwrap_or_default();
        println!("  {}: {why}", paint("does not hold", 31));
    }
}
