//! Evidence of Ethash leases, and files read in one pass, in pieces of any size.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use hashlease_evidence::{Evidence, EvidenceError, EvidenceReader, MAX_DAGS, MAX_JOBS, Recheck, Report};
use hashlease_fixtures::{ethash_job, header_job, mine, sign, verified, weight};
use hashlease_journal::Record;
use hashlease_ledger::Ledger;
use hashlease_pow::ethash::{EthashEpoch, LightCache};
use hashlease_primitives::{
    Algorithm, EthashJob, HashRate, HeaderJob, Job, JobKind, SignedJob, Terms, UnixMillis,
};
use hashlease_share::{EvidenceReason, Share, VerifiedShare};
use sha2::{Digest as _, Sha256};
use std::{
    cell::Cell,
    io::{self, Read},
    sync::{Arc, OnceLock},
};

fn cache() -> Arc<LightCache> {
    static CACHE: OnceLock<Arc<LightCache>> = OnceLock::new();
    Arc::clone(CACHE.get_or_init(|| Arc::new(LightCache::build(EthashEpoch::of_ethash_block(0).unwrap()))))
}

fn terms(algorithm: Algorithm) -> Terms {
    let terms = hashlease_fixtures::terms(1_000, 300, 100);
    Terms { algorithm, weight: weight(1), rate: HashRate::new(200), ..terms }
}

fn evidence(terms: &Terms, epoch: u32, jobs: &[SignedJob], shares: &[VerifiedShare]) -> Evidence {
    let mut ledger = Ledger::default();
    ledger.apply(&Record::Lease(terms.clone())).unwrap();
    for signed in jobs {
        ledger.apply(&Record::Job { at: UnixMillis::new(0), signed: signed.clone() }).unwrap();
    }
    for share in shares {
        ledger.apply(&Record::share(UnixMillis::new(0), share, "w")).unwrap();
    }
    ledger.lease(terms.id).unwrap().evidence(epoch).unwrap()
}

/// Shares of the second epoch of an Ethash lease.
fn ethash() -> Evidence {
    let terms = terms(Algorithm::Ethash);
    let job = |sequence| EthashJob {
        block_number: 7,
        nonce_prefix: vec![0xab, 0xcd].into(),
        ..ethash_job(&terms, sequence, 1_100..=1_199)
    };
    let jobs = [1, 2].map(|sequence| sign(&terms, job(sequence)));
    let verified = verified(&terms, job(1)).with_cache(cache());
    let shares: Vec<_> = mine(&verified, 1_100).take(9).collect();
    evidence(&terms, 1, &jobs, &shares)
}

/// Evidence with `count` shares of a SHA-256d lease.
fn sha256d(count: usize) -> Evidence {
    let terms = terms(Algorithm::Sha256d);
    let job = HeaderJob { tail_length: 2, branch: vec![], ..header_job(&terms, 1, 1_000..=1_099) };
    let job = verified(&terms, job);
    let shares: Vec<_> = mine(&job, 1_000).take(count).collect();
    evidence(&terms, 0, &[job.signed().clone()], &shares)
}

fn recheck(evidence: &Evidence) -> Report {
    evidence.recheck_with(Recheck::new(&|_| cache(), &mut |_| {}, &mut |_| {}))
}

#[test]
fn evidence_of_an_ethash_lease_holds_after_a_round_trip() {
    let evidence = ethash();
    assert_eq!((evidence.head.commitment.count, evidence.head.jobs.len()), (9, 1), "only jobs with shares");
    let read = Evidence::decode(&evidence.encode().unwrap()).unwrap();
    assert_eq!(read, evidence);
    let built = Cell::new(0);
    let mut keys = Vec::new();
    let report = read.recheck_with(Recheck {
        caches: &|epoch| {
            assert_eq!(epoch.index(), 0);
            built.set(built.get() + 1);
            cache()
        },
        counted: &mut |share| keys.push(share.key()),
        progress: &mut |_| {},
        named: 10,
    });
    assert!(report.holds(), "{:?}", report.complaint());
    assert_eq!((report.work.hashes(), built.get(), keys.len()), (18, 1, 9));
    assert!(keys.is_sorted());
}

#[test]
fn tampering_with_ethash_evidence_is_named() {
    let refused = |change: fn(&mut Evidence)| {
        let mut evidence = ethash();
        change(&mut evidence);
        let report = recheck(&evidence);
        assert!(!report.holds());
        report.named.first().map(|share| share.refused.code())
    };
    let with_nonce = |evidence: &mut Evidence, nonce: fn(u64) -> u64| {
        let Share::Ethash(share) = &mut evidence.shares[4].share else { panic!() };
        share.nonce = nonce(share.nonce);
    };
    assert_eq!(refused(|evidence| evidence.head.epoch = 2), Some("other-epoch"));
    assert_eq!(refused(|evidence| evidence.shares[0].job = 2), Some("unknown-job"));
    let mut evidence = ethash();
    with_nonce(&mut evidence, |nonce| nonce ^ (1 << 63));
    assert_eq!(recheck(&evidence).named[0].refused.code(), "nonce-outside-prefix");
    let mut evidence = ethash();
    with_nonce(&mut evidence, |nonce| nonce ^ (1 << 40));
    assert_eq!(recheck(&evidence).named[0].refused.code(), "nonce-of-other-epoch");
    // no work was done for some other nonce: half of them miss
    let missed = (1..64u64).any(|step| {
        let mut evidence = ethash();
        let Share::Ethash(share) = &mut evidence.shares[4].share else { panic!() };
        share.nonce += 1_000 + step;
        let report = recheck(&evidence);
        report.named.first().is_some_and(|share| share.refused.code() == "above-target")
    });
    assert!(missed);
}

/// Without this limit, a signed file of a few kilobytes could make its reader build caches of
/// hundreds of gigabytes.
#[test]
fn jobs_of_a_fifth_dag_are_refused_and_no_cache_is_built_for_them() {
    let mut evidence = ethash();
    let first = evidence.head.jobs.remove(0);
    let of_block = |sequence, block_number| {
        let Job::Ethash(job) = first.job.clone() else { panic!() };
        sign(&evidence.head.terms, EthashJob { sequence, block_number, ..job })
    };
    let mut blocks: Vec<u64> = (0..2_048).map(|dag| dag * 30_000).collect();
    blocks.push(7);
    evidence.head.jobs = (1..).zip(&blocks).map(|(sequence, block)| of_block(sequence, *block)).collect();
    let asked = Cell::new(0);
    let report = evidence.recheck_with(Recheck {
        caches: &|_| {
            asked.set(asked.get() + 1);
            cache()
        },
        counted: &mut |_| {},
        progress: &mut |_| {},
        named: 10,
    });
    assert_eq!(asked.get(), 1, "for the DAG of the shares only");
    assert_eq!(report.jobs_refused, 2_048 - 4, "jobs of the first DAGs stay good, even the last such job");
    assert_eq!(report.jobs_named[0].refused, EvidenceReason::JobDag { epoch: 4, max: MAX_DAGS });
    assert!(!report.holds());
}

#[test]
fn jobs_out_of_order_or_twice_are_no_evidence_file() {
    let mut evidence = ethash();
    let Job::Ethash(job) = evidence.head.jobs[0].job.clone() else { panic!() };
    let terms = evidence.head.terms.clone();
    evidence.head.jobs.push(sign(&terms, EthashJob { sequence: 2, ..job }));
    let bytes = evidence.encode().unwrap();
    assert!(Evidence::decode(&bytes).is_ok());
    // the file can't be written ...
    let mut swapped = evidence.clone();
    swapped.head.jobs.reverse();
    let error = swapped.encode().unwrap_err().to_string();
    assert!(error.ends_with("job's sequence: expected above 2, got 1"), "{error}");
    // ... nor read: the second job's sequence comes after the head and the first job
    let second = 10 + 138 + 44 + 4 + 132;
    assert_eq!(bytes[second], 2);
    let mut twice = bytes.clone();
    twice[second] = 1;
    let error = Evidence::decode(&twice).unwrap_err().to_string();
    assert_eq!(error, format!("evidence file at byte {second}: job's sequence: expected above 1, got 1"));
}

#[test]
fn jobs_and_shares_of_another_kind_are_not_written() {
    let mut evidence = ethash();
    evidence.shares[0].share = sha256d(1).shares[0].share.clone();
    let error = evidence.encode().unwrap_err().to_string();
    assert!(error.ends_with("share's kind: expected Ethash, got Header"), "{error}");
    let mut evidence = ethash();
    evidence.head.jobs = sha256d(1).head.jobs;
    let error = evidence.encode().unwrap_err().to_string();
    assert!(error.ends_with("job's kind: expected Ethash, got Header"), "{error}");
}

#[test]
fn a_head_without_end_is_refused_before_it_fills_the_memory() {
    let evidence = ethash();
    let bytes = evidence.encode().unwrap();
    let begin = 10 + 138 + 44;
    let mut many = bytes[..begin].to_vec();
    many.extend((MAX_JOBS as u32 + 1).to_le_bytes());
    let Err(error) = EvidenceReader::open(many.as_slice()) else { panic!() };
    let error = error.to_string();
    assert_eq!(
        error,
        format!("evidence file at byte {begin}: number of jobs: expected at most 32768, got 32769")
    );
    let mut long = sha256d(1);
    let Job::Header(job) = long.head.jobs[0].job.clone() else { panic!() };
    let unsigned = |sequence| {
        let job = HeaderJob { sequence, coinbase_prefix: vec![1; 65_000].into(), ..job.clone() };
        SignedJob { job: job.into(), signature: [0; 65] }
    };
    long.head.jobs = (1..1_100).map(unsigned).collect();
    let Err(error) = EvidenceReader::open(long.encode().unwrap().as_slice()) else { panic!() };
    let error = error.to_string();
    assert!(error.contains("jobs: expected the last below byte 67108864, got 1099 jobs"), "{error}");
    long.head.jobs = (0..=MAX_JOBS as u64).map(unsigned).collect();
    let error = long.encode().unwrap_err().to_string();
    assert!(error.ends_with("number of jobs: expected at most 32768, got 32769"), "{error}");
}

/// A strict recheck stops verifying jobs at the first bad one.
#[test]
fn jobs_are_verified_until_one_is_refused() {
    let mut evidence = sha256d(3);
    let Job::Header(job) = evidence.head.jobs[0].job.clone() else { panic!() };
    let unsigned = |sequence| {
        let job = HeaderJob { sequence, ..job.clone() };
        SignedJob { job: job.into(), signature: [0; 65] }
    };
    evidence.head.jobs.extend((100..2_600).map(unsigned));
    let bytes = evidence.encode().unwrap();
    let reader = || EvidenceReader::open(bytes.as_slice()).unwrap();
    fn ask<'a>(keep: &'a mut dyn FnMut(&VerifiedShare), told: &'a mut dyn FnMut(u64)) -> Recheck<'a> {
        Recheck { caches: &|_| cache(), counted: keep, progress: told, named: 5 }
    }
    let whole = reader().recheck(ask(&mut |_| {}, &mut |_| {})).unwrap();
    let (jobs, bad) = (evidence.head.jobs.len() as u64, 2_500);
    assert_eq!((whole.jobs, whole.jobs_refused, whole.refused), (jobs, bad, 0));
    let mut counted = 0;
    let first = reader().recheck_until_refused(ask(&mut |_| counted += 1, &mut |_| {})).unwrap();
    assert_eq!(first.jobs, 1_024);
    assert_eq!(first.jobs_named, whole.jobs_named);
    assert!(!first.holds() && counted == 0);
}

/// Returns at most this many bytes per read.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(self.0.len()).min(into.len());
        let (now, later) = self.0.split_at(length);
        into[..length].copy_from_slice(now);
        self.0 = later;
        Ok(length)
    }
}

#[test]
fn a_file_reads_the_same_however_it_arrives() {
    let evidence = sha256d(500);
    let bytes = evidence.encode().unwrap();
    for piece in [1, 7, 100, 1 << 20] {
        let mut reader = EvidenceReader::open(Trickle(&bytes, piece)).unwrap();
        assert_eq!((reader.head(), reader.left()), (&evidence.head, 500));
        let (mut shares, mut all) = (Vec::new(), Vec::new());
        while reader.next(&mut shares, 33).unwrap() {
            assert!(shares.len() <= 33);
            all.append(&mut shares);
        }
        assert_eq!(all, evidence.shares);
        assert!(!reader.next(&mut shares, 1).unwrap(), "one more read at the end");
    }
}

#[test]
fn a_stream_is_rechecked_like_evidence_in_memory() {
    // one whole piece and a partial one
    let evidence = sha256d(70_000);
    let bytes = evidence.encode().unwrap();
    let mut done = Vec::new();
    let mut count = 0u64;
    let report = EvidenceReader::open(bytes.as_slice()).unwrap().recheck(Recheck {
        caches: &|_| panic!("no Ethash here"),
        counted: &mut |_| count += 1,
        progress: &mut |shares| done.push(shares),
        named: 10,
    });
    let report = report.unwrap();
    assert!(report.holds(), "{:?}", report.complaint());
    assert_eq!((report.shares, count, done), (70_000, 70_000, vec![65_536, 70_000]));
    let (whole, keys) = evidence.recheck_keys(&|_| panic!("no Ethash here"));
    assert_eq!((whole.rebuilt, keys.len()), (report.rebuilt, 70_000));
}

#[test]
fn a_recheck_that_ends_at_a_refusal_hashes_no_more_but_reads_to_the_end() {
    // more than one piece of shares
    let mut evidence = sha256d(70_000);
    let strict = |bytes: &[u8]| {
        let (mut counted, mut done) = (0u64, 0u64);
        let report = EvidenceReader::open(bytes)?.recheck_until_refused(Recheck::new(
            &|_| cache(),
            &mut |_| counted += 1,
            &mut |shares| done = shares,
        ))?;
        Ok::<_, EvidenceError>((report, counted, done))
    };
    let (whole, counted, done) = strict(&evidence.encode().unwrap()).unwrap();
    assert!(whole.holds());
    assert_eq!((counted, done), (70_000, 70_000));
    evidence.shares[9].job += 77;
    let mut bytes = evidence.encode().unwrap();
    let (report, counted, done) = strict(&bytes).unwrap();
    assert!(!report.holds() && report.complaint().unwrap().contains("unknown-job"));
    assert_eq!((report.named[0].index, counted, done), (9, 65_535, 65_536));
    *bytes.last_mut().unwrap() ^= 1;
    assert!(strict(&bytes).is_err(), "a damaged file is not judged");
    let most = Evidence::longest(JobKind::Header, 70_000);
    assert!(bytes.len() as u64 <= most && most < 70_000 * 64 + (65 << 20));
}

#[test]
fn errors_name_the_place_in_the_file() {
    let bytes = sha256d(100).encode().unwrap();
    let read = |bytes: &[u8]| -> String {
        let error = EvidenceReader::open(bytes).and_then(|mut reader| {
            let mut shares = Vec::new();
            while reader.next(&mut shares, 10)? {}
            Ok(())
        });
        error.unwrap_err().to_string()
    };
    assert_eq!(read(b""), "evidence file at byte 0: magic: expected 8 bytes, got 0 left");
    assert!(read(b"{\"not\": 1}").contains("magic: expected HLEVIDNC"), "{}", read(b"{\"not\": 1}"));
    let mut newer = bytes.clone();
    newer[8] = 2;
    assert_eq!(read(&newer), "evidence file at byte 8: version: expected 1, got 2");
    let mut algorithm = bytes.clone();
    algorithm[10 + 16 + 80] = 9;
    assert_eq!(read(&algorithm), "evidence file at byte 106: algorithm: expected 1 to 4, got 9");
    // a share has 23 bytes here: job, a tail of two, time, nonce, version
    let shares = bytes.len() - 32 - 100 * 23;
    let cut = shares + 50 * 23 + 12;
    assert_eq!(
        read(&bytes[..cut]),
        format!("evidence file at byte {}: share's ntime: expected 4 bytes, got 1 left", cut - 1)
    );
    let end = bytes.len() - 32;
    assert!(
        read(&bytes[..end + 31])
            .starts_with(&format!("evidence file at byte {end}: checksum: expected 32 bytes"))
    );
    let longer = [bytes.as_slice(), b"!"].concat();
    assert_eq!(
        read(&longer),
        format!("evidence file at byte {end}: end: expected no more bytes, got 1 more")
    );
    let mut flipped = bytes.clone();
    flipped[end - 1] ^= 1;
    let (right, claimed) = (hex::encode(Sha256::digest(&flipped[..end])), hex::encode(&flipped[end..]));
    assert_eq!(
        read(&flipped),
        format!("evidence file at byte {end}: checksum: expected {right}, got {claimed}")
    );
    // a count above the number of shares must not reserve memory
    let mut promising = bytes.clone();
    promising[shares - 8..shares].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(read(&promising).contains("share's"), "{}", read(&promising));
    // a cut beyond the first read
    let long = sha256d(60_000).encode().unwrap();
    let cut = long.len() - 32 - 5_000 * 23 + 12;
    assert!(cut > 1 << 20);
    assert_eq!(
        read(&long[..cut]),
        format!("evidence file at byte {}: share's ntime: expected 4 bytes, got 1 left", cut - 1)
    );
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk is gone"))
        }
    }
    let Err(error) = EvidenceReader::open(Broken) else { panic!() };
    assert!(matches!(error, EvidenceError::Io { offset: 0, .. }));
    assert_eq!(error.to_string(), "evidence file at byte 0: disk is gone");
}
