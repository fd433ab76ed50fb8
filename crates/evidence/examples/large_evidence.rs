//! Writes an evidence file with any number of shares, each worth one hash, to measure reading and
//! checking.
//!
//! `cargo run --release -p hashlease-evidence --example large_evidence -- 10000000 large.hlev` and
//! then `hashlease verify large.hlev`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alloy_primitives::B256;
use hashlease_evidence::{Evidence, EvidenceHead, EvidenceShare};
use hashlease_fixtures::{header_job, terms, verified};
use hashlease_primitives::{HashRate, HeaderJob, SignedJob, Terms};
use hashlease_share::{HeaderShare, Share, VerifiedJob, open_many};
use hashlease_trie::Trie;
use std::env;

/// Jobs of an hour, one every thirty seconds.
const JOBS: u64 = 120;

fn main() {
    let mut arguments = env::args().skip(1);
    let count: usize = arguments.next().and_then(|text| text.parse().ok()).expect("number of shares");
    let path = arguments.next().expect("path of the file");
    let terms = Terms { rate: HashRate::new(6), ..terms(0, 3_600, 3_600) };
    let job = |sequence: u64| {
        let job = HeaderJob {
            n_bits: 0x1703_4219,
            coinbase_prefix: vec![1; 140].into(),
            tail_length: 8,
            coinbase_suffix: vec![2; 102].into(),
            branch: (0..12).map(B256::repeat_byte).collect(),
            ..header_job(&terms, sequence, sequence * 30..=sequence * 30 + 29)
        };
        verified(&terms, job)
    };
    let verified: Vec<VerifiedJob> = (0..JOBS).map(job).collect();
    let jobs: Vec<SignedJob> = verified.iter().map(|job| job.signed().clone()).collect();
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
