//! `tests/vectors/shares.json`, which the contracts' tests read too: jobs and shares, each with its
//! verdict.
//!
//! `UPDATE_VECTORS=1 cargo test -p hashlease-share --test vectors` rewrites the file. A change of
//! it is a change of the rules for openings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloy_primitives::{Address, B256, U256, keccak256, uint};
use hashlease_fixtures::{key, sign, terms, weight};
use hashlease_pow::ethash::{EthashEpoch, LightCache};
use hashlease_primitives::{Algorithm, EthashJob, HeaderJob, Job, LeaseId, SignedJob, Terms, UnixSeconds};
use hashlease_share::{EthashShare, EvidenceReason, HeaderShare, Share, VerifiedJob};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, sync::Arc};

/// Order of the curve secp256k1.
const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
/// One share in eight meets the settlement target.
const LOG2: u8 = 3;
const NOW: u64 = 1_760_000_000;
const MINUTE: u64 = 60;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/shares.json")
}

/// A lease of three hours, cancelled to two; `NOW` is the middle of epoch 1.
fn lease(algorithm: Algorithm) -> Terms {
    let rented = terms(NOW - 5_400, 3 * 3_600, 3_600);
    Terms { algorithm, weight: weight(LOG2), end: rented.end - 3_600, ..rented }
}

fn hash(seed: u32) -> B256 {
    keccak256(seed.to_be_bytes())
}

fn filled(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|at| (at as u8).wrapping_mul(7).wrapping_add(seed)).collect()
}

/// The same signature with the negated `s`; only the lower `s` is valid (EIP-2).
fn with_high_s(mut signed: SignedJob) -> SignedJob {
    let s = U256::from_be_slice(&signed.signature[32..64]);
    signed.signature[32..64].copy_from_slice(&(ORDER - s).to_be_bytes::<32>());
    signed.signature[64] ^= 27 ^ 28;
    signed
}

/// Every kind of bad signature.
fn badly_signed(terms: &Terms, job: &Job) -> Vec<(&'static str, SignedJob)> {
    let good = sign(terms, job.clone());
    let with = |signature: [u8; 65]| SignedJob { job: job.clone(), signature };
    let mut without_27 = good.clone();
    without_27.signature[64] -= 27;
    let other = key(8).sign(&job.digest(&terms.domain)).unwrap();
    let mut elsewhere = terms.clone();
    elsewhere.domain.contract = Address::repeat_byte(9);
    let mut on_another_chain = terms.clone();
    on_another_chain.domain.chain_id = 1;
    vec![
        ("unsigned", with([0; 65])),
        ("signed by another key", with(other)),
        ("signed for another contract", sign(&elsewhere, job.clone())),
        ("signed for another chain", sign(&on_another_chain, job.clone())),
        ("high s", with_high_s(good)),
        ("v of 0 or 1", without_27),
        ("no point", with([0xff; 65])),
    ]
}

// ---------------------------------------------------------------- SHA-256d and scrypt

/// 250 bytes of coinbase, 12 branch hashes, the version bits of BIP 320, two minutes.
fn header_job() -> HeaderJob {
    HeaderJob {
        lease: LeaseId(1),
        sequence: 7,
        prev_hash: hash(1),
        n_bits: 0x1702_8c61,
        version: 0x2000_0000,
        version_mask: 0x1fff_e000,
        not_before: UnixSeconds::new(NOW - MINUTE),
        not_after: UnixSeconds::new(NOW + MINUTE),
        coinbase_prefix: filled(130, 1).into(),
        tail_length: 8,
        coinbase_suffix: filled(112, 2).into(),
        branch: (0..12).map(|at| hash(100 + at)).collect(),
    }
}

/// Jobs on both sides of every limit.
fn header_jobs(terms: &Terms) -> Vec<(&'static str, SignedJob)> {
    let with = |change: &dyn Fn(&mut HeaderJob)| {
        let mut job = header_job();
        change(&mut job);
        sign(terms, job)
    };
    let coinbase = |prefix: usize, tail: u8, suffix: usize| {
        with(&|job| {
            job.coinbase_prefix = filled(prefix, 3).into();
            job.tail_length = tail;
            job.coinbase_suffix = filled(suffix, 4).into();
        })
    };
    let branches = |count: u32| with(&|job| job.branch = (0..count).map(|at| hash(200 + at)).collect());
    let window = |from: u64, to: u64| {
        with(&|job| (job.not_before, job.not_after) = (UnixSeconds::new(from), UnixSeconds::new(to)))
    };
    let mask = |mask: u32| with(&|job| job.version_mask = mask);
    let (start, end, rented) = (terms.start.get(), terms.end.get(), terms.as_rented().end.get());
    let mut jobs = vec![
        ("as pools make them", sign(terms, header_job())),
        ("no branch", branches(0)),
        ("one branch", branches(1)),
        ("16 branches", branches(16)),
        ("17 branches", branches(17)),
        ("coinbase of 63", coinbase(30, 8, 25)),
        ("coinbase of 64", coinbase(30, 8, 26)),
        ("coinbase of 65", coinbase(30, 8, 27)),
        ("coinbase of 4,096", coinbase(2_048, 32, 2_016)),
        ("coinbase of 4,097", coinbase(2_049, 32, 2_016)),
        ("tail of 0", coinbase(120, 0, 80)),
        ("tail of 1", coinbase(120, 1, 80)),
        ("tail of 2", coinbase(120, 2, 80)),
        ("tail of 32", coinbase(120, 32, 80)),
        ("tail of 33", coinbase(120, 33, 80)),
        ("nothing but a tail", coinbase(0, 4, 0)),
        ("an empty coinbase", coinbase(0, 0, 0)),
        ("no version bits", mask(0)),
        ("version bits of BIP 323", mask(0x1fff_ffe0)),
        ("one bit above", mask(0x2000_0000)),
        ("one bit below", mask(0x0000_0010)),
        ("all version bits", mask(u32::MAX)),
        ("a window of one second", window(NOW, NOW)),
        ("a window of 600 seconds", window(NOW, NOW + 600)),
        ("a window of 601 seconds", window(NOW, NOW + 601)),
        ("a window backwards", window(NOW + 1, NOW)),
        ("from the lease's start", window(start, start + 4)),
        ("around the lease's start", window(start - 1, start + 3)),
        ("around an epoch's start", window(start + 3_598, start + 3_602)),
        ("around the end as cancelled", window(end - 2, end + 2)),
        ("behind the end as cancelled", window(end, end + 4)),
        ("to the last second as rented", window(rented - 5, rented - 1)),
        ("around the end as rented", window(rented - 5, rented)),
        ("behind the end as rented", window(rented, rented + 4)),
        ("of another lease", with(&|job| job.lease = LeaseId(2))),
        ("of the lease in 64 bits", with(&|job| job.lease = LeaseId(u64::MAX))),
    ];
    // the signature covers each of these fields
    let tampered = |change: &dyn Fn(&mut HeaderJob)| {
        let signature = sign(terms, header_job()).signature;
        let mut job = header_job();
        change(&mut job);
        SignedJob { job: job.into(), signature }
    };
    jobs.extend([
        ("another sequence", tampered(&|job| job.sequence += 1)),
        ("another previous block", tampered(&|job| job.prev_hash = hash(2))),
        ("another nBits", tampered(&|job| job.n_bits += 1)),
        ("another version", tampered(&|job| job.version += 1)),
        ("another mask", tampered(&|job| job.version_mask |= 1)),
        ("another start", tampered(&|job| job.not_before += 1)),
        ("another end", tampered(&|job| job.not_after += 1)),
        ("another prefix", tampered(&|job| job.coinbase_prefix = filled(130, 9).into())),
        ("another suffix", tampered(&|job| job.coinbase_suffix = filled(112, 9).into())),
        ("another branch", tampered(&|job| job.branch[11] = hash(9))),
        ("a branch hash less", tampered(&|job| job.branch.truncate(11))),
    ]);
    jobs.extend(badly_signed(terms, &header_job().into()));
    jobs
}

/// Shares of a job on both sides of every limit.
fn header_shares(job: &HeaderJob) -> Vec<HeaderShare> {
    let share = |nonce: u32, ntime: u64, version: u32, tail: usize| HeaderShare {
        tail: filled(tail, nonce as u8).as_slice().try_into().unwrap(),
        ntime: u32::try_from(ntime).unwrap(),
        nonce,
        version,
    };
    let tail = usize::from(job.tail_length);
    let (from, to) = (job.not_before.get(), job.not_after.get());
    let mut shares: Vec<HeaderShare> = (0..12).map(|nonce| share(nonce, from, job.version, tail)).collect();
    shares.extend(
        [from - 1, from + 1, (from + to) / 2, to - 1, to, to + 1]
            .map(|ntime| share(99, ntime, job.version, tail)),
    );
    let bits =
        [1, 1 << 4, 1 << 5, 1 << 12, 1 << 13, 1 << 28, 1 << 29, 1 << 31, 0x1fff_e000, 0x1fff_ffe0, u32::MAX];
    shares.extend(bits.map(|bits| share(0xffff_ffff, to, job.version ^ bits, tail)));
    shares.push(share(5, to, job.version, (tail + 1).min(32)));
    shares.push(share(5, to, job.version, tail.saturating_sub(1)));
    shares
}

// ---------------------------------------------------------------- Ethash

fn ethash_job() -> EthashJob {
    EthashJob {
        lease: LeaseId(1),
        sequence: 3,
        seal_hash: hash(3),
        block_number: 29_999,
        nonce_prefix: vec![0xab, 0xcd].into(),
        not_before: UnixSeconds::new(NOW),
        not_after: UnixSeconds::new(NOW + MINUTE),
    }
}

fn ethash_jobs(terms: &Terms) -> Vec<(&'static str, SignedJob)> {
    let with = |change: &dyn Fn(&mut EthashJob)| {
        let mut job = ethash_job();
        change(&mut job);
        sign(terms, job)
    };
    let prefix = |length: usize| with(&|job| job.nonce_prefix = filled(length, 5).into());
    let window = |from: u64, to: u64| {
        with(&|job| (job.not_before, job.not_after) = (UnixSeconds::new(from), UnixSeconds::new(to)))
    };
    let dag = |block: u64| with(&|job| job.block_number = block);
    let (start, end, rented) = (terms.start.get(), terms.end.get(), terms.as_rented().end.get());
    let mut jobs = vec![
        ("as pools make them", sign(terms, ethash_job())),
        ("no prefix", prefix(0)),
        ("a prefix of 1", prefix(1)),
        ("a prefix of 6", prefix(6)),
        ("a prefix of 7", prefix(7)),
        ("a window of one second", window(NOW, NOW)),
        ("a window of 600 seconds", window(NOW, NOW + 600)),
        ("a window of 601 seconds", window(NOW, NOW + 601)),
        ("a window backwards", window(NOW + 1, NOW)),
        ("from the lease's start", window(start, start + 9)),
        ("around the lease's start", window(start - 1, start + 9)),
        ("to an epoch's last second", window(start + 3_590, start + 3_599)),
        ("around an epoch's start", window(start + 3_590, start + 3_600)),
        ("to the last second as cancelled", window(end - 9, end - 1)),
        ("around the end as cancelled", window(end - 9, end)),
        ("behind the end as cancelled", window(end, end + 9)),
        ("to the last second as rented", window(rented - 9, rented - 1)),
        ("around the end as rented", window(rented - 9, rented)),
        ("of another lease", with(&|job| job.lease = LeaseId(2))),
        ("of Ethash's last DAG", dag(2_048 * 30_000 - 1)),
        ("of a DAG too large for Ethash", dag(2_048 * 30_000)),
        ("of Etchash's last DAG", dag(2_048 * 60_000 - 1)),
        ("of a DAG too large for Etchash", dag(2_048 * 60_000)),
    ];
    let tampered = |change: &dyn Fn(&mut EthashJob)| {
        let signature = sign(terms, ethash_job()).signature;
        let mut job = ethash_job();
        change(&mut job);
        SignedJob { job: job.into(), signature }
    };
    jobs.extend([
        ("another sequence", tampered(&|job| job.sequence += 1)),
        ("another seal hash", tampered(&|job| job.seal_hash = hash(4))),
        ("another block", tampered(&|job| job.block_number -= 1)),
        ("another prefix", tampered(&|job| job.nonce_prefix = vec![0xab, 0xce].into())),
        ("a longer prefix", tampered(&|job| job.nonce_prefix = vec![0xab, 0xcd, 0].into())),
        ("another start", tampered(&|job| job.not_before += 1)),
        ("another end", tampered(&|job| job.not_after += 1)),
    ]);
    jobs.extend(badly_signed(terms, &ethash_job().into()));
    jobs
}

fn ethash_shares(terms: &Terms, job: &EthashJob) -> Vec<EthashShare> {
    let length = job.nonce_prefix.len();
    let epoch = terms.as_rented().epoch_of(job.not_before).unwrap() as u8;
    let nonce = |change: usize, last: u8| {
        let mut nonce = [0; 8];
        nonce[..length].copy_from_slice(&job.nonce_prefix);
        nonce[length] = epoch;
        nonce[7] ^= last;
        if change < 8 {
            nonce[change] ^= 1;
        }
        EthashShare { nonce: u64::from_be_bytes(nonce) }
    };
    let mut shares: Vec<EthashShare> = if length < 7 && length != 6 {
        (0..10).map(|last| nonce(8, last)).collect()
    } else {
        vec![nonce(8, 0)]
    };
    shares.extend((0..8).map(|change| nonce(change, 0)));
    shares
}

// ---------------------------------------------------------------- the file

/// The columns that both kinds of jobs have.
fn job_columns(jobs: &[(&str, SignedJob)], verdicts: &[Result<VerifiedJob, EvidenceReason>]) -> Value {
    let numbers = |of: &dyn Fn(&Job) -> u64| {
        jobs.iter().map(|(_, signed)| of(&signed.job).to_string()).collect::<Vec<_>>()
    };
    json!({
        "name": jobs.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        "lease": numbers(&|job| job.lease().0),
        "sequence": numbers(&Job::sequence),
        "notBefore": numbers(&|job| job.not_before().get()),
        "notAfter": numbers(&|job| job.not_after().get()),
        "signature": jobs.iter().map(|(_, signed)| hex(&signed.signature)).collect::<Vec<_>>(),
        "refused": verdicts.iter().map(|verdict| code(verdict.as_ref().err())).collect::<Vec<_>>(),
    })
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn code(reason: Option<&EvidenceReason>) -> &'static str {
    reason.map_or("", EvidenceReason::code)
}

fn lease_fields(terms: &Terms) -> Value {
    json!({
        "algorithm": (terms.algorithm as u8).to_string(),
        "id": terms.id.0.to_string(),
        "chainId": terms.domain.chain_id.to_string(),
        "escrow": terms.domain.contract,
        "jobSigner": terms.job_signer,
        "weightLog2": LOG2.to_string(),
        "start": terms.start.to_string(),
        "end": terms.end.to_string(),
        "duration": terms.duration.to_string(),
        "epochLength": terms.epoch_length.to_string(),
    })
}

/// One row per share: its job, the miner's choice, and the verdict. Refused shares are hashed only
/// if they miss the target.
struct Row {
    job: usize,
    share: Share,
    verdict: Verdict,
}

#[derive(Default)]
struct Verdict {
    refused: &'static str,
    key: B256,
    hash: U256,
    epoch: u32,
    mix: B256,
}

fn judge(terms: &Terms, job: &VerifiedJob, share: &Share) -> Verdict {
    let opened = match job.open(share, terms.end) {
        Err(reason) => return Verdict { refused: reason.code(), ..Verdict::default() },
        Ok(opened) => opened,
    };
    Verdict {
        key: opened.key(),
        hash: opened.hash(),
        epoch: opened.epoch(),
        mix: opened.mix().copied().unwrap_or_default(),
        refused: code(opened.settle().err().as_ref()),
    }
}

fn share_columns(rows: &[Row]) -> Value {
    let numbers = |of: &dyn Fn(&Row) -> U256| rows.iter().map(|row| of(row).to_string()).collect::<Vec<_>>();
    json!({
        "job": numbers(&|row| U256::from(row.job)),
        "refused": rows.iter().map(|row| row.verdict.refused).collect::<Vec<_>>(),
        "key": rows.iter().map(|row| row.verdict.key).collect::<Vec<_>>(),
        "hash": numbers(&|row| row.verdict.hash),
        "epoch": numbers(&|row| U256::from(row.verdict.epoch)),
    })
}

fn header_set(algorithm: Algorithm) -> Value {
    let terms = lease(algorithm);
    let jobs = header_jobs(&terms);
    let verdicts: Vec<_> =
        jobs.iter().map(|(_, signed)| VerifiedJob::verify(&terms, signed.clone())).collect();
    let rows: Vec<Row> = jobs
        .iter()
        .zip(&verdicts)
        .enumerate()
        .filter_map(|(at, ((_, signed), verdict))| Some((at, signed.job.header()?, verdict.as_ref().ok()?)))
        .flat_map(|(at, job, verified)| {
            let shares = header_shares(job).into_iter().map(Share::from);
            shares
                .map(|share| Row { job: at, verdict: judge(&terms, verified, &share), share })
                .collect::<Vec<_>>()
        })
        .collect();

    let all: Vec<&HeaderJob> = jobs.iter().map(|(_, signed)| signed.job.header().unwrap()).collect();
    let numbers =
        |of: &dyn Fn(&HeaderJob) -> usize| all.iter().map(|job| of(job).to_string()).collect::<Vec<_>>();
    let mut columns = job_columns(&jobs, &verdicts);
    columns["prevHash"] = json!(all.iter().map(|job| job.prev_hash).collect::<Vec<_>>());
    columns["nBits"] = json!(numbers(&|job| job.n_bits as usize));
    columns["version"] = json!(numbers(&|job| job.version as usize));
    columns["versionMask"] = json!(numbers(&|job| job.version_mask as usize));
    columns["coinbasePrefix"] = json!(all.iter().map(|job| &job.coinbase_prefix).collect::<Vec<_>>());
    columns["tailLength"] = json!(numbers(&|job| job.tail_length.into()));
    columns["coinbaseSuffix"] = json!(all.iter().map(|job| &job.coinbase_suffix).collect::<Vec<_>>());
    columns["branchLength"] = json!(numbers(&|job| job.branch.len()));
    // the branches of all jobs in a row
    columns["branch"] = json!(all.iter().flat_map(|job| &job.branch).collect::<Vec<_>>());

    let chosen: Vec<&HeaderShare> = rows.iter().map(|row| row.share.header().unwrap()).collect();
    let numbers = |of: &dyn Fn(&HeaderShare) -> u32| {
        chosen.iter().map(|share| of(share).to_string()).collect::<Vec<_>>()
    };
    let mut shares = share_columns(&rows);
    shares["tail"] = json!(chosen.iter().map(|share| hex(&share.tail)).collect::<Vec<_>>());
    shares["ntime"] = json!(numbers(&|share| share.ntime));
    shares["nonce"] = json!(numbers(&|share| share.nonce));
    shares["version"] = json!(numbers(&|share| share.version));
    json!({ "lease": lease_fields(&terms), "jobs": columns, "shares": shares })
}

/// The jobs' blocks are of the first DAG, which both algorithms have.
fn ethash_set(algorithm: Algorithm) -> Value {
    let terms = lease(algorithm);
    let cache = Arc::new(LightCache::build(EthashEpoch::of_ethash_block(0).unwrap()));
    let jobs = ethash_jobs(&terms);
    let verdicts: Vec<_> = jobs
        .iter()
        .map(|(_, signed)| Ok(VerifiedJob::verify(&terms, signed.clone())?.with_cache(cache.clone())))
        .collect();
    let rows: Vec<Row> = jobs
        .iter()
        .zip(&verdicts)
        .enumerate()
        .filter_map(|(at, ((_, signed), verdict))| Some((at, signed.job.ethash()?, verdict.as_ref().ok()?)))
        .filter(|(_, _, verified)| verified.dag_epoch() == Some(cache.epoch()))
        .flat_map(|(at, job, verified)| {
            let shares = ethash_shares(&terms, job).into_iter().map(Share::from);
            shares
                .map(|share| Row { job: at, verdict: judge(&terms, verified, &share), share })
                .collect::<Vec<_>>()
        })
        .collect();

    let all: Vec<&EthashJob> = jobs.iter().map(|(_, signed)| signed.job.ethash().unwrap()).collect();
    let mut columns = job_columns(&jobs, &verdicts);
    columns["sealHash"] = json!(all.iter().map(|job| job.seal_hash).collect::<Vec<_>>());
    columns["blockNumber"] = json!(all.iter().map(|job| job.block_number.to_string()).collect::<Vec<_>>());
    columns["noncePrefix"] = json!(all.iter().map(|job| &job.nonce_prefix).collect::<Vec<_>>());

    let nonce = |row: &Row| match &row.share {
        Share::Ethash(share) => share.nonce.to_string(),
        Share::Header(_) => unreachable!("made above"),
    };
    let mut shares = share_columns(&rows);
    shares["nonce"] = json!(rows.iter().map(nonce).collect::<Vec<_>>());
    shares["mix"] = json!(rows.iter().map(|row| row.verdict.mix).collect::<Vec<_>>());
    json!({ "lease": lease_fields(&terms), "jobs": columns, "shares": shares })
}

fn vectors() -> Value {
    json!({
        "sha256d": header_set(Algorithm::Sha256d),
        "scrypt": header_set(Algorithm::Scrypt),
        "ethash": ethash_set(Algorithm::Ethash),
        "etchash": ethash_set(Algorithm::Etchash),
    })
}

/// Every verdict is unchanged, and every rule occurs somewhere.
#[test]
fn the_verdicts_are_frozen() {
    let now = vectors();
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(path(), format!("{}\n", serde_json::to_string(&now).unwrap())).unwrap();
    }
    let frozen: Value = serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap();
    for (set, columns) in now.as_object().unwrap() {
        for (table, columns) in columns.as_object().unwrap() {
            for (column, cells) in columns.as_object().unwrap() {
                assert_eq!(frozen[set][table][column], *cells, "{set} {table} {column}");
            }
        }
    }
    assert_eq!(frozen, now);

    let told = |set: &str, table: &str| {
        let column = now[set][table]["refused"].as_array().unwrap();
        let mut codes: Vec<&str> = column.iter().map(|code| code.as_str().unwrap()).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    };
    let of_jobs = [
        "",
        "job-branch",
        "job-coinbase",
        "job-outside-lease",
        "job-signature",
        "job-tail",
        "job-unsigned",
        "job-version-mask",
        "job-window",
        "other-lease",
    ];
    let of_shares = [
        "",
        "above-target",
        "extranonce-length",
        "ntime-too-early",
        "ntime-too-late",
        "outside-epoch",
        "version-outside-mask",
    ];
    for set in ["sha256d", "scrypt"] {
        assert_eq!(told(set, "jobs"), of_jobs);
        assert_eq!(told(set, "shares"), of_shares);
    }
    let of_jobs = [
        "",
        "job-block",
        "job-nonce-prefix",
        "job-outside-epoch",
        "job-outside-lease",
        "job-signature",
        "job-unsigned",
        "job-window",
        "other-lease",
    ];
    let of_shares = ["", "above-target", "nonce-of-other-epoch", "nonce-outside-prefix", "outside-epoch"];
    for set in ["ethash", "etchash"] {
        assert_eq!(told(set, "jobs"), of_jobs);
        assert_eq!(told(set, "shares"), of_shares);
    }
}
