//! What the node remembers of the addresses that miners connect from: which extranonce sizes they
//! needed, and when it last made one of their workers connect again.
//!
//! A miner names its lease only after it was told its sizes. If they do not fit, it has to connect
//! again, and must then get sizes that do, or it would go round for ever.

use crate::{extranonce::Sizes, lock::lock};
use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Entries that are remembered; beyond, the oldest goes.
const MAX_ENTRIES: usize = 4_096;
/// How long sizes are remembered.
const MEMORY: Duration = Duration::from_secs(3_600);
/// First pause before a worker that comes back is made to connect again; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause: a whole farm may have one name, and is waited for no longer than this.
const MAX_PAUSE: Duration = Duration::from_secs(16);
/// After this time without a forced reconnect the next one comes at once.
const CALM: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
struct Memory {
    sizes: HashMap<IpAddr, (Instant, Sizes)>,
    pauses: HashMap<(IpAddr, String), (Instant, Duration)>,
}

/// The memory, shared by all sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peers(Arc<Mutex<Memory>>);

impl Peers {
    /// Sizes that the miners of an address need, as far as is known.
    pub(crate) fn needed(&self, address: IpAddr, now: Instant) -> Option<Sizes> {
        let memory = lock(&self.0);
        let (noted, sizes) = memory.sizes.get(&address)?;
        (now.saturating_duration_since(*noted) < MEMORY).then_some(*sizes)
    }

    /// Notes that a worker has to connect again because it needs these sizes. Returns how long it
    /// has to wait before.
    pub(crate) fn make_reconnect(
        &self,
        address: IpAddr,
        worker: &str,
        needed: Sizes,
        now: Instant,
    ) -> Duration {
        let mut memory = lock(&self.0);
        let before = memory.sizes.get(&address).map_or(needed, |(_, sizes)| *sizes);
        remember(&mut memory.sizes, address, now, before.smaller(needed));
        let key = (address, worker.to_owned());
        let last = memory.pauses.get(&key).filter(|(last, _)| now.saturating_duration_since(*last) < CALM);
        let pause = match last {
            None => Duration::ZERO,
            Some((_, pause)) => pause.saturating_mul(2).clamp(FIRST_PAUSE, MAX_PAUSE),
        };
        remember(&mut memory.pauses, key, now.checked_add(pause).unwrap_or(now), pause);
        pause
    }
}

fn remember<K: Clone + Eq + Hash, V>(entries: &mut HashMap<K, (Instant, V)>, key: K, at: Instant, value: V) {
    if entries.len() >= MAX_ENTRIES && !entries.contains_key(&key) {
        let oldest = entries.iter().min_by_key(|(_, (at, _))| *at).map(|(key, _)| key.clone());
        oldest.and_then(|oldest| entries.remove(&oldest));
    }
    entries.insert(key, (at, value));
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    const WIDE: Sizes = Sizes { extranonce1: 2, extranonce2: 4 };
    const NARROW: Sizes = Sizes { extranonce1: 1, extranonce2: 2 };

    fn address(last: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x7f00_0000 + last).into()
    }

    #[test]
    fn the_smallest_sizes_that_an_address_needed_are_remembered_for_a_while() {
        let (peers, now) = (Peers::default(), Instant::now());
        assert_eq!(peers.needed(address(1), now), None);
        peers.make_reconnect(address(1), "2.rig", NARROW, now);
        peers.make_reconnect(address(1), "1.rig", WIDE, now);
        assert_eq!(peers.needed(address(1), now), Some(NARROW));
        assert_eq!(peers.needed(address(2), now), None);
        assert_eq!(peers.needed(address(1), now + 2 * MEMORY), None);
    }

    #[test]
    fn each_forced_reconnect_of_a_worker_comes_later_than_the_one_before() {
        let (peers, mut now) = (Peers::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..7 {
            let wait = peers.make_reconnect(address(1), "rig", NARROW, now);
            waits.push(wait.as_secs());
            // it comes back at once
            now += wait;
        }
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 16]);
        assert_eq!(peers.make_reconnect(address(1), "rig", NARROW, now + CALM), Duration::ZERO);
    }

    #[test]
    fn a_farm_of_one_name_waits_side_by_side() {
        let (peers, now) = (Peers::default(), Instant::now());
        let waits = (0..1_000).map(|_| peers.make_reconnect(address(1), "rig", NARROW, now));
        assert!(waits.max() <= Some(MAX_PAUSE));
        assert_eq!(peers.make_reconnect(address(1), "another", NARROW, now), Duration::ZERO);
        assert_eq!(peers.make_reconnect(address(2), "rig", NARROW, now), Duration::ZERO);
    }

    #[test]
    fn many_addresses_take_bounded_memory() {
        let (peers, now) = (Peers::default(), Instant::now());
        for number in 0..5_000 {
            let now = now + Duration::from_millis(number.into());
            peers.make_reconnect(address(number), "rig", NARROW, now);
        }
        assert_eq!(lock(&peers.0).sizes.len(), MAX_ENTRIES);
        assert_eq!(lock(&peers.0).pauses.len(), MAX_ENTRIES);
        assert!(peers.needed(address(4_999), now).is_some());
        assert!(peers.needed(address(0), now).is_none());
    }
}
