//! Jobs as the job signer hands them out, and the provider's commitment to an epoch.

use crate::{Domain, LeaseId, recover_signer, typed};
use alloy_primitives::{Address, B256, Bytes, U256, aliases::U40};
use serde::{Deserialize, Serialize};

/// A job for SHA-256d or scrypt: everything a header is made of but what the miner chooses. All positions inside
/// the coinbase are fixed by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Lease that the job belongs to.
    pub lease: LeaseId,
    /// Counts a lease's jobs, strictly increasing.
    pub sequence: u64,
    /// Previous block, in the byte order of the header.
    pub prev_hash: B256,
    /// Compact target of the block, as an integer.
    pub n_bits: u32,
    /// Base version of the header.
    pub version: u32,
    /// Bits of the version that a miner may choose (BIP 310).
    pub version_mask: u32,
    /// First header time allowed, Unix seconds.
    pub not_before: u64,
    /// Last header time allowed, Unix seconds.
    pub not_after: u64,
    /// Witness-stripped coinbase up to the free part of the extranonce.
    pub coinbase_prefix: Bytes,
    /// Length of the free part, bytes.
    pub tail_length: u8,
    /// The rest of the coinbase.
    pub coinbase_suffix: Bytes,
    /// Merkle branch of the leftmost leaf, from the leaf up.
    pub branch: Vec<B256>,
}

fn uint40(seconds: u64) -> U40 {
    U40::saturating_from(seconds)
}

impl Job {
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

    /// The digest that the job signer signs; `domain` names the escrow.
    #[must_use]
    pub fn digest(&self, domain: &Domain) -> B256 {
        domain.digest(&self.typed())
    }
}

/// A job with the signature of its job signer. It says nothing of the signature's validity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedJob {
    /// What was signed.
    pub job: Job,
    /// 65 bytes `r ‖ s ‖ v`.
    #[serde(with = "signature_hex")]
    pub signature: [u8; 65],
}

/// The provider's word on an epoch that it closed: root and count of the trie, and where the evidence is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EpochRoot {
    /// Lease.
    pub lease: LeaseId,
    /// Epoch, from 0.
    pub epoch: u32,
    /// Root of the Merkle-count trie.
    pub root: B256,
    /// Number of shares in it.
    pub count: u64,
    /// URL of the evidence file.
    pub evidence: String,
}

impl EpochRoot {
    /// The digest that the provider signs; `domain` names the oracle.
    #[must_use]
    pub fn digest(&self, domain: &Domain) -> B256 {
        domain.digest(&typed::EpochRoot {
            lease: U256::from(self.lease.0),
            epoch: self.epoch,
            root: self.root,
            count: self.count,
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

/// 65 bytes as `0x` hex.
pub(crate) mod signature_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(signature: &[u8; 65], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("0x{}", hex::encode(signature)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 65], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(text.strip_prefix("0x").unwrap_or(&text)).map_err(D::Error::custom)?;
        let length = bytes.len();
        bytes.try_into().map_err(|_| D::Error::custom(format!("signature: expected 65 bytes, got {length}")))
    }
}
