//! Recounts an epoch from its evidence file.

use super::{args::VerifyArgs, caches::light_cache, differences::differences, on_chain::OnChain};
use anyhow::Result;
use hashlease_chain::Deployment;
use hashlease_check::Caches;
use hashlease_evidence::{EvidenceHead, EvidenceReader, Recheck, Report};
use hashlease_primitives::Lease;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Read;

/// Result of one file.
pub(super) struct Checked {
    pub(super) head: EvidenceHead,
    pub(super) report: Report,
    /// The lease on the chain, if it was read.
    pub(super) lease: Option<Lease>,
    /// Differences between the file and the arguments or the chain, and contradictions within its
    /// terms.
    pub(super) differences: Vec<String>,
}

impl Checked {
    /// Everything in the file is correct, and its terms are as the arguments demand.
    pub(super) fn holds(&self) -> bool {
        self.differences.is_empty() && self.report.holds()
    }
}

/// A progress bar on standard error, hidden unless that is a terminal.
fn progress(shares: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} shares, {per_sec}, {eta} left {msg}");
    ProgressBar::new(shares).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Reads a file and recounts it.
pub(super) fn check(
    source: impl Read,
    wanted: &VerifyArgs,
    deployment: Option<&Deployment>,
    chain: Option<&OnChain>,
    caches: &Caches,
) -> Result<Checked> {
    let reader = EvidenceReader::open(source)?;
    let head = reader.head().clone();
    let lease = chain.map(|chain| chain.lease(head.terms.id)).transpose()?;
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
    let mut differences = differences(wanted, deployment, lease.as_ref(), &head.terms);
    differences.extend(head.contradiction().map(|found| found.to_string()));
    if let Some(expected) = wanted.root.filter(|expected| *expected != report.rebuilt.root) {
        differences.push(format!("root: expected {expected}, got {}", report.rebuilt.root));
    }
    Ok(Checked { head, report, lease, differences })
}
