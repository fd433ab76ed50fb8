//! `hashlease verify` as people call it: whole files, single shares, and what is wrong with them.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_primitives::{Address, B256};
use hashlease_ledger::{Evidence, EvidenceHead, EvidenceShare};
use hashlease_primitives::{
    Algorithm, Domain, HashRate, HeaderJob, Job, LeaseId, LocalSigner, SettlementWeight, SignedJob, Terms,
};
use hashlease_share::{HeaderShare, VerifiedJob};
use hashlease_trie::Trie;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn evidence(algorithm: Algorithm) -> Evidence {
    let signer = LocalSigner::from_bytes(&[7; 32]).unwrap();
    let terms = Terms {
        id: LeaseId(1),
        domain: Domain { chain_id: 31_337, contract: Address::repeat_byte(1) },
        oracle: Address::repeat_byte(2),
        provider: Address::repeat_byte(3),
        job_signer: signer.address(),
        algorithm,
        weight: SettlementWeight::from_log2(2).unwrap(),
        rate: HashRate(1_000),
        start: 1_000,
        end: 1_100,
        duration: 100,
        epoch_length: 50,
    };
    let job = Job::Header(HeaderJob {
        lease: terms.id,
        sequence: 5,
        prev_hash: B256::repeat_byte(9),
        n_bits: 0x1d00_ffff,
        version: 0x2000_0000,
        version_mask: 0x1fff_e000,
        not_before: 1_000,
        not_after: 1_049,
        coinbase_prefix: vec![1; 50].into(),
        tail_length: 4,
        coinbase_suffix: vec![2; 60].into(),
        branch: vec![B256::repeat_byte(4)],
    });
    let signature = signer.sign(&job.digest(&terms.domain)).unwrap();
    let signed = SignedJob { job, signature };
    let verified = VerifiedJob::verify(&terms, signed.clone()).unwrap();
    let share = |nonce| HeaderShare {
        tail: [1, 2, 3, 4].as_slice().try_into().unwrap(),
        ntime: 1_010,
        nonce,
        version: 0x2000_2000,
    };
    let open = |nonce| verified.open(&share(nonce).into(), terms.end).unwrap().settle().ok();
    let mut shares: Vec<_> = (0..).filter_map(open).take(30).collect();
    shares.sort_by_key(|share| share.key());
    let commitment = Trie::build(shares.iter().map(|share| share.key()).collect()).unwrap().commitment();
    Evidence {
        head: EvidenceHead { terms, epoch: 0, commitment, jobs: vec![signed] },
        shares: shares.iter().map(|share| EvidenceShare { job: 5, share: share.share().clone() }).collect(),
    }
}

fn verify(arguments: &[&str]) -> (i32, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_hashlease")).arg("verify").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn written(dir: &Path, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn a_share_is_taken_out_of_a_file_and_checked_alone() {
    let dir = tempfile::tempdir().unwrap();
    for algorithm in [Algorithm::Sha256d, Algorithm::Scrypt] {
        let file = written(dir.path(), "epoch.hlev", &evidence(algorithm).encode().unwrap());
        let (status, said, _) = verify(&[&file]);
        assert_eq!(status, 0, "{said}");
        assert!(said.contains("30 of 30 verified") && said.contains("as claimed"), "{said}");

        let (status, said, _) = verify(&["--share", "7", &file]);
        assert_eq!(status, 0, "{said}");
        assert!(said.contains("header") && said.contains("target"), "{said}");
        let (status, json, _) = verify(&["--share", "7", "--json", &file]);
        assert_eq!(status, 0, "{json}");
        let share: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&share["verdict"]["holds"], &share["verdict"]["epoch"]), (&true.into(), &0.into()));

        // what it wrote it reads, and anybody may have changed it since
        let alone = written(dir.path(), "share.json", json.as_bytes());
        assert_eq!(verify(&[&alone]).0, 0);
        let changed = |change: &dyn Fn(&mut Value)| {
            let mut share = share.clone();
            change(&mut share);
            let file = written(dir.path(), "changed.json", share.to_string().as_bytes());
            let (status, json, error) = verify(&["--json", &file]);
            assert_eq!(error, "");
            let verdict: Value = serde_json::from_str(&json).unwrap();
            (status, verdict["verdict"]["code"].clone())
        };
        let misses = |step: u64| changed(&|share| share["share"]["nonce"] = (1_000_000 + step).into());
        assert!((0..40).any(|step| misses(step) == (1, "above-target".into())));
        assert_eq!(
            changed(&|share| share["share"]["version"] = 0.into()),
            (1, "version-outside-mask".into())
        );
        assert_eq!(changed(&|share| share["share"]["ntime"] = 1_050.into()), (1, "ntime-too-late".into()));
        assert_eq!(changed(&|share| share["share"]["tail"] = "0x01".into()), (1, "extranonce-length".into()));
        assert_eq!(changed(&|share| share["epoch"] = 1.into()), (1, "other-epoch".into()));
        assert_eq!(
            changed(&|share| share["job"]["job"]["notAfter"] = 1_048.into()),
            (1, "job-signature".into())
        );
        assert_eq!(changed(&|share| share["lease"]["id"] = 2.into()), (1, "other-lease".into()));
        assert_eq!(changed(&|share| share["lease"]["algorithm"] = "ethash".into()), (1, "job-kind".into()));

        // what it does not know, or can't be, it does not read
        let unread = |change: &dyn Fn(&mut Value)| {
            let mut share = share.clone();
            change(&mut share);
            let file = written(dir.path(), "unread.json", share.to_string().as_bytes());
            let (status, _, error) = verify(&[&file]);
            assert_eq!(status, 2, "{error}");
            error
        };
        let long = format!("0x{}", "00".repeat(40));
        let error = unread(&|share| share["share"]["tail"] = long.clone().into());
        assert!(error.contains("tail: expected at most 32 bytes, got 40"), "{error}");
        let error = unread(&|share| share["lease"]["weightLog2"] = 96.into());
        assert!(error.contains("settlement weight 2^96: expected below 2^96"), "{error}");
        let error = unread(&|share| share["lease"]["rate"] = "lots".into());
        assert!(error.contains("rate: expected digits of at most 96 bits, got \"lots\""), "{error}");
        let error = unread(&|share| share["version"] = 2.into());
        assert!(error.contains("version: expected 1, got 2"), "{error}");
        let error = unread(&|share| share["lease"]["note"] = "x".into());
        assert!(error.contains("unknown field `note`"), "{error}");
        // and what no lease can be does not hold
        let mut impossible = share.clone();
        impossible["lease"]["weightLog2"] = 1.into();
        let file = written(dir.path(), "contradiction.json", impossible.to_string().as_bytes());
        let (status, said, _) = verify(&[&file]);
        assert_eq!(status, 1);
        assert!(said.contains("does not hold: weight: expected 2^2"), "{said}");
    }
}

#[test]
fn every_refused_share_of_a_file_is_named_with_its_rule() {
    let dir = tempfile::tempdir().unwrap();
    let mut spoiled = evidence(Algorithm::Sha256d);
    spoiled.shares[3].share.header_mut().unwrap().version = 0;
    spoiled.shares[9].job = 77;
    let file = written(dir.path(), "spoiled.hlev", &spoiled.encode().unwrap());
    let (status, said, _) = verify(&["--json", &file]);
    assert_eq!(status, 1);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (&report["holds"], &report["refused"], &report["shares"]),
        (&false.into(), &2.into(), &30.into())
    );
    let named: Vec<_> = report["refusedShares"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["share"].as_u64(), s["code"].as_str()))
        .collect();
    assert_eq!(named, [(Some(3), Some("version-outside-mask")), (Some(9), Some("unknown-job"))]);
    let (_, said, _) = verify(&[&file]);
    assert!(said.contains("28 of 30 verified") && said.contains("version-outside-mask"), "{said}");
    assert!(said.contains("does not hold: share 3"), "{said}");
}

#[test]
fn what_can_not_be_read_says_where_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = evidence(Algorithm::Sha256d).encode().unwrap();
    let expect = |arguments: &[&str], words: &[&str]| {
        let (status, said, error) = verify(arguments);
        assert_eq!((status, said.as_str()), (2, ""), "{arguments:?}: {error}");
        assert!(words.iter().all(|word| error.contains(word)), "{arguments:?}: {error}");
    };
    expect(&["/nowhere.hlev"], &["/nowhere.hlev", "No such file"]);
    expect(&[&written(dir.path(), "empty", b"")], &["byte 0", "magic"]);
    expect(&[&written(dir.path(), "text", b"hello, I am no evidence")], &["not an evidence file"]);
    expect(&[&written(dir.path(), "cut", &bytes[..bytes.len() - 40])], &["expected", "left"]);
    expect(&[&written(dir.path(), "half.json", b"{\"lease\": 1")], &["share", "half.json"]);
    expect(&[&written(dir.path(), "other.json", b"{}")], &["missing field `version`"]);
    let whole = written(dir.path(), "whole", &bytes);
    expect(&["--share", "30", &whole], &["share 30 is not in the file: expected below 30"]);
    expect(&["--share", "x", &whole], &["invalid value 'x'"]);
    let (_, json, _) = verify(&["--share", "0", "--json", &whole]);
    let alone = written(dir.path(), "alone.json", format!(" \n{json}").as_bytes());
    assert_eq!(verify(&[&alone]).0, 0, "whitespace before JSON");
    expect(&["--share", "0", &alone], &["--share picks one of an evidence file"]);
    let root = format!("{}", B256::ZERO);
    expect(&["--root", &root, &alone], &["--root is of a whole epoch"]);
    expect(&["--root", &root, "--share", "0", &whole], &["cannot be used with"]);
}

#[test]
fn a_file_that_can_not_be_read_does_not_keep_the_others_from_being_checked() {
    let dir = tempfile::tempdir().unwrap();
    let good = evidence(Algorithm::Sha256d);
    let mut bad = good.clone();
    bad.shares.pop();
    let good = written(dir.path(), "good.hlev", &good.encode().unwrap());
    let bad = written(dir.path(), "bad.hlev", &bad.encode().unwrap());
    let (status, said, error) = verify(&["/nowhere.hlev", &bad, &good]);
    assert_eq!(status, 2, "the worst of the three");
    assert!(said.contains("does not hold: root and count") && said.ends_with("--job-signer\n"), "{said}");
    assert!(error.starts_with("error: file /nowhere.hlev: No such file"), "{error}");
    assert_eq!(verify(&[&bad, &good]).0, 1);
    assert_eq!(verify(&[&good, &good]).0, 0);
    let (_, json, _) = verify(&["--json", "/nowhere.hlev", &good]);
    let objects: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 2);
    assert_eq!((&objects[0]["holds"], &objects[1]["holds"]), (&false.into(), &true.into()));
    assert!(objects[0]["error"].as_str().unwrap().contains("No such file"));
}

/// The terms are the file's own word; what no escrow would have is not believed.
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
    refused(&|head| head.terms.end = 1_101, "end: expected 1000 to 1100, got 1101");
    refused(&|head| head.terms.epoch_length = 0, "duration: expected whole epochs of 0 s, got 100 s");
    refused(&|head| head.terms.epoch_length = 30, "duration: expected whole epochs of 30 s, got 100 s");
    refused(
        &|head| head.terms.rate = HashRate(u128::MAX),
        &format!("rate: no lease can be of {} for 100 s", HashRate(u128::MAX)),
    );
}
