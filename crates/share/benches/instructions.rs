//! Instructions of the evidence rules, counted and not timed: see
//! `crates/pow/benches/instructions.rs`.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

use alloy_primitives::B256;
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use hashlease_fixtures::{header_job, terms, weight};
use hashlease_primitives::{HeaderJob, SignedJob, Terms};
use hashlease_share::{HeaderShare, Share, VerifiedJob, open_many};
use std::hint::black_box;

const START: u32 = 1_700_000_000;

fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::with_args(["--cache-sim=no"]);
    callgrind.hard_limits([(EventKind::Ir, instructions)]);
    LibraryBenchmarkConfig::default().tool(callgrind).clone()
}

/// A usual job: 250 bytes of coinbase and 12 steps to the Merkle root.
fn signed() -> (Terms, SignedJob) {
    let terms = Terms { weight: weight(32), ..terms(START.into(), 7_200, 3_600) };
    let job = HeaderJob {
        prev_hash: B256::repeat_byte(3),
        n_bits: 0x1703_4219,
        coinbase_prefix: vec![1; 58].into(),
        tail_length: 8,
        coinbase_suffix: vec![2; 184].into(),
        branch: (0..12).map(B256::repeat_byte).collect(),
        ..header_job(&terms, 1, START.into()..=u64::from(START) + 60)
    };
    let signed = hashlease_fixtures::sign(&terms, job);
    (terms, signed)
}

#[library_benchmark(config = at_most(2_485_000))]
#[bench::with_its_signature(signed())]
fn verify_job((terms, signed): (Terms, SignedJob)) -> (Terms, VerifiedJob) {
    let job = VerifiedJob::verify(black_box(&terms), signed).unwrap();
    (terms, job)
}

fn shares() -> (Terms, VerifiedJob, Vec<Share>) {
    let (terms, signed) = signed();
    let job = VerifiedJob::verify(&terms, signed).unwrap();
    let share = |nonce: u32| HeaderShare {
        tail: u64::from(nonce).to_le_bytes().into_iter().collect(),
        ntime: START + 1,
        nonce,
        version: 0x2000_0000,
    };
    (terms, job, (0..64).map(|nonce| share(nonce).into()).collect())
}

#[library_benchmark(config = at_most(1_446_000))]
#[bench::of_sha256d(shares())]
fn open_64_shares(
    (terms, job, shares): (Terms, VerifiedJob, Vec<Share>),
) -> (Terms, VerifiedJob, Vec<Share>, u32) {
    let mut opened = 0;
    open_many(black_box(terms.end), shares.iter().map(|share| (&job, share)), |_, verdict| {
        opened += u32::from(verdict.is_ok());
    });
    assert_eq!(opened, 64);
    (terms, job, shares, opened)
}

library_benchmark_group!(name = share, benchmarks = [verify_job, open_64_shares]);
main!(library_benchmark_groups = share);
