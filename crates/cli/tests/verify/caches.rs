//! Light caches: kept, damaged, on a full disk and without threads.

use crate::program::*;
use hashlease_primitives::Algorithm;
use std::{fs, process::Command};

/// Output for a file of a run without a directory for light caches.
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
    // the next run loads it
    let (status, said, error) = run();
    assert_eq!((status, &said), (0, &plain));
    assert!(error.contains("light cache loaded") && !error.contains("light cache built"), "{error}");
    // a damaged file is reported once, rebuilt and rewritten
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
fn an_unwritable_directory_stops_nothing() {
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

/// A limit on the length of files stops a write halfway, as a full disk does.
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

/// The system gives no thread, because no stack can be that large.
#[cfg(target_os = "linux")]
#[test]
fn everything_is_checked_even_without_threads() {
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
