//! SHA-256d with a midstate for mining, and targets as floats, which is enough for a simulator.

use sha2::{Digest as _, Sha256, block_api::compress256};
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Bytes of a digest, in the order in which SHA-256 gives them.
pub type Digest = [u8; 32];

const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// SHA-256 of the SHA-256.
#[must_use]
pub fn sha256d(bytes: &[u8]) -> Digest {
    Sha256::digest(Sha256::digest(bytes)).into()
}

/// Value of a digest as a little-endian integer, as a float.
pub(crate) fn value(digest: &Digest) -> f64 {
    digest.iter().rev().fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte))
}

/// The largest hash that meets a difficulty.
pub(crate) fn target_of(difficulty: f64) -> f64 {
    f64::from(0xffffu32) * 2f64.powi(208) / difficulty
}

/// Hashes headers that differ in the nonce only.
pub(crate) struct Scanner {
    midstate: [u32; 8],
    first: [u8; 64],
    second: [u8; 64],
}

fn bytes_of(state: &[u32; 8]) -> Digest {
    let mut bytes = [0; 32];
    for (to, word) in bytes.chunks_exact_mut(4).zip(state) {
        to.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

impl Scanner {
    pub(crate) fn new(header: &[u8; 80]) -> Self {
        let mut midstate = INITIAL;
        let mut block = [0u8; 64];
        block.copy_from_slice(&header[..64]);
        compress256(&mut midstate, &[block]);
        let mut first = [0u8; 64];
        first[..16].copy_from_slice(&header[64..]);
        first[16] = 0x80;
        first[62..].copy_from_slice(&640u16.to_be_bytes());
        let mut second = [0u8; 64];
        second[32] = 0x80;
        second[62..].copy_from_slice(&256u16.to_be_bytes());
        Self { midstate, first, second }
    }

    /// Hashes one nonce. Returns the digest if its most significant 64 bits are at most `limit`.
    pub(crate) fn hash(&mut self, nonce: u32, limit: u64) -> Option<Digest> {
        self.first[12..16].copy_from_slice(&nonce.to_le_bytes());
        let mut state = self.midstate;
        compress256(&mut state, &[self.first]);
        self.second[..32].copy_from_slice(&bytes_of(&state));
        let mut state = INITIAL;
        compress256(&mut state, &[self.second]);
        let high = u64::from(state[7].swap_bytes()) << 32 | u64::from(state[6].swap_bytes());
        (high <= limit).then(|| bytes_of(&state))
    }
}

/// The most significant 64 bits of a target, rounded up.
pub(crate) fn limit_of(target: f64) -> u64 {
    // the cast turns a float above the range of the type into its largest value
    (target / 2f64.powi(192)).ceil() as u64
}

/// Measures the hashes per second of this machine on `threads` threads.
#[must_use]
pub fn measure_hash_rate(threads: usize, time: Duration) -> f64 {
    let (stop, total) = (AtomicBool::new(false), AtomicU64::new(0));
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut scanner = Scanner::new(&[7; 80]);
                let mut nonce = 0u32;
                while !stop.load(Ordering::Relaxed) {
                    for _ in 0..4_096 {
                        std::hint::black_box(scanner.hash(nonce, 0));
                        nonce = nonce.wrapping_add(1);
                    }
                    total.fetch_add(4_096, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
    });
    total.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scanner_agrees_with_sha256d() {
        let mut header = [0u8; 80];
        for (i, byte) in header.iter_mut().enumerate() {
            *byte = i as u8;
        }
        let mut scanner = Scanner::new(&header);
        for nonce in [0, 1, 0xdead_beef] {
            header[76..].copy_from_slice(&u32::to_le_bytes(nonce));
            assert_eq!(scanner.hash(nonce, u64::MAX), Some(sha256d(&header)));
        }
    }

    #[test]
    fn the_genesis_block_meets_its_difficulty() {
        let header = hex::decode(concat!(
            "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e",
            "67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
        ))
        .unwrap();
        let digest = sha256d(&header);
        assert!(value(&digest) <= target_of(1.0));
        let mut header: [u8; 80] = header.try_into().unwrap();
        header[79] ^= 1;
        assert!(value(&sha256d(&header)) > target_of(1.0));
    }
}
