//! The trie of any keys against its definition; and only the right opening holds.
#![no_main]

use alloy_primitives::{B256, keccak256};
use arbitrary::{Arbitrary, Result, Unstructured};
use hashlease_primitives::Commitment;
use hashlease_trie::{Builder, Opening, Trie, TrieError};
use libfuzzer_sys::fuzz_target;
use std::num::NonZeroUsize;

/// A manipulation of an opening.
#[derive(Arbitrary, Debug)]
enum Lie {
    Key([u8; 32]),
    KeyBit(u8),
    Count(usize, u64),
    Hash(usize, [u8; 32]),
    Drop(usize),
    Insert(usize, [u8; 32], u64),
    Swap(usize, usize),
    PathOf(u64),
}

#[derive(Debug)]
struct Input {
    keys: Vec<B256>,
    point: u64,
    other: u64,
    lies: Vec<Lie>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut keys: Vec<B256> = Vec::new();
        for _ in 0..u.int_in_range(0..=48)? {
            // some keys differ from another key in only one of the first 71 bits
            let key = match keys.len() {
                length @ 1.. if u.arbitrary()? => {
                    let mut key = keys[u.choose_index(length)?];
                    let bit = u.int_in_range(0..=70)?;
                    key[bit / 8] ^= 0x80 >> (bit % 8);
                    key
                }
                _ => keccak256(u.arbitrary::<[u8; 4]>()?),
            };
            keys.push(key);
        }
        Ok(Self { keys, point: u.arbitrary()?, other: u.arbitrary()?, lies: u.arbitrary()? })
    }
}

fn node(left: Commitment, right: Commitment) -> Commitment {
    let half = |child: Commitment| [child.root, B256::left_padding_from(&child.count.to_be_bytes())].concat();
    let count = left.count + right.count;
    Commitment { root: keccak256([half(left), half(right)].concat()), count }
}

/// Root of the keys that share their first `depth` bits, and every key with its siblings, deepest
/// first.
fn plainly(keys: &[B256], depth: usize) -> (Commitment, Vec<Opening>) {
    match keys {
        [] => (Commitment::default(), vec![]),
        [key] => (Commitment { root: keccak256(key), count: 1 }, vec![Opening { key: *key, path: vec![] }]),
        _ => {
            let (right, left): (Vec<B256>, Vec<B256>) =
                keys.iter().partition(|key| key[depth / 8] & (0x80 >> (depth % 8)) != 0);
            let ((left, mut openings), (right, mut others)) =
                (plainly(&left, depth + 1), plainly(&right, depth + 1));
            openings.iter_mut().for_each(|opening| opening.path.push(right));
            others.iter_mut().for_each(|opening| opening.path.push(left));
            openings.extend(others);
            (node(left, right), openings)
        }
    }
}

fn told(opening: &mut Opening, lie: &Lie, right: &[Opening]) {
    let path = &mut opening.path;
    let at = |place: usize, length: usize| place.checked_rem(length);
    match lie {
        Lie::Key(key) => opening.key = B256::new(*key),
        Lie::KeyBit(bit) => opening.key[usize::from(bit / 8)] ^= 0x80 >> (bit % 8),
        Lie::Count(place, count) => {
            if let Some(at) = at(*place, path.len()) {
                path[at].count = *count;
            }
        }
        Lie::Hash(place, hash) => {
            if let Some(at) = at(*place, path.len()) {
                path[at].root = B256::new(*hash);
            }
        }
        Lie::Drop(place) => {
            if let Some(at) = at(*place, path.len()) {
                path.remove(at);
            }
        }
        Lie::Insert(place, hash, count) => {
            let at = place % (path.len() + 1);
            path.insert(at, Commitment { root: B256::new(*hash), count: *count });
        }
        Lie::Swap(a, b) => {
            if let (Some(a), Some(b)) = (at(*a, path.len()), at(*b, path.len())) {
                path.swap(a, b);
            }
        }
        Lie::PathOf(point) => path.clone_from(&right[(point % right.len() as u64) as usize].path),
    }
}

fuzz_target!(|input: Input| {
    let mut sorted = input.keys.clone();
    sorted.sort_unstable();
    let clash = sorted.windows(2).find(|pair| pair[0][..8] == pair[1][..8]);
    let built = Trie::build(input.keys.clone());
    assert_eq!(built, Trie::build_threaded(input.keys, NonZeroUsize::new(2).unwrap()));
    let mut builder = Builder::new();
    let pushed = sorted.iter().try_for_each(|key| builder.push(*key));
    if let Some(pair) = clash {
        let expected = if pair[0] == pair[1] {
            TrieError::Duplicate(pair[0])
        } else {
            TrieError::Collision(pair[0], pair[1])
        };
        assert_eq!((built, pushed), (Err(expected), Err(expected)));
        return;
    }
    let (trie, (root, right)) = (built.unwrap(), plainly(&sorted, 0));
    assert_eq!((pushed, trie.commitment(), trie.keys()), (Ok(()), root, sorted.as_slice()));
    assert_eq!(&builder.finish(), trie.outline());
    assert!(trie.open(root.count).is_err());
    if right.is_empty() {
        return;
    }
    for (opening, point) in right.iter().zip(0..) {
        assert_eq!(trie.open(point).as_ref(), Ok(opening));
        assert_eq!(opening.verify(&root, point), Ok(()));
    }
    let point = input.point % root.count;
    let opening = &right[point as usize];
    assert_eq!(opening.verify(&root, input.other).is_ok(), input.other == point);
    let mut shown = opening.clone();
    for lie in &input.lies {
        told(&mut shown, lie, &right);
        for point in [point, input.other, input.other % root.count] {
            let true_one = usize::try_from(point).ok().and_then(|point| right.get(point));
            assert_eq!(shown.verify(&root, point).is_ok(), Some(&shown) == true_one, "{shown:?}");
        }
    }
});
