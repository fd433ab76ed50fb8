//! A single share, from an evidence file or from a file of its own.

use alloy_primitives::{B256, Bytes};
use anyhow::{Context as _, Result, bail, ensure};
use hashlease_evidence::{CacheSource, EvidenceReader, SingleShare};
use hashlease_share::{EvidenceReason, OpenedShare};
use std::io::Read;

/// Longest file of a single share, bytes. Most of it is the job.
const LONGEST: u64 = 1 << 20;

/// Reads a single share.
pub(super) fn read(source: impl Read) -> Result<SingleShare> {
    let mut text = String::new();
    source.take(LONGEST.saturating_add(1)).read_to_string(&mut text)?;
    ensure!(text.len() as u64 <= LONGEST, "a single share: expected at most {LONGEST} bytes");
    serde_json::from_str(&text).context("a single share")
}

/// Picks one share and its job from an evidence file, without checking the others.
pub(super) fn pick(file: impl Read, number: u64) -> Result<SingleShare> {
    let mut reader = EvidenceReader::open(file)?;
    let count = reader.left();
    if number >= count {
        bail!("share {number} is not in the file: expected below {count}");
    }
    let (mut shares, mut picked) = (Vec::new(), None);
    let mut at = 0u64;
    // to the end, because the checksum is there
    while reader.next(&mut shares, 65_536)? {
        let place = number.checked_sub(at).and_then(|place| usize::try_from(place).ok());
        picked = place.and_then(|place| shares.get(place)).cloned().or(picked);
        at = at.saturating_add(shares.len() as u64);
    }
    let share = picked.with_context(|| format!("share {number} is not in the file"))?;
    SingleShare::of(reader.head(), &share)
        .with_context(|| format!("share {number} is of job {}, which is not in the file", share.job))
}

/// Result of checking a share.
pub(super) struct Verdict {
    pub(super) key: Option<B256>,
    pub(super) header: Option<Bytes>,
    pub(super) mix: Option<B256>,
    /// The proof-of-work hash as an integer.
    pub(super) hash: Option<B256>,
    pub(super) epoch: Option<u32>,
    pub(super) refused: Option<EvidenceReason>,
}

pub(super) fn check(single: &SingleShare, caches: CacheSource<'_>) -> Verdict {
    let (opened, verdict) = single.check(caches);
    let opened = opened.as_ref();
    Verdict {
        key: opened.map(OpenedShare::key),
        header: opened.and_then(OpenedShare::header).map(|header| Bytes::copy_from_slice(header)),
        mix: opened.and_then(OpenedShare::mix).copied(),
        hash: opened.map(|opened| B256::from(opened.hash())),
        epoch: opened.map(OpenedShare::epoch),
        refused: verdict.err(),
    }
}

/// The settlement target.
pub(super) fn target(single: &SingleShare) -> B256 {
    B256::from(single.terms.weight.target().0)
}

/// Names and values to print; `signer` says who chose the job signer.
pub(super) fn lines(single: &SingleShare, signer: &str, verdict: &Verdict) -> Vec<(&'static str, String)> {
    let terms = &single.terms;
    let epoch = verdict.epoch.map_or_else(String::new, |epoch| format!(" epoch {epoch}"));
    let chain = terms.domain.chain_id;
    let mut lines = vec![
        ("lease", format!("{}{epoch}, {} on chain {chain}{signer}", terms.id, terms.algorithm)),
        ("escrow", terms.domain.contract.to_string()),
        ("job signer", terms.job_signer.to_string()),
        ("job", single.job.job.sequence().to_string()),
    ];
    let more = [
        ("header", verdict.header.as_ref().map(|header| header.to_string())),
        ("mix", verdict.mix.map(|mix| mix.to_string())),
        ("key", verdict.key.map(|key| key.to_string())),
        ("hash", verdict.hash.map(|hash| hash.to_string())),
        ("target", Some(target(single).to_string())),
        ("worth", Some(format!("{} hashes", terms.weight.work()))),
    ];
    lines.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
    lines
}
