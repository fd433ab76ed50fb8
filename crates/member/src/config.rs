//! Settings of a member.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Settings of a member.
#[derive(Clone, Debug)]
pub struct MemberConfig {
    /// Where its API listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Directory of jobs, roots and keys.
    pub data_dir: PathBuf,
    /// Longest evidence file that the member fetches, bytes.
    pub max_evidence: u64,
    /// Verified evidence that it keeps for other members, bytes in all.
    pub kept_evidence: u64,
    /// Evidence files that are checked at the same time, each on every core.
    pub checks: usize,
    /// Limits on downloads from providers' servers.
    pub fetch: FetchLimits,
    /// Whether evidence may be fetched from private addresses of public chains' leases, too. On a
    /// local chain it always may.
    pub private_evidence: bool,
}

/// Limits on downloads from providers' servers.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// Evidence files that are fetched or on disk at the same time.
    pub at_once: usize,
    /// Longest time without a byte.
    pub idle: Duration,
    /// Smallest average rate once `idle` has passed, bytes per second.
    pub least_rate: u64,
    /// Longest time of a whole download.
    pub whole: Duration,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            at_once: 8,
            idle: Duration::from_secs(20),
            least_rate: 64 << 10,
            whole: Duration::from_secs(20 * 60),
        }
    }
}
