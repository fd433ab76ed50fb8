//! Against the specification written out plainly, over a cache of a few items.

use super::*;
use crate::ethash::EthashEpoch;
use proptest::prelude::*;
use sha3::{Digest as _, Keccak256, Keccak512};

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn keccak_512(message: &[u8]) -> Vec<u32> {
    words(&Keccak512::digest(message))
}

/// The wiki's `mkcache`.
fn plain_cache(seed: &[u8], n: usize) -> Vec<Vec<u32>> {
    let mut cache = vec![keccak_512(seed)];
    while cache.len() < n {
        cache.push(keccak_512(&bytes(&cache[cache.len() - 1])));
    }
    for _ in 0..3 {
        for i in 0..n {
            let v = cache[i][0] as usize % n;
            let mixed: Vec<u32> = cache[(i + n - 1) % n].iter().zip(&cache[v]).map(|(a, b)| a ^ b).collect();
            cache[i] = keccak_512(&bytes(&mixed));
        }
    }
    cache
}

fn plain_fnv(a: u32, b: u32) -> u32 {
    a.wrapping_mul(0x0100_0193) ^ b
}

/// The wiki's `calc_dataset_item`.
fn plain_item(cache: &[Vec<u32>], i: u32) -> Vec<u32> {
    let n = cache.len();
    let mut mix = cache[i as usize % n].clone();
    mix[0] ^= i;
    mix = keccak_512(&bytes(&mix));
    for j in 0..256 {
        let parent = plain_fnv(i ^ j, mix[j as usize % 16]) as usize % n;
        mix = mix.iter().zip(&cache[parent]).map(|(a, b)| plain_fnv(*a, *b)).collect();
    }
    keccak_512(&bytes(&mix))
}

/// The wiki's `hashimoto`.
fn plain(cache: &[Vec<u32>], pages: u32, seal_hash: &B256, nonce: u64) -> Seal {
    let s = keccak_512(&[seal_hash.as_slice(), &nonce.to_le_bytes()].concat());
    let mut mix = [s.clone(), s.clone()].concat();
    for i in 0..64 {
        let p = plain_fnv(i ^ s[0], mix[i as usize % 32]) % pages * 2;
        let page = [plain_item(cache, p), plain_item(cache, p + 1)].concat();
        mix = mix.iter().zip(&page).map(|(a, b)| plain_fnv(*a, *b)).collect();
    }
    let compressed: Vec<u32> =
        mix.chunks(4).map(|four| four.iter().copied().reduce(plain_fnv).unwrap()).collect();
    let mix = bytes(&compressed);
    let result = Keccak256::digest([bytes(&s), mix.clone()].concat());
    Seal { mix: B256::from_slice(&mix), result: B256::from_slice(&result) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn all_ways_are_as_specified(
        block in 0u64..20_000_000,
        items in 1usize..300,
        pages in 1u32..1_000_000,
        inputs in prop::collection::vec((any::<[u8; 32]>(), any::<u64>()), 0..12),
    ) {
        let epoch = EthashEpoch::of_ethash_block(block).unwrap();
        let cache = LightCache::sized(epoch, items, u64::from(pages));
        let reference = plain_cache(epoch.seed().as_slice(), items);
        let built: Vec<u8> = cache.chunks().flatten().collect();
        prop_assert_eq!(built, reference.iter().flat_map(|item| bytes(item)).collect::<Vec<u8>>());

        let inputs: Vec<(B256, u64)> = inputs.into_iter().map(|(hash, nonce)| (B256::new(hash), nonce)).collect();
        let expected: Vec<Seal> =
            inputs.iter().map(|(hash, nonce)| plain(&reference, pages, hash, *nonce)).collect();
        for ((hash, nonce), expected) in inputs.iter().zip(&expected) {
            prop_assert_eq!(hashimoto_light(&cache, hash, *nonce), *expected);
            prop_assert_eq!(result_of_mix(hash, *nonce, &expected.mix), expected.result);
        }
        for isa in Isa::available() {
            let mut out = vec![Seal::default(); inputs.len()];
            hashimoto_light_many_with(isa, &cache, &inputs, &mut out);
            prop_assert_eq!(&out, &expected, "{:?}", isa);
        }
    }

    #[test]
    fn remainders_are_exact(divisor in 1u32.., number: u32) {
        prop_assert_eq!(Modulo::new(divisor).of(number), number % divisor);
    }
}

#[test]
fn remainders_at_the_edges() {
    for divisor in [1, 2, 3, 262_139, u32::MAX - 1, u32::MAX] {
        for number in [0, 1, 2, divisor - 1, divisor, divisor.wrapping_add(1), u32::MAX - 1, u32::MAX] {
            assert_eq!(Modulo::new(divisor).of(number), number % divisor, "{number} % {divisor}");
        }
    }
}
