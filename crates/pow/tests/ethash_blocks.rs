//! Real headers of Ethereum and Ethereum Classic, known hashes, false proofs, and another
//! implementation.
#![allow(clippy::unwrap_used, clippy::panic)]

use alloy_primitives::{B256, U256, keccak256};
use ethereum_types::{H64, H256};
use hashlease_pow::{
    Isa,
    ethash::{
        EthashEpoch, LightCache, Seal, hashimoto_light_many_with, hashimoto_light_with, result_as_integer,
        result_of_mix,
    },
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::BTreeMap, path::Path, sync::OnceLock, thread};

#[derive(Deserialize)]
struct Header {
    name: String,
    algo: String,
    number: u64,
    difficulty: u64,
    #[serde(with = "hex")]
    header_rlp: Vec<u8>,
    seal_hash: B256,
    nonce: String,
    mix_hash: B256,
    block_hash: B256,
}

#[derive(Deserialize)]
struct Known {
    name: String,
    number: u64,
    seal_hash: B256,
    nonce: String,
    mix_hash: B256,
    #[serde(rename = "final")]
    result: B256,
    cache_size: Option<u64>,
    full_size: Option<u64>,
    cache_hash: Option<B256>,
    seed: Option<B256>,
}

fn vectors<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn number(hex: &str) -> u64 {
    u64::from_str_radix(hex, 16).unwrap()
}

impl Header {
    fn epoch(&self) -> EthashEpoch {
        match self.algo.as_str() {
            "ethash" => EthashEpoch::of_ethash_block(self.number).unwrap(),
            "etchash" => EthashEpoch::of_etchash_block(self.number).unwrap(),
            other => panic!("{other}"),
        }
    }

    fn target(&self) -> U256 {
        // 2^256 / difficulty, which is above one in all of these
        (U256::MAX - U256::from(self.difficulty) + U256::ONE) / U256::from(self.difficulty) + U256::ONE
    }

    /// Seal hash of the header, which is hashed without its end: mix (33 bytes) and nonce (9).
    fn sealed_content(&self) -> B256 {
        let mut rest = self.header_rlp.as_slice();
        let list = alloy_rlp::Header::decode(&mut rest).unwrap();
        assert!(list.list && list.payload_length == rest.len());
        let content = &rest[..rest.len() - 42];
        let mut bytes = vec![];
        alloy_rlp::Header { list: true, payload_length: content.len() }.encode(&mut bytes);
        bytes.extend_from_slice(content);
        keccak256(bytes)
    }
}

/// Caches of all epochs in the vectors, built once, two at a time.
fn cache(epoch: EthashEpoch) -> &'static LightCache {
    static CACHES: OnceLock<BTreeMap<EthashEpoch, LightCache>> = OnceLock::new();
    &CACHES.get_or_init(|| {
        let mut epochs: Vec<_> = vectors::<Header>("ethash_headers.json").iter().map(Header::epoch).collect();
        epochs.extend(vectors::<Header>("ethash_bad.json").iter().map(Header::epoch));
        let known = vectors::<Known>("ethash_hashes.json");
        epochs.extend(known.iter().map(|known| EthashEpoch::of_ethash_block(known.number).unwrap()));
        epochs.sort_unstable();
        epochs.dedup();
        let built = |half: usize| -> Vec<_> {
            epochs.iter().skip(half).step_by(2).map(|epoch| (*epoch, LightCache::build(*epoch))).collect()
        };
        thread::scope(|scope| {
            let other = scope.spawn(|| built(1));
            built(0).into_iter().chain(other.join().unwrap()).collect()
        })
    })[&epoch]
}

#[test]
fn headers_of_main_nets_have_mix_and_result() {
    let headers: Vec<Header> = vectors("ethash_headers.json");
    assert!(headers.iter().any(|header| header.algo == "etchash" && header.number == 11_700_000));
    for header in &headers {
        let nonce = number(&header.nonce);
        assert_eq!(keccak256(&header.header_rlp), header.block_hash, "{}", header.name);
        assert_eq!(header.sealed_content(), header.seal_hash, "{}", header.name);
        for isa in Isa::available() {
            let seal = hashimoto_light_with(isa, cache(header.epoch()), &header.seal_hash, nonce);
            assert_eq!(seal.mix, header.mix_hash, "{} by {isa:?}", header.name);
            assert!(seal.result_as_integer() <= header.target(), "{} by {isa:?}", header.name);
            assert_eq!(result_of_mix(&header.seal_hash, nonce, &header.mix_hash), seal.result);
        }
        // neither the same nonce for a neighbour nor another nonce is a proof
        let other = B256::from(U256::from_be_bytes(header.seal_hash.0) ^ U256::ONE);
        for (seal_hash, nonce) in
            [(&other, nonce), (&header.seal_hash, nonce ^ 1), (&header.seal_hash, nonce.swap_bytes())]
        {
            let seal = hashimoto_light_with(Isa::best(), cache(header.epoch()), seal_hash, nonce);
            assert!(
                seal.mix != header.mix_hash && seal.result_as_integer() > header.target(),
                "{}",
                header.name
            );
        }
    }
}

#[test]
fn the_epoch_of_the_other_chain_refuses() {
    let headers: Vec<Header> = vectors("ethash_headers.json");
    let header = headers.iter().find(|header| header.algo == "etchash").unwrap();
    // with the sizes of Ethereum Classic and the seed of Ethereum it is another cache
    let wrong =
        LightCache::build(EthashEpoch::of_ethash_block(u64::from(header.epoch().index()) * 30_000).unwrap());
    let seal = hashimoto_light_with(Isa::best(), &wrong, &header.seal_hash, number(&header.nonce));
    assert_ne!(seal.mix, header.mix_hash);
}

#[test]
fn known_hashes() {
    for known in vectors::<Known>("ethash_hashes.json") {
        let epoch = EthashEpoch::of_ethash_block(known.number).unwrap();
        let expected = Seal { mix: known.mix_hash, result: known.result };
        for isa in Isa::available() {
            let seal = hashimoto_light_with(isa, cache(epoch), &known.seal_hash, number(&known.nonce));
            assert_eq!(seal, expected, "{} by {isa:?}", known.name);
        }
        let bytes = cache(epoch).as_bytes();
        assert_eq!(bytes.len() as u64, epoch.cache_size());
        assert!(known.cache_size.is_none_or(|size| size == epoch.cache_size()));
        assert!(known.full_size.is_none_or(|size| size == epoch.dataset_size()));
        assert!(known.cache_hash.is_none_or(|hash| hash == keccak256(bytes)));
        assert!(known.seed.is_none_or(|seed| seed == epoch.seed()));
        let again = LightCache::from_bytes(epoch, bytes).unwrap();
        assert!(again.epoch() == epoch && again.as_bytes() == bytes);
        let seal = hashimoto_light_with(Isa::best(), &again, &known.seal_hash, number(&known.nonce));
        assert_eq!(seal, expected, "{} from bytes", known.name);
    }
}

#[test]
fn false_proofs_are_refused() {
    for header in vectors::<Header>("ethash_bad.json") {
        assert_eq!(header.sealed_content(), header.seal_hash, "{}", header.name);
        let nonce = number(&header.nonce);
        // without a cache
        let claimed = result_of_mix(&header.seal_hash, nonce, &header.mix_hash);
        assert!(result_as_integer(&claimed) > header.target(), "{}", header.name);
        // and with it
        let seal = hashimoto_light_with(Isa::best(), cache(header.epoch()), &header.seal_hash, nonce);
        assert_ne!(seal.mix, header.mix_hash, "{}", header.name);
    }
}

#[test]
fn agrees_with_the_ethash_crate() {
    let epoch = EthashEpoch::of_ethash_block(0).unwrap();
    let mut bytes = vec![0; ethash::get_cache_size(0)];
    ethash::make_cache(&mut bytes, ethash::get_seedhash(0));
    assert!(bytes == cache(epoch).as_bytes());
    for index in (0..=2047_u64).step_by(89) {
        let epoch = EthashEpoch::of_ethash_block(index * 30_000).unwrap();
        assert_eq!(epoch.cache_size(), ethash::get_cache_size(index as usize) as u64);
        assert_eq!(epoch.dataset_size(), ethash::get_full_size(index as usize) as u64);
        assert_eq!(epoch.seed().0, ethash::get_seedhash(index as usize).0);
    }
    // random nonces, others in every run
    let salt = keccak256(format!("{:?}", std::time::SystemTime::now()));
    let inputs: Vec<_> = (0..20_u8)
        .map(|index| {
            let hash = keccak256([salt.as_slice(), &[index]].concat());
            (hash, u64::from_be_bytes(keccak256(hash)[..8].try_into().unwrap()))
        })
        .collect();
    let expected: Vec<_> = inputs
        .iter()
        .map(|(hash, nonce)| {
            let nonce = H64::from(nonce.to_be_bytes());
            let (mix, result) =
                ethash::hashimoto_light(H256(hash.0), nonce, ethash::get_full_size(0), &bytes);
            Seal { mix: B256::new(mix.0), result: B256::new(result.0) }
        })
        .collect();
    for isa in Isa::available() {
        let mut out = vec![Seal::default(); inputs.len()];
        hashimoto_light_many_with(isa, cache(epoch), &inputs, &mut out);
        assert_eq!(out, expected, "salt {salt} by {isa:?}");
    }
}
