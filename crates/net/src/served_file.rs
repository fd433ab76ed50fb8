//! Files for strangers over HTTP: how many are served at once, to whom, and how slowly.
//!
//! A reader takes one of the places until it has the whole file. Each address has a few of them, so
//! that no stranger holds them all.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header},
};
use futures::stream;
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    fs::File,
    io,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{io::AsyncReadExt as _, sync::mpsc, time::timeout};

/// Bytes of a file that are read and sent at a time.
const PIECE: u64 = 64 << 10;
/// Bytes of the checksum at the end of a file.
const CHECKSUM: usize = 32;
/// Longest time in which a reader may accept no piece.
const IDLE: Duration = Duration::from_secs(30);
/// Smallest average rate of a reader after that time, bytes per second.
const MIN_RATE: u64 = 16 << 10;

/// How many files are served at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceLimits {
    /// In all.
    pub in_all: usize,
    /// To one address; a network of version 6 (64 bits) counts as one.
    pub per_address: usize,
}

/// The places of files that are served at once.
#[derive(Clone, Debug)]
pub struct FilePlaces {
    limits: PlaceLimits,
    taken: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct FilePlace {
    places: FilePlaces,
    address: IpAddr,
}

impl FilePlaces {
    /// So many places.
    #[must_use]
    pub fn new(limits: PlaceLimits) -> Self {
        Self { limits, taken: Arc::default() }
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        // never poisoned: nothing panics under this lock
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a reader at this address, if it may have one.
    #[must_use]
    pub fn take(&self, address: IpAddr) -> Option<FilePlace> {
        let address = network_of(address);
        let mut taken = self.taken();
        let own = taken.get(&address).copied().unwrap_or_default();
        let all = taken.values().fold(0usize, |all, of_one| all.saturating_add(*of_one));
        if own >= self.limits.per_address || all >= self.limits.in_all {
            return None;
        }
        taken.insert(address, own.saturating_add(1));
        drop(taken);
        Some(FilePlace { places: self.clone(), address })
    }
}

impl Drop for FilePlace {
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

/// An answer with a file that ends with the SHA-256 of the rest. A reader that is too slow is
/// dropped. `damaged` is called if the file can't be read, or its checksum is wrong.
pub fn file_answer(
    file: File,
    length: u64,
    name: &str,
    place: FilePlace,
    damaged: impl FnOnce() + Send + 'static,
) -> ([(HeaderName, HeaderValue); 3], Body) {
    let text = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, text(&format!("attachment; filename=\"{name}\""))),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
    ];
    let (pieces, coming) = mpsc::channel(2);
    tokio::spawn(async move {
        let whole = send(file, length, pieces).await;
        drop(place);
        if !whole {
            damaged();
        }
    });
    let body = stream::unfold(coming, |mut coming| async {
        coming.recv().await.map(|piece: io::Result<Vec<u8>>| (piece, coming))
    });
    (headers, Body::from_stream(body))
}

/// Sends a file piece by piece. Returns `false` if the file is damaged; a reader that goes leaves it
/// undamaged.
async fn send(file: File, length: u64, to: mpsc::Sender<io::Result<Vec<u8>>>) -> bool {
    let mut file = tokio::fs::File::from_std(file);
    let started = Instant::now();
    let mut checksum = Sha256::new();
    let (mut done, mut last) = (0u64, Vec::new());
    loop {
        let mut piece = Vec::new();
        match (&mut file).take(PIECE).read_to_end(&mut piece).await {
            Ok(0) => break,
            // a length in memory fits 64 bits
            Ok(read) => done = done.saturating_add(u64::try_from(read).unwrap_or(u64::MAX)),
            Err(error) => {
                let _ = to.send(Err(error)).await;
                return false;
            }
        }
        last.extend_from_slice(&piece);
        let known = last.len().saturating_sub(CHECKSUM);
        checksum.update(last.drain(..known).as_slice());
        let seconds = started.elapsed().saturating_sub(IDLE).as_secs();
        let too_slow = done < seconds.saturating_mul(MIN_RATE);
        if too_slow || !matches!(timeout(IDLE, to.send(Ok(piece))).await, Ok(Ok(()))) {
            return true;
        }
    }
    done == length && checksum.finalize().as_slice() == last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_its_own_places_only() {
        let places = FilePlaces::new(PlaceLimits { in_all: 3, per_address: 2 });
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
