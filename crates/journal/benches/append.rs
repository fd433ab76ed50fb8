//! Durable shares per second, compared with raw writes of the same bytes in the same run.
//!
//! `cargo bench -p hashlease-journal --bench append`, optionally followed by a directory on the
//! disk to measure.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use hashlease_fixtures::{header_job, mine, terms, verified};
use hashlease_journal::{Journal, Options, Record, read};
use hashlease_primitives::{HeaderJob, UnixMillis};
use hashlease_share::VerifiedShare;
use std::{
    collections::HashSet,
    convert::Infallible,
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

const BATCH: usize = 1_000;
const SHARES: usize = 500_000;

/// Shares of a lease for which every hash counts.
fn shares() -> Vec<VerifiedShare> {
    let terms = terms(1_000, 3_600, 3_600);
    let job = HeaderJob { tail_length: 8, branch: vec![], ..header_job(&terms, 1, 1_000..=1_600) };
    mine(&verified(&terms, job), 1_010).take(SHARES).collect()
}

fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn main() {
    let place = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let place = place.map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(place).unwrap();
    let shares = shares();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();

    let journal = Journal::open(Options::new(dir.path()), |_, _| Ok::<(), Infallible>(())).unwrap();
    let start = Instant::now();
    runtime.block_on(async {
        let mut seen = HashSet::with_capacity(SHARES);
        for batch in shares.chunks(BATCH) {
            let records = batch.iter().filter(|share| seen.insert(share.key()));
            let records =
                records.map(|share| Record::share(UnixMillis::new(1_000_000), share, "rig.1")).collect();
            journal.append_all(records).await.unwrap();
        }
    });
    let journalled = start.elapsed();
    drop(journal);

    let segment = dir.path().join(format!("{:020}.hlj", 0));
    let bytes = fs::read(segment).unwrap();
    let mut raw = File::create(dir.path().join("raw")).unwrap();
    let start = Instant::now();
    for chunk in bytes.chunks(bytes.len().div_ceil(SHARES / BATCH)) {
        raw.write_all(chunk).unwrap();
        raw.sync_data().unwrap();
    }
    let written = start.elapsed();

    let start = Instant::now();
    assert_eq!(read(dir.path()).filter(Result::is_ok).count(), SHARES);
    let replayed = start.elapsed();

    let (ours, limit) = (per_second(SHARES, journalled), per_second(SHARES, written));
    println!(
        "{SHARES} shares of {} bytes in batches of {BATCH}, in {}",
        bytes.len() / SHARES,
        dir.path().display()
    );
    println!(
        "durable, duplicates looked up      {ours:>12.0} shares/s  ({:.0} % of raw)",
        100.0 * ours / limit
    );
    println!("raw write + fdatasync, same bytes  {limit:>12.0} shares/s");
    println!("read again                         {:>12.0} shares/s", per_second(SHARES, replayed));
}
