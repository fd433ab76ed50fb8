//! Every reason has one stable name, in JSON and everywhere else.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_primitives::{B256, bytes};
use hashlease_primitives::{Algorithm, LeaseId, UnixSeconds};
use hashlease_share::EvidenceReason;
use serde_json::json;
use std::collections::BTreeSet;

fn every() -> Vec<EvidenceReason> {
    let (not_before, not_after) = (5, 4);
    let hash = B256::repeat_byte(1);
    vec![
        EvidenceReason::OtherLease { expected: LeaseId(1), actual: LeaseId(2) },
        EvidenceReason::JobUnsigned,
        EvidenceReason::JobSignature,
        EvidenceReason::JobWindow {
            not_before: UnixSeconds::new(not_before),
            not_after: UnixSeconds::new(not_after),
            max: 600,
        },
        EvidenceReason::JobCoinbase { length: 64, max: 1_024 },
        EvidenceReason::JobTail { length: 33, max: 32 },
        EvidenceReason::JobBranch { length: 17, max: 16 },
        EvidenceReason::JobKind(Algorithm::Scrypt),
        EvidenceReason::JobNoncePrefix { length: 7, max: 6 },
        EvidenceReason::JobBlock { block: 1 << 40 },
        EvidenceReason::JobDag { epoch: 5, max: 4 },
        EvidenceReason::JobOutsideEpoch {
            not_before: UnixSeconds::new(not_before),
            not_after: UnixSeconds::new(not_after),
        },
        EvidenceReason::ExtranonceLength { expected: 4, actual: 5 },
        EvidenceReason::VersionOutsideMask { version: 1, job: 2, mask: 0 },
        EvidenceReason::NtimeTooEarly {
            ntime: UnixSeconds::new(1),
            not_before: UnixSeconds::new(not_before),
        },
        EvidenceReason::NtimeTooLate { ntime: UnixSeconds::new(9), not_after: UnixSeconds::new(not_after) },
        EvidenceReason::OutsideEpoch { ntime: UnixSeconds::new(1) },
        EvidenceReason::OtherEpoch { expected: 1, actual: 2 },
        EvidenceReason::ShareKind(Algorithm::Ethash),
        EvidenceReason::NonceOutsidePrefix { nonce: 1, prefix: bytes!("ab") },
        EvidenceReason::NonceOfOtherEpoch { expected: 1, actual: 2 },
        EvidenceReason::WrongMix { expected: hash, actual: B256::ZERO },
        EvidenceReason::AboveTarget,
        EvidenceReason::Duplicate,
        EvidenceReason::KeyCollides,
        EvidenceReason::OutOfOrder { after: hash },
        EvidenceReason::CacheNotReady { epoch: 1 },
        EvidenceReason::UnknownJob { job: "7".into() },
    ]
}

/// Does not compile while a variant is missing here; the test fails while a variant is missing
/// above.
const fn place(reason: &EvidenceReason) -> usize {
    match reason {
        EvidenceReason::OtherLease { .. } => 0,
        EvidenceReason::JobUnsigned => 1,
        EvidenceReason::JobSignature => 2,
        EvidenceReason::JobWindow { .. } => 3,
        EvidenceReason::JobCoinbase { .. } => 4,
        EvidenceReason::JobTail { .. } => 5,
        EvidenceReason::JobBranch { .. } => 6,
        EvidenceReason::JobKind(_) => 7,
        EvidenceReason::JobNoncePrefix { .. } => 8,
        EvidenceReason::JobBlock { .. } => 9,
        EvidenceReason::JobDag { .. } => 10,
        EvidenceReason::JobOutsideEpoch { .. } => 11,
        EvidenceReason::ExtranonceLength { .. } => 12,
        EvidenceReason::VersionOutsideMask { .. } => 13,
        EvidenceReason::NtimeTooEarly { .. } => 14,
        EvidenceReason::NtimeTooLate { .. } => 15,
        EvidenceReason::OutsideEpoch { .. } => 16,
        EvidenceReason::OtherEpoch { .. } => 17,
        EvidenceReason::ShareKind(_) => 18,
        EvidenceReason::NonceOutsidePrefix { .. } => 19,
        EvidenceReason::NonceOfOtherEpoch { .. } => 20,
        EvidenceReason::WrongMix { .. } => 21,
        EvidenceReason::AboveTarget => 22,
        EvidenceReason::Duplicate => 23,
        EvidenceReason::KeyCollides => 24,
        EvidenceReason::OutOfOrder { .. } => 25,
        EvidenceReason::CacheNotReady { .. } => 26,
        EvidenceReason::UnknownJob { .. } => 27,
    }
}

#[test]
fn every_reason_has_a_name_of_its_own() {
    let all = every();
    assert_eq!(all.iter().map(place).collect::<Vec<_>>(), (0..=27).collect::<Vec<_>>());
    let codes: BTreeSet<&str> = all.iter().map(EvidenceReason::code).collect();
    assert_eq!(codes.len(), all.len());
    for code in codes {
        assert!(
            code.split('-').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())),
            "{code}"
        );
    }
}

#[test]
fn as_json_a_reason_is_its_code_and_message() {
    for reason in every() {
        let value = serde_json::to_value(&reason).unwrap();
        assert_eq!(value, json!({"code": reason.code(), "message": reason.to_string()}));
    }
}
