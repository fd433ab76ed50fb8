//! Durable shares per second, compared with raw writes of the same bytes in the same run.
//!
//! `cargo bench -p hashlease-journal --bench append`, optionally followed by a directory on the
//! disk to measure.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use alloy_primitives::{Address, B256};
use arrayvec::ArrayVec;
use hashlease_journal::{Journal, Options, Record, read};
use hashlease_primitives::{
    Algorithm, Domain, HashRate, HeaderJob, Job, LeaseId, LocalSigner, SettlementWeight, SignedJob, Terms,
    UnixMillis, UnixSeconds,
};
use hashlease_share::{HeaderShare, VerifiedJob, VerifiedShare};
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
    let signer = LocalSigner::from_bytes(&[7; 32]).unwrap();
    let terms = Terms {
        id: LeaseId(1),
        domain: Domain { chain_id: 31_337, contract: Address::repeat_byte(1) },
        oracle: Address::repeat_byte(2),
        provider: Address::repeat_byte(3),
        job_signer: signer.address(),
        algorithm: Algorithm::Sha256d,
        weight: SettlementWeight::from_log2(0).unwrap(),
        rate: HashRate::new(1_000_000),
        start: UnixSeconds::new(1_000),
        end: UnixSeconds::new(4_600),
        duration: 3_600,
        epoch_length: 3_600,
    };
    let job = HeaderJob {
        lease: terms.id,
        sequence: 1,
        prev_hash: B256::repeat_byte(9),
        n_bits: 0x1d00_ffff,
        version: 0x2000_0000,
        version_mask: 0,
        not_before: UnixSeconds::new(1_000),
        not_after: UnixSeconds::new(1_600),
        coinbase_prefix: vec![1; 50].into(),
        tail_length: 8,
        coinbase_suffix: vec![2; 60].into(),
        branch: vec![],
    };
    let signature = signer.sign(&Job::from(job.clone()).digest(&terms.domain)).unwrap();
    let job = VerifiedJob::verify(&terms, SignedJob { job: job.into(), signature }).unwrap();
    (0..u32::try_from(SHARES).unwrap())
        .map(|nonce| {
            let share =
                HeaderShare { tail: ArrayVec::from_iter([0; 8]), ntime: 1_010, nonce, version: 0x2000_0000 };
            job.open(&share.into(), terms.end).unwrap().settle().unwrap()
        })
        .collect()
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
