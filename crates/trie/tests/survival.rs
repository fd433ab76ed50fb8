//! Liars' trees against the bound: a claim inflated by a factor `1 + e` survives `k` points with a
//! probability of at most `(1 + e)^-k`. All seeds are fixed, so that every run is the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use alloy_primitives::{B256, keccak256};
use common::{hashed, liar::Tree, sorted};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use std::collections::BTreeSet;

const TRIALS: u32 = 20_000;
/// Standard deviations by which a frequency may exceed its bound, plus trials for bounds near zero.
const TOLERANCE: (f64, f64) = (6.0, 10.0);

/// Quality of a lie.
#[derive(Clone, Copy, PartialEq)]
enum Lie {
    /// All honest shares still open.
    Best,
    /// It breaks some of them.
    Clumsy,
}

fn keys(count: u32, wanted: impl Fn(&B256) -> bool) -> Vec<B256> {
    sorted(hashed(count).into_iter().filter(wanted).collect())
}

/// Measures the good points one by one, then draws.
fn measure(name: &str, tree: &Tree, honest: &[B256], lie: Lie) {
    let total = tree.commitment().count;
    let honest: BTreeSet<&B256> = honest.iter().collect();
    let good = tree.good_points(|key| honest.contains(key));
    assert!(good.len() <= honest.len(), "{name}: {} points for {} shares", good.len(), honest.len());
    assert_eq!(good.len() == honest.len(), lie == Lie::Best, "{name}: {} of {}", good.len(), honest.len());
    let inflation = total as f64 / honest.len() as f64;
    assert!(inflation > 1.0, "{name} does not lie");
    let mut random = SmallRng::seed_from_u64(total);
    for points in [1, 2, 4, 8, 16] {
        let mut survived = 0;
        for _ in 0..TRIALS {
            survived += u32::from((0..points).all(|_| good.contains(&random.random_range(0..total))));
        }
        let frequency = f64::from(survived) / f64::from(TRIALS);
        let bound = inflation.powi(-points);
        let deviation = (bound * (1.0 - bound) / f64::from(TRIALS)).sqrt();
        let tolerance = TOLERANCE.0 * deviation + TOLERANCE.1 / f64::from(TRIALS);
        let text = format!("{name}, ×{inflation:.3}, {points} points: {frequency:.4}, bound {bound:.4}");
        println!("{text}");
        assert!(frequency <= bound + tolerance, "{text}");
        if lie == Lie::Best {
            assert!(frequency >= bound - tolerance, "{text}");
        }
    }
}

#[test]
fn invented_shares() {
    let honest = keys(1_000, |_| true);
    for percent in [1, 10, 25, 100, 300] {
        let fakes =
            (0..10 * percent).map(|number: u32| keccak256([&[1][..], &number.to_be_bytes()].concat()));
        let all = sorted(honest.iter().copied().chain(fakes).collect());
        measure("fakes", &Tree::honest(&all, 0), &honest, Lie::Best);
    }
}

#[test]
fn counts_without_anything_below() {
    let honest = keys(1_000, |key| key[0] < 0x80);
    for percent in [1, 10, 50, 100] {
        let phantom = Tree::Phantom(keccak256(b"nothing"), honest.len() as u64 * percent / 100);
        let tree = Tree::node(Tree::honest(&honest, 1), phantom);
        measure("a phantom beside the honest half", &tree, &honest, Lie::Best);
    }
    // a phantom of count one beside each leaf: all leaves one level deeper, and twice the count
    fn haunted(keys: &[B256], depth: usize) -> Tree {
        let bit = |key: &B256| key[depth / 8] & (0x80 >> (depth % 8)) != 0;
        match keys {
            [] => Tree::Absent,
            [key] => {
                let phantom = Tree::Phantom(keccak256(key.0), 1);
                let leaf = Tree::Leaf(*key);
                if bit(key) { Tree::node(phantom, leaf) } else { Tree::node(leaf, phantom) }
            }
            _ => {
                let (left, right) = keys.split_at(keys.partition_point(|key| !bit(key)));
                Tree::node(haunted(left, depth + 1), haunted(right, depth + 1))
            }
        }
    }
    let honest = keys(500, |_| true);
    measure("a phantom beside each leaf", &haunted(&honest, 0), &honest, Lie::Best);
}

#[test]
fn copies() {
    let honest = keys(1_000, |key| key[0] < 0x80);
    let half = Tree::honest(&honest, 1);
    measure("the honest half twice", &Tree::node(half.clone(), half), &honest, Lie::Best);
    // three quarters, and the first of them again in place of the fourth
    let honest = keys(1_000, |key| key[0] < 0xc0);
    let quarter = |low: u8| {
        let inside = |key: &&B256| key[0] & 0xc0 == low;
        Tree::honest(&honest.iter().filter(inside).copied().collect::<Vec<_>>(), 2)
    };
    let tree = Tree::node(Tree::node(quarter(0), quarter(0x40)), Tree::node(quarter(0x80), quarter(0)));
    measure("a quarter twice", &tree, &honest, Lie::Best);
    let honest = keys(500, |_| true);
    let whole = Tree::honest(&honest, 0);
    measure("the whole tree twice", &Tree::node(whole.clone(), whole), &honest, Lie::Clumsy);
}

#[test]
fn counts_larger_than_what_is_below() {
    let honest = keys(1_000, |_| true);
    let (right, left): (Vec<B256>, Vec<B256>) = honest.iter().partition(|key| key[0] >= 0x80);
    let [left, right] = [left, right].map(|half| Tree::honest(&half, 1));
    let count = left.commitment().count;
    for claimed in [count + 1, count + count / 4, 2 * count] {
        let tree = Tree::node(left.clone().claimed(claimed), right.clone());
        measure("a half said to be more", &tree, &honest, Lie::Clumsy);
    }
    // every second leaf with a claimed count of two
    fn heavy(keys: &[B256], depth: usize, number: &mut u32) -> Tree {
        match keys {
            [] => Tree::Absent,
            [key] => {
                *number += 1;
                if number.is_multiple_of(2) { Tree::Leaf(*key).claimed(2) } else { Tree::Leaf(*key) }
            }
            _ => {
                let bit = |key: &B256| key[depth / 8] & (0x80 >> (depth % 8)) != 0;
                let (left, right) = keys.split_at(keys.partition_point(|key| !bit(key)));
                Tree::node(heavy(left, depth + 1, number), heavy(right, depth + 1, number))
            }
        }
    }
    measure("double weight on half", &heavy(&honest, 0, &mut 0), &honest, Lie::Clumsy);
}
