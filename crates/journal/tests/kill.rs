//! A process killed at any instant loses no acknowledged record.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::B256;
use hashlease_journal::{Journal, Options, Record, read};
use hashlease_primitives::{LeaseId, UnixMillis};
use std::{
    convert::Infallible,
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

const DIR: &str = "JOURNAL_OF_THE_WRITER";

fn record(n: u64) -> Record {
    Record::Verdict {
        at: UnixMillis::new(n),
        lease: LeaseId(1),
        key: B256::ZERO,
        accepted: true,
        code: "x".repeat(200),
    }
}

fn options(dir: &Path) -> Options {
    // small, so that it is also killed while it creates a segment
    Options { segment_bytes: 20_000, ..Options::new(dir) }
}

/// Not a test but the process that is killed: it appends batch after batch and prints how many
/// records were acknowledged.
#[test]
#[ignore = "the child process of the test below, which starts it"]
fn writer() {
    let dir = env::var_os(DIR).expect("the directory from the test that starts this");
    let mut next = 0;
    let journal = Journal::open(options(Path::new(&dir)), |number, _| {
        next = number + 1;
        Ok::<(), Infallible>(())
    })
    .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for size in (1..30).cycle() {
        runtime.block_on(journal.append_all((next..next + size).map(record).collect())).unwrap();
        next += size;
        println!("\nacknowledged {next}");
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut least = 0;
    for round in 1..=12 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["writer", "--exact", "--ignored", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = lines
            .filter_map(|line| line.unwrap().strip_prefix("acknowledged ")?.parse::<u64>().ok())
            .nth(round * 7)
            .expect("the writer ended early");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(acknowledged > least, "it continued where it was killed");

        let seen: Vec<Record> = read(dir.path()).collect::<Result<_, _>>().unwrap();
        least = seen.len() as u64;
        assert!(least >= acknowledged, "{least} of {acknowledged} records");
        assert!(seen.into_iter().eq((0..least).map(record)), "round {round}");
    }
}
