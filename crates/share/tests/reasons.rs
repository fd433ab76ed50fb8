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
        EvidenceReason::JobOutsideLease {
            not_before: UnixSeconds::new(not_before),
            not_after: UnixSeconds::new(not_after),
            start: UnixSeconds::new(6),
            end: UnixSeconds::new(9),
        },
        EvidenceReason::JobCoinbase { length: 64, max: 4_096 },
        EvidenceReason::JobTail { length: 33, min: 2, max: 32 },
        EvidenceReason::JobBranch { length: 17, max: 16 },
        EvidenceReason::JobVersionMask { mask: 1, allowed: 0x1fff_ffe0 },
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
        EvidenceReason::OutsideEpoch { time: UnixSeconds::new(9), end: UnixSeconds::new(9) },
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
        EvidenceReason::JobOutsideLease { .. } => 4,
        EvidenceReason::JobCoinbase { .. } => 5,
        EvidenceReason::JobTail { .. } => 6,
        EvidenceReason::JobBranch { .. } => 7,
        EvidenceReason::JobVersionMask { .. } => 8,
        EvidenceReason::JobKind(_) => 9,
        EvidenceReason::JobNoncePrefix { .. } => 10,
        EvidenceReason::JobBlock { .. } => 11,
        EvidenceReason::JobDag { .. } => 12,
        EvidenceReason::JobOutsideEpoch { .. } => 13,
        EvidenceReason::ExtranonceLength { .. } => 14,
        EvidenceReason::VersionOutsideMask { .. } => 15,
        EvidenceReason::NtimeTooEarly { .. } => 16,
        EvidenceReason::NtimeTooLate { .. } => 17,
        EvidenceReason::OutsideEpoch { .. } => 18,
        EvidenceReason::OtherEpoch { .. } => 19,
        EvidenceReason::ShareKind(_) => 20,
        EvidenceReason::NonceOutsidePrefix { .. } => 21,
        EvidenceReason::NonceOfOtherEpoch { .. } => 22,
        EvidenceReason::WrongMix { .. } => 23,
        EvidenceReason::AboveTarget => 24,
        EvidenceReason::Duplicate => 25,
        EvidenceReason::KeyCollides => 26,
        EvidenceReason::OutOfOrder { .. } => 27,
        EvidenceReason::CacheNotReady { .. } => 28,
        EvidenceReason::UnknownJob { .. } => 29,
    }
}

#[test]
fn every_reason_has_a_name_of_its_own() {
    let all = every();
    assert_eq!(all.iter().map(place).collect::<Vec<_>>(), (0..=29).collect::<Vec<_>>());
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
