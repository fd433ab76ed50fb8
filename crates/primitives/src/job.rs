//! Jobs as the job signer hands them out, and the provider's claim for an epoch.

use crate::{Commitment, Domain, EpochId, LeaseId, UnixSeconds, recover_signer, typed};
use alloy_primitives::{Address, B256, Bytes, U256, aliases::U40};
use serde::{Deserialize, Serialize};

/// A job for SHA-256d or scrypt: every part of a header except the miner's choices. It fixes all
/// positions inside the coinbase. Signed as `Job`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderJob {
    /// Lease that the job belongs to.
    pub lease: LeaseId,
    /// Number of the job within its lease, strictly increasing.
    pub sequence: u64,
    /// Previous block, in the byte order of the header.
    pub prev_hash: B256,
    /// Compact target of the block, as an integer.
    pub n_bits: u32,
    /// Base version of the header.
    pub version: u32,
    /// Bits of the version that a miner may choose (BIP 310).
    pub version_mask: u32,
    /// First header time allowed.
    pub not_before: UnixSeconds,
    /// Last header time allowed.
    pub not_after: UnixSeconds,
    /// Witness-stripped coinbase up to the free part of the extranonce.
    pub coinbase_prefix: Bytes,
    /// Length of the free part, bytes.
    pub tail_length: u8,
    /// The rest of the coinbase.
    pub coinbase_suffix: Bytes,
    /// Merkle branch of the leftmost leaf, from the leaf up.
    pub branch: Vec<B256>,
}

/// A job for Ethash or Etchash: a sealed header's hash, and the part of the nonce that is the
/// lease's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EthashJob {
    /// Lease that the job belongs to.
    pub lease: LeaseId,
    /// Number of the job within its lease, strictly increasing.
    pub sequence: u64,
    /// Keccak-256 of the header without nonce and mix.
    pub seal_hash: B256,
    /// Number of the block, which determines the DAG epoch.
    pub block_number: u64,
    /// First bytes of the nonce. The byte after them is the lease's epoch modulo 256; the miner
    /// chooses the rest.
    pub nonce_prefix: Bytes,
    /// First second of the window. The header's own time is hidden in the seal hash, so the window
    /// determines the lease's epoch.
    pub not_before: UnixSeconds,
    /// Last second of the window.
    pub not_after: UnixSeconds,
}

/// The two kinds of jobs and shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// For SHA-256d and scrypt: a header of 80 bytes is hashed.
    Header,
    /// For Ethash and Etchash: a seal hash and a nonce are hashed.
    Ethash,
}

/// A job of the kind that the lease's algorithm needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Fields")]
pub enum Job {
    /// For SHA-256d and scrypt.
    Header(HeaderJob),
    /// For Ethash and Etchash.
    Ethash(EthashJob),
}

/// A time as the chain's `uint40`. Evidence rules refuse later times (`job-window`), so two jobs
/// that count never differ only beyond it.
fn uint40(seconds: UnixSeconds) -> U40 {
    U40::saturating_from(seconds.get())
}

impl HeaderJob {
    /// The struct as it is signed.
    #[must_use]
    pub fn typed(&self) -> typed::Job {
        typed::Job {
            lease: U256::from(self.lease.0),
            sequence: self.sequence,
            prevHash: self.prev_hash,
            nBits: self.n_bits,
            version: self.version,
            versionMask: self.version_mask,
            notBefore: uint40(self.not_before),
            notAfter: uint40(self.not_after),
            coinbasePrefix: self.coinbase_prefix.clone(),
            tailLength: self.tail_length,
            coinbaseSuffix: self.coinbase_suffix.clone(),
            branch: self.branch.clone(),
        }
    }
}

impl EthashJob {
    /// The struct as it is signed.
    #[must_use]
    pub fn typed(&self) -> typed::EthashJob {
        typed::EthashJob {
            lease: U256::from(self.lease.0),
            sequence: self.sequence,
            sealHash: self.seal_hash,
            blockNumber: self.block_number,
            noncePrefix: self.nonce_prefix.clone(),
            notBefore: uint40(self.not_before),
            notAfter: uint40(self.not_after),
        }
    }
}

macro_rules! common {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        $($(#[$doc])*
        #[must_use]
        pub const fn $name(&self) -> $type {
            match self {
                Self::Header(job) => job.$name,
                Self::Ethash(job) => job.$name,
            }
        })*
    };
}

impl Job {
    common! {
        /// Lease that the job belongs to.
        lease: LeaseId,
        /// Number of the job within its lease, strictly increasing.
        sequence: u64,
        /// First second of the window.
        not_before: UnixSeconds,
        /// Last second of the window.
        not_after: UnixSeconds,
    }

    /// The digest that the job signer signs; `domain` names the escrow.
    #[must_use]
    pub fn digest(&self, domain: &Domain) -> B256 {
        match self {
            Self::Header(job) => domain.digest(&job.typed()),
            Self::Ethash(job) => domain.digest(&job.typed()),
        }
    }

    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::Header(_) => JobKind::Header,
            Self::Ethash(_) => JobKind::Ethash,
        }
    }

    /// The job if it is one for SHA-256d or scrypt.
    #[must_use]
    pub const fn header(&self) -> Option<&HeaderJob> {
        match self {
            Self::Header(job) => Some(job),
            Self::Ethash(_) => None,
        }
    }

    /// The job, mutable, if it is one for SHA-256d or scrypt. A change voids its signature.
    #[must_use]
    pub const fn header_mut(&mut self) -> Option<&mut HeaderJob> {
        match self {
            Self::Header(job) => Some(job),
            Self::Ethash(_) => None,
        }
    }

    /// The job if it is one for Ethash or Etchash.
    #[must_use]
    pub const fn ethash(&self) -> Option<&EthashJob> {
        match self {
            Self::Ethash(job) => Some(job),
            Self::Header(_) => None,
        }
    }
}

impl From<HeaderJob> for Job {
    fn from(job: HeaderJob) -> Self {
        Self::Header(job)
    }
}

impl From<EthashJob> for Job {
    fn from(job: EthashJob) -> Self {
        Self::Ethash(job)
    }
}

/// The fields of both kinds, so that an error can name the missing one. Any other field is refused,
/// because no signature covers it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    lease: LeaseId,
    sequence: u64,
    not_before: UnixSeconds,
    not_after: UnixSeconds,
    prev_hash: Option<B256>,
    n_bits: Option<u32>,
    version: Option<u32>,
    version_mask: Option<u32>,
    coinbase_prefix: Option<Bytes>,
    tail_length: Option<u8>,
    coinbase_suffix: Option<Bytes>,
    branch: Option<Vec<B256>>,
    seal_hash: Option<B256>,
    block_number: Option<u64>,
    nonce_prefix: Option<Bytes>,
}

/// Why the fields do not form a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum JobFieldsError {
    #[error("job: missing field `{0}`")]
    Missing(&'static str),
    #[error("job: field `{0}` beside fields of the other kind")]
    OtherKind(&'static str),
}

impl TryFrom<Fields> for Job {
    type Error = JobFieldsError;

    fn try_from(fields: Fields) -> Result<Self, JobFieldsError> {
        fn need<T>(name: &'static str, value: Option<T>) -> Result<T, JobFieldsError> {
            value.ok_or(JobFieldsError::Missing(name))
        }
        fn none<T>(name: &'static str, value: Option<T>) -> Result<(), JobFieldsError> {
            value.map_or(Ok(()), |_| Err(JobFieldsError::OtherKind(name)))
        }
        let Fields { lease, sequence, not_before, not_after, .. } = fields;
        if fields.seal_hash.is_some() {
            none("prevHash", fields.prev_hash)?;
            none("nBits", fields.n_bits)?;
            none("version", fields.version)?;
            none("versionMask", fields.version_mask)?;
            none("coinbasePrefix", fields.coinbase_prefix)?;
            none("tailLength", fields.tail_length)?;
            none("coinbaseSuffix", fields.coinbase_suffix)?;
            none("branch", fields.branch)?;
            return Ok(Self::Ethash(EthashJob {
                lease,
                sequence,
                seal_hash: need("sealHash", fields.seal_hash)?,
                block_number: need("blockNumber", fields.block_number)?,
                nonce_prefix: need("noncePrefix", fields.nonce_prefix)?,
                not_before,
                not_after,
            }));
        }
        none("blockNumber", fields.block_number)?;
        none("noncePrefix", fields.nonce_prefix)?;
        Ok(Self::Header(HeaderJob {
            lease,
            sequence,
            prev_hash: need("prevHash", fields.prev_hash)?,
            n_bits: need("nBits", fields.n_bits)?,
            version: need("version", fields.version)?,
            version_mask: need("versionMask", fields.version_mask)?,
            not_before,
            not_after,
            coinbase_prefix: need("coinbasePrefix", fields.coinbase_prefix)?,
            tail_length: need("tailLength", fields.tail_length)?,
            coinbase_suffix: need("coinbaseSuffix", fields.coinbase_suffix)?,
            branch: need("branch", fields.branch)?,
        }))
    }
}

/// A job with the signature of its job signer, which is not verified yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedJob {
    /// What was signed.
    pub job: Job,
    /// 65 bytes `r ‖ s ‖ v`.
    #[serde(with = "signature_hex")]
    pub signature: [u8; 65],
}

/// The provider's claim for a closed epoch: root and count of its trie, and where its evidence is
/// served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EpochRoot {
    /// The epoch.
    #[serde(flatten)]
    pub id: EpochId,
    /// Root and count of its trie.
    #[serde(flatten)]
    pub commitment: Commitment,
    /// URL of the evidence file.
    pub evidence: String,
}

impl EpochRoot {
    /// The digest that the provider signs; `domain` names the oracle.
    #[must_use]
    pub fn digest(&self, domain: &Domain) -> B256 {
        domain.digest(&typed::EpochRoot {
            lease: U256::from(self.id.lease.0),
            epoch: self.id.epoch,
            root: self.commitment.root,
            count: self.commitment.count,
            evidence: self.evidence.clone(),
        })
    }
}

/// An [`EpochRoot`] with the provider's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedEpochRoot {
    /// What was signed.
    pub root: EpochRoot,
    /// 65 bytes `r ‖ s ‖ v`.
    #[serde(with = "signature_hex")]
    pub signature: [u8; 65],
}

impl SignedEpochRoot {
    /// Who signed it, in the oracle's `domain`.
    #[must_use]
    pub fn signer(&self, domain: &Domain) -> Option<Address> {
        recover_signer(&self.root.digest(domain), &self.signature)
    }
}

/// Signatures in JSON, for `serde(with)`: 65 bytes as `0x` hex.
pub mod signature_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes `0x` and 130 digits.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(signature: &[u8; 65], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("0x{}", hex::encode(signature)))
    }

    /// Reads 130 digits, with or without `0x`.
    ///
    /// # Errors
    /// Any other text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 65], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(text.strip_prefix("0x").unwrap_or(&text)).map_err(D::Error::custom)?;
        let length = bytes.len();
        bytes.try_into().map_err(|_| D::Error::custom(format!("signature: expected 65 bytes, got {length}")))
    }
}
