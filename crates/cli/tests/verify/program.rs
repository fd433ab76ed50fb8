//! The program, and evidence files for it whose shares cost a few hashes.

use alloy_primitives::{Address, B256};
use hashlease_check::{EthashEpoch, LightCache};
use hashlease_evidence::{Evidence, EvidenceHead, EvidenceShare};
use hashlease_primitives::{
    Algorithm, Commitment, Domain, EthashJob, HashRate, HeaderJob, Job, LeaseId, LocalSigner,
    SettlementWeight, SignedJob, Terms, UnixSeconds,
};
use hashlease_share::{EthashShare, HeaderShare, OpenedShare, Share, VerifiedJob};
use hashlease_trie::Trie;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, OnceLock},
};

/// The light cache of the job below.
pub(crate) fn light_cache() -> Arc<LightCache> {
    static CACHE: OnceLock<Arc<LightCache>> = OnceLock::new();
    let built = || Arc::new(LightCache::build(EthashEpoch::of_ethash_block(1).unwrap()));
    Arc::clone(CACHE.get_or_init(built))
}

pub(crate) fn evidence(algorithm: Algorithm) -> Evidence {
    evidence_of(algorithm, 30)
}

pub(crate) fn evidence_of(algorithm: Algorithm, count: usize) -> Evidence {
    let signer = LocalSigner::from_bytes(&[7; 32]).unwrap();
    let terms = Terms {
        id: LeaseId(1),
        domain: Domain { chain_id: 31_337, contract: Address::repeat_byte(1) },
        oracle: Address::repeat_byte(2),
        provider: Address::repeat_byte(3),
        job_signer: signer.address(),
        algorithm,
        weight: SettlementWeight::from_log2(2).unwrap(),
        rate: HashRate::new(1_000),
        start: UnixSeconds::new(1_000),
        end: UnixSeconds::new(1_100),
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
        not_before: UnixSeconds::new(1_000),
        not_after: UnixSeconds::new(1_049),
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
        not_before: UnixSeconds::new(1_000),
        not_after: UnixSeconds::new(1_049),
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

pub(crate) fn sign(job: Job) -> SignedJob {
    let signer = LocalSigner::from_bytes(&[7; 32]).unwrap();
    let domain = Domain { chain_id: 31_337, contract: Address::repeat_byte(1) };
    let signature = signer.sign(&job.digest(&domain)).unwrap();
    SignedJob { job, signature }
}

pub(crate) fn verified(terms: &Terms, signed: &SignedJob) -> VerifiedJob {
    let job = VerifiedJob::verify(terms, signed.clone()).unwrap();
    if job.dag_epoch().is_some() { job.with_cache(light_cache()) } else { job }
}

/// A share of the first job, rebuilt without the program.
pub(crate) fn opened(evidence: &Evidence, index: usize) -> OpenedShare {
    let EvidenceHead { terms, jobs, .. } = &evidence.head;
    verified(terms, &jobs[0]).open(&evidence.shares[index].share, terms.end).unwrap()
}

/// Root and count of these shares.
pub(crate) fn commitment(evidence: &Evidence, indices: impl Iterator<Item = usize>) -> Commitment {
    let mut keys: Vec<_> = indices.map(|index| opened(evidence, index).key()).collect();
    keys.sort();
    Trie::build(keys).unwrap().commitment()
}

/// Without the settings of the person who runs the tests.
pub(crate) fn cleared(mut command: Command) -> Command {
    for name in ["HASHLEASE_CONFIG", "HASHLEASE_LOG", "HASHLEASE_LOG_JSON"] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn verify(arguments: &[&str]) -> (i32, String, String) {
    let mut command = cleared(Command::new(env!("CARGO_BIN_EXE_hashlease")));
    said(command.arg("verify").args(arguments).output().unwrap())
}

pub(crate) fn said(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

pub(crate) fn written(dir: &Path, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}
