//! Round trips of records.

use super::*;
use crate::wire::fitting;
use alloy_primitives::Address;
use arrayvec::ArrayVec;
use hashlease_primitives::{
    Algorithm, Commitment, Domain, EthashJob, HashRate, HeaderJob, SettlementWeight, UnixMillis, UnixSeconds,
};
use hashlease_share::{EthashShare, HeaderShare};
use proptest::prelude::*;

pub(crate) fn any_record() -> impl Strategy<Value = Record> {
    let hash = || any::<[u8; 32]>().prop_map(B256::from);
    let lease = || any::<u64>().prop_map(LeaseId);
    prop_oneof![
        (any::<[u64; 4]>(), any::<[[u8; 20]; 4]>(), 1u8..=4, 0u8..96, any::<u128>(), any::<[u32; 2]>())
            .prop_map(|(numbers, addresses, algorithm, log2, rate, seconds)| {
                let [id, chain_id, start, end] = numbers;
                let [contract, oracle, provider, job_signer] = addresses.map(Address::from);
                let [duration, epoch_length] = seconds;
                Record::Lease(Terms {
                    id: LeaseId(id),
                    domain: Domain { chain_id, contract },
                    oracle,
                    provider,
                    job_signer,
                    algorithm: Algorithm::try_from(algorithm).unwrap(),
                    weight: SettlementWeight::from_log2(log2).unwrap(),
                    rate: HashRate::capped(rate >> 32),
                    start: UnixSeconds::new(start),
                    end: UnixSeconds::new(end),
                    duration,
                    epoch_length,
                })
            }),
        (
            any::<[u64; 5]>(),
            any::<[u32; 3]>(),
            hash(),
            prop::collection::vec(any::<u8>(), 0..300),
            prop::collection::vec(any::<u8>(), 0..300),
            prop::collection::vec(hash(), 0..17),
            prop::array::uniform32(any::<u8>()),
            any::<u8>()
        )
            .prop_map(|(numbers, words, prev_hash, prefix, suffix, branch, half, tail_length)| {
                let [at, lease, sequence, not_before, not_after] = numbers;
                let [n_bits, version, version_mask] = words;
                let mut signature = [7; 65];
                signature[..32].copy_from_slice(&half);
                let job = HeaderJob {
                    lease: LeaseId(lease),
                    sequence,
                    prev_hash,
                    n_bits,
                    version,
                    version_mask,
                    not_before: UnixSeconds::new(not_before),
                    not_after: UnixSeconds::new(not_after),
                    coinbase_prefix: prefix.into(),
                    tail_length,
                    coinbase_suffix: suffix.into(),
                    branch,
                };
                Record::Job { at: UnixMillis::new(at), signed: SignedJob { job: job.into(), signature } }
            }),
        (
            any::<u64>(),
            lease(),
            any::<u64>(),
            hash(),
            any::<[u32; 4]>(),
            prop::collection::vec(any::<u8>(), 0..=32),
            "\\PC{0,40}"
        )
            .prop_map(|(at, lease, job, key, words, tail, worker)| {
                let [epoch, ntime, nonce, version] = words;
                let tail = ArrayVec::try_from(tail.as_slice()).unwrap();
                Record::Share {
                    at: UnixMillis::new(at),
                    lease,
                    job,
                    key,
                    epoch,
                    share: HeaderShare { tail, ntime, nonce, version }.into(),
                    worker,
                }
            }),
        (
            any::<[u64; 6]>(),
            hash(),
            prop::collection::vec(any::<u8>(), 0..9),
            prop::array::uniform32(any::<u8>())
        )
            .prop_map(|(numbers, seal_hash, prefix, half)| {
                let [at, lease, sequence, block_number, not_before, not_after] = numbers;
                let mut signature = [9; 65];
                signature[..32].copy_from_slice(&half);
                let job = EthashJob {
                    lease: LeaseId(lease),
                    sequence,
                    seal_hash,
                    block_number,
                    nonce_prefix: prefix.into(),
                    not_before: UnixSeconds::new(not_before),
                    not_after: UnixSeconds::new(not_after),
                };
                Record::Job { at: UnixMillis::new(at), signed: SignedJob { job: job.into(), signature } }
            }),
        (any::<[u64; 3]>(), lease(), hash(), any::<u32>(), "\\PC{0,40}").prop_map(
            |([at, job, nonce], lease, key, epoch, worker)| {
                Record::Share {
                    at: UnixMillis::new(at),
                    lease,
                    job,
                    key,
                    epoch,
                    share: EthashShare { nonce }.into(),
                    worker,
                }
            }
        ),
        (any::<u64>(), lease(), hash(), any::<bool>(), "[ -~]{0,255}").prop_map(
            |(at, lease, key, accepted, code)| Record::Verdict {
                at: UnixMillis::new(at),
                lease,
                key,
                accepted,
                code
            }
        ),
        (any::<u64>(), lease(), any::<u32>(), hash(), any::<u64>()).prop_map(
            |(at, lease, epoch, root, count)| {
                Record::EpochClosed {
                    at: UnixMillis::new(at),
                    lease,
                    epoch,
                    commitment: Commitment { root, count },
                }
            }
        ),
    ]
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut body = Vec::new();
    record.encode(&mut body).unwrap();
    body
}

fn closed() -> Record {
    Record::EpochClosed {
        at: UnixMillis::new(1),
        lease: LeaseId(2),
        epoch: 3,
        commitment: Commitment { root: B256::repeat_byte(0xaa), count: 4 },
    }
}

proptest! {
    #[test]
    fn an_encoded_record_decodes_to_itself(record in any_record()) {
        prop_assert_eq!(Record::decode(&encoded(&record)), Ok(record));
    }

    #[test]
    fn no_two_bodies_give_the_same_record(
        record in any_record(), at in any::<prop::sample::Index>(), flip in 1u8..
    ) {
        let mut body = encoded(&record);
        let at = at.index(body.len());
        body[at] ^= flip;
        if let Ok(other) = Record::decode(&body) {
            prop_assert_eq!(encoded(&other), body);
        }
    }

    #[test]
    fn a_truncated_body_is_an_error(record in any_record(), at in any::<prop::sample::Index>()) {
        let body = encoded(&record);
        prop_assert!(Record::decode(&body[..at.index(body.len())]).is_err());
    }
}

#[test]
fn the_bytes_are_frozen() {
    let share = Record::Share {
        at: UnixMillis::new(0x0102),
        lease: LeaseId(3),
        job: 4,
        key: B256::repeat_byte(0xbb),
        epoch: 5,
        share: HeaderShare {
            tail: ArrayVec::try_from(&[9u8, 8][..]).unwrap(),
            ntime: 6,
            nonce: 0x0a0b_0c0d,
            version: 0x2000_0000,
        }
        .into(),
        worker: "rig".into(),
    };
    let expected = [
        &[3, 1][..],
        &[2, 1, 0, 0, 0, 0, 0, 0],
        &[3, 0, 0, 0, 0, 0, 0, 0],
        &[4, 0, 0, 0, 0, 0, 0, 0],
        &[0xbb; 32],
        &[5, 0, 0, 0],
        &[2, 9, 8],
        &[6, 0, 0, 0],
        &[0x0d, 0x0c, 0x0b, 0x0a],
        &[0, 0, 0, 0x20],
        b"\x03rig",
    ];
    assert_eq!(encoded(&share), expected.concat());
    let expected = [
        &[5, 1][..],
        &[1, 0, 0, 0, 0, 0, 0, 0],
        &[2, 0, 0, 0, 0, 0, 0, 0],
        &[3, 0, 0, 0],
        &[0xaa; 32],
        &[4, 0, 0, 0, 0, 0, 0, 0],
    ];
    assert_eq!(encoded(&closed()), expected.concat());
}

#[test]
fn the_bytes_of_ethash_are_frozen() {
    let job = EthashJob {
        lease: LeaseId(3),
        sequence: 4,
        seal_hash: B256::repeat_byte(0xcc),
        block_number: 5,
        nonce_prefix: vec![0xab, 0xcd].into(),
        not_before: UnixSeconds::new(6),
        not_after: UnixSeconds::new(7),
    };
    let job =
        Record::Job { at: UnixMillis::new(1), signed: SignedJob { job: job.into(), signature: [8; 65] } };
    let word = |number: u8| [number, 0, 0, 0, 0, 0, 0, 0];
    let expected = [
        &[6, 1][..],
        &word(1),
        &word(3),
        &word(4),
        &[0xcc; 32],
        &word(5),
        &[2, 0xab, 0xcd],
        &word(6),
        &word(7),
        &[8; 65],
    ];
    assert_eq!(encoded(&job), expected.concat());
    let share = Record::Share {
        at: UnixMillis::new(1),
        lease: LeaseId(3),
        job: 4,
        key: B256::repeat_byte(0xbb),
        epoch: 5,
        share: EthashShare { nonce: 0xabcd_0000_0000_0009 }.into(),
        worker: "rig".into(),
    };
    let expected = [
        &[7, 1][..],
        &word(1),
        &word(3),
        &word(4),
        &[0xbb; 32],
        &[5, 0, 0, 0],
        &[9, 0, 0, 0, 0, 0, 0xcd, 0xab],
        b"\x03rig",
    ];
    assert_eq!(encoded(&share), expected.concat());
}

#[test]
fn other_types_versions_and_lengths_are_refused() {
    for kind in [0, 8, 255] {
        assert_eq!(Record::decode(&[kind, 1]), Err(RecordError::UnknownType(kind)));
    }
    let mut body = encoded(&closed());
    body.push(0);
    let Err(RecordError::Wire(error)) = Record::decode(&body) else { panic!() };
    assert_eq!(error.to_string(), "byte 62: end: expected no more bytes, got 1 more");
    body[1] = 2;
    assert_eq!(Record::decode(&body), Err(RecordError::UnknownVersion { kind: 5, expected: 1, actual: 2 }));
}

#[test]
fn a_long_worker_name_is_cut_between_characters() {
    let long = "é".repeat(200);
    assert_eq!(fitting(&long), "é".repeat(127));
    assert_eq!(fitting("rig"), "rig");
}
