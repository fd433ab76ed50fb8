//! Prints results, for people and as JSON.

use super::{args::VerifyArgs, caches::light_cache, epoch::Checked, single as one};
use comfy_table::{Table, presets::UTF8_BORDERS_ONLY};
use hashlease_check::Caches;
use hashlease_evidence::SingleShare;
use hashlease_primitives::{Lease, SignerChoice, Terms};
use hashlease_share::EvidenceReason;
use serde_json::{Value, json};
use std::{io::IsTerminal as _, path::Path};

/// Refused jobs, and refused shares, that are listed without `--all`.
const SHOWN: usize = 20;

fn paint(text: &str, code: u8) -> String {
    if std::io::stdout().is_terminal() { format!("\x1b[1;{code}m{text}\x1b[0m") } else { text.to_owned() }
}

fn holds() -> String {
    paint("holds", 32)
}

fn does_not_hold() -> String {
    paint("does not hold", 31)
}

/// Adds code and message of the reason to the description of a refused job or share.
fn refused(mut what: Value, reason: &EvidenceReason) -> Value {
    if let (Value::Object(what), Value::Object(why)) = (&mut what, json!(reason)) {
        what.extend(why);
    }
    what
}

/// Who chose the job signer, after a comma. Only the chain tells a key that the offer named from one
/// that the renter named.
fn signer(terms: &Terms, lease: Option<&Lease>) -> String {
    match lease {
        Some(lease) => format!(", {}", lease.signer_choice().words()),
        None if terms.is_self_attributed() => format!(", {}", SignerChoice::SelfAttributed.words()),
        None => String::new(),
    }
}

/// Checks one share and prints the result. Returns whether it holds.
pub(super) fn single(
    path: &Path,
    single: &SingleShare,
    lease: Option<&Lease>,
    differences: &[String],
    arguments: &VerifyArgs,
    caches: &Caches,
) -> bool {
    let verdict = one::check(single, &|epoch| light_cache(caches, epoch));
    let all_holds = differences.is_empty() && verdict.refused.is_none();
    if arguments.json {
        let mut value = json!(single);
        let mut more = json!({
            "file": path.display().to_string(),
            "holds": all_holds,
            "key": verdict.key,
            "header": verdict.header,
            "mix": verdict.mix,
            "hash": verdict.hash,
            "target": one::target(single),
            "epoch": verdict.epoch,
            "code": null,
            "message": null,
            "selfAttributed": single.terms.is_self_attributed(),
            "signerDictated": lease.map(|lease| lease.signer_dictated),
            "differences": differences,
        });
        if let Some(reason) = &verdict.refused {
            more = refused(more, reason);
        }
        if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
            value.insert("verdict".to_owned(), Value::Object(more));
        }
        println!("{value}");
        return all_holds;
    }
    println!("{}", path.display());
    for (name, value) in one::lines(single, &signer(&single.terms, lease), &verdict) {
        println!("  {name:<11} {value}");
    }
    for difference in differences {
        println!("  terms       {difference}");
    }
    match (&verdict.refused, differences.first()) {
        (Some(reason), _) => println!("  {}: {reason} ({})", does_not_hold(), reason.code()),
        (None, Some(difference)) => println!("  {}: {difference}", does_not_hold()),
        (None, None) => println!("  {}", holds()),
    }
    all_holds
}

pub(super) fn as_json(file: &Path, checked: &Checked) -> Value {
    let Checked { head, report, lease, differences } = checked;
    let terms = &head.terms;
    let named = report.named.iter().map(|share| {
        refused(json!({"share": share.index, "job": share.job, "key": share.key}), &share.refused)
    });
    let named: Vec<Value> = named.collect();
    let jobs = report.jobs_named.iter().map(|job| refused(json!({"job": job.sequence}), &job.refused));
    let jobs: Vec<Value> = jobs.collect();
    json!({
        "file": file.display().to_string(),
        "holds": checked.holds(),
        "lease": terms.id,
        "epoch": head.epoch,
        "chainId": terms.domain.chain_id,
        "escrow": terms.domain.contract,
        "oracle": terms.oracle,
        "provider": terms.provider,
        "jobSigner": terms.job_signer,
        "selfAttributed": terms.is_self_attributed(),
        "signerDictated": lease.as_ref().map(|lease| lease.signer_dictated),
        "jobs": report.jobs,
        "jobsRefused": report.jobs_refused,
        "refusedJobs": jobs,
        "shares": report.shares,
        "refused": report.refused,
        "brokenRules": report.broken,
        "refusedShares": named,
        "work": report.work.to_string(),
        "claimed": report.claimed,
        "rebuilt": report.rebuilt,
        "differences": differences,
        "complaint": report.complaint(),
    })
}

/// Prints a table of refused jobs or shares, and the number of those that it omits.
fn print_table(titles: &[&str], rows: impl Iterator<Item = Vec<String>>, of: u64) {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_header(titles.iter().copied());
    table.add_rows(rows);
    println!("{table}");
    let more = of.saturating_sub(table.row_count() as u64);
    if more > 0 {
        println!("  and {more} more: pass --all");
    }
}

pub(super) fn print(file: &Path, checked: &Checked, arguments: &VerifyArgs) {
    let Checked { head, report, lease, differences } = checked;
    let terms = &head.terms;
    let signer = signer(terms, lease.as_ref());
    println!("{}", file.display());
    println!(
        "  lease       {} epoch {}, {} on chain {}{signer}",
        terms.id, head.epoch, terms.algorithm, terms.domain.chain_id
    );
    println!("  escrow      {}", terms.domain.contract);
    println!("  oracle      {}", terms.oracle);
    println!("  provider    {}", terms.provider);
    println!("  job signer  {}", terms.job_signer);
    println!("  jobs        {} of {} count", report.jobs.saturating_sub(report.jobs_refused), report.jobs);
    println!("  shares      {} of {} verified", report.shares.saturating_sub(report.refused), report.shares);
    println!(
        "  work        {} hashes, promised {}",
        report.work,
        terms.rate.over(u64::from(terms.epoch_length))
    );
    let same = if report.rebuilt == report.claimed { "as claimed" } else { "NOT as claimed" };
    println!("  root        {} of {} shares, rebuilt, {same}", report.rebuilt.root, report.rebuilt.count);
    if !report.broken.is_empty() {
        let rules: Vec<String> =
            report.broken.iter().map(|(rule, count)| format!("{count} {rule}")).collect();
        println!("  refused     {}", rules.join(", "));
    }
    let shown = if arguments.all { usize::MAX } else { SHOWN };
    if !report.jobs_named.is_empty() {
        let rows = report.jobs_named.iter().take(shown).map(|job| {
            [job.sequence.to_string(), job.refused.code().to_owned(), job.refused.to_string()].to_vec()
        });
        print_table(&["job", "rule", "why"], rows, report.jobs_refused);
    }
    if !report.named.is_empty() {
        let rows = report.named.iter().take(shown).map(|share| {
            let (index, job) = (share.index.to_string(), share.job.to_string());
            [index, job, share.refused.code().to_owned(), share.refused.to_string()].to_vec()
        });
        print_table(&["share", "job", "rule", "why"], rows, report.refused);
    }
    for difference in differences {
        println!("  terms       {difference}");
    }
    if checked.holds() {
        println!("  {}", holds());
        if arguments.deployment.is_none() && arguments.escrow.is_none() {
            println!(
                "  compare escrow, provider and job signer with the chain, or pass --deployment with --rpc, or --escrow, --provider, --job-signer"
            );
        } else if lease.is_none() && !terms.is_self_attributed() {
            println!("  who chose the job signer is not in the file: pass --deployment and --rpc");
        }
    } else {
        let why = report.complaint().or_else(|| differences.first().cloned()).unwrap_or_default();
        println!("  {}: {why}", does_not_hold());
    }
}
