//! All parts of Ethash, compared with the `ethash` crate: `cargo bench -p hashlease-pow --bench
//! ethash`.
//!
//! Each iteration checks new seals: the 32,768 reads of a repeated one would stay in the
//! processor's caches.
#![allow(clippy::unwrap_used)]
#![allow(missing_docs)] // criterion's macros

use alloy_primitives::B256;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ethereum_types::{H64, H256};
use hashlease_pow::{
    Isa,
    ethash::{
        EthashEpoch, LightCache, Seal, hashimoto_light, hashimoto_light_many, hashimoto_light_many_with,
        result_of_mix,
    },
    keccak::{keccak256, keccak256_many_32_with, keccak256_many_128_with, keccak512},
};
use std::{hint::black_box, time::Duration};

/// The first epoch, one of Ethereum in 2021 and of Ethereum Classic today, and one with 100 MiB.
const EPOCHS: [u64; 3] = [0, 390, 672];
const BATCH: usize = 96;

fn epoch(index: u64) -> EthashEpoch {
    EthashEpoch::of_ethash_block(index * 30_000).unwrap()
}

/// Endless inputs, none of them repeated.
fn inputs() -> impl FnMut(usize) -> Vec<(B256, u64)> {
    let mut next = 0_u64;
    move |many| {
        (0..many)
            .map(|_| {
                next += 1;
                (keccak256(&next.to_le_bytes()), next)
            })
            .collect()
    }
}

fn light_checks(c: &mut Criterion) {
    let mut fresh = inputs();
    for index in EPOCHS {
        let cache = LightCache::build(epoch(index));
        let mut group = c.benchmark_group(format!("light check, epoch {index}"));
        group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
        let mut out = [Seal::default(); BATCH];
        for isa in Isa::available() {
            group.throughput(Throughput::Elements(BATCH as u64));
            group.bench_function(BenchmarkId::new(format!("batch of {BATCH}"), format!("{isa:?}")), |b| {
                b.iter_batched_ref(
                    || fresh(BATCH),
                    |inputs| hashimoto_light_many_with(isa, &cache, inputs, &mut out),
                    criterion::BatchSize::PerIteration,
                );
            });
        }
        for many in [2, 4, 8, 16, 32, 48] {
            group.throughput(Throughput::Elements(many as u64));
            group.bench_function(format!("batch of {many}"), |b| {
                b.iter_batched_ref(
                    || fresh(many),
                    |inputs| hashimoto_light_many(&cache, inputs, &mut out),
                    criterion::BatchSize::PerIteration,
                );
            });
        }
        group.throughput(Throughput::Elements(1));
        group.bench_function("single", |b| {
            b.iter_batched_ref(
                || fresh(1),
                |inputs| hashimoto_light(&cache, &inputs[0].0, inputs[0].1),
                criterion::BatchSize::PerIteration,
            );
        });
        let size = ethash::get_full_size(index as usize);
        group.bench_function("peer: ethash crate", |b| {
            b.iter_batched_ref(
                || fresh(1),
                |inputs| {
                    let (hash, nonce) = (H256(inputs[0].0.0), H64::from(inputs[0].1.to_be_bytes()));
                    ethash::hashimoto_light(hash, nonce, size, cache.as_bytes())
                },
                criterion::BatchSize::PerIteration,
            );
        });
        group.finish();
    }
}

fn false_mix(c: &mut Criterion) {
    let (hash, mix) = (B256::repeat_byte(1), B256::repeat_byte(2));
    c.bench_function("result of a claimed mix", |b| b.iter(|| result_of_mix(black_box(&hash), 42, &mix)));
}

fn builds(c: &mut Criterion) {
    let mut group = c.benchmark_group("build");
    group.sample_size(10);
    for index in EPOCHS {
        group.bench_function(format!("epoch {index}"), |b| b.iter(|| LightCache::build(epoch(index))));
    }
    group.bench_function("epoch 0, peer: ethash crate", |b| {
        b.iter(|| {
            let mut bytes = vec![0; ethash::get_cache_size(0)];
            ethash::make_cache(&mut bytes, ethash::get_seedhash(0));
            bytes
        });
    });
    group.finish();
}

fn keccak(c: &mut Criterion) {
    const MANY: usize = 1024;
    let (short, long) = (vec![[7; 32]; MANY], vec![[7; 128]; MANY]);
    let mut out = vec![B256::ZERO; MANY];
    let mut group = c.benchmark_group("keccak");
    group.throughput(Throughput::Elements(MANY as u64));
    for isa in Isa::available() {
        group.bench_function(BenchmarkId::new("256 of 32 bytes", format!("{isa:?}")), |b| {
            b.iter(|| keccak256_many_32_with(isa, &short, &mut out));
        });
        group.bench_function(BenchmarkId::new("256 of 128 bytes", format!("{isa:?}")), |b| {
            b.iter(|| keccak256_many_128_with(isa, &long, &mut out));
        });
    }
    group.bench_function("256 of 32 bytes, peer: alloy_primitives", |b| {
        b.iter(|| {
            for (out, input) in out.iter_mut().zip(&short) {
                *out = alloy_primitives::keccak256(input);
            }
        });
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("256 of 32 bytes, one", |b| b.iter(|| keccak256(black_box(&short[0]))));
    group.bench_function("512 of 64 bytes, one", |b| b.iter(|| keccak512(black_box(&long[0][..64]))));
    group.finish();
}

criterion_group!(benches, light_checks, false_mix, builds, keccak);
criterion_main!(benches);
