//! Leaves built per second, and the time of an opening and of its check, compared with plain
//! hashes.
//!
//! `cargo bench -p hashlease-trie --bench trie`, or with a part of a name after `--` to run some of
//! it. The line `limit/hashes of 1 M leaves` is the limit of a build without lanes: it computes as
//! many hashes as a trie of random keys takes, one for each leaf and 1/ln 2 = 1.44 for its nodes.
//! Lanes may exceed it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/common/ascending.rs"]
mod ascending;

use alloy_primitives::{B256, keccak256};
use ascending::ascending;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hashlease_trie::{Builder, Trie};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng, seq::SliceRandom as _};
use std::{hint::black_box, num::NonZeroUsize, thread, time::Duration};

const MILLION: u32 = 1_000_000;

fn shuffled(count: u32) -> Vec<B256> {
    let mut keys: Vec<B256> = ascending(count, 1).collect();
    keys.shuffle(&mut SmallRng::seed_from_u64(2));
    keys
}

fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn limit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("limit");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.throughput(Throughput::Elements(MILLION.into()));
    let nodes = (f64::from(MILLION) / 2f64.ln()) as u32;
    group.bench_function("hashes of 1 M leaves", |bencher| {
        bencher.iter(|| {
            let (mut leaf, mut node) = ([0u8; 32], [0u8; 128]);
            for _ in 0..MILLION {
                leaf = *keccak256(black_box(&leaf));
            }
            for _ in 0..nodes {
                let hash = keccak256(black_box(&node));
                node[..32].copy_from_slice(hash.as_slice());
            }
            (leaf, node)
        });
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("keccak256 of 128 bytes", |bencher| {
        let node = [7u8; 128];
        bencher.iter(|| keccak256(black_box(&node)));
    });
    group.finish();
}

fn build(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.throughput(Throughput::Elements(MILLION.into()));
    let keys = shuffled(MILLION);
    group.bench_function("1 M in any order, one core", |bencher| {
        let build = |keys| Trie::build(keys).unwrap();
        bencher.iter_batched(|| keys.clone(), build, BatchSize::PerIteration);
    });
    group.bench_function(format!("1 M in any order, {} threads", cores()), |bencher| {
        let build = |keys| Trie::build_threaded(keys, cores()).unwrap();
        bencher.iter_batched(|| keys.clone(), build, BatchSize::PerIteration);
    });
    let count = 10 * MILLION;
    group.throughput(Throughput::Elements(count.into()));
    let keys: Vec<B256> = ascending(count, 3).collect();
    group.bench_function("10 M ascending, streamed, one core", |bencher| {
        bencher.iter(|| {
            let mut builder = Builder::new();
            for key in &keys {
                builder.push(*key).unwrap();
            }
            builder.finish()
        });
    });
    group.finish();
}

fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    group.throughput(Throughput::Elements(1));
    for millions in [1, 10] {
        let count = millions * MILLION;
        let trie = Trie::build_threaded(ascending(count, 4).collect(), cores()).unwrap();
        println!("outline of {millions} M: {} bytes", trie.outline().size());
        let mut random = SmallRng::seed_from_u64(5);
        group.bench_function(format!("random point of {millions} M"), |bencher| {
            let point = || u64::from(random.random_range(0..count));
            bencher.iter_batched(point, |point| trie.open(point).unwrap(), BatchSize::SmallInput);
        });
        let opening = trie.open(12_345).unwrap();
        group.bench_function(format!("verify one of {millions} M"), |bencher| {
            bencher.iter(|| black_box(&opening).verify(&trie.commitment(), 12_345).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, limit, build, open);
criterion_main!(benches);
