//! Refused shares in the log: counted, and told once in a while for each address that they come
//! from. A line for each would let a stranger fill the disk.

use crate::lock::lock;
use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tracing::info;

/// Shortest time between two lines about one address.
const INTERVAL: Duration = Duration::from_secs(10);
/// Addresses that are counted apart.
const MAX_PEERS: usize = 1_024;
/// All other addresses, together.
const OTHERS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

#[derive(Debug)]
struct Untold {
    told: Option<Instant>,
    codes: BTreeMap<&'static str, u64>,
}

/// Counts of refusals that were not told yet, shared by all sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct RefusalLog(Arc<Mutex<HashMap<IpAddr, Untold>>>);

impl RefusalLog {
    /// Counts a refusal, and writes a line if it is time for one.
    pub(crate) fn note(&self, peer: SocketAddr, worker: &str, code: &'static str, reason: &str) {
        if let Some(codes) = self.count(peer.ip(), code, Instant::now()) {
            let since_last = in_words(&codes);
            info!(%peer, worker = ?shortened(worker), code, reason = ?shortened(reason), since_last, "shares refused");
        }
    }

    /// Counts a refusal. Returns what came since the last line, if it is time for one.
    fn count(
        &self,
        address: IpAddr,
        code: &'static str,
        now: Instant,
    ) -> Option<BTreeMap<&'static str, u64>> {
        let mut peers = lock(&self.0);
        if peers.len() >= MAX_PEERS && !peers.contains_key(&address) {
            peers.retain(|_, peer| peer.is_recent(now));
        }
        let address = if peers.len() < MAX_PEERS || peers.contains_key(&address) { address } else { OTHERS };
        let peer = peers.entry(address).or_insert(Untold { told: None, codes: BTreeMap::new() });
        let count = peer.codes.entry(code).or_default();
        *count = count.saturating_add(1);
        if peer.is_recent(now) {
            return None;
        }
        peer.told = Some(now);
        Some(std::mem::take(&mut peer.codes))
    }
}

impl Untold {
    fn is_recent(&self, now: Instant) -> bool {
        self.told.is_some_and(|told| now.saturating_duration_since(told) < INTERVAL)
    }
}

/// Counts by reason, in words.
pub(crate) fn in_words(codes: &BTreeMap<&'static str, u64>) -> String {
    let counts: Vec<_> = codes.iter().map(|(code, count)| format!("{count} {code}")).collect();
    counts.join(", ")
}

/// A stranger's text, short enough for a line.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    fn address(last: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + last).into()
    }

    #[test]
    fn a_flood_is_one_line_each_interval() {
        let (log, now) = (RefusalLog::default(), Instant::now());
        assert_eq!(in_words(&log.count(address(1), "above-target", now).unwrap()), "1 above-target");
        for _ in 0..8_000 {
            assert_eq!(log.count(address(1), "above-target", now + INTERVAL / 2), None);
        }
        log.count(address(1), "duplicate", now + INTERVAL / 2);
        let told = log.count(address(1), "duplicate", now + INTERVAL).unwrap();
        assert_eq!(in_words(&told), "8000 above-target, 2 duplicate");
        assert!(log.count(address(2), "duplicate", now).is_some(), "another address has its own");
    }

    #[test]
    fn many_addresses_take_bounded_memory_and_lines() {
        let (log, now) = (RefusalLog::default(), Instant::now());
        let lines = (0..10_000).filter_map(|last| log.count(address(last), "duplicate", now)).count();
        assert_eq!(lines, MAX_PEERS + 1, "the others are told together");
        assert!(lock(&log.0).len() <= MAX_PEERS + 1);
    }
}
