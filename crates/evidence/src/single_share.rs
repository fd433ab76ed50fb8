//! One share with everything needed to check it, as JSON.

use crate::{
    content::{Contradiction, EvidenceHead, EvidenceShare},
    recheck::CacheSource,
};
use alloy_primitives::Address;
use hashlease_primitives::{
    Algorithm, Commitment, Domain, HashRate, LeaseId, SettlementWeight, SignedJob, Terms, UnixSeconds,
};
use hashlease_share::{EvidenceReason, OpenedShare, Share, VerifiedJob};
use serde::{Deserialize, Serialize, de::IgnoredAny};

/// Version of the fields.
const VERSION: u32 = 1;

/// A share as a file of its own: the terms of its lease, its job, and the miner's choices.
/// `docs/evidence.md` names the fields of its JSON. Unknown fields are errors; `verdict` is
/// ignored.
///
/// Only the other shares of the epoch can show that one is a duplicate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Fields", try_from = "Fields")]
pub struct SingleShare {
    /// Terms of the lease.
    pub terms: Terms,
    /// The epoch that it is evidence for.
    pub epoch: u32,
    /// Its job.
    pub job: SignedJob,
    /// The miner's choices.
    pub share: Share,
}

impl SingleShare {
    /// A share of an evidence file; `None` when its job is not in the file.
    #[must_use]
    pub fn of(head: &EvidenceHead, share: &EvidenceShare) -> Option<Self> {
        let at = head.jobs.binary_search_by_key(&share.job, |signed| signed.job.sequence()).ok()?;
        Some(Self {
            terms: head.terms.clone(),
            epoch: head.epoch,
            job: head.jobs.get(at)?.clone(),
            share: share.share.clone(),
        })
    }

    /// [`EvidenceHead::contradiction`].
    #[must_use]
    pub fn contradiction(&self) -> Option<Contradiction> {
        let head = EvidenceHead {
            terms: self.terms.clone(),
            epoch: self.epoch,
            commitment: Commitment::default(),
            jobs: Vec::new(),
        };
        head.contradiction()
    }

    /// Checks the job's signature and the share in full. The opened share is returned whenever the
    /// share was hashed, even if its hash is above the target or it belongs to another epoch.
    ///
    /// # Errors
    /// The second value is the rule that is broken.
    pub fn check(&self, caches: CacheSource<'_>) -> (Option<OpenedShare>, Result<(), EvidenceReason>) {
        let opened = VerifiedJob::verify(&self.terms, self.job.clone()).and_then(|job| {
            let job = match job.dag_epoch() {
                Some(dag) => job.with_cache(caches(dag)),
                None => job,
            };
            job.open(&self.share, self.terms.end)
        });
        match opened {
            Err(reason) => (None, Err(reason)),
            Ok(opened) if opened.epoch() != self.epoch => {
                let reason = EvidenceReason::OtherEpoch { expected: self.epoch, actual: opened.epoch() };
                (Some(opened), Err(reason))
            }
            Ok(opened) => (Some(opened.clone()), opened.settle().map(|_| ())),
        }
    }
}

/// The fields of the JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    version: u32,
    lease: LeaseFields,
    epoch: u32,
    job: SignedJob,
    share: Share,
    /// The verdict when the file was written.
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "so that the output of a check can be checked again")]
    verdict: Option<IgnoredAny>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LeaseFields {
    id: u64,
    chain_id: u64,
    escrow: Address,
    oracle: Address,
    provider: Address,
    job_signer: Address,
    algorithm: Algorithm,
    weight_log2: SettlementWeight,
    #[serde(with = "digits")]
    rate: HashRate,
    start: u64,
    end: u64,
    duration: u32,
    epoch_length: u32,
}

/// Hashes per second as decimal digits, because 96 bits do not survive JSON numbers.
mod digits {
    use hashlease_primitives::HashRate;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(rate: &HashRate, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&rate.per_second())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<HashRate, D::Error> {
        let text = String::deserialize(from)?;
        let rate = text.parse().ok().filter(|rate| *rate < 1 << 96).map(HashRate::capped);
        rate.ok_or_else(|| {
            D::Error::custom(format!("rate: expected digits of at most 96 bits, got {text:?}"))
        })
    }
}

impl From<SingleShare> for Fields {
    fn from(SingleShare { terms, epoch, job, share }: SingleShare) -> Self {
        let lease = LeaseFields {
            id: terms.id.0,
            chain_id: terms.domain.chain_id,
            escrow: terms.domain.contract,
            oracle: terms.oracle,
            provider: terms.provider,
            job_signer: terms.job_signer,
            algorithm: terms.algorithm,
            weight_log2: terms.weight,
            rate: terms.rate,
            start: terms.start.get(),
            end: terms.end.get(),
            duration: terms.duration,
            epoch_length: terms.epoch_length,
        };
        Self { version: VERSION, lease, epoch, job, share, verdict: None }
    }
}

/// Why the fields do not form a single share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SingleShareError {
    /// The fields have another version.
    #[error("version: expected {VERSION}, got {0}")]
    Version(u32),
}

impl TryFrom<Fields> for SingleShare {
    type Error = SingleShareError;

    fn try_from(fields: Fields) -> Result<Self, SingleShareError> {
        let Fields { version, lease, epoch, job, share, .. } = fields;
        if version != VERSION {
            return Err(SingleShareError::Version(version));
        }
        let terms = Terms {
            id: LeaseId(lease.id),
            domain: Domain { chain_id: lease.chain_id, contract: lease.escrow },
            oracle: lease.oracle,
            provider: lease.provider,
            job_signer: lease.job_signer,
            algorithm: lease.algorithm,
            weight: lease.weight_log2,
            rate: lease.rate,
            start: UnixSeconds::new(lease.start),
            end: UnixSeconds::new(lease.end),
            duration: lease.duration,
            epoch_length: lease.epoch_length,
        };
        Ok(Self { terms, epoch, job, share })
    }
}
