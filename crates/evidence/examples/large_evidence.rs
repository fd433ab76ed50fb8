//! Writes an evidence file of any number of shares, each worth one hash, so that reading and checking can be measured.
//!
//! `cargo run --release -p hashlease-ledger --example large_evidence -- 10000000 target/large.hlev`
//! and then `hashlease verify target/large.hlev`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alloy_primitives::{Address, B256};
use hashlease_evidence::{Evidence, EvidenceHead, EvidenceShare};
use hashlease_primitives::{
    Algorithm, Domain, HashRate, HeaderJob, Job, LeaseId, LocalSigner, SettlementWeight, SignedJob, Terms,
    UnixSeconds,
};
use hashlease_share::{HeaderShare, Share, VerifiedJob, open_many};
use hashlease_trie::Trie;
use std::env;

/// Jobs of an hour, one every thirty seconds.
const JOBS: u64 = 120;

fn main() {
    let mut arguments = env::args().skip(1);
    let count: usize = arguments.next().and_then(|text| text.parse().ok()).expect("number of shares");
    let path = arguments.next().expect("path of the file");
    let signer = LocalSigner::from_bytes(&[7; 32]).unwrap();
    let terms = Terms {
        id: LeaseId(1),
        domain: Domain { chain_id: 31_337, contract: Address::repeat_byte(1) },
        oracle: Address::repeat_byte(2),
        provider: Address::repeat_byte(3),
        job_signer: signer.address(),
        algorithm: Algorithm::Sha256d,
        weight: SettlementWeight::from_log2(0).unwrap(),
        rate: HashRate::new(6),
        start: UnixSeconds::new(0),
        end: UnixSeconds::new(3_600),
        duration: 3_600,
        epoch_length: 3_600,
    };
    let job = |sequence: u64| {
        let job = Job::Header(HeaderJob {
            lease: terms.id,
            sequence,
            prev_hash: B256::repeat_byte(9),
            n_bits: 0x1703_4219,
            version: 0x2000_0000,
            version_mask: 0x1fff_e000,
            not_before: UnixSeconds::new(sequence * 30),
            not_after: UnixSeconds::new(sequence * 30 + 29),
            coinbase_prefix: vec![1; 140].into(),
            tail_length: 8,
            coinbase_suffix: vec![2; 102].into(),
            branch: (0..12).map(B256::repeat_byte).collect(),
        });
        SignedJob { signature: signer.sign(&job.digest(&terms.domain)).unwrap(), job }
    };
    let jobs: Vec<SignedJob> = (0..JOBS).map(job).collect();
    let verified: Vec<VerifiedJob> =
        jobs.iter().map(|signed| VerifiedJob::verify(&terms, signed.clone()).unwrap()).collect();
    let share = |number: usize| {
        let sequence = number as u64 % JOBS;
        let tail = (number as u64).to_be_bytes().as_slice().try_into().unwrap();
        let ntime = u32::try_from(sequence * 30).unwrap();
        let share = Share::Header(HeaderShare { tail, ntime, nonce: 7, version: 0x2000_0000 });
        EvidenceShare { job: sequence, share }
    };
    let mut shares: Vec<(B256, EvidenceShare)> =
        (0..count).map(|number| (B256::ZERO, share(number))).collect();
    for chunk in shares.chunks_mut(1 << 16) {
        let mut keys = vec![B256::ZERO; chunk.len()];
        let items = chunk.iter().map(|(_, share)| (&verified[share.job as usize], &share.share));
        open_many(terms.end, items, |at, opened| keys[at] = opened.unwrap().key());
        for ((place, _), key) in chunk.iter_mut().zip(keys) {
            *place = key;
        }
    }
    shares.sort_unstable_by_key(|(key, _)| *key);
    let commitment = Trie::build(shares.iter().map(|(key, _)| *key).collect()).unwrap().commitment();
    let evidence = Evidence {
        head: EvidenceHead { terms, epoch: 0, commitment, jobs },
        shares: shares.into_iter().map(|(_, share)| share).collect(),
    };
    std::fs::write(&path, evidence.encode().unwrap()).expect("writing the file");
}
