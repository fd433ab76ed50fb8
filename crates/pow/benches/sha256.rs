//! Full SHA-256d share checks per second, compared with bare compressions in the same run.
//!
//! `cargo bench -p hashlease-pow --bench sha256`
#![allow(missing_docs)]

use alloy_primitives::B256;
use bitcoin_hashes::sha256d;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hashlease_pow::sha256::{Choice, Engine, HeaderTemplate, bare_compressions, hash_headers};
use std::hint::black_box;

/// Compressions of a share without shortcuts: 250 bytes of coinbase, a branch of 12 hashes, 80
/// bytes of header.
const COMPRESSIONS: usize = 5 + 1 + 12 * 3 + 3;

fn template(seed: u8) -> HeaderTemplate {
    let branch: Vec<B256> = (0..12).map(|i| B256::repeat_byte(seed ^ i)).collect();
    HeaderTemplate::new(&[seed; 58], 8, &[seed ^ 1; 184], &branch, &B256::repeat_byte(seed), 0x1703_4219)
}

fn full_check(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sha256d full check");
    let jobs: Vec<HeaderTemplate> = (0..100).map(template).collect();
    let tails: Vec<[u8; 8]> = (0..4_096u64).map(u64::to_le_bytes).collect();
    let choice = |tail| Choice { tail, ntime: 1_700_000_000, nonce: 7, version: 0x2000_0000 };

    group.throughput(Throughput::Elements(1));
    let mut i = 0;
    group.bench_function("one", |bencher| {
        bencher.iter(|| {
            i = (i + 1) % tails.len();
            black_box(jobs[0].hash(choice(&tails[i])).digest)
        });
    });
    for (name, several) in [("of one job", false), ("of 100 jobs", true)] {
        for engine in Engine::available() {
            for count in [64, 4_096] {
                group.throughput(Throughput::Elements(count as u64));
                let id = BenchmarkId::new(format!("{engine:?} {name}"), count);
                group.bench_function(id, |bencher| {
                    bencher.iter(|| {
                        let items = tails[..count]
                            .iter()
                            .enumerate()
                            .map(|(i, tail)| (&jobs[if several { i * 37 % 100 } else { 0 }], choice(tail)));
                        let mut sum = 0u8;
                        hash_headers(engine, items, |_, hashed| sum ^= hashed.digest[31]);
                        black_box(sum)
                    });
                });
            }
        }
    }
    group.finish();
}

/// The same number of bare compressions.
fn limit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sha256d limit, as shares");
    for engine in Engine::available() {
        group.throughput(Throughput::Elements(engine.width() as u64));
        group.bench_function(format!("{engine:?}, bare compressions"), |bencher| {
            bencher.iter(|| bare_compressions(engine, black_box(COMPRESSIONS)));
        });
    }
    // three compressions a message
    let messages = vec![[7u8; 64]; COMPRESSIONS * 64 / 3];
    let mut digests = vec![[0u8; 32]; messages.len()];
    group.throughput(Throughput::Elements(64));
    group.bench_function("bitcoin_hashes hash_64_many", |bencher| {
        bencher.iter(|| sha256d::Hash::hash_64_many(black_box(&mut digests), black_box(&messages)));
    });
    group.finish();
}

criterion_group!(benches, full_check, limit);
criterion_main!(benches);
