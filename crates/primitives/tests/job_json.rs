//! A job in JSON has exactly the signed fields, all of one kind.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_primitives::B256;
use hashlease_fixtures::{ethash_job, header_job, terms};
use hashlease_primitives::{Commitment, EpochId, EpochRoot, Job, LeaseId, SignedJob};
use serde_json::{Value, json};

fn both() -> [SignedJob; 2] {
    let terms = terms(0, 3_600, 3_600);
    let header = header_job(&terms, 7, 100..=200);
    let ethash = ethash_job(&terms, 7, 100..=200);
    [Job::from(header), Job::from(ethash)].map(|job| SignedJob { job, signature: [3; 65] })
}

fn refusal(value: &Value) -> String {
    serde_json::from_value::<SignedJob>(value.clone()).unwrap_err().to_string()
}

#[test]
fn every_field_is_needed_and_no_other_is_taken() {
    for signed in both() {
        let value = serde_json::to_value(&signed).unwrap();
        assert_eq!(serde_json::from_value::<SignedJob>(value.clone()).unwrap(), signed);
        let names: Vec<String> = value["job"].as_object().unwrap().keys().cloned().collect();
        for name in names {
            let mut lacking = value.clone();
            lacking["job"].as_object_mut().unwrap().remove(&name);
            let error = refusal(&lacking);
            // without a seal hash, the job is not taken for an Ethash job at all
            let beside = name == "sealHash" && error.contains("beside fields of the other kind");
            assert!(error.contains(&format!("missing field `{name}`")) || beside, "{name}: {error}");
        }
        for place in ["", "/job"] {
            let mut more = value.clone();
            more.pointer_mut(place).unwrap()["pool"] = json!("a pool");
            assert!(refusal(&more).contains("unknown field `pool`"), "{place}");
        }
    }
}

#[test]
fn fields_of_both_kinds_are_no_job() {
    let [header, ethash] = both().map(|signed| serde_json::to_value(signed).unwrap());
    for (of, other) in [(&header, &ethash), (&ethash, &header)] {
        for (name, field) in other["job"].as_object().unwrap() {
            if of["job"].get(name).is_some() {
                continue;
            }
            let mut mixed = of.clone();
            mixed["job"][name] = field.clone();
            let error = refusal(&mixed);
            // a seal hash makes it an Ethash job, so the error names the header job's field
            let named = if name == "sealHash" { "prevHash" } else { name };
            assert_eq!(error, format!("job: field `{named}` beside fields of the other kind"));
        }
    }
}

#[test]
fn an_epoch_root_is_flat_in_json() {
    let root = EpochRoot {
        id: EpochId::new(LeaseId(7), 3),
        commitment: Commitment { root: B256::ZERO, count: 5 },
        evidence: "http://127.0.0.1/".into(),
    };
    let json = serde_json::json!({
        "lease": 7, "epoch": 3, "root": B256::ZERO, "count": 5, "evidence": "http://127.0.0.1/"
    });
    assert_eq!(serde_json::to_value(&root).unwrap(), json);
    assert_eq!(serde_json::from_value::<EpochRoot>(json).unwrap(), root);
}
