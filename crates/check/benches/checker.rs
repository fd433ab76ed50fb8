//! scrypt shares per second through the threads, by the number that wait at the same time, compared
//! with one by one on the caller's thread.
//!
//! `cargo bench -p hashlease-check --bench checker`
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../share/tests/common/mod.rs"]
mod common;

use alloy_primitives::B256;
use common::{terms, verified};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use hashlease_check::ShareChecker;
use hashlease_primitives::{Algorithm, HeaderJob, LeaseId, UnixSeconds};
use hashlease_share::{HeaderShare, Share};
use std::sync::Arc;

const TIME: u64 = 1_700_000_000;

fn scrypt(criterion: &mut Criterion) {
    let terms = terms(Algorithm::Scrypt, 1, TIME, 0);
    let job = HeaderJob {
        lease: LeaseId(1),
        sequence: 1,
        prev_hash: B256::repeat_byte(9),
        n_bits: 0x1d00_ffff,
        version: 0x2000_0000,
        version_mask: 0,
        not_before: UnixSeconds::new(TIME),
        not_after: UnixSeconds::new(TIME + 100),
        coinbase_prefix: vec![1; 130].into(),
        tail_length: 8,
        coinbase_suffix: vec![2; 112].into(),
        branch: (0..12).map(B256::repeat_byte).collect(),
    };
    let job = Arc::new(verified(&terms, job));
    let share = |nonce| -> Share {
        HeaderShare {
            tail: [0; 8].as_slice().try_into().unwrap(),
            ntime: TIME as u32,
            nonce,
            version: 0x2000_0000,
        }
        .into()
    };
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
