//! Single shares, from an evidence file and from a file of their own.

use crate::program::*;
use alloy_primitives::{B256, Bytes};
use hashlease_fixtures::sign;
use hashlease_primitives::Algorithm;
use hashlease_share::{EvidenceReason, Share};
use serde_json::{Value, json};

#[test]
fn a_share_is_extracted_from_a_file_and_checked_alone() {
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

        // it reads its own output, and refuses an output that was changed since
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

        // it does not read unknown or impossible values
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
        // and terms that no lease can have do not hold
        let mut impossible = share.clone();
        impossible["lease"]["weightLog2"] = 1.into();
        let file = written(dir.path(), "contradiction.json", impossible.to_string().as_bytes());
        let (status, said, _) = verify(&[&file]);
        assert_eq!(status, 1);
        assert!(said.contains("does not hold: weight: expected 2^2"), "{said}");
    }
}

#[test]
fn the_json_of_a_share_says_everything() {
    let dir = tempfile::tempdir().unwrap();
    for algorithm in [Algorithm::Sha256d, Algorithm::Scrypt, Algorithm::Ethash] {
        let mut evidence = evidence(algorithm);
        // with another job before it, the right one is found by its sequence
        if let Some(header) = evidence.head.jobs[0].clone().job.header_mut() {
            header.sequence = 4;
            let signed = sign(&evidence.head.terms, header.clone());
            evidence.head.jobs.insert(0, signed);
        }
        let job = evidence.head.jobs.last().unwrap();
        let terms = &evidence.head.terms;
        let file = written(dir.path(), "epoch.hlev", &evidence.encode().unwrap());
        let (status, said, _) = verify(&["--share", "7", "--json", &file]);
        assert_eq!(status, 0, "{said}");
        let opened = verified(terms, job).open(&evidence.shares[7].share, terms.end).unwrap();
        let header = opened.header().map(|header| Bytes::copy_from_slice(header));
        let share = match &evidence.shares[7].share {
            Share::Header(share) => json!({
                "tail": "0xa1a2a3a4", "ntime": 1_010, "nonce": share.nonce, "version": 0x2000_2000,
            }),
            Share::Ethash(share) => json!({"nonce": share.nonce}),
        };
        let mut expected = json!({
            "version": 1,
            "epoch": 0,
            "lease": {
                "id": 1, "chainId": 31_337, "escrow": terms.domain.contract, "oracle": terms.oracle,
                "provider": terms.provider, "jobSigner": terms.job_signer, "algorithm": algorithm,
                "weightLog2": 2, "rate": "1000", "start": 1_000, "end": 1_100, "duration": 100,
                "epochLength": 50,
            },
            "job": job,
            "share": share,
            "verdict": {
                "file": file, "holds": true, "key": opened.key(), "header": header,
                "mix": opened.mix(), "hash": B256::from(opened.hash()),
                "target": B256::from(terms.weight.target().0), "epoch": 0, "code": null,
                "message": null, "differences": [], "selfAttributed": false, "signerDictated": null,
            },
        });
        let value: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(value, expected);
        assert_eq!(
            (opened.mix().is_some(), header.is_none()),
            (algorithm == Algorithm::Ethash, header.is_none())
        );

        // a share that can't be opened has neither key nor hash
        let mut changed = value;
        changed["job"]["job"]["notAfter"] = 1_048.into();
        let alone = written(dir.path(), "changed.json", changed.to_string().as_bytes());
        let (status, said, _) = verify(&["--json", &alone]);
        assert_eq!(status, 1);
        let nothing = ["key", "header", "mix", "hash", "epoch"];
        for field in nothing {
            expected["verdict"][field] = Value::Null;
        }
        expected["job"] = changed["job"].clone();
        expected["verdict"]["file"] = alone.clone().into();
        expected["verdict"]["holds"] = false.into();
        expected["verdict"]["code"] = "job-signature".into();
        expected["verdict"]["message"] = EvidenceReason::JobSignature.to_string().into();
        assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), expected);
        let (status, said, _) = verify(&[&alone]);
        assert_eq!(status, 1);
        let verdict = format!("  does not hold: {} (job-signature)\n", EvidenceReason::JobSignature);
        assert!(said.ends_with(&verdict), "{said}");
        assert!(!said.contains("  hash ") && !said.contains("  key "), "{said}");

        // as text
        let (_, said, _) = verify(&["--share", "7", &file]);
        let mut lines = vec![
            file.clone(),
            format!("  lease       1 epoch 0, {algorithm} on chain 31337"),
            format!("  escrow      {}", terms.domain.contract),
            format!("  job signer  {}", terms.job_signer),
            "  job         5".to_owned(),
        ];
        lines.extend(opened.header().map(|header| format!("  header      0x{}", hex::encode(header))));
        lines.extend(opened.mix().map(|mix| format!("  mix         {mix}")));
        lines.extend([
            format!("  key         {}", opened.key()),
            format!("  hash        {}", B256::from(opened.hash())),
            format!("  target      {}", B256::from(terms.weight.target().0)),
            "  worth       4 hashes".to_owned(),
            "  holds".to_owned(),
        ]);
        assert_eq!(said.lines().collect::<Vec<_>>(), lines);
    }
}

/// A share barely above the target is refused, and its hash is shown.
#[test]
fn a_share_above_the_target_shows_its_hash() {
    let dir = tempfile::tempdir().unwrap();
    for algorithm in [Algorithm::Sha256d, Algorithm::Ethash] {
        let mut evidence = evidence(algorithm);
        let above = (0..).find_map(|step| {
            match &mut evidence.shares[7].share {
                Share::Header(share) => share.nonce = 1_000_000 + step,
                Share::Ethash(share) => share.nonce = 0xab00 << 48 | u64::from(1_000_000 + step),
            }
            Some(opened(&evidence, 7)).filter(|opened| !opened.meets(evidence.head.terms.weight.target()))
        });
        let file = written(dir.path(), "epoch.hlev", &evidence.encode().unwrap());
        let (status, said, _) = verify(&["--share", "7", &file]);
        assert_eq!(status, 1);
        assert!(said.contains(&format!("  hash        {}\n", B256::from(above.unwrap().hash()))), "{said}");
        assert!(said.ends_with("  does not hold: hash is above the target (above-target)\n"), "{said}");
        // its neighbours are not checked
        assert_eq!(verify(&["--share", "6", &file]).0, 0);
        assert_eq!(verify(&["--share", "8", &file]).0, 0);
    }
}
