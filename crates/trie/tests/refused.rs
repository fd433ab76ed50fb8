//! Errors of builders and pages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use alloy_primitives::B256;
use common::{hashed, key, shuffled, sorted};
use hashlease_trie::{Builder, Page, Trie, TrieError};
use std::num::NonZeroUsize;

/// A higher key with the same first 64 bits.
fn colliding(key: B256) -> B256 {
    let mut above = B256::repeat_byte(0xff);
    above[..8].copy_from_slice(&key[..8]);
    above
}

/// The error that all builds from keys in any order return.
fn refused(keys: &[B256]) -> TrieError {
    let error = Trie::build(keys.to_vec()).unwrap_err();
    for (threads, seed) in [(1, 1), (2, 2), (5, 3)] {
        let keys = shuffled(keys.to_vec(), seed);
        assert_eq!(Trie::build(keys.clone()).unwrap_err(), error);
        let threads = NonZeroUsize::new(threads).unwrap();
        assert_eq!(Trie::build_threaded(keys, threads).unwrap_err(), error);
    }
    error
}

#[test]
fn duplicates_and_collisions_at_any_place() {
    let chunk = Builder::CHUNK;
    let keys = sorted(hashed(2 * chunk as u32 + 10));
    for index in [0, 1, chunk - 2, chunk - 1, chunk, 2 * chunk - 1, 2 * chunk, keys.len() - 1] {
        let twice = keys[index];
        assert_eq!(refused(&[&keys[..], &[twice]].concat()), TrieError::Duplicate(twice));
        let pair = [twice, colliding(twice)];
        assert_eq!(refused(&[&keys[..], &pair[1..]].concat()), TrieError::Collision(pair[0], pair[1]));
    }
}

#[test]
fn the_error_of_the_lowest_keys_is_returned() {
    let keys = sorted(hashed(9_000));
    let [low, high] = [keys[10], keys[8_990]];
    assert_eq!(refused(&[&keys[..], &[high, low]].concat()), TrieError::Duplicate(low));
    let collision = TrieError::Collision(low, colliding(low));
    assert_eq!(refused(&[&keys[..], &[high, colliding(low)]].concat()), collision);
}

#[test]
fn a_stream_must_ascend_and_continues_after_an_error() {
    let chunk = Builder::CHUNK;
    let keys = sorted(hashed(2 * chunk as u32 + 10));
    let mut builder = Builder::new();
    for (index, key) in keys.iter().enumerate() {
        builder.push(*key).unwrap();
        if index % 97 == 0 || index % chunk <= 1 || index % chunk == chunk - 1 {
            assert_eq!(builder.push(*key), Err(TrieError::Duplicate(*key)));
            let above = colliding(*key);
            assert_eq!(builder.push(above), Err(TrieError::Collision(*key, above)));
            let mut below = *key;
            below[31] ^= 1;
            // a collision, whether the key is above or below
            assert_eq!(builder.push(below), Err(TrieError::Collision(*key, below)));
            if index > 0 {
                let before = keys[index - 1];
                let error = TrieError::NotAscending { previous: *key, key: before };
                assert_eq!(builder.push(before), Err(error));
            }
        }
        assert_eq!(builder.count(), index as u64 + 1);
    }
    assert_eq!(builder.finish(), *Trie::build(keys).unwrap().outline());
}

#[test]
fn the_error_of_a_stream_names_both_keys() {
    let mut builder = Builder::new();
    builder.push(key(2)).unwrap();
    let text = builder.push(key(1)).unwrap_err().to_string();
    assert!(text.contains(&key(1).to_string()) && text.contains(&key(2).to_string()), "{text}");
}

#[test]
fn points_outside() {
    for count in [0, 1, 64, 65, 5_000] {
        let trie = Trie::build(hashed(count)).unwrap();
        for point in [u64::from(count), u64::from(count) + 1, u64::MAX] {
            let outside = TrieError::PointOutside { point, count: count.into() };
            assert_eq!(trie.open(point), Err(outside));
            assert_eq!(trie.outline().page(point), Err(outside));
            assert_eq!(trie.outline().open(point, trie.keys()), Err(outside));
        }
    }
}

#[test]
fn keys_outside_the_page() {
    for count in [1, 2, 50, 64, 65, 200, 5_000] {
        let trie = Trie::build(hashed(count)).unwrap();
        let outline = trie.outline();
        for point in (0..u64::from(count)).step_by(1 + count as usize / 40) {
            let Page { first, count, depth, prefix, root } = outline.page(point).unwrap();
            let page = &trie.keys()[first as usize..(first + count) as usize];
            assert_eq!(outline.open(point, page), trie.open(point));
            let length = |actual| Err(TrieError::PageLength { first, expected: count, actual });
            assert_eq!(outline.open(point, &page[1..]), length(page.len() - 1));
            assert_eq!(outline.open(point, &[]), length(0));
            assert_eq!(outline.open(point, &[page, &page[..1]].concat()), length(page.len() + 1));
            for index in 0..page.len() {
                // another share with the same first 64 bits
                let mut other = page.to_vec();
                other[index][31] ^= 1;
                let TrieError::WrongPage { first: at, expected, actual } =
                    outline.open(point, &other).unwrap_err()
                else {
                    panic!("key {index} of the page of {point} is another")
                };
                assert!(at == first && expected == root && actual != root);
                // a share of another page
                let mut other = page.to_vec();
                if depth > 0 {
                    other[index][0] ^= 0x80;
                    let error = TrieError::OutsidePage { key: other[index], prefix, depth };
                    assert_eq!(outline.open(point, &other), Err(error));
                }
                if index > 0 {
                    let mut other = page.to_vec();
                    other[index] = other[index - 1];
                    assert_eq!(outline.open(point, &other), Err(TrieError::Duplicate(other[index])));
                    let mut other = page.to_vec();
                    other.swap(index - 1, index);
                    assert!(matches!(outline.open(point, &other), Err(TrieError::NotAscending { .. })));
                }
            }
        }
    }
}
