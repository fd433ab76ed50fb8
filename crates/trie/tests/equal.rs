//! Every builder gives the tree of the definition, and every point opens as in the definition.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use alloy_primitives::B256;
use common::{hashed, key, place, reference, shuffled, sorted};
use hashlease_primitives::Commitment;
use hashlease_trie::{Builder, Opening, Outline, PAGE, Trie};
use proptest::{collection::vec, prelude::*};
use std::num::NonZeroUsize;

fn stream(keys: &[B256]) -> Outline {
    let mut builder = Builder::new();
    for key in keys {
        builder.push(*key).unwrap();
    }
    assert_eq!(builder.count(), keys.len() as u64);
    builder.finish()
}

/// Compares all builds of sorted keys with the reference, and also the openings: of all points, or
/// of thousands.
fn check(keys: &[B256]) {
    let count = keys.len();
    let (root, openings) = reference::open_all(keys, 0);
    let outline = stream(keys);
    assert_eq!(reference::pair(outline.commitment()), root, "{count} keys");
    let trie = Trie::build(shuffled(keys.to_vec(), count as u64)).unwrap();
    assert_eq!((trie.keys(), trie.outline()), (keys, &outline), "{count} keys");
    for threads in [1, 2, 3, 64] {
        let threads = NonZeroUsize::new(threads).unwrap();
        let threaded = Trie::build_threaded(shuffled(keys.to_vec(), 1), threads).unwrap();
        assert_eq!(threaded, trie, "{count} keys, {threads} threads");
    }
    for ((key, path), point) in openings.into_iter().zip(0..).step_by(1 + count / 5_000) {
        let opening = trie.open(point).unwrap();
        let path: Vec<Commitment> =
            path.into_iter().map(|(root, count)| Commitment { root, count }).collect();
        assert_eq!(opening, Opening { key, path }, "point {point} of {count}");
        assert_eq!(opening.verify(&trie.commitment(), point), Ok(()), "point {point} of {count}");
    }
    check_pages(&outline, keys);
}

/// Pages cover all keys without gaps, none too large and none smaller than necessary.
fn check_pages(outline: &Outline, keys: &[B256]) {
    let mut next = 0;
    while next < keys.len() as u64 {
        let page = outline.page(next).unwrap();
        assert_eq!(page.first, next);
        assert!((1..=PAGE).contains(&page.count));
        assert_eq!(page.points(), next..next + page.count);
        let shared = |key: &B256| (0..page.depth).all(|depth| bit(key, depth) == bit(&page.prefix, depth));
        let inside: Vec<B256> = keys.iter().copied().filter(shared).collect();
        assert_eq!(inside, keys[next as usize..(next + page.count) as usize]);
        assert_eq!(page.prefix[8..], [0; 24]);
        if page.depth > 0 {
            let around = |key: &&B256| (0..page.depth - 1).all(|at| bit(key, at) == bit(&page.prefix, at));
            assert!(keys.iter().filter(around).count() as u64 > PAGE, "the page could be larger");
        }
        for point in page.points() {
            assert_eq!(outline.page(point), Ok(page));
        }
        next += page.count;
    }
    assert_eq!(next, keys.len() as u64);
    assert!(outline.page(next).is_err());
}

fn bit(key: &B256, depth: usize) -> bool {
    key[depth / 8] & (0x80 >> (depth % 8)) != 0
}

#[test]
fn all_small_sizes() {
    for count in 0..=200 {
        check(&sorted(hashed(count)));
    }
}

#[test]
fn sizes_around_the_chunk() {
    let chunk = Builder::CHUNK as u32;
    for count in [chunk - 1, chunk, chunk + 1, 2 * chunk - 1, 2 * chunk, 2 * chunk + 1, 3 * chunk + 7] {
        check(&sorted(hashed(count)));
    }
}

#[test]
fn long_common_prefixes_at_the_borders_of_chunks() {
    let chunk = Builder::CHUNK;
    let keys = sorted(hashed(2 * chunk as u32 + 100));
    for shared in [1, 12, 40, 62, 63] {
        // the last key of each chunk and the first of the next share `shared` bits
        let mut keys = keys.clone();
        for border in [chunk, 2 * chunk] {
            let below = place(&keys[border - 1]) & !(u64::MAX >> shared);
            keys[border - 1] = key(below);
            keys[border] = key(below | 1 << (63 - shared));
        }
        let keys = sorted(keys);
        check(&keys);
    }
}

#[test]
fn all_keys_close_together() {
    let chunk = Builder::CHUNK as u64;
    // neighbours that differ in their last bits: leaves at the greatest depth
    for start in [0, 1, 12_345 << 13, u64::MAX - 2 * chunk] {
        check(&(start..=start + 2 * chunk).map(key).collect::<Vec<_>>());
    }
    // pages of all sizes below a long path without forks
    for count in [1, 2, 63, 64, 65, 127, 128, 129] {
        check(&(0..count).map(|low| key(0xabcd << 48 | low)).collect::<Vec<_>>());
    }
}

#[test]
fn all_keys_in_one_half_or_by_pairs() {
    for top in [0, 1 << 63, 0b101 << 61] {
        let half = hashed(5_000).iter().map(|hash| key(place(hash) >> 3 | top)).collect();
        check(&sorted(half));
    }
    let pairs = hashed(2_500).iter().flat_map(|hash| [key(place(hash)), key(place(hash) ^ 1)]).collect();
    check(&sorted(pairs));
}

#[test]
fn a_leaf_at_every_depth() {
    let comb: Vec<B256> = (0..64).map(|at| key(1 << at)).chain([key(0)]).collect();
    check(&sorted(comb.clone()));
    check(&sorted(comb.iter().map(|comb| key(!place(comb))).collect()));
    check(&[key(0), key(u64::MAX)]);
    check(&[key(0), key(1)]);
    check(&[B256::ZERO]);
    check(&[B256::repeat_byte(0xff)]);
}

/// Random in the first few bits, or equal in all but the last few, or close to another key.
fn adversarial() -> impl Strategy<Value = Vec<B256>> {
    let place = prop_oneof![
        any::<u64>().prop_map(|free| (0, free)),
        (0u32..64, any::<u64>()).prop_map(|(shared, free)| (shared, free)),
        (56u32..64, any::<u64>()).prop_map(|(shared, free)| (shared, free)),
    ];
    (any::<u64>(), vec(place, 0..200)).prop_map(|(base, places)| {
        let mut near = base;
        let keys = places.into_iter().map(|(shared, free)| {
            near ^= free >> shared;
            key(near)
        });
        sorted(keys.collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_keys(keys in adversarial()) {
        check(&keys);
    }

    /// The reference's own two ways to open agree.
    #[test]
    fn the_reference_is_sound(keys in adversarial().prop_filter("none", |keys| !keys.is_empty()), at: u16) {
        let point = usize::from(at) % keys.len();
        let (root, openings) = reference::open_all(&keys, 0);
        prop_assert_eq!(root, reference::commit(&keys, 0));
        prop_assert_eq!(&openings[point], &reference::open(&keys, 0, point));
    }
}
