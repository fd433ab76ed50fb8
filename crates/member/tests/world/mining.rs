//! Jobs, and evidence of shares that are really hashed.

use super::job_signer;
use alloy_primitives::{B256, keccak256};
use arrayvec::ArrayVec;
use hashlease_evidence::{Evidence, EvidenceHead, EvidenceShare};
use hashlease_primitives::{Domain, HeaderJob, Job, LocalSigner, SignedJob, Terms, UnixSeconds};
use hashlease_share::{HeaderShare, VerifiedJob};
use hashlease_trie::Trie;
use std::collections::BTreeSet;

pub fn sign_with(signer: &LocalSigner, domain: &Domain, job: HeaderJob) -> SignedJob {
    let signature = signer.sign(&Job::from(job.clone()).digest(domain)).unwrap();
    SignedJob { job: job.into(), signature }
}

/// The job signer's signature over a changed job.
pub fn resign(terms: &Terms, job: HeaderJob) -> SignedJob {
    sign_with(&job_signer(), &terms.domain, job)
}

/// A signed job with a window; its block is one of the lease's own, so no two leases share a header by chance.
pub fn job(terms: &Terms, sequence: u64, not_before: u64, not_after: u64) -> SignedJob {
    let job = HeaderJob {
        lease: terms.id,
        sequence,
        prev_hash: keccak256(terms.id.0.to_be_bytes()),
        n_bits: 0x1d00_ffff,
        version: 0x2000_0000,
        version_mask: 0x1fff_e000,
        not_before: UnixSeconds::new(not_before),
        not_after: UnixSeconds::new(not_after),
        coinbase_prefix: vec![1; 50].into(),
        tail_length: 4,
        coinbase_suffix: sequence.to_be_bytes().repeat(8).into(),
        branch: vec![B256::repeat_byte(4)],
    };
    resign(terms, job)
}

/// A job for the last ten minutes of an epoch.
pub fn job_in(terms: &Terms, epoch: u32, sequence: u64) -> SignedJob {
    let end = terms.epoch_end(epoch);
    job(terms, sequence, (end - 600).get(), (end - 1).get())
}

/// The very same work, signed for another lease.
pub fn same_job_for(terms: &Terms, signed: &SignedJob) -> SignedJob {
    resign(terms, HeaderJob { lease: terms.id, ..signed.job.header().unwrap().clone() })
}

/// The file of an epoch: so many shares of each job, mined.
pub fn evidence(terms: &Terms, epoch: u32, work: &[(&SignedJob, usize)]) -> Evidence {
    let tail = ArrayVec::try_from(&[0u8, 0, 0, 1][..]).unwrap();
    let mut mined = Vec::new();
    for (signed, count) in work {
        let verified = VerifiedJob::verify(terms, (*signed).clone()).unwrap();
        let ntime = u32::try_from(signed.job.not_after().min(terms.epoch_end(epoch) - 1)).unwrap();
        let shares = (0..).filter_map(|nonce| {
            let version = signed.job.header().unwrap().version;
            let share = HeaderShare { tail: tail.clone(), ntime, nonce, version };
            verified.open(&share.into(), terms.end).unwrap().settle().ok()
        });
        mined.extend(shares.take(*count));
    }
    mined.sort_by_key(hashlease_share::VerifiedShare::key);
    let commitment = Trie::build(mined.iter().map(|share| share.key()).collect()).unwrap().commitment();
    let jobs = work.iter().map(|(signed, _)| (*signed).clone()).collect();
    Evidence {
        head: EvidenceHead { terms: terms.clone(), epoch, commitment, jobs },
        shares: mined
            .iter()
            .map(|share| EvidenceShare { job: share.job(), share: share.share().clone() })
            .collect(),
    }
}

/// Makes root and count those of the file's headers, whatever rules the shares break: a liar's claim that fits its file.
pub fn recommit(evidence: &mut Evidence) {
    let keys: BTreeSet<B256> = evidence.shares.iter().map(|share| key(evidence, share)).collect();
    evidence.head.commitment = Trie::build(keys.into_iter().collect()).unwrap().commitment();
}

/// The key of a share under a job that lets it choose everything.
fn key(evidence: &Evidence, share: &EvidenceShare) -> B256 {
    let found = evidence.head.jobs.iter().find(|signed| signed.job.sequence() == share.job).unwrap();
    let ntime = u64::from(share.share.header().unwrap().ntime);
    // neither mask nor window is in the header
    let lax = HeaderJob {
        version_mask: u32::MAX,
        not_before: UnixSeconds::new(ntime),
        not_after: UnixSeconds::new(ntime),
        ..found.job.header().unwrap().clone()
    };
    let mut terms = evidence.head.terms.clone();
    terms.id = lax.lease;
    terms.job_signer = job_signer().address();
    VerifiedJob::verify(&terms, resign(&terms, lax)).unwrap().open(&share.share, terms.end).unwrap().key()
}
