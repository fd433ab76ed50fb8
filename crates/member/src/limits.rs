//! How much one address may ask for, and how often one thing is logged.

use hashlease_net::network_of;
use hashlease_primitives::UnixMillis;
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What an address may ask for at once. A request costs at least one.
const BURST: u64 = 2_000;
/// What it gets back in a second: an operator's gateway posts the jobs of a thousand leases.
const PER_SECOND: u64 = 100;
/// Addresses that are remembered; a further one takes the place of another.
const MOST_ADDRESSES: usize = 16_384;
/// Time between two lines about the same thing.
const SILENCE: Duration = Duration::from_secs(10);

/// What each address asked for lately.
#[derive(Debug, Default)]
pub(crate) struct PerAddress(Mutex<BTreeMap<IpAddr, Spent>>);

#[derive(Clone, Copy, Debug)]
struct Spent {
    units: u64,
    at: Instant,
}

impl Spent {
    /// What is still spent at `now`.
    fn at(self, now: Instant) -> u64 {
        let back = now.saturating_duration_since(self.at).as_secs().saturating_mul(PER_SECOND);
        self.units.saturating_sub(back)
    }
}

impl PerAddress {
    /// Whether an address may ask for something that costs so much, now.
    pub(crate) fn allows(&self, address: IpAddr, cost: u64, now: Instant) -> bool {
        let address = network_of(address);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = all.get(&address).map_or(0, |spent| spent.at(now));
        let units = spent.saturating_add(cost);
        if units > BURST {
            return false;
        }
        if !all.contains_key(&address) && all.len() >= MOST_ADDRESSES {
            all.retain(|_, spent| spent.at(now) > 0);
            if all.len() >= MOST_ADDRESSES {
                // whoever has more addresses than this has no limit, but locks nobody out either
                all.pop_first();
            }
        }
        let at = if spent == 0 { now } else { all.get(&address).map_or(now, |before| before.kept(now)) };
        all.insert(address, Spent { units, at });
        true
    }
}

impl Spent {
    /// The moment from which the next whole second is counted.
    fn kept(self, now: Instant) -> Instant {
        let whole = Duration::from_secs(now.saturating_duration_since(self.at).as_secs());
        self.at.checked_add(whole).unwrap_or(now)
    }
}

/// Keeps lines about the same thing apart.
#[derive(Debug, Default)]
pub(crate) struct Quiet(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    last: Option<UnixMillis>,
    unsaid: u64,
}

impl Quiet {
    /// How many times nothing was said since the last line, if a line may be written now.
    pub(crate) fn may_speak(&self, now: UnixMillis) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // a clock that went back may not silence it
        let is_recent = said.last.is_some_and(|last| last <= now && now < last.plus(SILENCE));
        if is_recent {
            said.unsaid = said.unsaid.saturating_add(1);
            return None;
        }
        said.last = Some(now);
        Some(std::mem::take(&mut said.unsaid))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_back_what_it_spent() {
        let (limits, start) = (PerAddress::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        assert!(limits.allows(one, BURST, start));
        assert!(!limits.allows(one, 1, start));
        assert!(limits.allows(other, BURST, start), "the other pays for nobody");
        assert!(limits.allows(one, PER_SECOND, at(1)));
        assert!(!limits.allows(one, 1, at(1)));
        assert!(limits.allows(one, BURST, at(60)));
        // requests in between do not put off what comes back
        for tenth in 0..20 {
            limits.allows(one, 1, at(60) + Duration::from_millis(tenth * 100));
        }
        assert!(limits.allows(one, PER_SECOND - 20, at(62)));
    }

    #[test]
    fn a_network_of_version_6_is_one_address() {
        let (limits, now) = (PerAddress::default(), Instant::now());
        assert!(limits.allows("2001:db8::1".parse().unwrap(), BURST, now));
        assert!(!limits.allows("2001:db8::ffff:2".parse().unwrap(), 1, now));
        assert!(limits.allows("2001:db8:0:1::1".parse().unwrap(), 1, now));
        assert!(limits.allows("192.0.2.1".parse().unwrap(), BURST, now));
        assert!(!limits.allows("::ffff:192.0.2.1".parse().unwrap(), 1, now));
    }

    #[test]
    fn a_full_table_locks_nobody_out() {
        let (limits, now) = (PerAddress::default(), Instant::now());
        let address = |number: usize| IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
        for number in 0..=MOST_ADDRESSES {
            assert!(limits.allows(address(number), BURST, now));
        }
        assert!(!limits.allows(address(MOST_ADDRESSES), 1, now));
        assert_eq!(limits.0.lock().unwrap().len(), MOST_ADDRESSES);
    }

    #[test]
    fn what_is_not_said_is_counted() {
        let quiet = Quiet::default();
        let speak = |seconds: u64| quiet.may_speak(UnixMillis::new(seconds * 1_000));
        assert_eq!(
            [speak(100), speak(101), speak(109), speak(110), speak(111)],
            [Some(0), None, None, Some(2), None]
        );
        assert_eq!(speak(5), Some(1), "the clock went back");
    }
}
