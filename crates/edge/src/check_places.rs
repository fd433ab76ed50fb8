//! Places in the queue for slow hashes, so many for each address.
//!
//! Shares of scrypt wait in one queue for all miners. An address that sends more than it has places
//! for waits for itself, so a flood from one holds up the others for no longer than its places take.

use crate::lock::lock;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, Weak},
};
use tokio::sync::Semaphore;

/// Shares of one address that may be in the queue: enough to keep all cores busy for a whole farm,
/// and a tenth of a second of one core's work.
const PLACES: usize = 1_024;

/// The places of each address that is connected.
#[derive(Clone, Debug, Default)]
pub(crate) struct CheckPlaces(Arc<Mutex<HashMap<IpAddr, Weak<Semaphore>>>>);

impl CheckPlaces {
    /// The places of an address; the same ones for all of its sessions.
    pub(crate) fn of(&self, address: IpAddr) -> Arc<Semaphore> {
        let mut addresses = lock(&self.0);
        if let Some(places) = addresses.get(&address).and_then(Weak::upgrade) {
            return places;
        }
        // as many as are connected are left, so this is bounded as they are
        addresses.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(PLACES));
        addresses.insert(address, Arc::downgrade(&places));
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(last.saturating_add(0x0a00_0000)).into()
    }

    #[test]
    fn an_address_that_has_used_its_places_up_takes_none_of_another() {
        let all = CheckPlaces::default();
        let (first, second) = (all.of(address(1)), all.of(address(1)));
        let taken: Vec<_> = (0..PLACES).map(|_| first.try_acquire().unwrap()).collect();
        assert!(second.try_acquire().is_err(), "another session of the same address");
        assert!(all.of(address(2)).try_acquire().is_ok());
        drop(taken);
        assert!(second.try_acquire().is_ok());
    }

    #[test]
    fn addresses_that_are_gone_take_no_memory() {
        let all = CheckPlaces::default();
        let kept = all.of(address(0));
        for last in 1..10_000 {
            drop(all.of(address(last)));
        }
        assert_eq!(lock(&all.0).len(), 2, "the one that is connected, and the last one");
        drop(kept);
    }
}
