//! Real blocks of Ethereum and Ethereum Classic, and an independent crate.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_primitives::{B256, U256};
use hashlease_pow::ethash::{
    EthashEpoch, LightCache, Seal, hashimoto_light, hashimoto_light_many, result_of_mix,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// A sealed block, or what another implementation computed.
struct Known {
    name: String,
    epoch: EthashEpoch,
    seal_hash: B256,
    nonce: u64,
    mix: B256,
    difficulty: Option<u64>,
    result: Option<B256>,
}

fn known(text: &str) -> Vec<Known> {
    let all: Vec<Value> = serde_json::from_str(text).unwrap();
    let parse = |entry: &Value| {
        let hash = |field: &str| entry[field].as_str().map(|text| text.parse::<B256>().unwrap());
        let block = entry["number"].as_u64().unwrap();
        let epoch = match entry["algo"].as_str().unwrap() {
            "etchash" => EthashEpoch::of_etchash_block(block),
            other => {
                assert_eq!(other, "ethash");
                EthashEpoch::of_ethash_block(block)
            }
        };
        Known {
            name: entry["name"].as_str().unwrap().to_owned(),
            epoch: epoch.unwrap(),
            seal_hash: hash("seal_hash").unwrap(),
            nonce: u64::from_str_radix(entry["nonce"].as_str().unwrap(), 16).unwrap(),
            mix: hash("mix_hash").unwrap(),
            difficulty: entry["difficulty"].as_u64(),
            result: hash("final"),
        }
    };
    all.iter().map(parse).collect()
}

fn by_epoch(all: Vec<Known>) -> BTreeMap<EthashEpoch, Vec<Known>> {
    let mut epochs = BTreeMap::<EthashEpoch, Vec<Known>>::new();
    for known in all {
        epochs.entry(known.epoch).or_default().push(known);
    }
    epochs
}

fn meets(seal: &Seal, difficulty: u64) -> bool {
    // 2^256 / difficulty, which is no power of two in any block
    seal.result_as_integer() <= U256::MAX / U256::from(difficulty)
}

#[test]
fn real_blocks_are_sealed() {
    let mut all = known(include_str!("../../../tests/vectors/ethash_headers.json"));
    all.extend(known(include_str!("../../../tests/vectors/ethash_hashes.json")));
    assert!(all.len() >= 10);
    for (epoch, blocks) in by_epoch(all) {
        let cache = LightCache::build(epoch);
        let inputs: Vec<(B256, u64)> = blocks.iter().map(|known| (known.seal_hash, known.nonce)).collect();
        let mut seals = vec![Seal::default(); inputs.len()];
        hashimoto_light_many(&cache, &inputs, &mut seals);
        for (known, seal) in blocks.iter().zip(&seals) {
            let name = &known.name;
            assert_eq!(*seal, hashimoto_light(&cache, &known.seal_hash, known.nonce), "{name}");
            assert_eq!(seal.mix, known.mix, "{name}");
            assert_eq!(result_of_mix(&known.seal_hash, known.nonce, &known.mix), seal.result, "{name}");
            assert!(known.result.is_none_or(|result| result == seal.result), "{name}");
            assert!(known.difficulty.is_none_or(|difficulty| meets(seal, difficulty)), "{name}");
            assert!(known.result.is_some() || known.difficulty.is_some(), "{name} says something");
        }
    }
}

#[test]
fn false_seals_are_seen() {
    let all = known(include_str!("../../../tests/vectors/ethash_bad.json"));
    assert!(!all.is_empty());
    for (epoch, blocks) in by_epoch(all) {
        let cache = LightCache::build(epoch);
        for known in blocks {
            let seal = hashimoto_light(&cache, &known.seal_hash, known.nonce);
            let holds =
                seal.mix == known.mix && known.difficulty.is_some_and(|difficulty| meets(&seal, difficulty));
            assert!(!holds, "{}", known.name);
        }
    }
}

#[test]
fn cache_and_seed_are_those_of_ethereums_own_tests() {
    let all: Vec<Value> =
        serde_json::from_str(include_str!("../../../tests/vectors/ethash_hashes.json")).unwrap();
    let mut seen = 0;
    for entry in all.iter().filter(|entry| entry["cache_hash"].is_string()) {
        let epoch = EthashEpoch::of_ethash_block(entry["number"].as_u64().unwrap()).unwrap();
        assert_eq!(epoch.cache_bytes(), entry["cache_size"].as_u64().unwrap());
        assert_eq!(epoch.dataset_bytes(), entry["full_size"].as_u64().unwrap());
        assert_eq!(epoch.seed(), entry["seed"].as_str().unwrap().parse::<B256>().unwrap());
        let cache = LightCache::build(epoch);
        let bytes: Vec<u8> = cache.chunks().flatten().collect();
        assert_eq!(
            alloy_primitives::keccak256(&bytes),
            entry["cache_hash"].as_str().unwrap().parse::<B256>().unwrap()
        );
        assert_eq!(LightCache::from_bytes(epoch, &bytes).unwrap(), cache);
        let short = LightCache::from_bytes(epoch, &bytes[1..]).unwrap_err();
        assert_eq!(short.to_string(), "light cache of epoch 0: expected 16776896 bytes, got 16776895");
        seen += 1;
    }
    assert_eq!(seen, 1);
}

/// Another implementation, on nonces that nobody chose.
#[test]
fn an_independent_crate_agrees() {
    use ethash::{EthereumPatch, LightDAG};
    let theirs = LightDAG::<EthereumPatch>::new(ethereum_types::U256::zero());
    let ours = LightCache::build(EthashEpoch::of_ethash_block(0).unwrap());
    for nonce in 0..24u64 {
        let nonce = nonce.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let seal_hash = alloy_primitives::keccak256(nonce.to_be_bytes());
        let hash = ethereum_types::H256(seal_hash.0);
        let (mix, result) = theirs.hashimoto(hash, ethereum_types::H64(nonce.to_be_bytes()));
        let seal = hashimoto_light(&ours, &seal_hash, nonce);
        assert_eq!((seal.mix.0, seal.result.0), (mix.0, result.0));
    }
}
