//! `hashlease verify` as people call it: whole files, single shares, and what is wrong with them.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_primitives::{Address, B256, Bytes};
use hashlease_caches::{EthashEpoch, LightCache};
use hashlease_ledger::{Evidence, EvidenceHead, EvidenceShare};
use hashlease_primitives::{
    Algorithm, Domain, EthashJob, HashRate, HeaderJob, Job, LeaseId, LocalSigner, SettlementWeight,
    SignedJob, Terms,
};
use hashlease_share::{EthashShare, HeaderShare, OpenedShare, Reason, Share, VerifiedJob};
use hashlease_trie::{Commitment, Trie};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, OnceLock},
};

/// The light cache of the job below.
fn light_cache() -> Arc<LightCache> {
    static CACHE: OnceLock<Arc<LightCache>> = OnceLock::new();
    let built = || Arc::new(LightCache::build(EthashEpoch::of_ethash_block(1).unwrap()));
    Arc::clone(CACHE.get_or_init(built))
}

fn evidence(algorithm: Algorithm) -> Evidence {
    evidence_of(algorithm, 30)
}

fn evidence_of(algorithm: Algorithm, count: usize) -> Evidence {
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
    let header = HeaderJob {
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
    };
    let seal = EthashJob {
        lease: terms.id,
        sequence: 5,
        seal_hash: B256::repeat_byte(9),
        block_number: 1,
        nonce_prefix: vec![0xab].into(),
        not_before: 1_000,
        not_after: 1_049,
    };
    let of_header = matches!(algorithm, Algorithm::Sha256d | Algorithm::Scrypt);
    let job = if of_header { Job::Header(header) } else { Job::Ethash(seal) };
    let signed = sign(job);
    let verified = verified(&terms, &signed);
    let share = |nonce: u32| -> Share {
        if !of_header {
            return EthashShare { nonce: 0xab00 << 48 | u64::from(nonce) }.into();
        }
        let tail = [1, 2, 3, 4].as_slice().try_into().unwrap();
        HeaderShare { tail, ntime: 1_010, nonce, version: 0x2000_2000 }.into()
    };
    let open = |nonce| verified.open(&share(nonce), terms.end).unwrap().settle().ok();
    let mut shares: Vec<_> = (0..).filter_map(open).take(count).collect();
    shares.sort_by_key(|share| share.key());
    let commitment = Trie::build(shares.iter().map(|share| share.key()).collect()).unwrap().commitment();
    Evidence {
        head: EvidenceHead { terms, epoch: 0, commitment, jobs: vec![signed] },
        shares: shares.iter().map(|share| EvidenceShare { job: 5, share: share.share().clone() }).collect(),
    }
}

fn sign(job: Job) -> SignedJob {
    let signer = LocalSigner::from_bytes(&[7; 32]).unwrap();
    let domain = Domain { chain_id: 31_337, contract: Address::repeat_byte(1) };
    let signature = signer.sign(&job.digest(&domain)).unwrap();
    SignedJob { job, signature }
}

fn verified(terms: &Terms, signed: &SignedJob) -> VerifiedJob {
    let job = VerifiedJob::verify(terms, signed.clone()).unwrap();
    if job.dag_epoch().is_some() { job.with_cache(light_cache()) } else { job }
}

/// A share of the first job, rebuilt without the program.
fn opened(evidence: &Evidence, index: usize) -> OpenedShare {
    let EvidenceHead { terms, jobs, .. } = &evidence.head;
    verified(terms, &jobs[0]).open(&evidence.shares[index].share, terms.end).unwrap()
}

/// Root and count of these shares.
fn commitment(evidence: &Evidence, indices: impl Iterator<Item = usize>) -> Commitment {
    let mut keys: Vec<_> = indices.map(|index| opened(evidence, index).key()).collect();
    keys.sort();
    Trie::build(keys).unwrap().commitment()
}

/// Without settings of whoever runs the tests.
fn cleared(mut command: Command) -> Command {
    for name in ["HASHLEASE_CONFIG", "HASHLEASE_LOG", "HASHLEASE_LOG_JSON"] {
        command.env_remove(name);
    }
    command
}

fn verify(arguments: &[&str]) -> (i32, String, String) {
    let mut command = cleared(Command::new(env!("CARGO_BIN_EXE_hashlease")));
    said(command.arg("verify").args(arguments).output().unwrap())
}

fn said(output: Output) -> (i32, String, String) {
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
    let alone = written(dir.path(), "share.json", verify(&["--share", "7", "--json", &whole]).1.as_bytes());
    expect(&["--share", "0", &alone], &["share.json", "--share picks one of an evidence file"]);
    let root = format!("{}", B256::ZERO);
    expect(&["--root", &root, &alone], &["--root is of a whole epoch"]);
    expect(&["--root", &root, "--share", "0", &whole], &["cannot be used with"]);
    let spaced = [b" \n".as_slice(), &fs::read(&alone).unwrap()].concat();
    assert_eq!(verify(&[&written(dir.path(), "spaced.json", &spaced)]).0, 0, "whitespace before JSON");
    // what is almost evidence, and almost a share
    for (at, words) in [(0, "not an evidence file"), (8, "version"), (bytes.len() - 1, "checksum")] {
        let mut changed = bytes.clone();
        changed[at] ^= 2;
        expect(&[&written(dir.path(), "changed", &changed)], &["changed", words]);
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    expect(&[&written(dir.path(), "longer", &longer)], &["no more bytes", "1 more"]);
    let share = fs::read_to_string(&alone).unwrap();
    expect(
        &[&written(dir.path(), "two.json", [share.as_bytes(), share.as_bytes()].concat().as_slice())],
        &["trailing"],
    );
    expect(&[&written(dir.path(), "list.json", format!("[{share}]").as_bytes())], &["not an evidence file"]);
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
        "jobSigner": terms.job_signer, "selfAttributed": false, "jobs": 1, "jobsRefused": 0, "refusedJobs": [],
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
    let refused = |share: usize, job: u64, key: Option<B256>, reason: &Reason| json!({"share": share, "job": job, "key": key, "code": reason.code(), "message": reason.to_string()});
    let key = |index| opened(&honest, index).key();
    let outside = Reason::VersionOutsideMask { version: 0, job: 0x2000_0000, mask: 0x1fff_e000 };
    let named = [
        refused(2, 5, None, &outside),
        refused(5, 5, Some(key(4)), &Reason::Duplicate),
        refused(9, 77, None, &Reason::UnknownJob { job: "77".to_owned() }),
        refused(10, 6, None, &Reason::JobSignature),
        refused(13, 5, Some(key(12)), &Reason::OutOfOrder { after: key(13) }),
    ];
    let rebuilt = commitment(&honest, (0..30).filter(|index| ![2, 5, 9, 10, 12].contains(index)));
    let signature = Reason::JobSignature;
    let (file, said) = report("spoiled", &spoiled, 1);
    let expected = json!({
        "file": file, "holds": false, "lease": 1, "epoch": 0, "chainId": 31_337,
        "escrow": terms.domain.contract, "oracle": terms.oracle, "provider": terms.job_signer,
        "jobSigner": terms.job_signer, "selfAttributed": true, "jobs": 2, "jobsRefused": 1,
        "refusedJobs": [{"job": 6, "code": "job-signature", "message": signature.to_string()}],
        "shares": 30, "refused": 5,
        "brokenRules": {
            "duplicate": 1, "job-signature": 1, "out-of-order": 1, "unknown-job": 1, "version-outside-mask": 1,
        },
        "refusedShares": named, "work": "100", "claimed": claimed,
        "rebuilt": rebuilt, "differences": [], "complaint": format!("job 6: {signature} (job-signature)"),
    });
    assert_eq!(said, expected);

    // the same for people
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
    // of two other nonces in a row one or the other is too high; the verdict is of that place
    let above: Vec<_> = (0..30).map(|at| refused(&|evidence| nonce(evidence, at))).collect();
    assert!(
        above.iter().enumerate().any(
            |(at, complaint)| *complaint == format!("share {at}: {} (above-target)", Reason::AboveTarget)
        )
    );
    let other_epoch = Reason::OtherEpoch { expected: 1, actual: 0 };
    assert_eq!(refused(&|evidence| evidence.head.epoch = 1), format!("share 0: {other_epoch} (other-epoch)"));
    let late = Reason::NtimeTooLate { ntime: 1_050, not_after: 1_049 };
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
    // a job that no share is of has to be right, too
    let unused = |evidence: &mut Evidence| {
        let mut signed = evidence.head.jobs[0].clone();
        signed.job.header_mut().unwrap().sequence = 6;
        evidence.head.jobs.push(signed);
    };
    assert_eq!(refused(&unused), format!("job 6: {} (job-signature)", Reason::JobSignature));
}

#[test]
fn the_json_of_a_share_says_everything() {
    let dir = tempfile::tempdir().unwrap();
    for algorithm in [Algorithm::Sha256d, Algorithm::Scrypt, Algorithm::Ethash] {
        let mut evidence = evidence(algorithm);
        // another job before it: the right one is found by its sequence
        if let Some(header) = evidence.head.jobs[0].clone().job.header_mut() {
            header.sequence = 4;
            evidence.head.jobs.insert(0, sign(Job::Header(header.clone())));
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
                "tail": "0x01020304", "ntime": 1_010, "nonce": share.nonce, "version": 0x2000_2000,
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
                "message": null, "differences": [],
            },
        });
        let value: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(value, expected);
        assert_eq!(
            (opened.mix().is_some(), header.is_none()),
            (algorithm == Algorithm::Ethash, header.is_none())
        );

        // what can't be opened has neither key nor hash
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
        expected["verdict"]["message"] = Reason::JobSignature.to_string().into();
        assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), expected);
        let (status, said, _) = verify(&[&alone]);
        assert_eq!(status, 1);
        let verdict = format!("  does not hold: {} (job-signature)\n", Reason::JobSignature);
        assert!(said.ends_with(&verdict), "{said}");
        assert!(!said.contains("  hash ") && !said.contains("  key "), "{said}");

        // for people
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

/// A share as near above the target as can be is refused, and told with its hash.
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
        // the neighbours are not looked at
        assert_eq!(verify(&["--share", "6", &file]).0, 0);
        assert_eq!(verify(&["--share", "8", &file]).0, 0);
    }
}

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
    // whoever names no contracts is told to compare them
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
    // what the shares give is compared, not what the file claims
    evidence.head.commitment.root = other;
    let file = written(dir.path(), "claims.hlev", &evidence.encode().unwrap());
    let (status, said, _) = verify(&["--json", "--root", &other.to_string(), &file]);
    let value: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &value["differences"]), (1, &json!([format!("root: expected {other}, got {root}")])));

    // a share alone has no root, and nobody is left to think that it was compared
    let alone = verify(&["--share", "7", "--json", &file]).1;
    let alone = written(dir.path(), "share.json", alone.as_bytes());
    let root = root.to_string();
    for arguments in [vec!["--root", &root, "--share", "7", &file], vec!["--root", &root, &alone]] {
        let (status, said, error) = verify(&arguments);
        assert_eq!((status, said.as_str()), (2, ""), "{arguments:?}");
        assert!(error.contains("--root"), "{error}");
    }
}

#[test]
fn every_file_counts_and_each_has_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut evidence = evidence(Algorithm::Sha256d);
    let good = written(dir.path(), "good.hlev", &evidence.encode().unwrap());
    let alone = verify(&["--share", "7", "--json", &good]).1;
    let alone = written(dir.path(), "share.json", alone.as_bytes());
    evidence.shares.pop();
    let bad = written(dir.path(), "bad.hlev", &evidence.encode().unwrap());
    for (files, status) in [([&good, &alone], 0), ([&bad, &good], 1), ([&good, &bad], 1), ([&bad, &alone], 1)]
    {
        let (code, said, _) = verify(&["--json", files[0], files[1]]);
        assert_eq!(code, status, "{files:?}");
        let names: Vec<Value> = said
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|value| value.get("verdict").unwrap_or(&value)["file"].clone())
            .collect();
        assert_eq!(names, [files[0].as_str(), files[1]]);
    }
    let missing = dir.path().join("missing").display().to_string();
    let (status, said, error) = verify(&[&good, &missing]);
    assert_eq!(status, 2);
    assert!(said.contains("as claimed") && error.contains(&missing), "{said}{error}");
}

#[test]
fn twenty_refused_shares_are_shown_and_with_all_every_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut evidence = evidence(Algorithm::Sha256d);
    for share in &mut evidence.shares[5..] {
        share.job = 77;
    }
    let file = written(dir.path(), "epoch.hlev", &evidence.encode().unwrap());
    let rows = |said: &str| said.lines().filter(|line| line.contains("unknown-job")).count();
    // one more line says how many break which rule, and one why it does not hold
    let (_, said, _) = verify(&[&file]);
    assert_eq!(rows(&said), 20 + 2);
    assert!(said.contains("  and 5 more: pass --all\n"), "{said}");
    let (_, said, _) = verify(&["--all", &file]);
    assert_eq!((rows(&said), said.contains(" more")), (25 + 2, false));
}

/// A file is read in pieces of 65,536 shares, and its shares are hashed on several threads.
#[test]
fn places_are_counted_from_the_begin_of_the_file() {
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
    // 1.25 of 1,000 hashes a second over 50 seconds, however many there are
    assert_eq!(report["work"], "62500");
    for number in [0, 65_535, 65_536, 65_537, 65_539] {
        let (_, said, _) = verify(&["--share", &number.to_string(), "--json", &file]);
        let share: Value = serde_json::from_str(&said).unwrap();
        let expected = evidence.shares[number].share.header().unwrap().nonce;
        assert_eq!(share["share"]["nonce"], expected, "{number}");
    }

    // no more than 10,000 are named, and the others are counted
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

/// What a run without a directory for light caches says of a file.
fn without_directory(file: &str) -> String {
    let (status, said, error) = verify(&["--log", "info", file]);
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("30 of 30 verified") && error.contains("light cache built"), "{said}{error}");
    said
}

#[test]
fn light_caches_are_kept_in_the_directory_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(dir.path(), "epoch.hlev", &evidence(Algorithm::Ethash).encode().unwrap());
    let plain = without_directory(&file);
    let kept = dir.path().join("caches");
    let run = || verify(&["--log", "info", "--cache-dir", kept.to_str().unwrap(), &file]);
    let (status, said, error) = run();
    assert_eq!((status, &said, error.matches("trouble").count()), (0, &plain, 0), "{error}");
    let names: Vec<_> = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["light-0-0.cache"]);
    // the next run reads it
    let (status, said, error) = run();
    assert_eq!((status, &said), (0, &plain));
    assert!(error.contains("light cache loaded") && !error.contains("light cache built"), "{error}");
    // one that is damaged is named, once, built anew and written anew
    let path = kept.join("light-0-0.cache");
    let good = fs::read(&path).unwrap();
    let mut damaged = good.clone();
    damaged[100_000] ^= 1;
    fs::write(&path, damaged).unwrap();
    let (status, said, error) = run();
    assert_eq!((status, &said), (0, &plain));
    assert_eq!(error.matches(&format!("{} is damaged", path.display())).count(), 1, "{error}");
    assert!(fs::read(&path).unwrap() == good);
}

#[test]
fn a_directory_that_can_not_be_written_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(dir.path(), "epoch.hlev", &evidence(Algorithm::Ethash).encode().unwrap());
    let plain = without_directory(&file);
    // the directory is a file
    let (status, said, error) = verify(&["--cache-dir", &file, &file]);
    assert_eq!((status, &said), (0, &plain));
    for action in ["open", "create"] {
        assert_eq!(error.matches(&format!("{action} {file}")).count(), 1, "{error}");
    }
    assert!(fs::read(&file).unwrap().starts_with(b"HLEVIDNC"));
}

/// A limit on the length of files is met in the midst of writing, as a full disk is.
#[cfg(unix)]
#[test]
fn a_full_disk_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(dir.path(), "epoch.hlev", &evidence(Algorithm::Ethash).encode().unwrap());
    let alone = verify(&["--share", "7", "--json", &file]).1;
    let alone = written(dir.path(), "share.json", alone.as_bytes());
    let kept = dir.path().join("caches");
    for source in [&file, &alone] {
        let plain = verify(&[source]).1;
        let mut command = cleared(Command::new("sh"));
        command.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
        command.args([env!("CARGO_BIN_EXE_hashlease"), "verify", "--cache-dir"]);
        let (status, text, error) = said(command.arg(&kept).arg(source).output().unwrap());
        assert_eq!((status, &text), (0, &plain), "{error}");
        let directory = kept.display();
        assert_eq!(error.matches(&format!("write {directory}")).count(), 1, "{error}");
        assert!(error.contains("File too large") && error.contains("light-0-0.cache"), "{error}");
        assert_eq!(
            fs::read_dir(&kept).unwrap().count(),
            0,
            "neither half a file nor a temporary one is left"
        );
    }
}

/// The system gives no thread: no stack is that large.
#[cfg(target_os = "linux")]
#[test]
fn without_threads_everything_is_checked_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    for (algorithm, count) in [(Algorithm::Ethash, 30), (Algorithm::Sha256d, 300)] {
        let file = written(dir.path(), "epoch.hlev", &evidence_of(algorithm, count).encode().unwrap());
        let mut command = cleared(Command::new(env!("CARGO_BIN_EXE_hashlease")));
        command.env("RUST_MIN_STACK", (1_u64 << 50).to_string());
        let (status, text, error) = said(command.args(["verify", &file]).output().unwrap());
        assert_eq!(status, 0, "{algorithm}: {error}");
        assert_eq!(text, verify(&[&file]).1);
        let told = error.matches("no thread").count();
        assert_eq!(told, usize::from(algorithm == Algorithm::Ethash), "{error}");
    }
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
        &|head| head.terms.rate = HashRate((1 << 96) - 1),
        &format!("rate: no lease can be of {} for 100 s", HashRate((1 << 96) - 1)),
    );
}
