//! A header job as it is announced to miners.

use alloy_primitives::B256;

/// A job as a pool announces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Opaque id.
    pub job_id: String,
    /// Previous block, in the byte order of the header.
    pub prev_hash: B256,
    /// Coinbase before extranonce1.
    pub coinb1: Vec<u8>,
    /// Coinbase after extranonce2.
    pub coinb2: Vec<u8>,
    /// Merkle branch, from the leaf up.
    pub branch: Vec<B256>,
    /// Header version.
    pub version: u32,
    /// Compact target of the block.
    pub n_bits: u32,
    /// Header time, Unix seconds.
    pub ntime: u32,
    /// Shares of earlier jobs are worth nothing any more.
    pub clean_jobs: bool,
}
