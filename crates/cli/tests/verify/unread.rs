//! Files that can't be read, next to others that can.

use crate::program::*;
use alloy_primitives::B256;
use hashlease_primitives::Algorithm;
use serde_json::Value;
use std::fs;

#[test]
fn unreadable_files_say_where_and_why() {
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
    expect(&["--share", "0", &alone], &["share.json", "--share picks a share from an evidence file"]);
    let root = format!("{}", B256::ZERO);
    expect(&["--root", &root, &alone], &["--root is the root of a whole epoch"]);
    expect(&["--root", &root, "--share", "0", &whole], &["cannot be used with"]);
    let spaced = [b" \n".as_slice(), &fs::read(&alone).unwrap()].concat();
    assert_eq!(verify(&[&written(dir.path(), "spaced.json", &spaced)]).0, 0, "whitespace before JSON");
    // almost evidence, and almost a share
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
fn an_unreadable_file_does_not_stop_the_others_from_being_checked() {
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
