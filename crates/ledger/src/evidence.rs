//! The evidence file of an epoch: everything that a stranger needs to count it again.
//!
//! # Format, version 1
//! Integers are little-endian, hashes and addresses are raw bytes.
//!
//! ```text
//! magic "HLEVIDNC" · u16 version (1)
//! terms   u64 lease · u64 chain id · 20 escrow · 20 oracle · 20 provider · 20 job signer · u8 algorithm ·
//!         u8 log2 of the settlement weight · u128 rate (hashes per second) · u64 start · u64 end (Unix seconds) ·
//!         u32 duration · u32 epoch length (seconds)
//! claim   u32 epoch · 32 root · u64 count
//! jobs    u32 number of jobs, ascending by sequence, each:
//!         u64 sequence · 32 previous hash (byte order of the header) · u32 nbits · u32 version · u32 version mask ·
//!         u64 not before · u64 not after · u16 length + coinbase prefix · u8 tail length ·
//!         u16 length + coinbase suffix · u8 number + 32 each of the branch · 65 signature (r ‖ s ‖ v)
//! shares  u64 number of shares, ascending by key, each:
//!         u64 sequence of the job · u8 length + extranonce tail · u32 ntime · u32 nonce · u32 version
//! sha256 of everything before
//! ```
//! A share's key is not in the file: it is `sha256d` of the header that the share gives.

mod codec;
mod recheck;

pub use codec::EvidenceError;
pub use recheck::{JobVerdict, Report, ShareVerdict};

use hashlease_primitives::{SignedJob, Terms};
use hashlease_share::Share;
use hashlease_trie::Commitment;

/// A share in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceShare {
    /// Sequence of its job.
    pub job: u64,
    /// What the miner chose.
    pub share: Share,
}

/// A file's content. That it can be read says nothing of its truth: see [`Evidence::recheck`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Terms of the lease as the file has them.
    pub terms: Terms,
    /// Epoch.
    pub epoch: u32,
    /// What is claimed.
    pub commitment: Commitment,
    /// Jobs, ascending by sequence.
    pub jobs: Vec<SignedJob>,
    /// Shares, ascending by key.
    pub shares: Vec<EvidenceShare>,
}

impl Evidence {
    /// The first of the file's terms that is not the chain's, in words. `end` may differ, since a cancellation
    /// brings it closer: what lies outside is refused share by share.
    #[must_use]
    pub fn differs_from(&self, chain: &Terms) -> Option<String> {
        let pairs = [
            ("lease", self.terms.id.to_string(), chain.id.to_string()),
            ("chain id", self.terms.domain.chain_id.to_string(), chain.domain.chain_id.to_string()),
            ("escrow", self.terms.domain.contract.to_string(), chain.domain.contract.to_string()),
            ("oracle", self.terms.oracle.to_string(), chain.oracle.to_string()),
            ("provider", self.terms.provider.to_string(), chain.provider.to_string()),
            ("job signer", self.terms.job_signer.to_string(), chain.job_signer.to_string()),
            ("algorithm", self.terms.algorithm.to_string(), chain.algorithm.to_string()),
            ("weight", self.terms.weight.log2().to_string(), chain.weight.log2().to_string()),
            ("rate", self.terms.rate.to_string(), chain.rate.to_string()),
            ("start", self.terms.start.to_string(), chain.start.to_string()),
            ("duration", self.terms.duration.to_string(), chain.duration.to_string()),
            ("epoch length", self.terms.epoch_length.to_string(), chain.epoch_length.to_string()),
        ];
        pairs
            .into_iter()
            .find(|(_, file, chain)| file != chain)
            .map(|(field, file, chain)| format!("{field}: expected {chain}, got {file}"))
    }
}
