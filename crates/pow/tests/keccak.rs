//! Keccak of every kernel against independent implementations.
#![allow(clippy::unwrap_used, clippy::panic)]

use alloy_primitives::B256;
use hashlease_pow::{
    Isa,
    keccak::{
        keccak256, keccak256_many_32, keccak256_many_32_with, keccak256_many_128, keccak256_many_128_with,
        keccak512,
    },
};
use proptest::prelude::*;
use sha3::{Digest, Keccak512};

proptest! {
    #[test]
    fn one_message_of_any_length(data in prop::collection::vec(any::<u8>(), 0..700)) {
        prop_assert_eq!(keccak256(&data), alloy_primitives::keccak256(&data));
        prop_assert_eq!(&keccak512(&data)[..], &Keccak512::digest(&data)[..]);
    }

    #[test]
    fn many_are_each_on_its_own(
        short in prop::collection::vec(any::<[u8; 32]>(), 0..40),
        long in prop::collection::vec(prop::collection::vec(any::<u8>(), 128), 0..40),
    ) {
        let long: Vec<[u8; 128]> = long.into_iter().map(|bytes| bytes.try_into().unwrap()).collect();
        for isa in Isa::available() {
            let mut out = vec![B256::ZERO; short.len()];
            keccak256_many_32_with(isa, &short, &mut out);
            prop_assert!(out.iter().eq(&short.iter().map(alloy_primitives::keccak256).collect::<Vec<_>>()));
            let mut out = vec![B256::ZERO; long.len()];
            keccak256_many_128_with(isa, &long, &mut out);
            prop_assert!(out.iter().eq(&long.iter().map(alloy_primitives::keccak256).collect::<Vec<_>>()));
        }
    }
}

#[test]
fn padding_at_the_edges_of_blocks() {
    for length in [0, 1, 7, 8, 71, 72, 73, 135, 136, 137, 143, 144, 145, 272] {
        let data = vec![0x5a; length];
        assert_eq!(keccak256(&data), alloy_primitives::keccak256(&data), "{length}");
        assert_eq!(keccak512(&data)[..], Keccak512::digest(&data)[..], "{length}");
    }
}

#[test]
fn the_rest_of_the_longer_slice_is_ignored() {
    for (inputs, room) in [(3, 10), (10, 3), (9, 16), (16, 9), (0, 4), (4, 0)] {
        let both = inputs.min(room);
        let mut out = vec![B256::repeat_byte(9); room];
        keccak256_many_32(&vec![[1; 32]; inputs], &mut out);
        assert!(out[..both].iter().all(|hash| *hash == alloy_primitives::keccak256([1; 32])));
        assert!(out[both..].iter().all(|hash| *hash == B256::repeat_byte(9)));
        let mut out = vec![B256::repeat_byte(9); room];
        keccak256_many_128(&vec![[1; 128]; inputs], &mut out);
        assert!(out[..both].iter().all(|hash| *hash == alloy_primitives::keccak256([1; 128])));
        assert!(out[both..].iter().all(|hash| *hash == B256::repeat_byte(9)));
    }
}
