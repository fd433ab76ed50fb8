//! Instruction counts of the hashing on which all payments depend. Unlike times, they don't depend
//! on the load of the machine, so limits can be tight.
//!
//! `cargo xtask instructions` counts with valgrind, here and in `share` and `trie`. The processor
//! that valgrind 3.19 emulates has AVX2 but neither AVX-512 nor the SHA instructions, so these are
//! the counts of the AVX2 and the portable paths, on every machine. Each limit is some 3 % above
//! the count at the time, and a higher count fails the run. With a reason for a higher count, or a
//! much lower one, set the limit to the `Instructions` of the run plus 3 %.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

use alloy_primitives::B256;
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use hashlease_pow::{
    Isa,
    ethash::{EthashEpoch, LightCache, Seal, hashimoto_light},
    keccak256_many_128_with,
    scrypt::{Scratch, scrypt_many_with},
    sha256::{Choice, Engine, HeaderTemplate, hash_headers},
};
use std::hint::black_box;

fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::with_args(["--cache-sim=no"]);
    callgrind.hard_limits([(EventKind::Ir, instructions)]);
    LibraryBenchmarkConfig::default().tool(callgrind).clone()
}

/// A usual job: 250 bytes of coinbase and 12 steps to the Merkle root.
fn template() -> HeaderTemplate {
    let branch: Vec<B256> = (0..12).map(B256::repeat_byte).collect();
    HeaderTemplate::new(&[1; 58], 8, &[2; 184], &branch, &B256::repeat_byte(3), 0x1703_4219)
}

fn choice(tail: &[u8; 8]) -> Choice<'_> {
    Choice { tail, ntime: 1_700_000_000, nonce: 7, version: 0x2000_0000 }
}

#[library_benchmark(config = at_most(158_500))]
#[bench::one(template())]
fn sha256d_share(template: HeaderTemplate) -> (HeaderTemplate, B256) {
    let digest = template.hash(black_box(choice(&[9; 8]))).digest;
    (template, digest)
}

fn tails() -> Vec<[u8; 8]> {
    (0..64u64).map(u64::to_le_bytes).collect()
}

#[library_benchmark(config = at_most(1_376_500))]
#[bench::avx2(template(), tails())]
fn sha256d_64_shares(template: HeaderTemplate, tails: Vec<[u8; 8]>) -> (HeaderTemplate, Vec<[u8; 8]>, u8) {
    let mut sum = 0;
    let items = tails.iter().map(|tail| (&template, choice(tail)));
    hash_headers(Engine::Avx2, items, |_, hashed| sum ^= hashed.digest[31]);
    (template, tails, sum)
}

/// Headers, room for their digests, and the scratch memory.
fn headers(count: u8) -> (Vec<[u8; 80]>, Vec<B256>, Scratch) {
    ((0..count).map(|i| [i; 80]).collect(), vec![B256::ZERO; count.into()], Scratch::new())
}

#[library_benchmark(setup = headers)]
#[bench::one(args = (1), config = at_most(896_500))]
#[bench::eight(args = (8), config = at_most(4_117_000))]
fn scrypt(
    (headers, mut digests, mut scratch): (Vec<[u8; 80]>, Vec<B256>, Scratch),
) -> (Vec<[u8; 80]>, Vec<B256>, Scratch) {
    scrypt_many_with(Isa::Avx2, black_box(&headers), &mut digests, &mut scratch);
    (headers, digests, scratch)
}

fn messages() -> (Vec<[u8; 128]>, Vec<B256>) {
    ((0..64).map(|i| [i; 128]).collect(), vec![B256::ZERO; 64])
}

#[library_benchmark(config = at_most(106_200))]
#[bench::of_128_bytes(messages())]
fn keccak256_64((messages, mut digests): (Vec<[u8; 128]>, Vec<B256>)) -> (Vec<[u8; 128]>, Vec<B256>) {
    keccak256_many_128_with(Isa::Avx2, black_box(&messages), &mut digests);
    (messages, digests)
}

/// As large as the cache of epoch 0, with other bytes: building the real one takes half a minute
/// under valgrind, and the content doesn't change the number of instructions.
fn cache() -> LightCache {
    let epoch = EthashEpoch::of_ethash_block(0).unwrap();
    let mut bytes = vec![0; epoch.cache_size().try_into().unwrap()];
    let mut word = 1u64;
    for place in bytes.as_chunks_mut::<8>().0 {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *place = (word ^ word >> 32).to_le_bytes();
    }
    LightCache::from_bytes(epoch, &bytes).unwrap()
}

#[library_benchmark(config = at_most(2_482_000))]
#[bench::epoch_0(cache())]
fn ethash_share(cache: LightCache) -> (LightCache, Seal) {
    let seal = hashimoto_light(&cache, black_box(&B256::repeat_byte(0x2a)), 0x4242_4242_4242_4242);
    (cache, seal)
}

library_benchmark_group!(
    name = pow,
    benchmarks = [sha256d_share, sha256d_64_shares, scrypt, keccak256_64, ethash_share]
);
main!(library_benchmark_groups = pow);
