//! The README's first command, and how a stranger verifies the evidence that it leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use anyhow::{Context as _, Result, bail};
use hashlease_e2e::binary;
use hashlease_evidence::Evidence;
use hashlease_share::Share;
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Output},
};

fn number(value: &Value) -> u128 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("not a number: {value}"))
}

fn verify(arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let Output { status, stdout, stderr } = Command::new(binary()?).arg("verify").args(arguments).output()?;
    Ok((status.code(), String::from_utf8(stdout)? + &String::from_utf8(stderr)?))
}

#[test]
fn a_lease_is_rented_mined_verified_and_paid_to_the_last_base_unit() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let output = Command::new(binary()?)
        .args(["demo", "--json", "--epoch-length", "20", "--rate", "200000"])
        .args(["--dir", &dir.path().display().to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
    let outcome: Value = serde_json::from_slice(&output.stdout).context(said)?;
    assert_eq!(outcome["sound"], true, "{outcome}");

    let epochs = outcome["epochs"].as_array().unwrap();
    assert_eq!(epochs.len(), 3);
    let idle = &epochs[1];
    assert!(number(&idle["delivered"]) < number(&idle["promised"]), "the provider was idle: {idle}");
    assert!(!idle["refunded"].as_str().unwrap().starts_with('-'), "{idle}");
    for epoch in epochs {
        assert!(number(&epoch["due"]) > 0 && number(&epoch["due"]) <= number(&epoch["promised"]), "{epoch}");
        assert!(epoch["shares"].as_u64().unwrap() > 0);
    }
    let sum = |field: &str| epochs.iter().map(|epoch| number(&epoch[field])).sum::<u128>();
    assert_eq!(
        sum("delivered"),
        number(&outcome["credited"]),
        "credit is the verified work, no more, no less"
    );
    assert_eq!(sum("released"), number(&outcome["money"]["released"]));
    let money = &outcome["money"];
    assert_eq!(number(&money["released"]) + number(&money["refund"]), number(&money["payment"]));
    assert_eq!(money["leftInEscrow"], "0");
    assert!(number(&money["slashed"]) > 0, "missing due work is compensated: {money}");
    assert!(outcome["pool"]["accepted"].as_u64().unwrap() > 0, "the renter's pool got no work");

    let files: Vec<&str> = epochs.iter().map(|epoch| epoch["file"].as_str().unwrap()).collect();
    tampered_evidence_is_told_apart(dir.path(), &files)
}

/// Runs `hashlease verify` on the demo's evidence, good and spoiled.
fn tampered_evidence_is_told_apart(dir: &Path, files: &[&str]) -> Result<()> {
    let (status, said) = verify(&[&["--json"], files].concat())?;
    assert_eq!(status, Some(0), "{said}");
    let first: Value = serde_json::from_str(said.lines().next().unwrap())?;
    assert_eq!(first["holds"], true);

    let spoiled = dir.join("spoiled.hlev");
    let path = spoiled.display().to_string();
    let bytes = std::fs::read(files[0])?;
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    std::fs::write(&spoiled, flipped)?;
    let (status, said) = verify(&[&path])?;
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("checksum"), "{said}");

    // a well-formed file in which one share has another nonce
    let mut evidence = Evidence::decode(&bytes)?;
    let Share::Header(share) = &mut evidence.shares[7].share else { bail!("not a header share") };
    share.nonce ^= 1;
    std::fs::write(&spoiled, evidence.encode()?)?;
    let (status, said) = verify(&["--json", &path])?;
    assert_eq!(status, Some(1), "{said}");
    let report: Value = serde_json::from_str(&said)?;
    assert_eq!(report["refusedShares"][0]["share"], 7);
    assert_eq!(report["refusedShares"][0]["code"], "above-target");
    let stranger = "0x00000000000000000000000000000000000000aa";
    let (status, said) = verify(&["--provider", stranger, files[0]])?;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("provider: expected"), "{said}");
    let (status, said) = verify(&["/nowhere.hlev"])?;
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("/nowhere.hlev"), "{said}");
    Ok(())
}
