//! The program, and evidence files for it whose shares cost a few hashes.

use hashlease_check::{EthashEpoch, LightCache};
use hashlease_evidence::{Evidence, EvidenceHead};
use hashlease_fixtures::{ethash_job, header_job, mine, sign, terms, weight};
use hashlease_primitives::{Algorithm, Commitment, HashRate, Job, SignedJob, Terms};
use hashlease_share::{OpenedShare, VerifiedJob};
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
    let terms = Terms { algorithm, weight: weight(2), rate: HashRate::new(1_000), ..terms(1_000, 100, 50) };
    let window = 1_000..=1_049;
    let job: Job = match algorithm {
        Algorithm::Sha256d | Algorithm::Scrypt => header_job(&terms, 5, window).into(),
        Algorithm::Ethash | Algorithm::Etchash => ethash_job(&terms, 5, window).into(),
    };
    let signed = sign(&terms, job);
    let shares = mine(&verified(&terms, &signed), 1_010).take(count).collect();
    hashlease_fixtures::evidence(&terms, 0, vec![signed], shares)
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
