//! Every engine agrees with the plain definition and with an independent crate.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_primitives::B256;
use hashlease_pow::sha256::{Choice, Engine, HashedHeader, HeaderTemplate, hash_headers, sha256d};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

/// A job in plain parts.
#[derive(Clone, Debug)]
struct Parts {
    prefix: Vec<u8>,
    tail_length: usize,
    suffix: Vec<u8>,
    branch: Vec<B256>,
    prev_hash: B256,
    n_bits: u32,
}

/// A choice in plain parts.
#[derive(Clone, Debug)]
struct Chosen {
    tail: Vec<u8>,
    ntime: u32,
    nonce: u32,
    version: u32,
}

impl Chosen {
    fn choice(&self) -> Choice<'_> {
        Choice { tail: &self.tail, ntime: self.ntime, nonce: self.nonce, version: self.version }
    }
}

fn twice(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(bytes)).into()
}

/// Bitcoin's definition, without regard to speed.
fn plainly(parts: &Parts, chosen: &Chosen) -> HashedHeader {
    let coinbase = [parts.prefix.as_slice(), &chosen.tail, &parts.suffix].concat();
    let root = parts.branch.iter().fold(twice(&coinbase), |left, right| twice(&[left, right.0].concat()));
    let header = [
        chosen.version.to_le_bytes().as_slice(),
        parts.prev_hash.as_slice(),
        &root,
        &chosen.ntime.to_le_bytes(),
        &parts.n_bits.to_le_bytes(),
        &chosen.nonce.to_le_bytes(),
    ]
    .concat();
    HashedHeader { digest: B256::new(twice(&header)), header: header.try_into().unwrap() }
}

fn template(parts: &Parts) -> HeaderTemplate {
    HeaderTemplate::new(
        &parts.prefix,
        parts.tail_length,
        &parts.suffix,
        &parts.branch,
        &parts.prev_hash,
        parts.n_bits,
    )
}

fn parts() -> impl Strategy<Value = Parts> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    let branch = prop::collection::vec(any::<[u8; 32]>().prop_map(B256::new), 0..14);
    (bytes(300), 0usize..33, bytes(300), branch, any::<[u8; 32]>(), any::<u32>()).prop_map(
        |(prefix, tail_length, suffix, branch, prev_hash, n_bits)| Parts {
            prefix,
            tail_length,
            suffix,
            branch,
            prev_hash: B256::new(prev_hash),
            n_bits,
        },
    )
}

fn chosen(parts: &[Parts], most: usize) -> impl Strategy<Value = Vec<(usize, Chosen)>> + use<> {
    let lengths: Vec<usize> = parts.iter().map(|parts| parts.tail_length).collect();
    let one = (0..lengths.len(), any::<[u8; 32]>(), any::<u32>(), any::<u32>(), any::<u32>());
    let one = one.prop_map(move |(job, tail, ntime, nonce, version)| {
        (job, Chosen { tail: tail[..lengths[job]].to_vec(), ntime, nonce, version })
    });
    prop::collection::vec(one, 0..most)
}

fn check(all: &[Parts], shares: &[(usize, Chosen)]) {
    let templates: Vec<HeaderTemplate> = all.iter().map(template).collect();
    let expected: Vec<HashedHeader> =
        shares.iter().map(|(job, chosen)| plainly(&all[*job], chosen)).collect();
    for ((job, chosen), expected) in shares.iter().zip(&expected) {
        assert_eq!(templates[*job].hash(chosen.choice()), *expected);
    }
    for engine in Engine::available() {
        let mut hashed = vec![None; shares.len()];
        let items = shares.iter().map(|(job, chosen)| (&templates[*job], chosen.choice()));
        hash_headers(engine, items, |i, header| assert_eq!(hashed[i].replace(header), None));
        for ((hashed, expected), (job, _)) in hashed.into_iter().zip(&expected).zip(shares) {
            assert_eq!(hashed.as_ref(), Some(expected), "{engine:?}, job {job}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn headers_of_one_job((parts, shares) in parts().prop_flat_map(|parts| {
        let all = [parts];
        let shares = chosen(&all, 70);
        (Just(all), shares)
    })) {
        check(&parts, &shares);
    }

    /// One shape, several jobs in the lanes.
    #[test]
    fn headers_of_jobs_of_one_shape((parts, shares) in parts().prop_flat_map(|parts| {
        let seeds = prop::collection::vec(any::<[u8; 32]>(), 1..20);
        seeds.prop_flat_map(move |seeds| {
            let all: Vec<Parts> = seeds.iter().map(|seed| {
                let mut parts = parts.clone();
                let mix = |bytes: &mut [u8]| bytes.iter_mut().zip(seed.iter().cycle()).for_each(|(b, s)| *b ^= s);
                mix(&mut parts.prefix);
                mix(&mut parts.suffix);
                parts.branch.iter_mut().for_each(|hash| mix(hash.as_mut_slice()));
                mix(parts.prev_hash.as_mut_slice());
                parts
            }).collect();
            let shares = chosen(&all, 70);
            (Just(all), shares)
        })
    })) {
        check(&parts, &shares);
    }

    /// More shapes than are gathered at the same time.
    #[test]
    fn headers_of_any_jobs((parts, shares) in prop::collection::vec(parts(), 1..40).prop_flat_map(|all| {
        let shares = chosen(&all, 120);
        (Just(all), shares)
    })) {
        check(&parts, &shares);
    }

    #[test]
    fn digests_of_any_length(data in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(sha256d(&data).0, twice(&data));
        use bitcoin_hashes::sha256d;
        prop_assert_eq!(super_digest(&data), sha256d::Hash::hash(&data).to_byte_array());
    }
}

fn super_digest(data: &[u8]) -> [u8; 32] {
    sha256d(data).0
}

#[test]
fn lengths_around_the_padding() {
    for length in 0..260 {
        let data: Vec<u8> = (0..length).map(|i| i as u8).collect();
        assert_eq!(sha256d(&data).0, twice(&data), "{length} bytes");
    }
}

/// The example of FIPS 180-4, hashed twice.
#[test]
fn known_digest() {
    let once = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hex::encode(Sha256::digest(b"abc")), once);
    let again = "4f8b42c22dd3729b519ba6f68d2da7cc5b2d606d05daed5ad5128cc03e6c6358";
    assert_eq!(hex::encode(sha256d(b"abc")), again);
}

#[test]
fn a_tail_of_another_length_is_cut_or_filled() {
    let parts = Parts {
        prefix: vec![1; 70],
        tail_length: 4,
        suffix: vec![2; 60],
        branch: vec![],
        prev_hash: B256::ZERO,
        n_bits: 0,
    };
    let with = |tail: &[u8]| Chosen { tail: tail.to_vec(), ntime: 0, nonce: 0, version: 0 };
    let hash = |tail: &[u8]| template(&parts).hash(with(tail).choice());
    assert_eq!(hash(&[1, 2, 3, 4, 5]), plainly(&parts, &with(&[1, 2, 3, 4])));
    assert_eq!(hash(&[1, 2, 3]), plainly(&parts, &with(&[1, 2, 3, 0])));
}
