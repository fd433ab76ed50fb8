//! Real merged-mined blocks of Dogecoin are proven by their parents, and each broken rule has its
//! error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{B256, U256};
use hashlease_pow::{
    AuxPow, AuxPowError, hash_as_integer, merkle_parent,
    scrypt::{Scratch, scrypt},
    sha256d,
};
use proptest::prelude::*;
use serde_json::Value;

/// Dogecoin's number among merged-mined chains.
const DOGECOIN: u16 = 0x62;

/// An [`AuxPow`] that owns its parts, and the header it is for.
#[derive(Clone)]
struct Proof {
    header: [u8; 80],
    coinbase: Vec<u8>,
    coinbase_branch: Vec<[u8; 32]>,
    coinbase_index: u32,
    chain_branch: Vec<[u8; 32]>,
    chain_index: u32,
    parent: [u8; 80],
}

fn root(leaf: B256, branch: &[[u8; 32]], index: u32) -> B256 {
    branch.iter().enumerate().fold(leaf, |node, (level, sibling)| match index.checked_shr(level as u32) {
        Some(bits) if bits & 1 == 1 => merkle_parent(&B256::new(*sibling), &node),
        _ => merkle_parent(&node, &B256::new(*sibling)),
    })
}

/// A coinbase with this script.
fn coinbase(script: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 0, 0, 0, 1];
    bytes.extend([0; 32]);
    bytes.extend([0xff; 4]);
    bytes.push(script.len() as u8);
    bytes.extend(script);
    bytes.extend([0xff; 4]);
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x51]);
    bytes.extend([0; 4]);
    bytes
}

impl Proof {
    fn parts(&self) -> AuxPow<'_> {
        AuxPow {
            coinbase: &self.coinbase,
            coinbase_branch: &self.coinbase_branch,
            coinbase_index: self.coinbase_index,
            chain_branch: &self.chain_branch,
            chain_index: self.chain_index,
            parent: &self.parent,
        }
    }

    fn verify(&self) -> Result<[u8; 80], AuxPowError> {
        self.parts().verify(&self.header, DOGECOIN).copied()
    }

    /// The root in the coinbase's byte order.
    fn chain_root(&self) -> Vec<u8> {
        let mut root = root(sha256d(&self.header), &self.chain_branch, self.chain_index).to_vec();
        root.reverse();
        root
    }

    /// Puts the Merkle root of the coinbase into the parent.
    fn committed(mut self) -> Self {
        let root = root(sha256d(&self.coinbase), &self.coinbase_branch, self.coinbase_index);
        self.parent[36..68].copy_from_slice(root.as_slice());
        self
    }

    /// The same with another script in the coinbase.
    fn with_script(mut self, parts: &[&[u8]]) -> Self {
        self.coinbase = coinbase(&parts.concat());
        self.committed()
    }

    fn serialized(&self) -> Vec<u8> {
        let mut bytes = self.coinbase.clone();
        bytes.extend([0; 32]);
        bytes.push(self.coinbase_branch.len() as u8);
        bytes.extend(self.coinbase_branch.as_flattened());
        bytes.extend(self.coinbase_index.to_le_bytes());
        bytes.push(self.chain_branch.len() as u8);
        bytes.extend(self.chain_branch.as_flattened());
        bytes.extend(self.chain_index.to_le_bytes());
        bytes.extend(self.parent);
        bytes
    }
}

fn real() -> Vec<Proof> {
    let text = include_str!("../../../tests/vectors/dogecoin_blocks.json");
    let all: Vec<Value> = serde_json::from_str(text).unwrap();
    let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let branch = |value: &Value| -> Vec<[u8; 32]> {
        value.as_array().unwrap().iter().map(|node| bytes(node).try_into().unwrap()).collect()
    };
    all.iter()
        .filter(|block| !block["auxpow"].is_null())
        .map(|block| {
            let auxpow = &block["auxpow"];
            Proof {
                header: bytes(&block["header"]).try_into().unwrap(),
                coinbase: bytes(&auxpow["parent_coinbase"]),
                coinbase_branch: branch(&auxpow["coinbase_branch"]),
                coinbase_index: number(&auxpow["coinbase_index"]),
                chain_branch: branch(&auxpow["chain_branch"]),
                chain_index: number(&auxpow["chain_index"]),
                parent: bytes(&auxpow["parent_header"]).try_into().unwrap(),
            }
        })
        .collect()
}

/// A real proof whose block is at place 40 of 64, without a coinbase branch.
fn deep() -> Proof {
    let proof = real().remove(1);
    assert_eq!((proof.chain_index, proof.chain_branch.len()), (40, 6));
    proof
}

const MAGIC: &[u8] = b"\xfa\xbemm";
const SIZE: &[u8] = &[64, 0, 0, 0];
/// The pool of the real one put a fish there.
const NONCE: &[u8] = &[0xf0, 0x9f, 0x90, 0x9f];

#[test]
fn real_blocks_are_proven_by_their_parents() {
    let all = real();
    assert_eq!(all.len(), 2);
    let mut scratch = Scratch::new();
    for proof in all {
        let parent = proof.verify().unwrap();
        assert_eq!(parent, proof.parent);
        let bits = u32::from_le_bytes(proof.header[72..76].try_into().unwrap());
        let target = U256::from(bits & 0x7f_ffff) << (8 * (bits as usize >> 24) - 24);
        assert!(hash_as_integer(&scrypt(&parent, &mut scratch)) <= target);
        assert!(hash_as_integer(&scrypt(&proof.header, &mut scratch)) > target, "its own hash is no proof");
    }
}

#[test]
fn two_blocks_of_one_parent_are_one_unit_of_work() {
    let place = expected_place(0, DOGECOIN, 4);
    let neighbour = (1..).find(|chain| expected_place(0, *chain, 4) == place ^ 1).unwrap();
    let first = deep();
    let mut second = deep();
    second.header[2..4].copy_from_slice(&neighbour.to_le_bytes());
    let above = [7; 32];
    let first = Proof { chain_branch: vec![sha256d(&second.header).0, above], chain_index: place, ..first };
    let second =
        Proof { chain_branch: vec![sha256d(&first.header).0, above], chain_index: place ^ 1, ..second };
    let root = first.chain_root();
    assert_eq!(root, second.chain_root());
    let script: [&[u8]; 4] = [MAGIC, &root, &[4, 0, 0, 0], &[0; 4]];
    let (first, second) = (first.with_script(&script), second.with_script(&script));
    assert_eq!(second.parts().verify(&second.header, neighbour), Ok(&first.verify().unwrap()));
    // neither proof is valid for the other block
    let swapped = Proof { chain_branch: second.chain_branch, chain_index: second.chain_index, ..first };
    assert_eq!(swapped.verify(), Err(AuxPowError::NotCommitted));
}

/// The place, computed in another way than by the code under test.
fn expected_place(nonce: u32, chain: u16, size: u64) -> u32 {
    let modulus = 1_i128 << 32;
    let chain = if chain < 0x8000 { i128::from(chain) } else { i128::from(chain) - 0x1_0000 };
    let first = (i128::from(nonce) * 1_103_515_245 + 12_345 + chain) % modulus;
    ((first * 1_103_515_245 + 12_345) % modulus % i128::from(size)) as u32
}

/// A chain's number is shifted out of a signed version, which shows in a tree of more than 2^16
/// places.
#[test]
fn a_chain_whose_version_is_negative() {
    const LEVELS: u32 = 20;
    for (chain, unsigned_is_other) in [(0x7fff_u16, false), (0x8000, true), (0xffff, true)] {
        let mut proof = deep();
        proof.header[2..4].copy_from_slice(&chain.to_le_bytes());
        proof.chain_branch = vec![[5; 32]; LEVELS as usize];
        proof.chain_index = expected_place(1, chain, 1 << LEVELS);
        let root = proof.chain_root();
        let proof = proof.with_script(&[MAGIC, &root, &(1_u32 << LEVELS).to_le_bytes(), &[1, 0, 0, 0]]);
        assert_eq!(proof.parts().verify(&proof.header, chain), Ok(&proof.parent), "{chain:#x}");
        let first = 1_u32.wrapping_mul(1_103_515_245).wrapping_add(12_345).wrapping_add(chain.into());
        let unsigned = first.wrapping_mul(1_103_515_245).wrapping_add(12_345) % (1 << LEVELS);
        assert_eq!(unsigned != proof.chain_index, unsigned_is_other, "{chain:#x}");
    }
}

#[test]
fn each_broken_rule_has_its_error() {
    let proof = deep();
    let root = proof.chain_root();
    let broken = |change: fn(&mut Proof)| {
        let mut proof = deep();
        change(&mut proof);
        proof
    };
    let plain = proof.clone().with_script(&[MAGIC, &root, SIZE, NONCE]);
    assert_eq!(plain.verify(), Ok(plain.parent), "the proof is valid before a rule is broken");

    assert_eq!(broken(|p| p.header[1] = 0).verify(), Err(AuxPowError::NotMergedMined));
    assert_eq!(broken(|p| p.header[2] = 1).verify(), Err(AuxPowError::OtherChain(1)));
    assert_eq!(proof.parts().verify(&proof.header, 1), Err(AuxPowError::OtherChain(DOGECOIN)));
    assert_eq!(broken(|p| p.coinbase_index = 1).verify(), Err(AuxPowError::NotFirst(1)));
    assert_eq!(broken(|p| p.parent[2] = 0x62).verify(), Err(AuxPowError::ParentOfSameChain));
    assert_eq!(broken(|p| p.chain_branch = vec![[0; 32]; 31]).verify(), Err(AuxPowError::TooDeep(31)));
    assert_eq!(broken(|p| p.parent[36] ^= 1).verify(), Err(AuxPowError::NotInParent));
    assert_eq!(broken(|p| p.coinbase_branch.push([0; 32])).verify(), Err(AuxPowError::NotInParent));
    assert_eq!(broken(|p| p.coinbase[4] ^= 2).verify(), Err(AuxPowError::NotInParent));
    assert_eq!(broken(|p| p.header[79] ^= 1).verify(), Err(AuxPowError::NotCommitted));
    assert_eq!(broken(|p| p.chain_branch[2][7] ^= 1).verify(), Err(AuxPowError::NotCommitted));
    assert_eq!(broken(|p| p.chain_index ^= 1).verify(), Err(AuxPowError::NotCommitted));

    let with = |parts: &[&[u8]]| deep().with_script(parts).verify();
    let mut reversed = root.clone();
    reversed.reverse();
    assert_eq!(with(&[MAGIC, &reversed, SIZE, NONCE]), Err(AuxPowError::NotCommitted));
    assert_eq!(with(&[MAGIC, &root, SIZE, NONCE, MAGIC]), Err(AuxPowError::SeveralHeaders));
    assert_eq!(with(&[MAGIC, MAGIC, &root, SIZE, NONCE]), Err(AuxPowError::SeveralHeaders));
    assert_eq!(with(&[MAGIC, &[0], &root, SIZE, NONCE]), Err(AuxPowError::HeaderElsewhere));
    assert_eq!(with(&[&root, SIZE, NONCE, MAGIC]), Err(AuxPowError::HeaderElsewhere));
    assert_eq!(with(&[&root, MAGIC, &root, SIZE, NONCE]), Err(AuxPowError::HeaderElsewhere));
    assert_eq!(with(&[&[0; 21], &root, SIZE, NONCE]), Err(AuxPowError::RootTooLate(21)));
    assert!(with(&[&[0; 20], &root, SIZE, NONCE]).is_ok());
    assert_eq!(with(&[MAGIC, &root, SIZE, &NONCE[1..]]), Err(AuxPowError::NoSizeAndNonce));
    assert_eq!(with(&[MAGIC, &root]), Err(AuxPowError::NoSizeAndNonce));
    assert_eq!(with(&[MAGIC, &root, &[32, 0, 0, 0], NONCE]), Err(AuxPowError::WrongSize(32)));
    assert_eq!(with(&[MAGIC, &root, &[0, 0, 0, 0], NONCE]), Err(AuxPowError::WrongSize(0)));
    let expected = expected_place(1, DOGECOIN, 64);
    assert_eq!(
        with(&[MAGIC, &root, SIZE, &[1, 0, 0, 0]]),
        Err(AuxPowError::WrongPlace { got: 40, expected })
    );
    // an index with more bits than the branch has levels is the same leaf, but not the same place
    let beyond = Proof { chain_index: 40 + 64, ..plain.clone() };
    assert_eq!(beyond.verify(), Err(AuxPowError::WrongPlace { got: 104, expected: 40 }));

    let mut longer = proof.clone();
    longer.coinbase.push(0);
    assert_eq!(longer.committed().verify(), Err(AuxPowError::AfterCoinbase));
    let mut shorter = proof.clone();
    shorter.coinbase.pop();
    assert_eq!(shorter.committed().verify(), Err(AuxPowError::Truncated));
    let mut none = proof.clone();
    none.coinbase = vec![1, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(none.committed().verify(), Err(AuxPowError::NoInput));
    let mut long_count = proof;
    long_count.coinbase.splice(4..5, [0xfd, 1, 0]);
    assert_eq!(long_count.committed().verify(), Err(AuxPowError::LongCount));
}

#[test]
fn a_chain_alone_in_its_tree() {
    let mut proof = deep();
    proof.chain_branch.clear();
    proof.chain_index = 0;
    let root = proof.chain_root();
    let proof = proof.with_script(&[b"x", MAGIC, &root, &[1, 0, 0, 0], &[9, 9, 9, 9], b"pool"]);
    assert_eq!(proof.verify(), Ok(proof.parent));
}

/// Thirty levels, the most, are allowed.
#[test]
fn the_deepest_tree_of_chains() {
    let place = expected_place(0, DOGECOIN, 1 << 30);
    let proof = Proof { chain_branch: vec![[3; 32]; 30], chain_index: place, ..deep() };
    let root = proof.chain_root();
    let proof = proof.with_script(&[MAGIC, &root, &(1_u32 << 30).to_le_bytes(), &[0; 4]]);
    assert_eq!(proof.verify(), Ok(proof.parent));
}

/// Nodes read only the first input, so a root in another one is no commitment.
#[test]
fn only_the_first_input_commits() {
    let proof = deep();
    let root = proof.chain_root();
    let whole = [MAGIC, &root, SIZE, NONCE].concat();
    for (first, second, expected) in
        [(&whole, &vec![], Ok(())), (&vec![], &whole, Err(AuxPowError::NotCommitted))]
    {
        let mut bytes = coinbase(first);
        bytes[4] = 2;
        let end_of_inputs = 5 + 36 + 1 + first.len() + 4;
        let other = coinbase(second);
        bytes.splice(end_of_inputs..end_of_inputs, other[5..5 + 36 + 1 + second.len() + 4].iter().copied());
        let proof = Proof { coinbase: bytes, ..deep() }.committed();
        assert_eq!(proof.verify().map(|_| ()), expected);
    }
}

/// Nodes of the child chain don't check them either.
#[test]
fn rules_of_the_parents_chain_are_not_enforced_on_its_coinbase() {
    let proof = deep();
    let root = proof.chain_root();
    let plain = proof.with_script(&[MAGIC, &root, SIZE, NONCE]);
    let mut spending = plain.clone();
    spending.coinbase[5..41].copy_from_slice(&[7; 36]);
    assert!(spending.committed().verify().is_ok(), "an input that spends something");
    let mut versioned = plain.clone();
    versioned.coinbase[..4].copy_from_slice(&[0xff; 4]);
    assert!(versioned.committed().verify().is_ok(), "any version");
    // a parent that is itself marked as merged-mined, by another chain
    let mut merged = plain;
    merged.parent[1] |= 1;
    assert!(merged.verify().is_ok(), "a parent that has a parent");
}

#[test]
fn a_coinbase_with_its_witness_is_refused() {
    let mut bytes = deep().serialized();
    bytes.splice(4..4, [0, 1]);
    assert_eq!(AuxPow::parse(&bytes), Err(AuxPowError::NoInput));
}

#[test]
fn a_serialized_proof_parses_to_itself() {
    for proof in real() {
        let mut bytes = proof.serialized();
        for end in 0..bytes.len() {
            assert_eq!(AuxPow::parse(&bytes[..end]), Err(AuxPowError::Truncated), "{end}");
        }
        assert_eq!(AuxPow::parse(&bytes), Ok((proof.parts(), &[][..])));
        bytes.extend(b"rest");
        assert_eq!(AuxPow::parse(&bytes), Ok((proof.parts(), &b"rest"[..])));
    }
    // nodes read no count above 2^25, even if the bytes are there
    for (count, expected) in [
        (vec![0xff; 9], AuxPowError::HugeCount(u64::MAX)),
        (vec![0xff, 0, 0, 0, 0, 0, 0, 0, 0x80], AuxPowError::HugeCount(1 << 63)),
        (vec![0xfe, 1, 0, 0, 2], AuxPowError::HugeCount((1 << 25) + 1)),
        (vec![0xfe, 0, 0, 0, 2], AuxPowError::Truncated),
    ] {
        let mut bytes = deep().coinbase;
        bytes.extend([0; 32]);
        bytes.extend(count);
        assert_eq!(AuxPow::parse(&bytes), Err(expected));
    }
    let mut script = vec![1, 0, 0, 0, 1];
    script.extend([0; 36]);
    script.extend([0xfe, 1, 0, 0, 2]);
    script.resize(script.len() + (1 << 25) + 16, 0);
    assert_eq!(AuxPow::parse(&script), Err(AuxPowError::HugeCount((1 << 25) + 1)));
}

/// Only the shortest encoding of a count is accepted.
#[test]
fn counts_are_written_in_one_way() {
    // the script's length in this encoding, and as many bytes
    let parsed = |count: &[u8], length: usize| {
        let mut bytes = coinbase(&[]);
        let rest = bytes.split_off(41);
        bytes.extend(count);
        bytes.extend(vec![0x51; length]);
        bytes.extend(&rest[1..]);
        let proof = Proof { coinbase: bytes, ..deep() };
        let bytes = proof.serialized();
        AuxPow::parse(&bytes).map(|(parsed, rest)| {
            assert_eq!((parsed, rest.len()), (proof.parts(), 0));
        })
    };
    assert_eq!(parsed(&[0xfc], 0xfc), Ok(()));
    assert_eq!(parsed(&[0xfd, 0xfc, 0], 0xfc), Err(AuxPowError::LongCount));
    assert_eq!(parsed(&[0xfd, 0xfd, 0], 0xfd), Ok(()));
    assert_eq!(parsed(&[0xfd, 0xff, 0xff], 0xffff), Ok(()));
    assert_eq!(parsed(&[0xfe, 0xff, 0xff, 0, 0], 0xffff), Err(AuxPowError::LongCount));
    assert_eq!(parsed(&[0xfe, 0, 0, 1, 0], 0x1_0000), Ok(()));
    let four_bytes = [0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    assert_eq!(parsed(&four_bytes, 0), Err(AuxPowError::LongCount));
    // no block is so large that it needs the longest encoding
    assert_eq!(parsed(&[0xff, 0, 0, 0, 0, 1, 0, 0, 0], 0), Err(AuxPowError::HugeCount(1 << 32)));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok((proof, _)) = AuxPow::parse(&bytes) {
            let _ = proof.verify(&[1; 80], DOGECOIN);
        }
    }

    /// One byte of a real proof is changed: nothing panics, and the proof is refused unless the
    /// byte is not covered, which are the parent's hash next to its header and the header's other
    /// fields.
    #[test]
    fn damage_is_found(at in any::<prop::sample::Index>(), change in 1_u8.., cut in 0_usize..2000) {
        let proof = deep();
        let mut bytes = proof.serialized();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        let header_at = bytes.len() - 80;
        let hash_at = proof.coinbase.len();
        let free = (hash_at..hash_at + 32).contains(&at)
            || (header_at..header_at + 36).contains(&at)
            || (header_at + 68..).contains(&at);
        let verified = |bytes: &[u8]| {
            AuxPow::parse(bytes).and_then(|(parsed, _)| parsed.verify(&proof.header, DOGECOIN).copied())
        };
        if !free {
            prop_assert!(verified(&bytes).is_err());
        } else if (hash_at..hash_at + 32).contains(&at) {
            prop_assert_eq!(verified(&bytes), Ok(proof.parent));
        }
        bytes.truncate(cut);
        if cut < header_at {
            prop_assert!(verified(&bytes).is_err());
        } else {
            let _ = verified(&bytes);
        }
    }

    /// Scripts that hold the root, so that the checks after it are reached; a false coinbase is
    /// never accepted.
    #[test]
    fn no_script_panics(before in prop::collection::vec(any::<u8>(), 0..40), magic: bool,
        after in prop::collection::vec(any::<u8>(), 0..40), index: u32) {
        let proof = Proof { chain_index: index, ..deep() };
        let root = proof.chain_root();
        let proof = proof.with_script(&[&before, if magic { MAGIC } else { &[] }, &root, &after]);
        if let Ok(parent) = proof.verify() {
            prop_assert_eq!(parent, proof.parent);
            prop_assert!(magic || before.len() <= 20);
        }
    }
}
