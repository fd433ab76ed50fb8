//! `tests/vectors/trie.json`, which the contracts' tests read too: tries of known keys and openings
//! of them.
//!
//! `UPDATE_VECTORS=1 cargo test -p hashlease-trie --test vectors` rewrites the file. A change of
//! it is a change of the protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{B256, keccak256};
use hashlease_primitives::Commitment;
use hashlease_trie::{MAX_DEPTH, Opening, Trie, TrieError};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, sync::OnceLock};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/trie.json")
}

fn hashed(count: u32) -> Vec<B256> {
    (0..count).map(|number| keccak256(number.to_be_bytes())).collect()
}

/// A key whose first bits are zero up to one set bit.
fn one_bit(at: usize) -> B256 {
    let mut key = B256::ZERO;
    key[at / 8] = 0x80 >> (at % 8);
    key
}

/// Name, keys, points to open.
fn sets() -> Vec<(&'static str, Vec<B256>, Vec<u64>)> {
    let deep = vec![0, 1, 2, 32, 56, 57, 63, 64];
    let sibling = |at: usize| vec![one_bit(at), B256::ZERO];
    // leaves at every depth from 1 to 64
    let comb: Vec<B256> = (0..64).map(one_bit).chain([B256::ZERO]).collect();
    let right: Vec<B256> = comb.iter().map(|key| !*key).collect();
    vec![
        ("empty", vec![], vec![]),
        ("one", hashed(1), vec![0]),
        ("two", hashed(2), vec![0, 1]),
        ("two that differ in bit 0", sibling(0), vec![0, 1]),
        ("two that differ in bit 7", sibling(7), vec![0, 1]),
        ("two that differ in bit 8", sibling(8), vec![0, 1]),
        ("two that differ in bit 63", sibling(63), vec![0, 1]),
        ("a leaf at every depth, on the left", comb, deep.clone()),
        ("a leaf at every depth, on the right", right, deep),
        ("seven", hashed(7), (0..7).collect()),
        ("a thousand", hashed(1_000), vec![0, 1, 2, 499, 500, 501, 998, 999]),
    ]
}

fn set(name: &str, mut keys: Vec<B256>, points: &[u64]) -> Value {
    let trie = Trie::build(keys.clone()).unwrap();
    keys.sort_unstable();
    let openings: Vec<Opening> = points.iter().map(|point| trie.open(*point).unwrap()).collect();
    // from the root down, as the contracts take them
    let steps: Vec<Commitment> =
        openings.iter().flat_map(|opening| opening.path.iter().rev().copied()).collect();
    json!({
        "name": name,
        "keys": keys,
        "root": trie.commitment().root,
        "count": trie.commitment().count.to_string(),
        "points": points.iter().map(u64::to_string).collect::<Vec<_>>(),
        "openedKeys": openings.iter().map(|opening| opening.key).collect::<Vec<_>>(),
        "depths": openings.iter().map(|opening| opening.path.len().to_string()).collect::<Vec<_>>(),
        "stepHashes": steps.iter().map(|step| step.root).collect::<Vec<_>>(),
        "stepCounts": steps.iter().map(|step| step.count.to_string()).collect::<Vec<_>>(),
    })
}

fn vectors() -> Value {
    let sets: Vec<Value> = sets().into_iter().map(|(name, keys, points)| set(name, keys, &points)).collect();
    // the chain over epochs, one without shares among them
    let epochs = [hashed(3), vec![], hashed(1_000)];
    let commitments = epochs.map(|keys| Trie::build(keys).unwrap().commitment());
    let mut links = vec![];
    let mut link = B256::ZERO;
    for commitment in commitments {
        link = commitment.chain(&link);
        links.push(link);
    }
    json!({
        "sets": sets,
        "chain": {
            "roots": commitments.map(|commitment| commitment.root),
            "counts": commitments.map(|commitment| commitment.count.to_string()),
            "links": links,
        },
        "collision": [one_bit(64), B256::ZERO],
    })
}

/// The file, rewritten before it is first read if `UPDATE_VECTORS` is set.
fn frozen() -> &'static Value {
    static FILE: OnceLock<Value> = OnceLock::new();
    FILE.get_or_init(|| {
        if std::env::var_os("UPDATE_VECTORS").is_some() {
            fs::write(path(), format!("{}\n", serde_json::to_string_pretty(&vectors()).unwrap())).unwrap();
        }
        serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap()
    })
}

fn hashes(list: &Value) -> Vec<B256> {
    serde_json::from_value(list.clone()).unwrap()
}

fn numbers(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|number| number.as_str().unwrap().parse().unwrap()).collect()
}

#[test]
fn the_tries_are_frozen() {
    let (frozen, now) = (frozen(), vectors());
    for (then, now) in frozen["sets"].as_array().unwrap().iter().zip(now["sets"].as_array().unwrap()) {
        assert_eq!(then, now, "{}", now["name"]);
    }
    assert_eq!(*frozen, now);
}

/// Reads the file as the contracts' tests do: the steps of all openings in a row, from the root
/// down.
#[test]
fn the_openings_in_the_file_hold() {
    let mut opened = 0;
    for set in frozen()["sets"].as_array().unwrap() {
        let root = hashes(&json!([set["root"]]))[0];
        let commitment = Commitment { root, count: numbers(&json!([set["count"]]))[0] };
        let (step_hashes, step_counts) = (hashes(&set["stepHashes"]), numbers(&set["stepCounts"]));
        let mut steps =
            step_hashes.into_iter().zip(step_counts).map(|(root, count)| Commitment { root, count });
        let keys = hashes(&set["keys"]);
        assert_eq!(keys.len() as u64, commitment.count);
        let points = numbers(&set["points"]).into_iter().zip(numbers(&set["depths"]));
        for ((point, depth), key) in points.zip(hashes(&set["openedKeys"])) {
            assert_eq!(key, keys[point as usize], "{} point {point}", set["name"]);
            let mut path: Vec<Commitment> = steps.by_ref().take(depth as usize).collect();
            path.reverse();
            let opening = Opening { key, path };
            assert_eq!(opening.verify(&commitment, point), Ok(()), "{} point {point}", set["name"]);
            assert!(opening.verify(&commitment, point + 1).is_err(), "{} point {point}", set["name"]);
            opened += 1;
        }
        assert_eq!(steps.count(), 0, "{}", set["name"]);
    }
    assert!(opened > 40);
}

/// The rules of the tree by another way: one leaf after the other, by its bits.
#[test]
fn the_roots_follow_from_the_rules() {
    fn commit(keys: &[B256], depth: usize) -> Commitment {
        let count = keys.len() as u64;
        match keys {
            [] => Commitment { root: B256::ZERO, count },
            [key] => Commitment { root: keccak256(key), count },
            _ => {
                let side = |wanted: u8| {
                    let bit = |key: &&B256| (key[depth / 8] >> (7 - depth % 8)) & 1 == wanted;
                    commit(&keys.iter().filter(bit).copied().collect::<Vec<_>>(), depth + 1)
                };
                let (left, right) = (side(0), side(1));
                let count_word = |count: u64| [&[0; 24][..], &count.to_be_bytes()].concat();
                let node = [
                    left.root.to_vec(),
                    count_word(left.count),
                    right.root.to_vec(),
                    count_word(right.count),
                ];
                Commitment { root: keccak256(node.concat()), count }
            }
        }
    }
    for set in frozen()["sets"].as_array().unwrap() {
        assert_eq!(json!(commit(&hashes(&set["keys"]), 0).root), set["root"], "{}", set["name"]);
    }
}

#[test]
fn the_collision_in_the_file_is_refused() {
    let keys = hashes(&frozen()["collision"]);
    assert!(matches!(Trie::build(keys), Err(TrieError::Collision(..))));
    assert_eq!(MAX_DEPTH, 64);
}
