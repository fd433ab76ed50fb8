//! Shares: as a miner submits them, opened, and verified.

use crate::{EvidenceReason, MAX_TAIL};
use alloy_primitives::{B256, Bytes, U256, hex};
use arrayvec::ArrayVec;
use hashlease_primitives::{HeaderJob, JobKind, LeaseId, SettlementWeight, Target, Terms, Work};
use serde::{Deserialize, Serialize, Serializer};

/// The fields of a `mining.submit` for SHA-256d or scrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubmittedHeader<'a> {
    /// The whole tail: extranonce1 and extranonce2, and any filler and padding around them.
    pub tail: &'a [u8],
    /// Header time, Unix seconds.
    pub ntime: u32,
    /// Header nonce.
    pub nonce: u32,
    /// Bits of the header version (BIP 310), if the miner sent any.
    pub version_bits: Option<u32>,
}

/// A miner's choices within a job for SHA-256d or scrypt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct HeaderShare {
    /// The free part of the extranonce; hexadecimal in JSON.
    #[serde(serialize_with = "as_hex")]
    pub tail: ArrayVec<u8, MAX_TAIL>,
    /// Header time, Unix seconds.
    pub ntime: u32,
    /// Header nonce.
    pub nonce: u32,
    /// Header version, all 32 bits.
    pub version: u32,
}

fn as_hex<S: Serializer>(tail: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex::encode_prefixed(tail))
}

impl HeaderShare {
    /// The share of a `mining.submit`. By BIP 310 the submitted bits replace the job's version bits
    /// where `mask` has ones; `mask` is the one announced to this miner. Without submitted bits the
    /// version is the job's.
    ///
    /// # Errors
    /// [`EvidenceReason::ExtranonceLength`] for a tail of another length than the job's,
    /// [`EvidenceReason::VersionOutsideMask`] for bits outside the mask.
    pub fn submitted(
        job: &HeaderJob,
        mask: u32,
        SubmittedHeader { tail, ntime, nonce, version_bits: bits }: SubmittedHeader<'_>,
    ) -> Result<Self, EvidenceReason> {
        let expected = usize::from(job.tail_length);
        let wrong = EvidenceReason::ExtranonceLength { expected, actual: tail.len() };
        let tail = ArrayVec::try_from(tail).ok().filter(|_| tail.len() == expected).ok_or(wrong)?;
        let bits = bits.unwrap_or(job.version & mask);
        if bits & !mask != 0 {
            return Err(EvidenceReason::VersionOutsideMask {
                version: job.version ^ (bits & !mask),
                job: job.version,
                mask,
            });
        }
        Ok(Self { tail, ntime, nonce, version: (job.version & !mask) | bits })
    }
}

/// A miner's choices within a job for Ethash or Etchash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct EthashShare {
    /// The whole nonce, as the integer that clients show: its first byte is the most significant
    /// one.
    pub nonce: u64,
}

/// A miner's choices within a job of either kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged, try_from = "ShareFields")]
pub enum Share {
    /// For SHA-256d and scrypt.
    Header(HeaderShare),
    /// For Ethash and Etchash.
    Ethash(EthashShare),
}

/// The fields of either kind in JSON: a share for Ethash and Etchash has a nonce alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShareFields {
    nonce: u64,
    tail: Option<Bytes>,
    ntime: Option<u32>,
    version: Option<u32>,
}

/// Why fields do not form a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareFieldsError {
    /// The extranonce tail has too many bytes.
    #[error("tail: expected at most {MAX_TAIL} bytes, got {0}")]
    Tail(usize),
    /// The header's nonce has more than 32 bits.
    #[error("nonce: expected at most 32 bits, got {0}")]
    Nonce(u64),
    /// Some fields of a header are there, and others are not.
    #[error("share: expected a nonce alone, or tail, ntime, nonce and version")]
    Part,
}

impl TryFrom<ShareFields> for Share {
    type Error = ShareFieldsError;

    fn try_from(ShareFields { nonce, tail, ntime, version }: ShareFields) -> Result<Self, ShareFieldsError> {
        match (tail, ntime, version) {
            (None, None, None) => Ok(Self::Ethash(EthashShare { nonce })),
            (Some(tail), Some(ntime), Some(version)) => {
                let nonce = u32::try_from(nonce).map_err(|_| ShareFieldsError::Nonce(nonce))?;
                let tail = tail.as_ref().try_into().map_err(|_| ShareFieldsError::Tail(tail.len()))?;
                Ok(Self::Header(HeaderShare { tail, ntime, nonce, version }))
            }
            _ => Err(ShareFieldsError::Part),
        }
    }
}

impl From<HeaderShare> for Share {
    fn from(share: HeaderShare) -> Self {
        Self::Header(share)
    }
}

impl From<EthashShare> for Share {
    fn from(share: EthashShare) -> Self {
        Self::Ethash(share)
    }
}

impl Share {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::Header(_) => JobKind::Header,
            Self::Ethash(_) => JobKind::Ethash,
        }
    }

    /// The share, mutable, if it is one for SHA-256d or scrypt.
    #[must_use]
    pub const fn header_mut(&mut self) -> Option<&mut HeaderShare> {
        match self {
            Self::Header(share) => Some(share),
            Self::Ethash(_) => None,
        }
    }

    /// The share if it is one for SHA-256d or scrypt.
    #[must_use]
    pub const fn header(&self) -> Option<&HeaderShare> {
        match self {
            Self::Header(share) => Some(share),
            Self::Ethash(_) => None,
        }
    }
}

/// A share that satisfies every evidence rule except the target and the order, with its hash.
#[derive(Clone, Debug)]
pub struct OpenedShare {
    pub(crate) share: Share,
    pub(crate) lease: LeaseId,
    pub(crate) weight: SettlementWeight,
    pub(crate) job: u64,
    pub(crate) epoch: u32,
    pub(crate) key: B256,
    pub(crate) hash: U256,
    pub(crate) proof: Proof,
}

/// The hashed bytes, or Ethash's intermediate result.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    Header([u8; 80]),
    Mix(B256),
}

/// The job of a share, by its sequence, and the epoch in which the share counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JobEpoch {
    pub(crate) job: u64,
    pub(crate) epoch: u32,
}

impl OpenedShare {
    #[inline]
    pub(crate) fn new(
        terms: &Terms,
        share: Share,
        place: JobEpoch,
        key: B256,
        hash: U256,
        proof: Proof,
    ) -> Self {
        let JobEpoch { job, epoch } = place;
        Self { share, lease: terms.id, weight: terms.weight, job, epoch, key, hash, proof }
    }

    /// The proof-of-work hash as the integer that targets are compared with.
    #[must_use]
    pub const fn hash(&self) -> U256 {
        self.hash
    }

    /// The share's identity, raw digest bytes: `sha256d` of the hashed header, even if its proof of
    /// work is scrypt; for Ethash `keccak256(sealHash ‖ nonce)`.
    #[must_use]
    pub const fn key(&self) -> B256 {
        self.key
    }

    /// The 80-byte header, of SHA-256d and scrypt.
    #[must_use]
    pub const fn header(&self) -> Option<&[u8; 80]> {
        match &self.proof {
            Proof::Header(header) => Some(header),
            Proof::Mix(_) => None,
        }
    }

    /// The mix hash, of Ethash and Etchash.
    #[must_use]
    pub const fn mix(&self) -> Option<&B256> {
        match &self.proof {
            Proof::Mix(mix) => Some(mix),
            Proof::Header(_) => None,
        }
    }

    /// Epoch of the header's time; of Ethash, of the job's window.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether the hash meets a target, for instance the pool's.
    #[inline]
    #[must_use]
    pub fn meets(&self, target: Target) -> bool {
        target.is_met_by(self.hash)
    }

    /// The last evidence rule except duplicates: the hash meets the lease's settlement target.
    ///
    /// # Errors
    /// [`EvidenceReason::AboveTarget`].
    #[inline]
    pub fn settle(self) -> Result<VerifiedShare, EvidenceReason> {
        if !self.weight.target().is_met_by(self.hash) {
            return Err(EvidenceReason::AboveTarget);
        }
        Ok(VerifiedShare(self))
    }
}

/// A share whose job, shape and proof of work were verified. It is worth exactly the lease's
/// settlement weight.
#[derive(Clone, Debug)]
pub struct VerifiedShare(OpenedShare);

impl VerifiedShare {
    /// The miner's choices.
    #[must_use]
    pub const fn share(&self) -> &Share {
        &self.0.share
    }

    /// The lease.
    #[must_use]
    pub const fn lease(&self) -> LeaseId {
        self.0.lease
    }

    /// Sequence of the job.
    #[must_use]
    pub const fn job(&self) -> u64 {
        self.0.job
    }

    /// Epoch that it counts in.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.0.epoch
    }

    /// The share's identity, raw digest bytes.
    #[must_use]
    pub const fn key(&self) -> B256 {
        self.0.key
    }

    /// The proof-of-work hash as an integer.
    #[must_use]
    pub const fn hash(&self) -> U256 {
        self.0.hash
    }

    /// Expected hashes that it is worth.
    #[must_use]
    pub fn work(&self) -> Work {
        self.0.weight.work()
    }
}
