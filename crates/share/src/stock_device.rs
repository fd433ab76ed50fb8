//! What a stock mining device can use: only such jobs are due.
//!
//! A node may mine other jobs and is paid for them, but it owes nothing for them.

use crate::VerifiedJob;
use alloy_primitives::U256;
use hashlease_primitives::{Algorithm, EthashJob, HeaderJob, Job, Terms};

/// Longest coinbase that common firmware holds, bytes.
pub const MAX_STOCK_COINBASE: usize = 700;
/// Shortest free part of the extranonce that leaves a farm room, bytes: two tell its miners apart,
/// the rest is theirs.
pub const MIN_STOCK_TAIL: u8 = 4;
/// Version bits that firmware rolls (BIP 320).
pub const STOCK_VERSION_BITS: u32 = 0x1fff_e000;
/// Fewest version bits with which SHA-256d devices keep busy.
pub const MIN_STOCK_VERSION_BITS: u32 = 4;
/// Longest window of an Ethash job, seconds: nothing in it changes but the nonce.
pub const MAX_STOCK_ETHASH_WINDOW: u64 = 45;
/// Bytes of the free part that tell miners apart.
const SESSION_BYTES: u32 = 2;
/// Hash rate of the largest device for SHA-256d, hashes per second, as a power of two.
const LARGEST_SHA256D_LOG2: u32 = 50;
/// The same for scrypt.
const LARGEST_SCRYPT_LOG2: u32 = 36;
/// An Ethash job's nonces last this many times as long as its window.
const ETHASH_RESERVE: u64 = 4;

/// Why a stock device can't use a job, so that nothing is due for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
pub enum NotUsable {
    /// The coinbase is longer than firmware holds.
    #[error("coinbase of {length} bytes: stock devices hold at most {MAX_STOCK_COINBASE}")]
    Coinbase { length: usize },
    /// The free part of the extranonce is too short.
    #[error("free extranonce of {length} bytes: a farm needs at least {MIN_STOCK_TAIL}")]
    Tail { length: u8 },
    /// Too few version bits may be rolled.
    #[error(
        "version mask {mask:08x} leaves {bits} bits of {STOCK_VERSION_BITS:08x}: stock devices need at least {MIN_STOCK_VERSION_BITS}"
    )]
    VersionBits { mask: u32, bits: u32 },
    /// The job's own version sets bits that may be rolled: firmware that replaces, sets or flips
    /// them would hash different headers.
    #[error("version {version:08x} sets bits of its own mask {mask:08x}")]
    VersionInMask { version: u32, mask: u32 },
    /// The search space is used up before the window ends.
    #[error("search space of a device is used up in {lasts} s at {rate} H/s: the window has {window} s")]
    Space { lasts: U256, rate: u128, window: u64 },
    /// The Ethash job's window is too long.
    #[error("window of {window} s: expected at most {MAX_STOCK_ETHASH_WINDOW} s for Ethash")]
    Window { window: u64 },
}

impl NotUsable {
    /// The stable kebab-case name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Coinbase { .. } => "coinbase-above-stock",
            Self::Tail { .. } => "tail-below-stock",
            Self::VersionBits { .. } => "version-bits-below-stock",
            Self::VersionInMask { .. } => "version-sets-mask",
            Self::Space { .. } => "search-space",
            Self::Window { .. } => "window-above-stock",
        }
    }
}

impl VerifiedJob {
    /// Checks whether a stock device can use the job, so that its window is due.
    ///
    /// # Errors
    /// [`NotUsable`]: the first rule that fails.
    pub fn check_usable(&self) -> Result<(), NotUsable> {
        match self.job() {
            Job::Header(job) => header_usable(self.terms(), job),
            Job::Ethash(job) => ethash_usable(self.terms(), job),
        }
    }
}

fn header_usable(terms: &Terms, job: &HeaderJob) -> Result<(), NotUsable> {
    let tail = job.tail_length;
    let signed = job.coinbase_prefix.len().saturating_add(job.coinbase_suffix.len());
    let length = signed.saturating_add(usize::from(tail));
    if length > MAX_STOCK_COINBASE {
        return Err(NotUsable::Coinbase { length });
    }
    if tail < MIN_STOCK_TAIL {
        return Err(NotUsable::Tail { length: tail });
    }
    let (mask, version) = (job.version_mask, job.version);
    let bits = (mask & STOCK_VERSION_BITS).count_ones();
    if terms.algorithm == Algorithm::Sha256d && bits < MIN_STOCK_VERSION_BITS {
        return Err(NotUsable::VersionBits { mask, bits });
    }
    if version & mask != 0 {
        return Err(NotUsable::VersionInMask { version, mask });
    }
    let largest = match terms.algorithm {
        Algorithm::Sha256d => LARGEST_SHA256D_LOG2,
        _ => LARGEST_SCRYPT_LOG2,
    };
    // nonce, version bits, and what the free part leaves to a miner
    let free = u32::from(tail).saturating_sub(SESSION_BYTES).saturating_mul(8);
    let log2 = free.saturating_add(32).saturating_add(bits);
    let rate = terms.rate.per_second().min(1 << largest);
    space(log2, rate, job.not_after.since(job.not_before), 1)
}

fn ethash_usable(terms: &Terms, job: &EthashJob) -> Result<(), NotUsable> {
    let window = job.not_after.since(job.not_before);
    if window > MAX_STOCK_ETHASH_WINDOW {
        return Err(NotUsable::Window { window });
    }
    // seven bytes: the eighth is the epoch's
    let prefix = u32::try_from(job.nonce_prefix.len()).unwrap_or(u32::MAX);
    let log2 = 7_u32.saturating_sub(prefix).saturating_mul(8);
    space(log2, terms.rate.per_second(), window, ETHASH_RESERVE)
}

/// Whether `2^log2` hashes last for `reserve` windows.
fn space(log2: u32, rate: u128, window: u64, reserve: u64) -> Result<(), NotUsable> {
    // a tail of 32 bytes makes 2^288 and more: as good as endless
    let hashes = U256::ONE.checked_shl(usize::try_from(log2).unwrap_or(usize::MAX)).unwrap_or(U256::MAX);
    let needed = U256::from(rate).saturating_mul(U256::from(window.saturating_mul(reserve)));
    if hashes < needed {
        let lasts = hashes.checked_div(U256::from(rate)).unwrap_or(U256::MAX);
        return Err(NotUsable::Space { lasts, rate, window });
    }
    Ok(())
}
