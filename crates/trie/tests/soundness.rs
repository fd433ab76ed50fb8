//! Only the shares committed to open, and each at its own point only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use alloy_primitives::{B256, keccak256};
use common::{hashed, key, liar::Tree, reference, sorted};
use hashlease_primitives::Commitment;
use hashlease_trie::{MAX_DEPTH, Opening, Trie, TrieError};

fn made_up(count: u64) -> Commitment {
    Commitment { root: keccak256(b"made up"), count }
}

/// The commitment to which a path leads.
fn led_to(opening: &Opening) -> Commitment {
    match opening.verify(&Commitment::default(), 0) {
        Err(TrieError::WrongRoot { actual, .. }) => actual,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_opening_holds_at_its_point_only() {
    for count in [1, 2, 63, 64, 65, 130] {
        let trie = Trie::build(hashed(count)).unwrap();
        for point in 0..u64::from(count) {
            let opening = trie.open(point).unwrap();
            for other in (0..u64::from(count) + 2).chain([u64::MAX]) {
                let expected = if other == point {
                    Ok(())
                } else {
                    Err(TrieError::WrongPoint { expected: other, actual: point })
                };
                assert_eq!(opening.verify(&trie.commitment(), other), expected);
            }
        }
    }
}

#[test]
fn no_step_can_be_changed_added_or_left_out() {
    let trie = Trie::build(hashed(300)).unwrap();
    let commitment = trie.commitment();
    for point in 0..300 {
        let opening = trie.open(point).unwrap();
        let steps = opening.path.len();
        let mut liars = vec![];
        for at in 0..steps {
            let Commitment { root, count } = opening.path[at];
            let others = [
                Commitment { root, count: count + 1 },
                Commitment { root, count: count.wrapping_sub(1) },
                Commitment { root: keccak256(root), count },
                Commitment::default(),
                made_up(0),
            ];
            for other in others.into_iter().filter(|other| *other != opening.path[at]) {
                let mut path = opening.path.clone();
                path[at] = other;
                liars.push(path);
            }
            // counts moved from one sibling to the next, which keeps the sum
            if at > 0 && count > 0 {
                let mut path = opening.path.clone();
                path[at].count -= 1;
                path[at - 1].count += 1;
                liars.push(path);
            }
            let mut path = opening.path.clone();
            path.remove(at);
            liars.push(path);
            if at > 0 && opening.path[at] != opening.path[at - 1] {
                let mut path = opening.path.clone();
                path.swap(at - 1, at);
                liars.push(path);
            }
        }
        for at in 0..=steps {
            for step in [Commitment::default(), made_up(0), made_up(1)] {
                let mut path = opening.path.clone();
                path.insert(at, step);
                liars.push(path);
            }
        }
        for path in liars {
            let liar = Opening { path, ..opening.clone() };
            let error = liar.verify(&commitment, point).unwrap_err();
            let named = matches!(error, TrieError::WrongRoot { .. } | TrieError::CountOverflow);
            assert!(named, "{error}");
        }
        for bit in 0..256 {
            let mut other = opening.clone();
            other.key[bit / 8] ^= 0x80 >> (bit % 8);
            assert!(matches!(other.verify(&commitment, point), Err(TrieError::WrongRoot { .. })));
        }
    }
}

#[test]
fn a_wrong_total_is_refused() {
    let trie = Trie::build(hashed(100)).unwrap();
    let right = trie.commitment();
    for count in [0, 1, 99, 101, 200, u64::MAX] {
        let expected = Commitment { count, ..right };
        for point in [0, 50, 99] {
            let opening = trie.open(point).unwrap();
            let error = TrieError::WrongRoot { expected, actual: right };
            assert_eq!(opening.verify(&expected, point), Err(error));
        }
    }
    // the commitment of the empty trie opens nowhere
    let alone = Opening { key: B256::ZERO, path: vec![] };
    assert!(alone.verify(&Commitment::default(), 0).is_err());
}

#[test]
fn counts_do_not_wrap_around() {
    for side in [key(0), key(u64::MAX)] {
        for path in [
            vec![made_up(u64::MAX)],
            vec![made_up(1 << 63), made_up(1 << 63)],
            // their sum would wrap around to one
            vec![made_up(u64::MAX), made_up(1)],
            vec![made_up(1 << 63); 64],
        ] {
            let opening = Opening { key: side, path };
            assert_eq!(opening.verify(&made_up(1), 0), Err(TrieError::CountOverflow));
        }
        // the largest sum that fits is accepted
        let most = Opening { key: side, path: vec![made_up(u64::MAX - 1)] };
        let total = led_to(&most);
        assert_eq!(total.count, u64::MAX);
        let point = if side == key(0) { 0 } else { u64::MAX - 1 };
        assert_eq!(most.verify(&total, point), Ok(()));
    }
}

#[test]
fn depths_from_0_to_64_and_no_deeper() {
    for depth in 0..=MAX_DEPTH {
        for key in [key(0), key(u64::MAX), key(0x0123_4567_89ab_cdef)] {
            let opening = Opening { key, path: vec![made_up(1); depth] };
            let total = led_to(&opening);
            assert_eq!(total.count, depth as u64 + 1);
            let left = (0..depth).filter(|at| key[at / 8] & (0x80 >> (at % 8)) != 0).count() as u64;
            assert_eq!(opening.verify(&total, left), Ok(()));
            assert!(opening.verify(&total, left + 1).is_err());
        }
    }
    for depth in [MAX_DEPTH + 1, MAX_DEPTH + 2, 1_000] {
        let opening = Opening { key: key(0), path: vec![Commitment::default(); depth] };
        assert_eq!(opening.verify(&made_up(1), 0), Err(TrieError::TooDeep(depth)));
    }
}

#[test]
fn one_leaf_does_not_open_at_two_points() {
    let [left, right] = [key(1), key(1 << 63)];
    // one share claimed twice, side by side: its first bit decides which of the two opens
    let twice = Tree::node(Tree::Leaf(right), Tree::Leaf(right));
    assert_eq!(Vec::from_iter(twice.good_points(|_| true)), [1]);
    let twice = Tree::node(Tree::Leaf(left), Tree::Leaf(left));
    assert_eq!(Vec::from_iter(twice.good_points(|_| true)), [0]);
    // on both sides of others
    let between = Tree::node(Tree::node(Tree::Leaf(left), Tree::Phantom(B256::ZERO, 7)), Tree::Leaf(left));
    assert_eq!(Vec::from_iter(between.good_points(|_| true)), [0]);
    // with a claimed count of two
    let heavy = Tree::node(Tree::Leaf(left).claimed(2), Tree::Leaf(right));
    assert_eq!(Vec::from_iter(heavy.good_points(|_| true)), [2]);
    assert_eq!(heavy.commitment().count, 3);
}

#[test]
fn the_same_tree_twice_under_one_root() {
    // keys that all start with a zero bit: the copy on the left holds, the one on the right never
    let keys = sorted(hashed(100).into_iter().filter(|key| key[0] < 0x80).collect());
    let half = Tree::honest(&keys, 1);
    let twice = Tree::node(half.clone(), half);
    assert_eq!(twice.commitment().count, 2 * keys.len() as u64);
    let all: Vec<u64> = (0..keys.len() as u64).collect();
    assert_eq!(Vec::from_iter(twice.good_points(|_| true)), all);
    // a whole trie one level deeper than it was built: almost no path fits its keys' bits any more
    let whole = Tree::honest(&sorted(hashed(100)), 0);
    let twice = Tree::node(whole.clone(), whole);
    assert!(twice.good_points(|_| true).len() < 5);
}

#[test]
fn nothing_opens_below_a_phantom_and_everything_elsewhere() {
    let keys = sorted(hashed(300).into_iter().filter(|key| key[0] >= 0x40).collect());
    let honest = keys.len() as u64;
    let phantom = made_up(1_000);
    let left = keys.iter().copied().filter(|key| key[0] < 0x80).collect::<Vec<_>>();
    let right = keys.iter().copied().filter(|key| key[0] >= 0x80).collect::<Vec<_>>();
    let tree = Tree::node(
        Tree::node(Tree::Phantom(phantom.root, phantom.count), Tree::honest(&left, 2)),
        Tree::honest(&right, 1),
    );
    let commitment = tree.commitment();
    assert_eq!(commitment.count, honest + 1_000);
    assert_eq!(Vec::from_iter(tree.good_points(|_| true)), Vec::from_iter(1_000..commitment.count));
    // a liar may claim any key below it at any depth, with siblings whose counts add up
    let above = &tree.openings().into_iter().find(|opening| opening.key == left[0]).unwrap().path;
    let above = above[above.len() - 1];
    let beside = Tree::honest(&left, 2).commitment();
    for key in [key(0), key(1 << 40), phantom.root, B256::ZERO] {
        for path in [vec![], vec![made_up(999)], vec![Commitment::default(), made_up(999)]] {
            let liar = Opening { key, path: [&path[..], &[beside, above]].concat() };
            for point in [0, 1, 500, 999] {
                assert!(liar.verify(&commitment, point).is_err());
            }
        }
    }
}

#[test]
fn leaves_and_nodes_are_not_confused() {
    let keys = sorted(hashed(40));
    let trie = Trie::build(keys.clone()).unwrap();
    // a leaf is the hash of 32 bytes, a node that of 128
    assert_eq!(reference::commit(&keys[..1], 0), (keccak256(keys[0]), 1));
    let two = Trie::build(keys[..2].to_vec()).unwrap();
    let fork = two.open(0).unwrap().path.len();
    assert!(fork >= 1);
    for point in 0..40 {
        let opening = trie.open(point).unwrap();
        let mut here = Commitment { root: keccak256(opening.key), count: 1 };
        for depth in 0..=opening.path.len() {
            // a node presented as the leaf itself, or as a leaf's key
            let rest = &opening.path[depth..];
            let shown = Opening { key: here.root, path: rest.to_vec() };
            assert!(shown.verify(&trie.commitment(), point).is_err());
            // a leaf presented as a node with no sibling
            let deeper = [&[Commitment::default()], &opening.path[..]].concat();
            assert!(Opening { key: opening.key, path: deeper }.verify(&trie.commitment(), point).is_err());
            let Some(sibling) = rest.first() else { break };
            let at = rest.len() - 1;
            let right = opening.key[at / 8] & (0x80 >> (at % 8)) != 0;
            let [own, other] = [here, *sibling].map(reference::pair);
            let (root, count) = if right { reference::node(other, own) } else { reference::node(own, other) };
            here = Commitment { root, count };
        }
        assert_eq!(here, trie.commitment());
    }
}
