//! Jobs, and evidence of shares that were really hashed.

use alloy_primitives::{B256, keccak256};
use hashlease_evidence::{Evidence, EvidenceShare};
use hashlease_fixtures::{header_job, job_signer, mine, sign, verified};
use hashlease_primitives::{HeaderJob, SignedJob, Terms, UnixSeconds};
use hashlease_share::VerifiedJob;
use hashlease_trie::Trie;
use std::collections::BTreeSet;

/// A signed job with a window; its block depends on the lease, so no two leases share a header by
/// chance.
pub fn job(terms: &Terms, sequence: u64, not_before: u64, not_after: u64) -> SignedJob {
    let job = HeaderJob {
        prev_hash: keccak256(terms.id.0.to_be_bytes()),
        coinbase_suffix: sequence.to_be_bytes().repeat(8).into(),
        ..header_job(terms, sequence, not_before..=not_after)
    };
    sign(terms, job)
}

/// A job for the last ten minutes of an epoch.
pub fn job_in(terms: &Terms, epoch: u32, sequence: u64) -> SignedJob {
    let end = terms.epoch_end(epoch);
    job(terms, sequence, (end - 600).get(), (end - 1).get())
}

/// The same work, signed for another lease.
pub fn same_job_for(terms: &Terms, signed: &SignedJob) -> SignedJob {
    sign(terms, HeaderJob { lease: terms.id, ..signed.job.header().unwrap().clone() })
}

/// The evidence file of an epoch with the given number of mined shares for each job.
pub fn evidence(terms: &Terms, epoch: u32, work: &[(&SignedJob, usize)]) -> Evidence {
    let mut mined = Vec::new();
    for (signed, count) in work {
        let job = VerifiedJob::verify(terms, (*signed).clone()).unwrap();
        let time = u32::try_from(signed.job.not_after().min(terms.epoch_end(epoch) - 1)).unwrap();
        mined.extend(mine(&job, time).take(*count));
    }
    let jobs = work.iter().map(|(signed, _)| (*signed).clone()).collect();
    hashlease_fixtures::evidence(terms, epoch, jobs, mined)
}

/// Sets root and count to those of the file's headers, whatever rules the shares break: a liar's
/// claim that fits its file.
pub fn recommit(evidence: &mut Evidence) {
    let keys: BTreeSet<B256> = evidence.shares.iter().map(|share| key(evidence, share)).collect();
    evidence.head.commitment = Trie::build(keys.into_iter().collect()).unwrap().commitment();
}

/// The key of a share under a job that allows its choices.
fn key(evidence: &Evidence, share: &EvidenceShare) -> B256 {
    let found = evidence.head.jobs.iter().find(|signed| signed.job.sequence() == share.job).unwrap();
    let chosen = share.share.header().unwrap();
    let ntime = u64::from(chosen.ntime);
    // the header contains neither the job's version nor its window
    let lax = HeaderJob {
        version: chosen.version,
        not_before: UnixSeconds::new(ntime),
        not_after: UnixSeconds::new(ntime),
        ..found.job.header().unwrap().clone()
    };
    let mut terms = evidence.head.terms.clone();
    terms.id = lax.lease;
    terms.job_signer = job_signer().address();
    verified(&terms, lax).open(&share.share, terms.end).unwrap().key()
}
