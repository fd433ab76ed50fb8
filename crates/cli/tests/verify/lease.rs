//! The lease, the root and the terms that a file has to name.

use crate::program::*;
use alloy_primitives::{Address, B256};
use hashlease_evidence::EvidenceHead;
use hashlease_primitives::{Algorithm, HashRate, SettlementWeight, UnixSeconds};
use hashlease_trie::Trie;
use serde_json::{Value, json};

#[test]
fn the_lease_has_to_be_the_one_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let evidence = evidence(Algorithm::Sha256d);
    let terms = &evidence.head.terms;
    let file = written(dir.path(), "epoch.hlev", &evidence.encode().unwrap());
    let alone = verify(&["--share", "7", "--json", &file]).1;
    let alone = written(dir.path(), "share.json", alone.as_bytes());
    let other = Address::repeat_byte(0xee);
    let deployment = |chain_id: u64, escrow: Address, oracle: Address| {
        let text = format!(
            "chain_id = {chain_id}\nescrow = \"{escrow}\"\noracle = \"{oracle}\"\nblock = 0\noracle_id = 0\n\
             registry = \"{other}\"\nlens = \"{other}\"\ndirectory = \"{other}\"\ntoken = \"{other}\"\n\
             access_manager = \"{other}\"\n"
        );
        written(dir.path(), &format!("{chain_id}-{escrow}-{oracle}.toml"), text.as_bytes())
    };
    let (escrow, oracle) = (terms.domain.contract, terms.oracle);
    let addresses = [
        ("--escrow", "escrow", escrow),
        ("--provider", "provider", terms.provider),
        ("--job-signer", "job signer", terms.job_signer),
    ];
    let mut right = vec![["--deployment".to_owned(), deployment(31_337, escrow, oracle)]];
    let mut wrong = vec![
        (
            ["--deployment".to_owned(), deployment(1, escrow, oracle)],
            "chain id: expected 1, got 31337".to_owned(),
        ),
        (
            ["--deployment".to_owned(), deployment(31_337, other, oracle)],
            format!("escrow: expected {other}, got {escrow}"),
        ),
        (
            ["--deployment".to_owned(), deployment(31_337, escrow, other)],
            format!("oracle: expected {other}, got {oracle}"),
        ),
    ];
    for (option, what, address) in addresses {
        right.push([option.to_owned(), address.to_string()]);
        wrong.push((
            [option.to_owned(), other.to_string()],
            format!("{what}: expected {other}, got {address}"),
        ));
    }
    for source in [vec![file.as_str()], vec!["--share", "7", &file], vec![&alone]] {
        let run = |options: &[&str]| verify(&[options, &source].concat());
        for [option, value] in &right {
            let (status, said, _) = run(&[option, value]);
            assert_eq!((status, said.contains("  terms  ")), (0, false), "{said}");
        }
        for ([option, value], difference) in &wrong {
            let (status, said, error) = run(&[option, value]);
            assert_eq!((status, error.as_str()), (1, ""));
            assert!(said.contains(&format!("  terms       {difference}\n")), "{said}");
            assert!(said.ends_with(&format!("  does not hold: {difference}\n")), "{said}");
            let (status, said, _) = run(&["--json", option, value]);
            let value: Value = serde_json::from_str(&said).unwrap();
            let value = value.get("verdict").unwrap_or(&value);
            assert_eq!((status, &value["holds"]), (1, &false.into()), "{said}");
            assert_eq!(value["differences"], json!([difference]));
        }
    }
    // without contracts to compare with, it asks the user to compare them
    assert!(verify(&[&file]).1.contains("compare escrow, provider and job signer with the chain"));
    let [option, value] = &right[0];
    assert!(!verify(&[option, value, &file]).1.contains("compare escrow"));
    let (status, said, error) = verify(&["--deployment", "/nowhere.toml", &file]);
    assert_eq!((status, said.as_str()), (2, ""));
    assert!(error.contains("/nowhere.toml"), "{error}");
}

#[test]
fn the_root_has_to_be_the_one_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut evidence = evidence(Algorithm::Sha256d);
    let root = evidence.head.commitment.root;
    let file = written(dir.path(), "epoch.hlev", &evidence.encode().unwrap());
    assert_eq!(verify(&["--root", &root.to_string(), &file]).0, 0);
    let other = B256::repeat_byte(0xee);
    let (status, said, _) = verify(&["--root", &other.to_string(), &file]);
    assert_eq!(status, 1);
    assert!(said.ends_with(&format!("  does not hold: root: expected {other}, got {root}\n")), "{said}");
    // the root rebuilt from the shares is compared, not the claimed one
    evidence.head.commitment.root = other;
    let file = written(dir.path(), "claims.hlev", &evidence.encode().unwrap());
    let (status, said, _) = verify(&["--json", "--root", &other.to_string(), &file]);
    let value: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &value["differences"]), (1, &json!([format!("root: expected {other}, got {root}")])));

    // a single share has no root, so asking for one is an error
    let alone = verify(&["--share", "7", "--json", &file]).1;
    let alone = written(dir.path(), "share.json", alone.as_bytes());
    let root = root.to_string();
    for arguments in [vec!["--root", &root, "--share", "7", &file], vec!["--root", &root, &alone]] {
        let (status, said, error) = verify(&arguments);
        assert_eq!((status, said.as_str()), (2, ""), "{arguments:?}");
        assert!(error.contains("--root"), "{error}");
    }
}

/// The file states its own terms; terms that no escrow would accept are refused.
#[test]
fn terms_that_no_lease_can_have_do_not_hold() {
    let dir = tempfile::tempdir().unwrap();
    let impossible = |change: &dyn Fn(&mut EvidenceHead)| {
        let mut evidence = evidence(Algorithm::Sha256d);
        evidence.shares.clear();
        (evidence.head.jobs, evidence.head.commitment) =
            (Vec::new(), Trie::build(Vec::new()).unwrap().commitment());
        change(&mut evidence.head);
        let (status, said, _) = verify(&[&written(dir.path(), "terms.hlev", &evidence.encode().unwrap())]);
        let why = said.lines().find_map(|line| line.trim().strip_prefix("does not hold: "));
        (status, why.unwrap_or_default().to_owned())
    };
    assert_eq!(impossible(&|_| {}), (0, String::new()), "no shares are fine");
    let refused = |change: &dyn Fn(&mut EvidenceHead), why: &str| {
        assert_eq!(impossible(change), (1, why.to_owned()));
    };
    refused(
        &|head| head.terms.weight = SettlementWeight::from_log2(95).unwrap(),
        "weight: expected 2^2 for this rate and duration, got 2^95",
    );
    refused(&|head| head.epoch = 2, "epoch: expected below 2, got 2");
    refused(&|head| head.terms.end = UnixSeconds::new(1_101), "end: expected 1000 to 1100, got 1101");
    refused(&|head| head.terms.epoch_length = 0, "duration: expected whole epochs of 0 s, got 100 s");
    refused(&|head| head.terms.epoch_length = 30, "duration: expected whole epochs of 30 s, got 100 s");
    refused(
        &|head| head.terms.rate = HashRate::capped((1 << 96) - 1),
        &format!("rate: no lease can have {} for 100 s", HashRate::capped((1 << 96) - 1)),
    );
}
