//! Whole files: what `verify` prints about them, as text and as JSON.

use crate::program::*;
use alloy_primitives::B256;
use hashlease_evidence::{Evidence, EvidenceHead};
use hashlease_primitives::{Algorithm, Commitment, SignedJob, UnixSeconds};
use hashlease_share::EvidenceReason;
use serde_json::{Value, json};

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
fn the_json_of_a_file_says_everything() {
    let dir = tempfile::tempdir().unwrap();
    let report = |name: &str, evidence: &Evidence, status: i32| {
        let file = written(dir.path(), name, &evidence.encode().unwrap());
        let (code, said, error) = verify(&["--json", &file]);
        assert_eq!((code, error.as_str()), (status, ""), "{said}");
        (file, serde_json::from_str::<Value>(&said).unwrap())
    };
    let honest = evidence(Algorithm::Sha256d);
    let Evidence { head: EvidenceHead { terms, commitment: claimed, .. }, .. } = &honest;
    let (file, said) = report("honest", &honest, 0);
    let expected = json!({
        "file": file, "holds": true, "lease": 1, "epoch": 0, "chainId": 31_337,
        "escrow": terms.domain.contract, "oracle": terms.oracle, "provider": terms.provider,
        "jobSigner": terms.job_signer, "selfAttributed": false, "signerDictated": null, "jobs": 1, "jobsRefused": 0, "refusedJobs": [],
        "shares": 30, "refused": 0, "brokenRules": {}, "refusedShares": [], "work": "120", "claimed": claimed,
        "rebuilt": claimed, "differences": [], "complaint": null,
    });
    assert_eq!(said, expected);

    let mut spoiled = honest.clone();
    spoiled.head.terms.provider = spoiled.head.terms.job_signer;
    let mut other = spoiled.head.jobs[0].job.clone();
    other.header_mut().unwrap().sequence = 6;
    let unsigned_for = SignedJob { job: other, signature: spoiled.head.jobs[0].signature };
    spoiled.head.jobs.push(unsigned_for);
    spoiled.shares[2].share.header_mut().unwrap().version = 0;
    spoiled.shares[5] = spoiled.shares[4].clone();
    spoiled.shares[9].job = 77;
    spoiled.shares[10].job = 6;
    spoiled.shares.swap(12, 13);
    let refused = |share: usize, job: u64, key: Option<B256>, reason: &EvidenceReason| json!({"share": share, "job": job, "key": key, "code": reason.code(), "message": reason.to_string()});
    let key = |index| opened(&honest, index).key();
    let outside = EvidenceReason::VersionOutsideMask { version: 0, job: 0x2000_0000, mask: 0x1fff_e000 };
    let named = [
        refused(2, 5, None, &outside),
        refused(5, 5, Some(key(4)), &EvidenceReason::Duplicate),
        refused(9, 77, None, &EvidenceReason::UnknownJob { job: "77".to_owned() }),
        refused(10, 6, None, &EvidenceReason::JobSignature),
        refused(13, 5, Some(key(12)), &EvidenceReason::OutOfOrder { after: key(13) }),
    ];
    let rebuilt = commitment(&honest, (0..30).filter(|index| ![2, 5, 9, 10, 12].contains(index)));
    let signature = EvidenceReason::JobSignature;
    let (file, said) = report("spoiled", &spoiled, 1);
    let expected = json!({
        "file": file, "holds": false, "lease": 1, "epoch": 0, "chainId": 31_337,
        "escrow": terms.domain.contract, "oracle": terms.oracle, "provider": terms.job_signer,
        "jobSigner": terms.job_signer, "selfAttributed": true, "signerDictated": null, "jobs": 2, "jobsRefused": 1,
        "refusedJobs": [{"job": 6, "code": "job-signature", "message": signature.to_string()}],
        "shares": 30, "refused": 5,
        "brokenRules": {
            "duplicate": 1, "job-signature": 1, "out-of-order": 1, "unknown-job": 1, "version-outside-mask": 1,
        },
        "refusedShares": named, "work": "100", "claimed": claimed,
        "rebuilt": rebuilt, "differences": [], "complaint": format!("job 6: {signature} (job-signature)"),
    });
    assert_eq!(said, expected);

    // the same as text
    let (status, said, error) = verify(&[&file]);
    assert_eq!((status, error.as_str()), (1, ""));
    let lines = [
        "  lease       1 epoch 0, sha256d on chain 31337, self-attributed\n".to_owned(),
        "  jobs        1 of 2 count\n".to_owned(),
        "  shares      25 of 30 verified\n".to_owned(),
        "  work        100 hashes, promised 50000\n".to_owned(),
        format!("  root        {} of 25 shares, rebuilt, NOT as claimed\n", rebuilt.root),
        "  refused     1 duplicate, 1 job-signature, 1 out-of-order, 1 unknown-job, 1 version-outside-mask\n"
            .to_owned(),
        format!("  does not hold: job 6: {signature} (job-signature)\n"),
    ];
    for line in lines {
        assert!(said.contains(&line), "{line} in {said}");
    }
    let rows: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    for [share, job, code] in [["2", "5", "version-outside-mask"], ["13", "5", "out-of-order"]] {
        assert!(rows.iter().any(|row| row.get(1..4) == Some(&[share, job, code])), "{said}");
    }
}

#[test]
fn each_way_of_tampering_is_refused_by_its_rule() {
    let dir = tempfile::tempdir().unwrap();
    let honest = evidence(Algorithm::Sha256d);
    let refused = |change: &dyn Fn(&mut Evidence)| {
        let mut evidence = honest.clone();
        change(&mut evidence);
        let file = written(dir.path(), "changed", &evidence.encode().unwrap());
        let (status, text, _) = verify(&[&file]);
        let (same, said, _) = verify(&["--json", &file]);
        let report: Value = serde_json::from_str(&said).unwrap();
        let complaint = report["complaint"].as_str().unwrap().to_owned();
        assert_eq!((status, same, &report["holds"]), (1, 1, &false.into()), "{text}");
        assert!(text.ends_with(&format!("  does not hold: {complaint}\n")), "{text}");
        assert_eq!(text.contains("NOT as claimed"), report["rebuilt"] != report["claimed"], "{text}");
        complaint
    };
    let nonce = |evidence: &mut Evidence, index: usize| {
        evidence.shares[index].share.header_mut().unwrap().nonce ^= 0x8000_0000;
    };
    // at least one of two other nonces misses the target; the verdict names that share
    let above: Vec<_> = (0..30).map(|at| refused(&|evidence| nonce(evidence, at))).collect();
    assert!(
        above.iter().enumerate().any(|(at, complaint)| *complaint
            == format!("share {at}: {} (above-target)", EvidenceReason::AboveTarget))
    );
    let other_epoch = EvidenceReason::OtherEpoch { expected: 1, actual: 0 };
    assert_eq!(refused(&|evidence| evidence.head.epoch = 1), format!("share 0: {other_epoch} (other-epoch)"));
    let late =
        EvidenceReason::NtimeTooLate { ntime: UnixSeconds::new(1_050), not_after: UnixSeconds::new(1_049) };
    assert_eq!(
        refused(&|evidence| evidence.shares[29].share.header_mut().unwrap().ntime = 1_050),
        format!("share 29: {late} (ntime-too-late)")
    );
    let Commitment { root, count } = honest.head.commitment;
    assert_eq!(
        refused(&|evidence| evidence.head.commitment.count += 1),
        format!("root and count: claimed {root} and 31, the shares give {root} and {count}")
    );
    let less = commitment(&honest, 0..29);
    assert_eq!(
        refused(&|evidence| drop(evidence.shares.pop())),
        format!("root and count: claimed {root} and {count}, the shares give {} and 29", less.root)
    );
    // a job without shares has to be correct, too
    let unused = |evidence: &mut Evidence| {
        let mut signed = evidence.head.jobs[0].clone();
        signed.job.header_mut().unwrap().sequence = 6;
        evidence.head.jobs.push(signed);
    };
    assert_eq!(refused(&unused), format!("job 6: {} (job-signature)", EvidenceReason::JobSignature));
}

#[test]
fn the_first_twenty_refused_shares_are_shown_and_with_all_every_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut evidence = evidence(Algorithm::Sha256d);
    for share in &mut evidence.shares[5..] {
        share.job = 77;
    }
    let file = written(dir.path(), "epoch.hlev", &evidence.encode().unwrap());
    let rows = |said: &str| said.lines().filter(|line| line.contains("unknown-job")).count();
    // two more lines: how many break each rule, and why the file does not hold
    let (_, said, _) = verify(&[&file]);
    assert_eq!(rows(&said), 20 + 2);
    assert!(said.contains("  and 5 more: pass --all\n"), "{said}");
    let (_, said, _) = verify(&["--all", &file]);
    assert_eq!((rows(&said), said.contains(" more")), (25 + 2, false));
}

/// A file is read in pieces of 65,536 shares, and its shares are hashed on several threads.
#[test]
fn positions_are_counted_from_the_start_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut evidence = evidence_of(Algorithm::Sha256d, 65_540);
    for index in [3, 40_000, 65_535, 65_538] {
        evidence.shares[index].share.header_mut().unwrap().version = 0;
    }
    let file = written(dir.path(), "epoch.hlev", &evidence.encode().unwrap());
    let (status, said, _) = verify(&["--json", &file]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &report["shares"], &report["refused"]), (1, &65_540.into(), &4.into()));
    let named: Vec<_> =
        report["refusedShares"].as_array().unwrap().iter().map(|share| share["share"].as_u64()).collect();
    assert_eq!(named, [Some(3), Some(40_000), Some(65_535), Some(65_538)]);
    // capped at 1.25 times 1,000 hashes a second over 50 seconds
    assert_eq!(report["work"], "62500");
    for number in [0, 65_535, 65_536, 65_537, 65_539] {
        let (_, said, _) = verify(&["--share", &number.to_string(), "--json", &file]);
        let share: Value = serde_json::from_str(&said).unwrap();
        let expected = evidence.shares[number].share.header().unwrap().nonce;
        assert_eq!(share["share"]["nonce"], expected, "{number}");
    }

    // at most 10,000 are listed; all are counted
    for share in &mut evidence.shares {
        share.job = 77;
    }
    let file = written(dir.path(), "epoch.hlev", &evidence.encode().unwrap());
    let (_, said, _) = verify(&["--json", &file]);
    let report: Value = serde_json::from_str(&said).unwrap();
    let named = report["refusedShares"].as_array().unwrap();
    assert_eq!((named.len(), &named[9_999]["share"]), (10_000, &9_999.into()));
    assert_eq!(report["refused"], 65_540);
    assert_eq!(report["rebuilt"], json!(Commitment::default()));
    let (_, said, _) = verify(&["--all", "--json", &file]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        report["refusedShares"].as_array().unwrap().len(),
        65_540,
        "all of them where that is asked for"
    );
}
