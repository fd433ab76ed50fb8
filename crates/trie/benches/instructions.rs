//! Instructions of a build, counted and not timed: see `crates/pow/benches/instructions.rs`.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

use alloy_primitives::{B256, keccak256};
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use hashlease_trie::Trie;
use std::hint::black_box;

fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::with_args(["--cache-sim=no"]);
    callgrind.hard_limits([(EventKind::Ir, instructions)]);
    LibraryBenchmarkConfig::default().tool(callgrind).clone()
}

fn keys(count: u32) -> Vec<B256> {
    (0..count).map(|number| keccak256(number.to_be_bytes())).collect()
}

#[library_benchmark(config = at_most(49_440_000))]
#[bench::of_10_000_keys(keys(10_000))]
fn build(keys: Vec<B256>) -> Trie {
    Trie::build(black_box(keys)).unwrap()
}

library_benchmark_group!(name = trie, benchmarks = [build]);
main!(library_benchmark_groups = trie);
