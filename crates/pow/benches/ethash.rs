//! Light checks of Ethash per second, the `ethash` crate beside them, and what they are made of.
//!
//! `cargo bench -p hashlease-pow --bench ethash`
#![allow(missing_docs, clippy::unwrap_used)]

use alloy_primitives::B256;
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use ethash::{EthereumPatch, LightDAG};
use hashlease_pow::{
    Isa,
    ethash::{EthashEpoch, LightCache, Seal, hashimoto_light, hashimoto_light_many_with, result_of_mix},
    keccak256_many_32_with, keccak256_many_128_with,
};
use std::{hint::black_box, thread};

const SEAL: B256 = B256::repeat_byte(0x2a);

fn light_check(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ethash light check");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    let mut nonce = 0u64;
    for epoch in [0u64, 390, 680] {
        let cache = LightCache::build(EthashEpoch::of_ethash_block(epoch * 30_000).unwrap());
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("one", epoch), |bencher| {
            bencher.iter(|| {
                nonce = nonce.wrapping_add(1);
                hashimoto_light(&cache, &SEAL, nonce)
            });
        });
        let inputs: Vec<(B256, u64)> = (0..256).map(|nonce| (SEAL, nonce)).collect();
        let mut out = vec![Seal::default(); inputs.len()];
        group.throughput(Throughput::Elements(inputs.len() as u64));
        for isa in Isa::available() {
            group.bench_function(BenchmarkId::new(format!("256, {isa:?}"), epoch), |bencher| {
                bencher.iter(|| hashimoto_light_many_with(isa, &cache, black_box(&inputs), &mut out));
            });
        }
        let theirs = LightDAG::<EthereumPatch>::new((epoch * 30_000).into());
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("crate ethash", epoch), |bencher| {
            bencher.iter(|| {
                nonce = nonce.wrapping_add(1);
                theirs.hashimoto(ethereum_types::H256(SEAL.0), ethereum_types::H64(nonce.to_be_bytes()))
            });
        });
    }
    group.finish();
    criterion.bench_function("ethash false mix refused", |bencher| {
        bencher.iter(|| {
            nonce = nonce.wrapping_add(1);
            result_of_mix(&SEAL, nonce, black_box(&SEAL))
        });
    });
}

fn cache(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ethash cache");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    let epoch = |number: u64| EthashEpoch::of_ethash_block(number * 30_000).unwrap();
    for number in [0, 680] {
        group.throughput(Throughput::Bytes(epoch(number).cache_size()));
        group.bench_function(BenchmarkId::new("build", number), |bencher| {
            bencher.iter(|| LightCache::build(epoch(number)));
        });
    }
    group.bench_function("build two at once, 0 and 1", |bencher| {
        bencher.iter(|| {
            thread::scope(|scope| {
                let threads = [0, 1].map(|number| scope.spawn(move || LightCache::build(epoch(number))));
                threads.map(|thread| thread.join().unwrap())
            })
        });
    });
    group.finish();
}

fn keccak(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("keccak256");
    let (short, long) = (vec![[7u8; 32]; 1_024], vec![[7u8; 128]; 1_024]);
    let mut out = vec![B256::ZERO; 1_024];
    group.throughput(Throughput::Elements(1_024));
    for isa in Isa::available() {
        group.bench_function(format!("32 bytes, {isa:?}"), |bencher| {
            bencher.iter(|| keccak256_many_32_with(isa, black_box(&short), &mut out));
        });
        group.bench_function(format!("128 bytes, {isa:?}"), |bencher| {
            bencher.iter(|| keccak256_many_128_with(isa, black_box(&long), &mut out));
        });
    }
    group.bench_function("128 bytes, alloy", |bencher| {
        bencher.iter(|| {
            for (input, digest) in black_box(&long).iter().zip(&mut out) {
                *digest = alloy_primitives::keccak256(input);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, light_check, cache, keccak);
criterion_main!(benches);
