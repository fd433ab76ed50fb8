//! Every reason has one stable name, in its JSON as everywhere.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_primitives::{B256, bytes};
use hashlease_primitives::{Algorithm, LeaseId, UnixSeconds};
use hashlease_share::Reason;
use serde_json::json;
use std::collections::BTreeSet;

fn every() -> Vec<Reason> {
    let (not_before, not_after) = (5, 4);
    let hash = B256::repeat_byte(1);
    vec![
        Reason::OtherLease { expected: LeaseId(1), actual: LeaseId(2) },
        Reason::JobUnsigned,
        Reason::JobSignature,
        Reason::JobWindow {
            not_before: UnixSeconds::new(not_before),
            not_after: UnixSeconds::new(not_after),
            max: 600,
        },
        Reason::JobCoinbase { length: 64, max: 1_024 },
        Reason::JobTail { length: 33, max: 32 },
        Reason::JobBranch { length: 17, max: 16 },
        Reason::JobKind(Algorithm::Scrypt),
        Reason::JobNoncePrefix { length: 7, max: 6 },
        Reason::JobBlock { block: 1 << 40 },
        Reason::JobDag { epoch: 5, max: 4 },
        Reason::JobOutsideEpoch {
            not_before: UnixSeconds::new(not_before),
            not_after: UnixSeconds::new(not_after),
        },
        Reason::ExtranonceLength { expected: 4, actual: 5 },
        Reason::VersionOutsideMask { version: 1, job: 2, mask: 0 },
        Reason::NtimeTooEarly { ntime: UnixSeconds::new(1), not_before: UnixSeconds::new(not_before) },
        Reason::NtimeTooLate { ntime: UnixSeconds::new(9), not_after: UnixSeconds::new(not_after) },
        Reason::OutsideEpoch { ntime: UnixSeconds::new(1) },
        Reason::OtherEpoch { expected: 1, actual: 2 },
        Reason::ShareKind(Algorithm::Ethash),
        Reason::NonceOutsidePrefix { nonce: 1, prefix: bytes!("ab") },
        Reason::NonceOfOtherEpoch { expected: 1, actual: 2 },
        Reason::WrongMix { expected: hash, actual: B256::ZERO },
        Reason::AboveTarget,
        Reason::Duplicate,
        Reason::KeyCollides,
        Reason::OutOfOrder { after: hash },
        Reason::AlgorithmNotServed(Algorithm::Etchash),
        Reason::CacheNotReady { epoch: 1 },
        Reason::UnknownJob { job: "7".into() },
        Reason::JobSuperseded { job: "7".into() },
        Reason::NtimeFarFromClock {
            ntime: UnixSeconds::new(1),
            now: UnixSeconds::new(9_999),
            tolerance: 600,
        },
        Reason::SeenInOtherLease(LeaseId(3)),
        Reason::EpochClosed(4),
        Reason::Malformed("field".into()),
        Reason::Unauthorized,
        Reason::NotSubscribed,
        Reason::UnknownMethod("mining.dig".into()),
        Reason::NoActiveLease,
        Reason::NoExtranonce,
        Reason::TooManyShares(4),
        Reason::PoolLost,
        Reason::NotDurable("disk is full".into()),
        Reason::JobSequence { sequence: 7 },
        Reason::ConnectionOfOtherLease(LeaseId(3)),
        Reason::TooManyWorkers { max: 64 },
        Reason::EpochFull { epoch: 4, most: 80 },
        Reason::TooManyJobs { epoch: 4, most: 32 },
    ]
}

/// Does not compile while a variant is missing here; while one is missing above, the test fails.
const fn place(reason: &Reason) -> usize {
    match reason {
        Reason::OtherLease { .. } => 0,
        Reason::JobUnsigned => 1,
        Reason::JobSignature => 2,
        Reason::JobWindow { .. } => 3,
        Reason::JobCoinbase { .. } => 4,
        Reason::JobTail { .. } => 5,
        Reason::JobBranch { .. } => 6,
        Reason::JobKind(_) => 7,
        Reason::JobNoncePrefix { .. } => 8,
        Reason::JobBlock { .. } => 9,
        Reason::JobDag { .. } => 10,
        Reason::JobOutsideEpoch { .. } => 11,
        Reason::ExtranonceLength { .. } => 12,
        Reason::VersionOutsideMask { .. } => 13,
        Reason::NtimeTooEarly { .. } => 14,
        Reason::NtimeTooLate { .. } => 15,
        Reason::OutsideEpoch { .. } => 16,
        Reason::OtherEpoch { .. } => 17,
        Reason::ShareKind(_) => 18,
        Reason::NonceOutsidePrefix { .. } => 19,
        Reason::NonceOfOtherEpoch { .. } => 20,
        Reason::WrongMix { .. } => 21,
        Reason::AboveTarget => 22,
        Reason::Duplicate => 23,
        Reason::KeyCollides => 24,
        Reason::OutOfOrder { .. } => 25,
        Reason::AlgorithmNotServed(_) => 26,
        Reason::CacheNotReady { .. } => 27,
        Reason::UnknownJob { .. } => 28,
        Reason::JobSuperseded { .. } => 29,
        Reason::NtimeFarFromClock { .. } => 30,
        Reason::SeenInOtherLease(_) => 31,
        Reason::EpochClosed(_) => 32,
        Reason::Malformed(_) => 33,
        Reason::Unauthorized => 34,
        Reason::NotSubscribed => 35,
        Reason::UnknownMethod(_) => 36,
        Reason::NoActiveLease => 37,
        Reason::NoExtranonce => 38,
        Reason::TooManyShares(_) => 39,
        Reason::PoolLost => 40,
        Reason::NotDurable(_) => 41,
        Reason::JobSequence { .. } => 42,
        Reason::ConnectionOfOtherLease(_) => 43,
        Reason::TooManyWorkers { .. } => 44,
        Reason::EpochFull { .. } => 45,
        Reason::TooManyJobs { .. } => 46,
    }
}

#[test]
fn every_reason_has_a_name_of_its_own() {
    let all = every();
    assert_eq!(all.iter().map(place).collect::<Vec<_>>(), (0..=46).collect::<Vec<_>>());
    let codes: BTreeSet<&str> = all.iter().map(Reason::code).collect();
    assert_eq!(codes.len(), all.len());
    for code in codes {
        assert!(
            code.split('-').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())),
            "{code}"
        );
    }
}

#[test]
fn as_json_it_is_its_code_and_what_it_says() {
    for reason in every() {
        let value = serde_json::to_value(&reason).unwrap();
        assert_eq!(value, json!({"code": reason.code(), "message": reason.to_string()}));
        assert!((20..=25).contains(&reason.stratum_code()), "{reason}");
    }
}
