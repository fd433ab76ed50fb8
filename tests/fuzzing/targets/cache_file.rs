//! Files of light caches: a changed file is read if and only if its length, its header and its
//! checksum are those of the requested epoch, and then the result is the file's bytes. The error of
//! every other file names its defect.
//!
//! One file of 16 MiB stays in place; each input changes some of its bytes and changes them back.
//! The reader rebuilds a refused cache, which takes seconds, so the build is cancelled as soon as
//! the refusal is known.
#![no_main]

use arbitrary::Arbitrary;
use hashlease_check::{CacheFileError, CacheSettings, CacheStatus, Caches, EthashEpoch};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    os::{
        fd::AsRawFd as _,
        unix::fs::{FileExt as _, symlink},
    },
    sync::{LazyLock, Mutex},
    thread::sleep,
    time::Duration,
};

/// Length of the header without its checksum, and with it.
const FIELDS: usize = 32;
const HEADER: usize = 64;

#[derive(Arbitrary, Debug)]
struct Input {
    /// The header's changed bytes: place and change.
    header: Vec<(u8, u8)>,
    /// The cache's changed bytes: place and change.
    cache: Vec<(u32, u8)>,
    /// Whether the checksum is corrected after the changes.
    sum_again: bool,
    /// The change of the file's length.
    length: Option<i16>,
}

/// The file and its bytes. The file has no name, so it vanishes with this process; a link makes it
/// accessible.
struct Kept {
    file: File,
    bytes: Vec<u8>,
}

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(|| {
    let (file, bytes) = (tempfile::tempfile().unwrap(), whole());
    file.write_all_at(&bytes, 0).unwrap();
    Mutex::new(Kept { file, bytes })
});

fn epoch() -> EthashEpoch {
    EthashEpoch::of_ethash_block(0).unwrap()
}

/// The file in its format; readers don't depend on the cache's content.
fn whole() -> Vec<u8> {
    let size = epoch().cache_size();
    let parts: [&[u8]; 5] = [b"HLLIGHTC", &1_u32.to_le_bytes(), &[0; 8], &[0; 4], &size.to_le_bytes()];
    let mut bytes = parts.concat();
    bytes.resize(HEADER, 0);
    bytes.extend((0..size).map(|at| ((at * 0x9e37) >> 7) as u8));
    let sum = sum(&bytes);
    bytes[FIELDS..HEADER].copy_from_slice(&sum);
    bytes
}

fn sum(file: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(&file[..FIELDS]).chain_update(&file[HEADER..]).finalize().into()
}

/// Whether the error names the first defect.
fn is_named(error: &CacheFileError, right: &[u8; FIELDS], found: &[u8], length: Option<u64>) -> bool {
    let same = |range: std::ops::Range<usize>| found[range.clone()] == right[range];
    match error {
        CacheFileError::Length { actual, .. } => Some(*actual) == length,
        _ if length.is_some() => false,
        CacheFileError::Foreign { .. } => !same(0..8),
        CacheFileError::Version { .. } => same(0..8) && !same(8..12),
        CacheFileError::Epoch { .. } => same(0..12) && !same(12..20),
        CacheFileError::Damaged { .. } => same(0..20),
        _ => false,
    }
}

/// The right checksum; computed only if the cache differs from the one that was hashed before.
fn sum_of(bytes: &[u8], changed: &[(usize, u8)]) -> [u8; 32] {
    static BEFORE: LazyLock<[u8; 32]> = LazyLock::new(|| sum(&whole()));
    if changed.iter().any(|(at, _)| *at >= HEADER) { sum(bytes) } else { *BEFORE }
}

fuzz_target!(|input: Input| {
    let mut kept = KEPT.lock().unwrap();
    let Kept { file, bytes } = &mut *kept;
    let right_fields: [u8; FIELDS] = *bytes.first_chunk().unwrap();
    let right_length = bytes.len() as u64;
    let mut changed: Vec<(usize, u8)> = vec![];
    let size = bytes.len() - HEADER;
    let places = (input.header.iter().take(64).map(|(at, by)| (usize::from(*at) % HEADER, *by)))
        .chain(input.cache.iter().take(8).map(|(at, by)| (HEADER + *at as usize % size, *by)));
    for (at, by) in places {
        changed.push((at, bytes[at]));
        bytes[at] ^= by;
    }
    if input.sum_again {
        let sum = sum(bytes);
        for (at, byte) in (FIELDS..HEADER).zip(sum) {
            changed.push((at, bytes[at]));
            bytes[at] = byte;
        }
    }
    for (at, _) in &changed {
        file.write_all_at(&bytes[*at..=*at], *at as u64).unwrap();
    }
    let length = right_length.saturating_add_signed(input.length.unwrap_or_default().into());
    file.set_len(length).unwrap();

    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("light-0-0.cache");
    symlink(format!("/proc/self/fd/{}", file.as_raw_fd()), link).unwrap();
    let kept_in = Some(directory.path().to_owned());
    let caches = Caches::new(CacheSettings { directory: kept_in, ..CacheSettings::default() });
    assert!(caches.prepare(epoch()));
    let refused = loop {
        if let Some(failed) = caches.take_failed_files().into_iter().next() {
            break Some(failed);
        }
        if caches.status(epoch()) == CacheStatus::Ready {
            break None;
        }
        sleep(Duration::from_micros(100));
    };
    let wrong_length = (length != right_length).then_some(length);
    let right = wrong_length.is_none()
        && bytes.starts_with(&right_fields)
        && (input.sum_again || bytes[FIELDS..HEADER] == sum_of(bytes, &changed));
    match &refused {
        None => {
            assert!(right && caches.counts().loaded == 1, "accepted: {:?}", caches.counts());
            assert!(caches.try_get(epoch()).unwrap().as_bytes() == &bytes[HEADER..]);
        }
        Some(failed) => {
            assert!(!right, "refused: {}", failed.error);
            assert!(is_named(&failed.error, &right_fields, bytes, wrong_length), "{}", failed.error);
        }
    }
    drop(caches);

    for (at, byte) in changed.into_iter().rev() {
        bytes[at] = byte;
        file.write_all_at(&[byte], at as u64).unwrap();
    }
    // restores what was cut off, and removes what was added
    let cut = bytes.len().saturating_sub(usize::from(i16::MIN.unsigned_abs()));
    file.write_all_at(&bytes[cut..], cut as u64).unwrap();
    file.set_len(right_length).unwrap();
});
