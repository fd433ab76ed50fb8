//! Proof-of-work families.

use crate::JobKind;
use serde::{Deserialize, Serialize};

/// A proof-of-work family. The numbers are part of signed offers: never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Algorithm {
    /// SHA-256d over an 80-byte header (Bitcoin and its family).
    Sha256d = 1,
    /// scrypt(1024,1,1) over an 80-byte header (Litecoin, Dogecoin).
    Scrypt = 2,
    /// Ethash, epochs of 30,000 blocks.
    Ethash = 3,
    /// Etchash, epochs of 60,000 blocks from block 11,700,000 on (ECIP-1099).
    Etchash = 4,
}

impl Algorithm {
    /// The kind of its jobs and shares.
    #[must_use]
    pub const fn job_kind(self) -> JobKind {
        match self {
            Self::Sha256d | Self::Scrypt => JobKind::Header,
            Self::Ethash | Self::Etchash => JobKind::Ethash,
        }
    }
}

/// The number of no algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown algorithm {0}: expected 1 (sha256d), 2 (scrypt), 3 (ethash) or 4 (etchash)")]
pub struct UnknownAlgorithm(pub u8);

impl TryFrom<u8> for Algorithm {
    type Error = UnknownAlgorithm;

    fn try_from(value: u8) -> Result<Self, UnknownAlgorithm> {
        match value {
            1 => Ok(Self::Sha256d),
            2 => Ok(Self::Scrypt),
            3 => Ok(Self::Ethash),
            4 => Ok(Self::Etchash),
            other => Err(UnknownAlgorithm(other)),
        }
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sha256d => "sha256d",
            Self::Scrypt => "scrypt",
            Self::Ethash => "ethash",
            Self::Etchash => "etchash",
        })
    }
}
