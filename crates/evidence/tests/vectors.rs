//! `tests/vectors/evidence`: evidence files that strangers may receive, and the verdict on each.
//!
//! `UPDATE_VECTORS=1 cargo test -p hashlease-evidence --test vectors` rewrites them. A change of
//! them is a change of the format or of the rules in `docs/evidence.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use alloy_primitives::{Address, B256, U256, keccak256, uint};
use hashlease_evidence::{Evidence, EvidenceHead, EvidenceShare, Recheck, Report};
use hashlease_fixtures::{key, sign, sign_with};
use hashlease_pow::ethash::{EthashEpoch, LightCache};
use hashlease_primitives::{
    Algorithm, Domain, EthashJob, HashRate, HeaderJob, Job, LeaseId, SettlementWeight, SignedJob, Terms,
    UnixSeconds,
};
use hashlease_share::{EthashShare, HeaderShare, Share, VerifiedJob};
use hashlease_trie::Trie;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

const START: u64 = 1_760_000_000;
const EPOCH: u32 = 3_600;
/// Start of the files' epoch.
const FROM: u64 = START + EPOCH as u64;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/evidence")
}

fn cache() -> Arc<LightCache> {
    static CACHE: OnceLock<Arc<LightCache>> = OnceLock::new();
    Arc::clone(CACHE.get_or_init(|| Arc::new(LightCache::build(EthashEpoch::of_ethash_block(0).unwrap()))))
}

/// The first DAG's cache, and that of an Etchash DAG after ECIP-1099.
fn cache_of(dag: EthashEpoch) -> Arc<LightCache> {
    static LATER: OnceLock<Arc<LightCache>> = OnceLock::new();
    if dag.index() == 0 {
        return cache();
    }
    assert_eq!((dag.index(), dag.seed_rounds()), (195, 390));
    Arc::clone(LATER.get_or_init(|| Arc::new(LightCache::build(dag))))
}

fn terms(algorithm: Algorithm) -> Terms {
    let (rate, duration) = (HashRate::new(30), 2 * EPOCH);
    Terms {
        id: LeaseId(77),
        domain: Domain { chain_id: 31_337, contract: Address::repeat_byte(0x1a) },
        oracle: Address::repeat_byte(0x2b),
        provider: Address::repeat_byte(0x3c),
        algorithm,
        weight: SettlementWeight::of_lease(rate, EPOCH, duration).unwrap(),
        rate,
        ..hashlease_fixtures::terms(START, duration, EPOCH)
    }
}

/// A lease of three epochs, cancelled to two.
fn cancelled(algorithm: Algorithm) -> Terms {
    let mut terms = terms(algorithm);
    terms.duration = 3 * EPOCH;
    terms.weight = SettlementWeight::of_lease(terms.rate, EPOCH, terms.duration).unwrap();
    terms
}

fn hash(seed: u64) -> B256 {
    keccak256(seed.to_be_bytes())
}

fn header_job(sequence: u64) -> HeaderJob {
    let seed = |at: u64| hash(1_000 * sequence + at);
    let bytes = |length: usize, at: u64| seed(at).iter().copied().cycle().take(length).collect::<Vec<_>>();
    HeaderJob {
        lease: LeaseId(77),
        sequence,
        prev_hash: seed(0),
        n_bits: 0x1703_4219,
        version: 0x2000_0000,
        version_mask: 0x1fff_e000,
        not_before: UnixSeconds::new(FROM + 30 * sequence),
        not_after: UnixSeconds::new(FROM + 30 * sequence + 119),
        coinbase_prefix: bytes(90 + sequence as usize, 1).into(),
        tail_length: 6,
        coinbase_suffix: bytes(60, 2).into(),
        branch: (0..sequence % 7).map(|at| seed(10 + at)).collect(),
    }
}

fn header_share(job: &HeaderJob, number: u32) -> HeaderShare {
    HeaderShare {
        tail: hash(number.into())[..usize::from(job.tail_length).min(32)].try_into().unwrap(),
        // every fourth share uses the window's last second
        ntime: u32::try_from(if number.is_multiple_of(4) { job.not_after } else { job.not_before }).unwrap(),
        nonce: number.wrapping_mul(0x9e37_79b9),
        version: job.version | (number << 13 & job.version_mask),
    }
}

fn ethash_job(sequence: u64) -> EthashJob {
    EthashJob {
        lease: LeaseId(77),
        sequence,
        seal_hash: hash(sequence),
        block_number: 29_990 + sequence,
        nonce_prefix: hash(9)[..sequence as usize].to_vec().into(),
        not_before: UnixSeconds::new(FROM + 12 * sequence),
        not_after: UnixSeconds::new(FROM + 12 * sequence + 60),
    }
}

fn ethash_share(job: &EthashJob, number: u32) -> EthashShare {
    let mut nonce = [0; 8];
    let length = job.nonce_prefix.len().min(6);
    nonce[..length].copy_from_slice(&job.nonce_prefix[..length]);
    nonce[length] = 1;
    let rest = 7 - length;
    nonce[length + 1..].copy_from_slice(&hash(number.into())[..rest]);
    EthashShare { nonce: u64::from_be_bytes(nonce) }
}

/// A file with `count` good shares of each job, in order.
fn good(terms: &Terms, jobs: &[Job], each: usize) -> Evidence {
    let signed: Vec<SignedJob> = jobs.iter().map(|job| sign(terms, job.clone())).collect();
    let mut shares = Vec::new();
    for signed in &signed {
        let mut verified = VerifiedJob::verify(terms, signed.clone()).unwrap();
        if let Some(dag) = verified.dag_epoch() {
            verified.set_cache(cache_of(dag));
        }
        let share = |number| match &signed.job {
            Job::Header(job) => Share::Header(header_share(job, number)),
            Job::Ethash(job) => Share::Ethash(ethash_share(job, number)),
        };
        let counted =
            (0..).filter_map(|number| verified.open(&share(number), terms.end).unwrap().settle().ok());
        shares.extend(counted.take(each));
    }
    shares.sort_by_key(|share| share.key());
    let commitment = Trie::build(shares.iter().map(|share| share.key()).collect()).unwrap().commitment();
    let share = |share: &hashlease_share::VerifiedShare| EvidenceShare {
        job: share.job(),
        share: share.share().clone(),
    };
    Evidence {
        head: EvidenceHead { terms: terms.clone(), epoch: 1, commitment, jobs: signed },
        shares: shares.iter().map(share).collect(),
    }
}

/// Adds the given bad jobs, each with one share.
fn with_bad_jobs(evidence: &mut Evidence, bad: Vec<SignedJob>) {
    for signed in bad {
        let share = match &signed.job {
            Job::Header(job) => Share::Header(header_share(job, 1)),
            Job::Ethash(job) => Share::Ethash(ethash_share(job, 1)),
        };
        evidence.shares.push(EvidenceShare { job: signed.job.sequence(), share });
        evidence.head.jobs.push(signed);
    }
}

fn bad_signatures(terms: &Terms, job: impl Fn(u64) -> Job, from: u64) -> Vec<SignedJob> {
    let unsigned = SignedJob { job: job(from), signature: [0; 65] };
    let stranger = sign_with(&key(8), &terms.domain, job(from + 1));
    let mut bare = sign(terms, job(from + 2));
    bare.signature[64] -= 27;
    // the same key's signature with the other `s` (EIP-2)
    let mut high = sign(terms, job(from + 3));
    let order = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
    let s = U256::from_be_slice(&high.signature[32..64]);
    high.signature[32..64].copy_from_slice(&(order - s).to_be_bytes::<32>());
    high.signature[64] ^= 27 ^ 28;
    vec![unsigned, stranger, bare, high]
}

fn headers_refused(algorithm: Algorithm) -> Evidence {
    let terms = cancelled(algorithm);
    let rented = terms.as_rented().end;
    let jobs: Vec<Job> = (1..=3).map(|sequence| header_job(sequence).into()).collect();
    let mut evidence = good(&terms, &jobs, 6);
    let with = |sequence: u64, change: &dyn Fn(&mut HeaderJob)| {
        let mut job = HeaderJob { branch: vec![hash(4)], ..header_job(sequence) };
        change(&mut job);
        sign(&terms, job)
    };
    let mut bad = vec![
        with(10, &|job| job.not_after = job.not_before + 601),
        with(11, &|job| job.not_after = job.not_before - 1),
        with(12, &|job| job.coinbase_prefix = vec![5; 4_031].into()),
        with(13, &|job| {
            job.coinbase_prefix = vec![6; 28].into();
            job.coinbase_suffix = vec![7; 30].into();
        }),
        with(14, &|job| job.tail_length = 33),
        with(15, &|job| job.branch = (0..17).map(hash).collect()),
        with(16, &|job| job.tail_length = 1),
        with(17, &|job| job.version_mask |= 1 << 29),
        with(18, &|job| (job.not_before, job.not_after) = (terms.start - 1, terms.start + 9)),
        with(19, &|job| (job.not_before, job.not_after) = (rented - 9, rented)),
    ];
    bad.extend(bad_signatures(&terms, |sequence| header_job(sequence).into(), 20));
    with_bad_jobs(&mut evidence, bad);
    // good jobs at the limits
    evidence.head.jobs.push(with(24, &|job| job.not_after = job.not_before + 600));
    evidence.head.jobs.push(with(25, &|job| job.coinbase_prefix = vec![5; 4_030].into()));
    evidence.head.jobs.push(with(26, &|job| job.branch = (0..16).map(hash).collect()));
    evidence.head.jobs.push(with(27, &|job| job.tail_length = 32));
    evidence.head.jobs.push(with(28, &|job| job.tail_length = 2));
    evidence.head.jobs.push(with(29, &|job| job.version_mask = 0x1fff_ffe0));
    // around the begin of the epoch and the end as cancelled, where the window allows more
    let edge = |sequence: u64, from: UnixSeconds| {
        with(sequence, &|job| (job.not_before, job.not_after) = (from, from + 9))
    };
    evidence.head.jobs.push(edge(30, UnixSeconds::new(FROM - 5)));
    evidence.head.jobs.push(edge(31, terms.end - 5));

    let spoil = |at: usize, change: &dyn Fn(&mut EvidenceShare)| {
        let mut share = evidence.shares[at].clone();
        change(&mut share);
        share
    };
    let header = |share: &mut EvidenceShare, change: &dyn Fn(&mut HeaderShare)| {
        change(share.share.header_mut().unwrap());
    };
    let on_edge = |job: u64, ntime: u64| {
        let ntime = ntime.try_into().unwrap();
        EvidenceShare {
            job,
            share: HeaderShare {
                tail: [0; 6].as_slice().try_into().unwrap(),
                ntime,
                nonce: 1,
                version: 0x2000_0000,
            }
            .into(),
        }
    };
    let mut spoiled = vec![
        spoil(0, &|share| share.job = 999),
        spoil(1, &|share| header(share, &|share| share.tail.truncate(5))),
        spoil(2, &|share| header(share, &|share| share.tail.push(0))),
        spoil(3, &|share| header(share, &|share| share.version ^= 1)),
        spoil(4, &|share| header(share, &|share| share.version ^= 1 << 29)),
        spoil(5, &|share| header(share, &|share| share.ntime -= 200)),
        spoil(6, &|share| header(share, &|share| share.ntime += 200)),
        spoil(7, &|share| header(share, &|share| share.nonce ^= 1)),
        spoil(7, &|share| header(share, &|share| share.nonce ^= 2)),
        spoil(7, &|share| header(share, &|share| share.nonce ^= 4)),
        on_edge(30, FROM - 1),
        on_edge(31, terms.end.get()),
        evidence.shares[17].clone(),
        evidence.shares[2].clone(),
    ];
    evidence.shares.append(&mut spoiled);
    evidence
}

fn ethash_refused() -> Evidence {
    let terms = cancelled(Algorithm::Ethash);
    let rented = terms.as_rented().end;
    let jobs: Vec<Job> = (1..=2).map(|sequence| ethash_job(sequence).into()).collect();
    let mut evidence = good(&terms, &jobs, 3);
    let with = |sequence: u64, change: &dyn Fn(&mut EthashJob)| {
        let mut job = EthashJob { nonce_prefix: vec![1].into(), ..ethash_job(1) };
        job.sequence = sequence;
        change(&mut job);
        sign(&terms, job)
    };
    let mut bad = vec![
        with(10, &|job| job.not_after = job.not_before + 601),
        with(11, &|job| job.nonce_prefix = vec![1; 7].into()),
        with(12, &|job| job.block_number = 2_048 * 30_000),
        with(13, &|job| job.not_before = UnixSeconds::new(FROM - 1)),
        with(14, &|job| (job.not_before, job.not_after) = (rented - 1, rented)),
        with(15, &|job| job.nonce_prefix = vec![].into()),
        with(16, &|job| (job.not_before, job.not_after) = (terms.start - 1, terms.start)),
    ];
    let unsigned = |sequence| EthashJob { sequence, ..ethash_job(2) }.into();
    bad.extend(bad_signatures(&terms, unsigned, 20));
    // the files' own DAG, the last possible DAG, then one DAG after another
    let blocks = [0, 2_048 * 30_000 - 1, 30_000, 60_000, 90_000, 120_000, 0];
    bad.extend((0..).zip(blocks).map(|(at, block)| with(30 + at, &|job| job.block_number = block)));
    bad.push(with(40, &|job| job.nonce_prefix = vec![1; 6].into()));
    with_bad_jobs(&mut evidence, bad);
    // drop the shares of good jobs
    evidence.shares.retain(|share| ![30, 31, 32, 33, 36, 40].contains(&share.job));
    // a job of another epoch of the lease
    let earlier = with(50, &|job| {
        (job.not_before, job.not_after) = (UnixSeconds::new(FROM - 60), UnixSeconds::new(FROM - 1));
    });
    evidence.head.jobs.push(earlier);
    evidence
        .shares
        .push(EvidenceShare { job: 50, share: EthashShare { nonce: 0x0100_0000_0000_0005 }.into() });
    // a good job behind the end as cancelled
    let later = with(51, &|job| (job.not_before, job.not_after) = (terms.end, terms.end + 9));
    evidence.head.jobs.push(later);
    evidence
        .shares
        .push(EvidenceShare { job: 51, share: EthashShare { nonce: 0x0102_0000_0000_0005 }.into() });
    let spoil = |at: usize, change: &dyn Fn(&mut EvidenceShare)| {
        let mut share = evidence.shares[at].clone();
        change(&mut share);
        share
    };
    let nonce = |share: &mut EvidenceShare, bits: u64| {
        if let Share::Ethash(share) = &mut share.share {
            share.nonce ^= bits;
        }
    };
    let mut spoiled = vec![
        spoil(0, &|share| share.job = 999),
        spoil(1, &|share| nonce(share, 1 << 63)),
        spoil(1, &|share| nonce(share, 1 << (63 - 8 * share.job))),
        above_target(&evidence, 2),
        evidence.shares[5].clone(),
        evidence.shares[1].clone(),
    ];
    evidence.shares.append(&mut spoiled);
    evidence
}

/// The first nonce after a share's own that misses the target.
fn above_target(evidence: &Evidence, at: usize) -> EvidenceShare {
    let EvidenceShare { job, share: Share::Ethash(share) } = &evidence.shares[at] else {
        panic!("of Ethash")
    };
    let signed = evidence.head.jobs.iter().find(|signed| signed.job.sequence() == *job).unwrap();
    let verified = VerifiedJob::verify(&evidence.head.terms, signed.clone()).unwrap().with_cache(cache());
    let nonces = (1..).map(|step| EthashShare { nonce: share.nonce ^ step });
    let misses = |share: &EthashShare| {
        verified.open(&(*share).into(), evidence.head.terms.end).unwrap().settle().is_err()
    };
    EvidenceShare { job: *job, share: nonces.filter(misses).map(Share::from).next().unwrap() }
}

/// More shares than an epoch can pay for.
fn capped() -> Evidence {
    let (rate, duration) = (HashRate::new(3), 20 * EPOCH);
    let mut terms = terms(Algorithm::Sha256d);
    (terms.rate, terms.duration, terms.end) = (rate, duration, UnixSeconds::new(START) + u64::from(duration));
    assert_eq!(terms.weight, SettlementWeight::of_lease(rate, EPOCH, duration).unwrap());
    good(&terms, &[header_job(1).into()], 1_700)
}

/// Good shares of an impossible lease: its rate requires another weight.
fn impossible() -> Evidence {
    let mut terms = terms(Algorithm::Sha256d);
    terms.rate = HashRate::new(300);
    good(&terms, &[header_job(1).into()], 3)
}

/// Good shares of the file's lease, with a claimed count that is one too high.
fn inflated() -> Evidence {
    let terms = terms(Algorithm::Sha256d);
    let mut evidence = good(&terms, &[header_job(2).into()], 5);
    evidence.head.commitment.count += 1;
    evidence
}

fn files() -> Vec<(&'static str, Evidence)> {
    let headers = |algorithm: Algorithm, each: usize| {
        let jobs: Vec<Job> = (1..=4).map(|sequence| header_job(sequence).into()).collect();
        good(&terms(algorithm), &jobs, each)
    };
    let ethash: Vec<Job> = (1..=3).map(|sequence| ethash_job(sequence).into()).collect();
    // the first block of the long epochs: their seed takes twice as many hashes as the epoch's
    // number
    let etchash = EthashJob { block_number: 11_700_000, ..ethash_job(1) };
    let mut empty = headers(Algorithm::Sha256d, 0);
    empty.head.jobs.clear();
    vec![
        ("sha256d", headers(Algorithm::Sha256d, 40)),
        ("sha256d-one", good(&terms(Algorithm::Sha256d), &[header_job(1).into()], 1)),
        ("sha256d-none", empty),
        ("sha256d-refused", headers_refused(Algorithm::Sha256d)),
        ("sha256d-inflated", inflated()),
        ("sha256d-capped", capped()),
        ("sha256d-impossible", impossible()),
        ("scrypt", headers(Algorithm::Scrypt, 5)),
        ("scrypt-refused", headers_refused(Algorithm::Scrypt)),
        ("ethash", good(&terms(Algorithm::Ethash), &ethash, 2)),
        ("etchash", good(&terms(Algorithm::Etchash), &[etchash.into()], 2)),
        ("ethash-refused", ethash_refused()),
    ]
}

fn verdict(name: &str, evidence: &Evidence) -> (Value, Report) {
    let report = evidence.recheck_with(Recheck::new(&cache_of, &mut |_| {}, &mut |_| {}));
    let value = json!({
        "file": format!("{name}.hlev"),
        "holds": report.holds() && evidence.head.contradiction().is_none(),
        "jobs": report.jobs,
        "refusedJobs": report.jobs_named.iter()
            .map(|job| json!([job.sequence, job.refused.code()])).collect::<Vec<_>>(),
        "shares": report.shares,
        "refusedShares": report.named.iter()
            .map(|share| json!([share.index, share.key, share.refused.code()])).collect::<Vec<_>>(),
        "root": report.rebuilt.root,
        "count": report.rebuilt.count,
        "work": report.work.hashes().to_string(),
    });
    (value, report)
}

#[test]
fn the_files_and_their_verdicts_are_frozen() {
    let files = files();
    let mut verdicts = Vec::new();
    let mut told = BTreeSet::new();
    for (name, evidence) in &files {
        let (value, report) = verdict(name, evidence);
        told.extend(report.broken.keys().copied());
        assert_eq!(report.holds(), !name.contains("refused") && !name.contains("inflated"), "{name}");
        assert_eq!(evidence.head.contradiction().is_some(), name.contains("impossible"), "{name}");
        verdicts.push(value);
    }
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::create_dir_all(directory()).unwrap();
        for (name, evidence) in &files {
            fs::write(directory().join(format!("{name}.hlev")), evidence.encode().unwrap()).unwrap();
        }
        let text = serde_json::to_string_pretty(&verdicts).unwrap();
        fs::write(directory().join("verdicts.json"), format!("{text}\n")).unwrap();
    }
    let frozen: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(directory().join("verdicts.json")).unwrap()).unwrap();
    assert_eq!(frozen, verdicts);
    for (name, evidence) in &files {
        let bytes = fs::read(directory().join(format!("{name}.hlev"))).unwrap();
        assert_eq!(Evidence::decode(&bytes).unwrap(), *evidence, "{name}");
        assert_eq!(evidence.encode().unwrap(), bytes, "{name}");
    }
    let rules = [
        "above-target",
        "duplicate",
        "extranonce-length",
        "job-block",
        "job-branch",
        "job-coinbase",
        "job-dag",
        "job-nonce-prefix",
        "job-outside-epoch",
        "job-outside-lease",
        "job-signature",
        "job-tail",
        "job-unsigned",
        "job-version-mask",
        "job-window",
        "nonce-of-other-epoch",
        "nonce-outside-prefix",
        "ntime-too-early",
        "ntime-too-late",
        "other-epoch",
        "out-of-order",
        "outside-epoch",
        "unknown-job",
        "version-outside-mask",
    ];
    assert_eq!(told.into_iter().collect::<Vec<_>>(), rules, "every rule occurs, except colliding keys");
}
