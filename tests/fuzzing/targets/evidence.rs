//! Evidence files: everything readable is written back unchanged, and a recheck of any file counts
//! each share once.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use hashlease_evidence::{Evidence, EvidenceHead, EvidenceReader, EvidenceShare, Report};
use hashlease_fuzz::{CACHE, ethash_job, header_job, share, sign, terms};
use hashlease_primitives::{Algorithm, Commitment, EthashJob, HeaderJob, Job};
use hashlease_share::VerifiedJob;
use hashlease_trie::Trie;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};

/// A file as a node writes it, except for defects of its jobs and shares; every hash meets the
/// target.
#[derive(Debug)]
struct Plausible(Evidence);

impl<'a> Arbitrary<'a> for Plausible {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let terms = terms(*u.choose(&[
            Algorithm::Sha256d,
            Algorithm::Sha256d,
            Algorithm::Scrypt,
            Algorithm::Ethash,
        ])?);
        let mut jobs = Vec::new();
        for sequence in 1..=u.int_in_range(1..=2)? {
            let job: Job = if terms.algorithm == Algorithm::Ethash {
                EthashJob { lease: terms.id, sequence, ..ethash_job(u)? }.into()
            } else {
                HeaderJob { lease: terms.id, sequence, ..header_job(u)? }.into()
            };
            jobs.push(sign(&terms, job));
        }
        let most = if terms.algorithm == Algorithm::Sha256d { 12 } else { 2 };
        let mut shares = Vec::new();
        for _ in 0..u.int_in_range(0..=most)? {
            let signed = u.choose(&jobs)?;
            let job = if u.ratio(1, 16)? { 9 } else { signed.job.sequence() };
            shares.push(EvidenceShare { job, share: share(u, &signed.job)? });
        }
        let commitment = Commitment { root: u.arbitrary::<[u8; 32]>()?.into(), count: u.arbitrary()? };
        let head = EvidenceHead { terms, epoch: u.int_in_range(0..=1)?, commitment, jobs };
        Ok(Self(Evidence { head, shares }))
    }
}

fn read(file: &[u8]) -> Option<Evidence> {
    let evidence = Evidence::decode(file).ok()?;
    assert_eq!(evidence.encode().unwrap(), file);
    // reading in pieces gives the same shares
    let mut reader = EvidenceReader::open(file).unwrap();
    let (mut all, mut piece) = (Vec::new(), Vec::new());
    while reader.next(&mut piece, 3).unwrap() {
        all.append(&mut piece);
    }
    assert_eq!((reader.head(), &all), (&evidence.head, &evidence.shares));
    Some(evidence)
}

fn recheck(evidence: &Evidence) -> Report {
    let (report, keys) = evidence.recheck_keys(&|_| CACHE.clone());
    assert_eq!(report.shares, evidence.shares.len() as u64);
    assert_eq!(report.rebuilt.count + report.refused, report.shares);
    assert!(keys.is_sorted_by(|a, b| a < b));
    assert_eq!(Trie::build(keys).unwrap().commitment(), report.rebuilt);
    assert_eq!(report.named.len() as u64, report.refused.min(10_000));
    assert_eq!(report.holds(), report.complaint().is_none());
    report
}

/// Rechecks a file of only the counted shares, in their order and with their root: it holds.
fn repaired(mut evidence: Evidence) {
    let refused = recheck(&evidence);
    let terms = &evidence.head.terms;
    let bad: Vec<u64> = refused.jobs_named.iter().map(|job| job.sequence).collect();
    evidence.head.jobs.retain(|signed| !bad.contains(&signed.job.sequence()));
    let verified: Vec<VerifiedJob> = evidence
        .head
        .jobs
        .iter()
        .map(|signed| VerifiedJob::verify(terms, signed.clone()).unwrap().with_cache(CACHE.clone()))
        .collect();
    let mut keyed: Vec<_> = evidence
        .shares
        .drain(..)
        .filter_map(|share| {
            let job = verified.iter().find(|job| job.job().sequence() == share.job)?;
            let opened = job.open(&share.share, terms.end).ok()?;
            (opened.epoch() == evidence.head.epoch).then(|| (opened.key(), share))
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.dedup_by_key(|(key, _)| *key);
    let (keys, shares) = keyed.into_iter().unzip();
    evidence.shares = shares;
    evidence.head.commitment = Trie::build(keys).unwrap().commitment();
    let report = recheck(&evidence);
    assert!(report.holds(), "{:?}", report.complaint());
}

/// Signatures take most of the time, so inputs of raw bytes have none.
#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Plausible(Box<Plausible>),
    Bytes(&'a [u8]),
}

fuzz_target!(|input: Input<'_>| match input {
    Input::Plausible(plausible) => {
        let Plausible(evidence) = *plausible;
        let file = evidence.encode().unwrap();
        assert_eq!(read(&file).as_ref(), Some(&evidence));
        repaired(evidence);
    }
    Input::Bytes(content) => {
        read(content);
        // chance never finds the magic and the checksum
        let mut file = [b"HLEVIDNC\x01\0", content].concat();
        let checksum = Sha256::digest(&file);
        file.extend(checksum);
        if let Some(evidence) = read(&file)
            && evidence.head.jobs.len() <= 8
        {
            recheck(&evidence);
        }
    }
});
