//! Compares with a slow implementation of the specification that shares no code with the product.

use super::*;
use crate::Isa;
use alloy_primitives::{B256, U256};
use proptest::prelude::*;

/// Follows the Python of the Ethash specification: lists of words, remainders by `%`, no lockstep.
mod spec {
    use sha3::{Digest, Keccak256, Keccak512};

    pub(super) type Words = Vec<u32>;

    fn words(bytes: &[u8]) -> Words {
        bytes
            .chunks(4)
            .map(|word| word.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
            .collect()
    }

    pub(super) fn bytes(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| (0..4).map(move |byte| (word >> (8 * byte)) as u8)).collect()
    }

    fn sha3_512(data: &[u8]) -> Words {
        words(&Keccak512::digest(data))
    }

    fn fnv(v1: u32, v2: u32) -> u32 {
        ((u64::from(v1) * 0x0100_0193) % (1 << 32)) as u32 ^ v2
    }

    pub(super) fn mkcache(n: usize, seed: &[u8]) -> Vec<Words> {
        let mut o = vec![sha3_512(seed)];
        for i in 1..n {
            o.push(sha3_512(&bytes(&o[i - 1])));
        }
        for _ in 0..3 {
            for i in 0..n {
                let v = o[i][0] as usize % n;
                let mixed: Words = o[(i + n - 1) % n].iter().zip(&o[v]).map(|(a, b)| a ^ b).collect();
                o[i] = sha3_512(&bytes(&mixed));
            }
        }
        o
    }

    fn calc_dataset_item(cache: &[Words], i: u32) -> Words {
        let n = cache.len();
        let r = 64 / 4;
        let mut mix = cache[i as usize % n].clone();
        mix[0] ^= i;
        mix = sha3_512(&bytes(&mix));
        for j in 0..256 {
            let cache_index = fnv(i ^ j, mix[j as usize % r]);
            mix = mix.iter().zip(&cache[cache_index as usize % n]).map(|(a, b)| fnv(*a, *b)).collect();
        }
        sha3_512(&bytes(&mix))
    }

    pub(super) fn hashimoto(
        cache: &[Words],
        full_size: u64,
        header: &[u8],
        nonce: u64,
    ) -> (Vec<u8>, Vec<u8>) {
        let n = full_size / 64;
        let w = 128 / 4;
        let mixhashes = 128 / 64;
        let s = sha3_512(&[header, &nonce.to_be_bytes().into_iter().rev().collect::<Vec<_>>()].concat());
        let mut mix = [s.clone(), s.clone()].concat();
        for i in 0..64 {
            let p = u64::from(fnv(i ^ s[0], mix[i as usize % w])) % (n / mixhashes) * mixhashes;
            let mut newdata = vec![];
            for j in 0..mixhashes {
                newdata.extend(calc_dataset_item(cache, (p + j) as u32));
            }
            mix = mix.iter().zip(&newdata).map(|(a, b)| fnv(*a, *b)).collect();
        }
        let mut cmix = vec![];
        for i in (0..mix.len()).step_by(4) {
            cmix.push(fnv(fnv(fnv(mix[i], mix[i + 1]), mix[i + 2]), mix[i + 3]));
        }
        let result = Keccak256::digest([bytes(&s), bytes(&cmix)].concat()).to_vec();
        (bytes(&cmix), result)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn batch_is_single_is_specification(
        seed: [u8; 32],
        items in 2_usize..400,
        pages in 2_u64..50_000_000,
        inputs in prop::collection::vec((any::<[u8; 32]>().prop_map(B256::new), any::<u64>()), 1..4),
        copies in 1_usize..40,
    ) {
        let reference = spec::mkcache(items, &seed);
        let expected: Vec<Seal> = inputs
            .iter()
            .map(|(seal_hash, nonce)| {
                let (mix, result) = spec::hashimoto(&reference, pages * 128, seal_hash.as_slice(), *nonce);
                Seal { mix: B256::from_slice(&mix), result: B256::from_slice(&result) }
            })
            .collect();
        for isa in Isa::available() {
            let cache = LightCache::tiny(isa, B256::new(seed), items, pages);
            prop_assert_eq!(cache.as_bytes(), spec::bytes(&reference.concat()));
            for ((seal_hash, nonce), expected) in inputs.iter().zip(&expected) {
                prop_assert_eq!(hashimoto_light_with(isa, &cache, seal_hash, *nonce), *expected);
                prop_assert_eq!(result_of_mix(seal_hash, *nonce, &expected.mix), expected.result);
            }
            let many: Vec<_> = inputs.iter().cycle().take(inputs.len() * copies).copied().collect();
            let mut out = vec![Seal::default(); many.len()];
            hashimoto_light_many_with(isa, &cache, &many, &mut out);
            prop_assert!(out.iter().eq(expected.iter().cycle().take(many.len())));
        }
    }
}

#[test]
fn every_size_of_batch_has_each_seal_in_its_place() {
    let cache = LightCache::tiny(Isa::best(), B256::repeat_byte(3), 61, 1009);
    let inputs: Vec<_> = (0..130).map(|nonce| (B256::with_last_byte(nonce as u8), nonce)).collect();
    let expected: Vec<_> = inputs.iter().map(|(hash, nonce)| hashimoto_light(&cache, hash, *nonce)).collect();
    for isa in Isa::available() {
        for many in 0..=inputs.len() {
            let mut out = vec![Seal::default(); many];
            hashimoto_light_many_with(isa, &cache, &inputs[..many], &mut out);
            assert_eq!(out, expected[..many], "{many} by {isa:?}");
        }
    }
}

#[test]
fn the_rest_of_the_longer_slice_is_ignored() {
    let cache = LightCache::tiny(Isa::best(), B256::ZERO, 13, 17);
    let inputs = [(B256::ZERO, 1); 3];
    let mark = Seal { mix: B256::repeat_byte(9), result: B256::repeat_byte(9) };
    let mut out = [mark; 5];
    hashimoto_light_many(&cache, &inputs, &mut out);
    assert!(out[..3].iter().all(|seal| *seal == hashimoto_light(&cache, &B256::ZERO, 1)));
    assert_eq!(out[3..], [mark; 2]);
    let mut out = [mark; 2];
    hashimoto_light_many(&cache, &inputs, &mut out);
    assert_ne!(out, [mark; 2]);
    hashimoto_light_many(&cache, &[], &mut out);
}

#[test]
fn sizes_and_seeds_of_the_specification() {
    let at = |index: u64| EthashEpoch::of_ethash_block(index * 30_000).unwrap();
    // from the tables in the appendix of the specification
    for (index, cache, dataset) in [
        (0, 16_776_896, 1_073_739_904),
        (1, 16_907_456, 1_082_130_304),
        (2, 17_039_296, 1_090_514_816),
        (2046, 284_950_208, 18_236_833_408),
        (2047, 285_081_536, 18_245_220_736),
    ] {
        assert_eq!((at(index).cache_size(), at(index).dataset_size()), (cache, dataset), "epoch {index}");
    }
    assert_eq!(at(0).seed(), B256::ZERO);
    assert_eq!(at(1).seed(), alloy_primitives::keccak256(B256::ZERO));
    assert_eq!(at(2).seed(), alloy_primitives::keccak256(at(1).seed()));
}

#[test]
fn etchash_is_ethash_until_its_epochs_double() {
    let (ethash, etchash) = (EthashEpoch::of_ethash_block, EthashEpoch::of_etchash_block);
    for block in [0, 29_999, 30_000, 60_000, 11_699_999] {
        assert_eq!(ethash(block), etchash(block));
    }
    let parts = |epoch: EthashEpoch| (epoch.index(), epoch.seed_rounds());
    assert_eq!(parts(etchash(11_699_999).unwrap()), (389, 389));
    assert_eq!(parts(etchash(11_700_000).unwrap()), (195, 390));
    assert_eq!(etchash(11_700_000), etchash(11_759_999));
    assert_eq!(parts(etchash(11_760_000).unwrap()), (196, 392));
    assert_eq!(parts(ethash(11_700_000).unwrap()), (390, 390));
    assert_ne!(etchash(11_700_000), ethash(195 * 30_000));
}

#[test]
fn the_next_epoch_begins_where_this_one_ends() {
    let (ethash, etchash) = (EthashEpoch::next_of_ethash_block, EthashEpoch::next_of_etchash_block);
    assert_eq!((ethash(0), ethash(29_999), ethash(30_000)), (30_000, 30_000, 60_000));
    assert_eq!((etchash(11_669_999), etchash(11_670_000)), (11_670_000, 11_700_000));
    assert_eq!((etchash(11_699_999), etchash(11_700_000)), (11_700_000, 11_760_000));
    assert_eq!((ethash(u64::MAX), etchash(u64::MAX)), (u64::MAX, u64::MAX));
    for block in [0, 1, 29_999, 11_670_001, 11_699_999, 11_700_000, 20_000_000] {
        let next = etchash(block);
        assert_eq!(EthashEpoch::of_etchash_block(next - 1), EthashEpoch::of_etchash_block(block));
        assert_ne!(EthashEpoch::of_etchash_block(next), EthashEpoch::of_etchash_block(block));
    }
}

#[test]
fn blocks_beyond_the_last_epoch_are_refused() {
    let (ethash, etchash) = (EthashEpoch::of_ethash_block, EthashEpoch::of_etchash_block);
    assert_eq!(ethash(2048 * 30_000 - 1).unwrap().index(), EthashEpoch::LAST_INDEX);
    assert_eq!(ethash(2048 * 30_000), Err(EpochOutOfRange { block: 2048 * 30_000, epoch: 2048 }));
    assert_eq!(etchash(2048 * 60_000 - 1).unwrap().seed_rounds(), 4094);
    assert!(etchash(2048 * 60_000).is_err());
    assert!(ethash(u64::MAX).is_err() && etchash(u64::MAX).is_err());
    let text = ethash(2048 * 30_000).unwrap_err().to_string();
    assert_eq!(text, "block 61440000: expected a DAG epoch of at most 2047, got 2048");
}

#[test]
fn bytes_of_another_length_are_refused() {
    let epoch = EthashEpoch::of_ethash_block(0).unwrap();
    for actual in [0, 63, 64, 16_776_896 - 1, 16_776_896 + 1, 16_776_896 + 64] {
        let error = LightCache::from_bytes(epoch, &vec![0; actual as usize]).unwrap_err();
        assert_eq!(error, WrongCacheLength { epoch, expected: 16_776_896, actual });
    }
}

#[test]
fn a_build_reports_progress_and_can_be_cancelled() {
    let epoch = EthashEpoch::of_ethash_block(0).unwrap();
    let mut reports = vec![];
    let stopped = LightCache::build_with(epoch, &mut |part| {
        reports.push(part);
        part < 0.3
    });
    assert!(matches!(stopped, Err(BuildCancelled)));
    assert!(
        reports.is_sorted()
            && reports.len() > 10
            && reports.last().is_some_and(|last| (0.3..0.4).contains(last))
    );
}

#[test]
fn results_are_big_endian() {
    let seal = Seal { mix: B256::ZERO, result: B256::with_last_byte(7) };
    assert_eq!(seal.result_as_integer(), U256::from(7));
}

#[test]
fn seed_hash_and_key_follow_their_byte_orders() {
    use sha3::{Digest, Keccak512};
    let (seal_hash, nonce) = (B256::repeat_byte(0xab), 0x0102_0304_0506_0708_u64);
    let little = [seal_hash.as_slice(), &[8, 7, 6, 5, 4, 3, 2, 1]].concat();
    assert_eq!(seed_hash(&seal_hash, nonce)[..], Keccak512::digest(&little)[..]);
    let big = [seal_hash.as_slice(), &[1, 2, 3, 4, 5, 6, 7, 8]].concat();
    assert_eq!(ethash_key(&seal_hash, nonce), alloy_primitives::keccak256(big));
}
