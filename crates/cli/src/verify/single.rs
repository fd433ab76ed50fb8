//! One share with everything that it takes to check it.

use alloy_primitives::{Address, B256, Bytes};
use anyhow::{Context as _, Result, ensure};
use hashlease_ledger::{EvidenceHead, EvidenceShare};
use hashlease_pow::ethash::{EthashEpoch, LightCache};
use hashlease_primitives::{Algorithm, Domain, HashRate, LeaseId, SettlementWeight, SignedJob, Terms};
use hashlease_share::{EthashShare, HeaderShare, Reason, Share, VerifiedJob};
use hashlease_trie::Commitment;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use std::{io::Read, sync::Arc};

/// A share as a file of its own: what of the lease decides, its job, and what the miner chose.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Single {
    version: u32,
    lease: LeaseTerms,
    /// The one that the share is evidence for.
    epoch: u32,
    job: SignedJob,
    share: Chosen,
    /// What was said of it when it was written; it is found out anew.
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "so that what `--json` prints can be read again")]
    verdict: Option<IgnoredAny>,
}

/// Of the fields of a single share.
const VERSION: u32 = 1;
/// Longest file of a single share, bytes: its job is the most of it.
const LONGEST: u64 = 1 << 20;

/// Reads a single share.
pub(super) fn read(source: impl Read) -> Result<Single> {
    let mut text = String::new();
    source.take(LONGEST.saturating_add(1)).read_to_string(&mut text)?;
    ensure!(text.len() as u64 <= LONGEST, "a single share: expected at most {LONGEST} bytes");
    let single: Single = serde_json::from_str(&text).context("a single share")?;
    ensure!(single.version == VERSION, "version: expected {VERSION}, got {}", single.version);
    Ok(single)
}

/// Hashes per second as decimal digits, since 96 bits do not survive JSON numbers.
mod digits {
    use hashlease_primitives::HashRate;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(rate: &HashRate, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&rate.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<HashRate, D::Error> {
        let text = String::deserialize(from)?;
        let rate = text.parse().ok().filter(|rate| *rate < 1 << 96).map(HashRate);
        rate.ok_or_else(|| {
            D::Error::custom(format!("rate: expected digits of at most 96 bits, got {text:?}"))
        })
    }
}

/// What of a lease decides whether a share counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LeaseTerms {
    id: u64,
    chain_id: u64,
    escrow: Address,
    oracle: Address,
    provider: Address,
    job_signer: Address,
    algorithm: Algorithm,
    /// Exponent of the settlement weight.
    weight_log2: SettlementWeight,
    #[serde(with = "digits")]
    rate: HashRate,
    start: u64,
    end: u64,
    duration: u32,
    epoch_length: u32,
}

/// What the miner chose.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Chosen {
    Header { tail: Bytes, ntime: u32, nonce: u32, version: u32 },
    Ethash(EthashShare),
}

/// What came of a share.
pub(crate) struct Verdict {
    pub(crate) key: Option<B256>,
    pub(crate) header: Option<Bytes>,
    pub(crate) mix: Option<B256>,
    /// The proof-of-work hash as an integer.
    pub(crate) hash: Option<B256>,
    pub(crate) epoch: Option<u32>,
    pub(crate) refused: Option<Reason>,
}

impl Single {
    /// A share of an evidence file.
    pub(crate) fn new(head: &EvidenceHead, share: &EvidenceShare) -> Result<Self> {
        let job = head.jobs.iter().find(|job| job.job.sequence() == share.job);
        let job = job.with_context(|| format!("share of job {}, which is not in the file", share.job))?;
        let Terms { id, domain, oracle, provider, job_signer, algorithm, weight, rate, .. } = &head.terms;
        let lease = LeaseTerms {
            id: id.0,
            chain_id: domain.chain_id,
            escrow: domain.contract,
            oracle: *oracle,
            provider: *provider,
            job_signer: *job_signer,
            algorithm: *algorithm,
            weight_log2: *weight,
            rate: *rate,
            start: head.terms.start,
            end: head.terms.end,
            duration: head.terms.duration,
            epoch_length: head.terms.epoch_length,
        };
        let share = match &share.share {
            Share::Header(HeaderShare { tail, ntime, nonce, version }) => Chosen::Header {
                tail: Bytes::copy_from_slice(tail),
                ntime: *ntime,
                nonce: *nonce,
                version: *version,
            },
            Share::Ethash(share) => Chosen::Ethash(*share),
        };
        Ok(Self { version: VERSION, lease, epoch: head.epoch, job: job.clone(), share, verdict: None })
    }

    /// The lease's terms.
    pub(crate) fn terms(&self) -> Terms {
        let lease = &self.lease;
        Terms {
            id: LeaseId(lease.id),
            domain: Domain { chain_id: lease.chain_id, contract: lease.escrow },
            oracle: lease.oracle,
            provider: lease.provider,
            job_signer: lease.job_signer,
            algorithm: lease.algorithm,
            weight: lease.weight_log2,
            rate: lease.rate,
            start: lease.start,
            end: lease.end,
            duration: lease.duration,
            epoch_length: lease.epoch_length,
        }
    }

    /// What no lease can be in the terms, in words.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let (terms, epoch) = (self.terms(), self.epoch);
        EvidenceHead { terms, epoch, commitment: Commitment::default(), jobs: Vec::new() }.contradiction()
    }

    /// The settlement target.
    pub(crate) fn target(&self) -> B256 {
        B256::from(self.lease.weight_log2.target().0)
    }

    fn share(&self) -> Result<Share, Reason> {
        match &self.share {
            Chosen::Header { tail, ntime, nonce, version } => {
                let tail_of = |job: &hashlease_primitives::HeaderJob| usize::from(job.tail_length);
                let expected = self.job.job.header().map_or(hashlease_share::MAX_TAIL, tail_of);
                let tail = tail.as_ref().try_into();
                let tail =
                    tail.map_err(|_| Reason::ExtranonceLength { expected, actual: self.tail_length() })?;
                Ok(Share::Header(HeaderShare { tail, ntime: *ntime, nonce: *nonce, version: *version }))
            }
            Chosen::Ethash(share) => Ok(Share::Ethash(*share)),
        }
    }

    fn tail_length(&self) -> usize {
        match &self.share {
            Chosen::Header { tail, .. } => tail.len(),
            Chosen::Ethash(_) => 0,
        }
    }

    /// Checks the job's signature and the share in full.
    pub(crate) fn check(&self, cache: impl Fn(EthashEpoch) -> Arc<LightCache>) -> Verdict {
        let mut verdict =
            Verdict { key: None, header: None, mix: None, hash: None, epoch: None, refused: None };
        verdict.refused = self.try_check(cache, &mut verdict).err();
        verdict
    }

    fn try_check(
        &self,
        cache: impl Fn(EthashEpoch) -> Arc<LightCache>,
        verdict: &mut Verdict,
    ) -> Result<(), Reason> {
        let terms = self.terms();
        let mut job = VerifiedJob::verify(&terms, self.job.clone())?;
        if let Some(epoch) = job.dag_epoch() {
            job = job.with_cache(cache(epoch));
        }
        let opened = job.open(&self.share()?, terms.end)?;
        verdict.key = Some(opened.key());
        verdict.header = opened.header().map(|header| Bytes::copy_from_slice(header));
        verdict.mix = opened.mix().copied();
        verdict.hash = Some(B256::from(opened.hash()));
        verdict.epoch = Some(opened.epoch());
        if opened.epoch() != self.epoch {
            return Err(Reason::OtherEpoch { expected: self.epoch, actual: opened.epoch() });
        }
        opened.settle().map(|_| ())
    }

    /// Name and value of everything that is worth showing.
    pub(crate) fn lines(&self, verdict: &Verdict) -> Vec<(&'static str, String)> {
        let lease = &self.lease;
        let attributed = if self.terms().is_self_attributed() { ", self-attributed" } else { "" };
        let epoch = verdict.epoch.map_or_else(String::new, |epoch| format!(" epoch {epoch}"));
        let mut lines = vec![
            (
                "lease",
                format!("{}{epoch}, {} on chain {}{attributed}", lease.id, lease.algorithm, lease.chain_id),
            ),
            ("escrow", lease.escrow.to_string()),
            ("job signer", lease.job_signer.to_string()),
            ("job", self.job.job.sequence().to_string()),
        ];
        let more = [
            ("header", verdict.header.as_ref().map(|header| header.to_string())),
            ("mix", verdict.mix.map(|mix| mix.to_string())),
            ("key", verdict.key.map(|key| key.to_string())),
            ("hash", verdict.hash.map(|hash| hash.to_string())),
            ("target", Some(self.target().to_string())),
            ("worth", Some(format!("{} hashes", lease.weight_log2.work()))),
        ];
        lines.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
        lines
    }
}
