//! How many strangers are served at once: each address has a few of the places, so that none holds
//! them all.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many places there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceLimits {
    /// In all.
    pub in_all: usize,
    /// To one address; a network of version 6 (64 bits) counts as one.
    pub per_address: usize,
}

/// Places: for files that are served at once, or for connections.
#[derive(Clone, Debug)]
pub struct Places {
    limits: PlaceLimits,
    taken: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Places,
    address: IpAddr,
}

impl Places {
    /// So many places.
    #[must_use]
    pub fn new(limits: PlaceLimits) -> Self {
        Self { limits, taken: Arc::default() }
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        // never poisoned: nothing panics under this lock
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for whoever comes from this address, if it may have one.
    #[must_use]
    pub fn take(&self, address: IpAddr) -> Option<Place> {
        let address = network_of(address);
        let mut taken = self.taken();
        let own = taken.get(&address).copied().unwrap_or_default();
        let all = taken.values().fold(0usize, |all, of_one| all.saturating_add(*of_one));
        if own >= self.limits.per_address || all >= self.limits.in_all {
            return None;
        }
        taken.insert(address, own.saturating_add(1));
        drop(taken);
        Some(Place { places: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        let own = taken.get(&self.address).copied().unwrap_or_default();
        match own.saturating_sub(1) {
            0 => drop(taken.remove(&self.address)),
            left => drop(taken.insert(self.address, left)),
        }
    }
}

/// The address as limits count it: whoever has one of version 6 has its whole network.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_its_own_places_only() {
        let places = Places::new(PlaceLimits { in_all: 3, per_address: 2 });
        let take = |text: &str| places.take(text.parse().unwrap());
        let first = take("192.0.2.1").unwrap();
        let second = take("::ffff:192.0.2.1").unwrap();
        assert!(take("192.0.2.1").is_none(), "two of its own are taken");
        let other = take("2001:db8::1").unwrap();
        assert!(take("198.51.100.1").is_none(), "all are taken");
        drop(first);
        let again = take("192.0.2.1").unwrap();
        drop(other);
        assert!(take("192.0.2.1").is_none());
        let neighbour = take("2001:db8::2").unwrap();
        drop((second, again, neighbour));
        assert!(places.taken().is_empty());
    }
}
