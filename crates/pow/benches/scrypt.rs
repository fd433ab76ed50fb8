//! scrypt headers per second, one at a time and in batches, with all instructions of this machine,
//! compared with the `scrypt` crate.
//!
//! `cargo bench -p hashlease-pow --bench scrypt`
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_primitives::B256;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hashlease_pow::{
    Isa,
    scrypt::{Scratch, scrypt_many_with},
};
use scrypt::Params;
use std::hint::black_box;

fn peer(header: &[u8; 80]) -> [u8; 32] {
    let mut digest = [0; 32];
    scrypt::scrypt(header, header, &Params::new(10, 1, 1).unwrap(), &mut digest).unwrap();
    digest
}

fn headers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scrypt");
    group.throughput(Throughput::Elements(1));
    group.bench_function("crate", |bencher| bencher.iter(|| peer(black_box(&[7; 80]))));
    let mut scratch = Scratch::new();
    for isa in Isa::available() {
        for count in [1, 4, 8, 12, 16, 64] {
            let headers: Vec<[u8; 80]> = (0..count).map(|i| [i; 80]).collect();
            let mut digests = vec![B256::ZERO; headers.len()];
            group.throughput(Throughput::Elements(count.into()));
            group.bench_function(BenchmarkId::new(format!("{isa:?}"), count), |bencher| {
                bencher.iter(|| scrypt_many_with(isa, black_box(&headers), &mut digests, &mut scratch));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, headers);
criterion_main!(benches);
