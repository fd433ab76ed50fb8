//! scrypt shares per second through the threads, by the number that wait at the same time, compared
//! with one by one on the caller's thread.
//!
//! `cargo bench -p hashlease-check --bench checker`
#![allow(missing_docs, clippy::unwrap_used)]

use alloy_primitives::B256;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use hashlease_check::ShareChecker;
use hashlease_fixtures::{header_job, header_share, terms, verified, weight};
use hashlease_primitives::{Algorithm, HeaderJob, Terms};
use hashlease_share::Share;
use std::sync::Arc;

const TIME: u64 = 1_700_000_000;

fn scrypt(criterion: &mut Criterion) {
    let terms =
        Terms { algorithm: Algorithm::Scrypt, weight: weight(1), ..terms(TIME - 1_800, 7_200, 3_600) };
    // 250 bytes of coinbase and 12 steps to the Merkle root
    let header = HeaderJob {
        coinbase_prefix: vec![1; 130].into(),
        tail_length: 8,
        coinbase_suffix: vec![2; 112].into(),
        branch: (0..12).map(B256::repeat_byte).collect(),
        ..header_job(&terms, 1, TIME..=TIME + 100)
    };
    let job = Arc::new(verified(&terms, header.clone()));
    let share = |nonce| -> Share { header_share(&header, nonce).into() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let checker = ShareChecker::on_all_cores();
    let mut group = criterion.benchmark_group("scrypt shares");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one by one on the caller's thread", |bencher| {
        bencher.iter(|| job.open(&share(7), terms.end).unwrap().key());
    });
    for count in [1u32, 16, 64, 256] {
        group.throughput(Throughput::Elements(count.into()));
        let shares: Vec<Share> = (0..count).map(share).collect();
        group.bench_function(BenchmarkId::new("waiting at once", count), |bencher| {
            bencher.iter(|| {
                let asked = shares.iter().map(|share| checker.open(&job, share, terms.end));
                runtime.block_on(join_all(asked)).len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, scrypt);
criterion_main!(benches);
