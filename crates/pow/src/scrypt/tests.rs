//! Anchors a plain reference implementation in the vectors of RFC 7914, and compares every kernel
//! with it and with the `scrypt` crate; headers of real blocks.
#![allow(clippy::arithmetic_side_effects)] // overflow would fail the test, as it should

use super::{
    Scratch,
    block::{Block, N, place},
    kernels::MOST_LANES,
    pbkdf2,
    portable::Row,
    rows, scrypt, scrypt_many, scrypt_many_with, scrypt_with,
};
use crate::{Isa, hash_as_integer, sha256d};
use alloy_primitives::{B256, U256};
use proptest::prelude::*;
use serde_json::Value;

/// The reference implementation: scrypt for any parameters, written down from RFC 7914.
mod plain {
    use sha2::{Digest, Sha256};

    fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
        let mut padded = [0; 64];
        if key.len() > 64 {
            padded[..32].copy_from_slice(&Sha256::digest(key));
        } else {
            padded[..key.len()].copy_from_slice(key);
        }
        let inner = Sha256::new().chain_update(padded.map(|b| b ^ 0x36)).chain_update(message).finalize();
        Sha256::new().chain_update(padded.map(|b| b ^ 0x5c)).chain_update(inner).finalize().into()
    }

    pub(super) fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32, length: usize) -> Vec<u8> {
        let mut out = vec![];
        for counter in 1_u32.. {
            if out.len() >= length {
                break;
            }
            let mut last = hmac(password, &[salt, &counter.to_be_bytes()].concat());
            let mut sum = last;
            for _ in 1..iterations {
                last = hmac(password, &last);
                sum.iter_mut().zip(last).for_each(|(a, b)| *a ^= b);
            }
            out.extend(sum);
        }
        out.truncate(length);
        out
    }

    pub(super) fn salsa(bytes: &mut [u8; 64]) {
        let input: [u32; 16] =
            std::array::from_fn(|i| u32::from_le_bytes(bytes[4 * i..4 * i + 4].try_into().unwrap()));
        let mut x = input;
        for _ in 0..4 {
            for [a, b, c, d] in [
                [0, 4, 8, 12],
                [5, 9, 13, 1],
                [10, 14, 2, 6],
                [15, 3, 7, 11],
                [0, 1, 2, 3],
                [5, 6, 7, 4],
                [10, 11, 8, 9],
                [15, 12, 13, 14],
            ] {
                x[b] ^= x[a].wrapping_add(x[d]).rotate_left(7);
                x[c] ^= x[b].wrapping_add(x[a]).rotate_left(9);
                x[d] ^= x[c].wrapping_add(x[b]).rotate_left(13);
                x[a] ^= x[d].wrapping_add(x[c]).rotate_left(18);
            }
        }
        for i in 0..16 {
            bytes[4 * i..4 * i + 4].copy_from_slice(&x[i].wrapping_add(input[i]).to_le_bytes());
        }
    }

    pub(super) fn block_mix(block: &[u8]) -> Vec<u8> {
        let count = block.len() / 64;
        let mut x: [u8; 64] = block[block.len() - 64..].try_into().unwrap();
        let mut out = vec![0; block.len()];
        for i in 0..count {
            x.iter_mut().zip(&block[64 * i..]).for_each(|(a, b)| *a ^= b);
            salsa(&mut x);
            let to = i / 2 + if i % 2 == 1 { count / 2 } else { 0 };
            out[64 * to..64 * to + 64].copy_from_slice(&x);
        }
        out
    }

    pub(super) fn ro_mix(block: &mut Vec<u8>, n: usize) {
        let mut table = vec![];
        for _ in 0..n {
            let next = block_mix(block);
            table.push(std::mem::replace(block, next));
        }
        for _ in 0..n {
            let last = block.len() - 64;
            let row = u32::from_le_bytes(block[last..last + 4].try_into().unwrap()) as usize % n;
            block.iter_mut().zip(&table[row]).for_each(|(a, b)| *a ^= b);
            *block = block_mix(block);
        }
    }

    pub(super) fn scrypt(
        password: &[u8],
        salt: &[u8],
        n: usize,
        r: usize,
        p: usize,
        length: usize,
    ) -> Vec<u8> {
        let mut blocks = pbkdf2(password, salt, 1, 128 * r * p);
        for block in blocks.chunks_mut(128 * r) {
            let mut mixed = block.to_vec();
            ro_mix(&mut mixed, n);
            block.copy_from_slice(&mixed);
        }
        pbkdf2(password, &blocks, 1, length)
    }
}

fn by_crate(header: &[u8; 80]) -> B256 {
    let mut digest = [0; 32];
    ::scrypt::scrypt(header, header, &::scrypt::Params::new(10, 1, 1).unwrap(), &mut digest).unwrap();
    B256::new(digest)
}

fn by_plain(header: &[u8; 80]) -> B256 {
    B256::from_slice(&plain::scrypt(header, header, 1024, 1, 1, 32))
}

/// RFC 7914, sections 8 and 9: `B[0]` and `B[1]`, and their BlockMix.
const MIXED: [&str; 4] = [
    "f7ce0b653d2d72a4108cf5abe912ffdd777616dbbb27a70e8204f3ae2d0f6fad\
     89f68f4811d1e87bcc3bd7400a9ffd29094f0184639574f39ae5a1315217bcd7",
    "894991447213bb226c25b54da86370fbcd984380374666bb8ffcb5bf40c254b0\
     67d27c51ce4ad5fed829c90b505a571b7f4d1cad6a523cda770e67bceaaf7e89",
    "a41f859c6608cc993b81cacb020cef05044b2181a2fd337dfd7b1c6396682f29\
     b4393168e3c9e6bcfe6bc5b7a06d96bae424cc102c91745c24ad673dc7618f81",
    "20edc975323881a80540f64c162dcd3c21077cfe5f8d5fe2b1a4168f953678b7\
     7d3b3d803b60e4ab920996e59b4d53b65d2a225877d5edf5842cb9f14eefe425",
];

/// Section 8: the third of [`MIXED`] is the Salsa20/8 of this.
const SALSA_INPUT: &str = "7e879a214f3ec9867ca940e641718f26baee555b8c61c1b50df846116dcd3b1d\
     ee24f319df9b3d8514121e4b5ac5aa3276021d2909c74829edebc68db8b8c25e";

/// Section 10: ROMix with N = 16 of [`MIXED`]'s input.
const RO_MIXED: &str = "79ccc193629debca047f0b70604bf6b62ce3dd4a9626e355fafc6198e6ea2b46\
     d58413673b99b029d665c357601fb426a0b2f4bba200ee9f0a43d19b571a9c71\
     ef1142e65d5a266fddca832ce59faa7cac0b9cf1be2bffca300d01ee387619c4\
     ae12fd4438f203a0e4e1c47ec314861f4e9087cb33396a6873e8f9d2539a4b8e";

/// Section 11: PBKDF2 with one and with 80 000 iterations.
const PBKDF2: [(&str, &str, u32, &str); 2] = [
    (
        "passwd",
        "salt",
        1,
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
         49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
    ),
    (
        "Password",
        "NaCl",
        80_000,
        "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56\
         a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
    ),
];

fn words(hex: &str) -> Vec<u32> {
    hex::decode(hex).unwrap().as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
}

fn rows_of(block: &Block) -> [[Row; 4]; 2] {
    std::array::from_fn(|half| {
        std::array::from_fn(|row| Row(std::array::from_fn(|word| block.0[half * 16 + row * 4 + word])))
    })
}

fn words_of(halves: [[Row; 4]; 2]) -> Vec<u32> {
    let mut block = Block::ZERO;
    block.0.iter_mut().zip(halves.iter().flatten().flat_map(|row| row.0)).for_each(|(to, from)| *to = from);
    block.to_words().to_vec()
}

#[test]
fn diagonals_are_a_permutation_of_each_half() {
    let mut places: Vec<_> = (0..32).map(place).collect();
    assert_eq!(places[..16], [0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11]);
    places.sort_unstable();
    assert!(places.into_iter().eq(0..32));
    let words = std::array::from_fn(|i| i as u32);
    assert_eq!(Block::from_words(&words).to_words(), words);
}

#[test]
fn salsa_and_block_mix_give_the_vectors_of_the_rfc() {
    let input = words(&[SALSA_INPUT, SALSA_INPUT].concat()).try_into().unwrap();
    let [mut half, _] = rows_of(&Block::from_words(&input)).map(|half| [half]);
    #[allow(unsafe_code)]
    // SAFETY: `Row` asks for no instructions.
    unsafe {
        rows::salsa(&mut half);
    }
    assert_eq!(words_of([half[0]; 2])[..16], words(MIXED[2]));

    let input = words(&[MIXED[0], MIXED[1]].concat()).try_into().unwrap();
    let [mut low, mut high] = rows_of(&Block::from_words(&input)).map(|half| [half]);
    low[0].iter_mut().zip(&high[0]).for_each(|(low, high)| {
        low.0.iter_mut().zip(high.0).for_each(|(low, high)| *low ^= high);
    });
    #[allow(unsafe_code)]
    // SAFETY: `Row` asks for no instructions.
    unsafe {
        rows::block_mix(&mut low, &mut high);
    }
    assert_eq!(words_of([low[0], high[0]]), words(&[MIXED[2], MIXED[3]].concat()));
}

#[test]
fn the_parts_of_the_reference_give_the_vectors_of_the_rfc() {
    let mut block = hex::decode(SALSA_INPUT).unwrap().try_into().unwrap();
    plain::salsa(&mut block);
    assert_eq!(hex::encode(block), MIXED[2]);
    let mut block = hex::decode([MIXED[0], MIXED[1]].concat()).unwrap();
    assert_eq!(hex::encode(plain::block_mix(&block)), [MIXED[2], MIXED[3]].concat());
    plain::ro_mix(&mut block, 16);
    assert_eq!(hex::encode(block), RO_MIXED);
    for (password, salt, iterations, expected) in PBKDF2 {
        let derived = plain::pbkdf2(password.as_bytes(), salt.as_bytes(), iterations, 64);
        assert_eq!(hex::encode(derived), expected);
    }
}

fn rfc_cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../../../../tests/vectors/scrypt_rfc7914.json")).unwrap()
}

fn check_rfc_case(case: &Value) {
    let number = |name: &str| usize::try_from(case[name].as_u64().unwrap()).unwrap();
    let [password, salt, expected] = ["P", "S", "dk"].map(|name| case[name].as_str().unwrap());
    let derived =
        plain::scrypt(password.as_bytes(), salt.as_bytes(), number("N"), number("r"), number("p"), 64);
    assert_eq!(hex::encode(derived), expected, "{case}");
}

/// The kernels do only N = 1024, r = 1, p = 1, which none of the RFC's vectors has: they are
/// compared with the reference instead.
#[test]
fn the_reference_gives_the_vectors_of_the_rfc() {
    rfc_cases().iter().filter(|case| case["N"].as_u64() < Some(1 << 20)).for_each(check_rfc_case);
}

#[test]
#[ignore = "takes a gigabyte: .ci/long runs it"]
fn the_reference_gives_the_largest_vector_of_the_rfc() {
    let cases = rfc_cases();
    let largest: Vec<_> = cases.iter().filter(|case| case["N"].as_u64() == Some(1 << 20)).collect();
    assert_eq!(largest.len(), 1);
    check_rfc_case(largest[0]);
}

/// Header and hash (as explorers show it) of each block or parent in a file.
fn headers(text: &str) -> Vec<(String, [u8; 80], String)> {
    let all: Vec<Value> = serde_json::from_str(text).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let header = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap();
    all.iter().map(|block| (text(&block["name"]), header(&block["header"]), text(&block["hash"]))).collect()
}

fn target(header: &[u8; 80]) -> U256 {
    let bits = u32::from_le_bytes(header[72..76].try_into().unwrap());
    U256::from(bits & 0x7f_ffff) << (8 * (bits as usize >> 24) - 24)
}

#[test]
fn real_blocks_meet_their_targets() {
    let files = [
        include_str!("../../../../tests/vectors/scrypt_genesis.json"),
        include_str!("../../../../tests/vectors/litecoin_headers.json"),
        include_str!("../../../../tests/vectors/litecoin_blocks.json"),
        include_str!("../../../../tests/vectors/dogecoin_blocks.json"),
    ];
    let mut scratch = Scratch::new();
    let mut own_proof = 0;
    for (name, header, hash) in files.into_iter().flat_map(headers) {
        assert_eq!(format!("{:064x}", hash_as_integer(&sha256d(&header))), hash, "{name}");
        // merged-mined blocks have their parent's work, which tests/auxpow.rs checks
        if header[1] & 1 == 1 {
            continue;
        }
        own_proof += 1;
        for isa in Isa::available() {
            let digest = scrypt_with(isa, &header, &mut scratch);
            assert!(hash_as_integer(&digest) <= target(&header), "{name} {isa:?}");
            let mut flipped = header;
            flipped[79] ^= 1;
            let digest = scrypt_with(isa, &flipped, &mut scratch);
            assert!(hash_as_integer(&digest) > target(&header), "{name} {isa:?}");
        }
    }
    assert_eq!(own_proof, 10);
}

#[test]
fn genesis_of_litecoin_has_its_known_proof() {
    let text = include_str!("../../../../tests/vectors/scrypt_genesis.json");
    let (name, header, _) = headers(text).remove(0);
    assert_eq!(name, "litecoin-mainnet-0");
    let digest = scrypt(&header, &mut Scratch::new());
    let expected = "0000050c34a64b415b6b15b37f2216634b5b1669cb9a2e38d76f7213b0671e00";
    assert_eq!(format!("{:064x}", hash_as_integer(&digest)), expected);
}

fn numbered(count: usize, seed: u8) -> Vec<[u8; 80]> {
    (0..count).map(|i| std::array::from_fn(|at| (at as u8).wrapping_mul(seed) ^ (i as u8))).collect()
}

/// Each count chooses other kernels and leaves other lanes idle.
#[test]
fn every_count_on_every_isa() {
    let all = numbered(40, 29);
    let expected: Vec<_> = all.iter().map(by_crate).collect();
    assert_eq!(expected[..4], all[..4].iter().map(by_plain).collect::<Vec<_>>());
    let mut scratch = Scratch::new();
    for isa in Isa::available() {
        for count in 0..=all.len() {
            let mut digests = vec![B256::ZERO; count];
            scrypt_many_with(isa, &all[..count], &mut digests, &mut scratch);
            assert_eq!(digests, expected[..count], "{isa:?} {count}");
        }
    }
    let mut digests = vec![B256::ZERO; all.len()];
    scrypt_many(&all, &mut digests, &mut scratch);
    assert_eq!(digests, expected);
}

#[test]
fn the_rest_of_the_longer_slice_is_ignored() {
    let (mut scratch, untouched) = (Scratch::new(), B256::repeat_byte(1));
    let mut digests = [untouched; 3];
    scrypt_many(&[[0; 80]; 2], &mut digests, &mut scratch);
    assert!(digests[0] == digests[1] && digests[0] != untouched && digests[2] == untouched);
    let mut one = [untouched];
    scrypt_many(&[[0; 80]; 2], &mut one, &mut scratch);
    assert_eq!(one[0], digests[0]);
}

#[test]
fn the_table_holds_the_widest_kernel() {
    let scratch = Scratch::new();
    for isa in Isa::available() {
        for kernel in super::kernels::of(isa) {
            assert!(kernel.lanes() <= MOST_LANES && kernel.lanes() * N <= scratch.table.len());
        }
        assert!(super::kernels::of(isa).is_sorted_by_key(|kernel| kernel.lanes()));
    }
}

#[test]
fn the_narrowest_kernel_that_fits() {
    for isa in Isa::available() {
        let kernels = super::kernels::of(isa);
        let widest = kernels.last().unwrap().lanes();
        for count in 1..=widest {
            let lanes = super::kernels::fitting(kernels, count).unwrap().lanes();
            assert!(
                lanes >= count && kernels.iter().all(|other| other.lanes() < count || other.lanes() >= lanes)
            );
        }
        assert!(super::kernels::fitting(kernels, widest + 1).is_none());
    }
}

proptest! {
    // a case hashes some hundred times
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.div_ceil(10)))]

    #[test]
    fn all_agree(headers in prop::collection::vec(prop::array::uniform(any::<u8>()), 0..40)) {
        let mut scratch = Scratch::new();
        let expected: Vec<_> = headers.iter().map(by_crate).collect();
        if let Some(first) = headers.first() {
            prop_assert_eq!(by_plain(first), expected[0]);
        }
        for isa in Isa::available() {
            let mut digests = vec![B256::ZERO; headers.len()];
            scrypt_many_with(isa, &headers, &mut digests, &mut scratch);
            prop_assert_eq!(&digests, &expected);
            for (header, expected) in headers.iter().zip(&expected).take(3) {
                prop_assert_eq!(scrypt_with(isa, header, &mut scratch), *expected);
            }
        }
    }

    #[test]
    fn both_ends_are_pbkdf2(header in prop::array::uniform(any::<u8>()), middle in prop::array::uniform(any::<u32>())) {
        let mut words = [0; 32];
        let keyed = pbkdf2::expand(&header, &mut words);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        prop_assert_eq!(bytes, plain::pbkdf2(&header, &header, 1, 128));
        let salt: Vec<u8> = middle.iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
        prop_assert_eq!(&pbkdf2::digest(&keyed, &middle)[..], plain::pbkdf2(&header, &salt, 1, 32));
    }
}
