//! Caches on disk. No file is trusted: one that differs in any byte from what was written is
//! refused.

use hashlease_pow::ethash::{EthashEpoch, LightCache, WrongCacheLength};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

const MAGIC: [u8; 8] = *b"HLLIGHTC";
const VERSION: u32 = 1;
/// Bytes of the header before its checksum.
const FIELDS: usize = 32;
/// Bytes before the cache: fields and checksum.
const HEADER: usize = 64;

/// A temporary file unchanged for this long was left behind by a process that died.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Why a cache could not be read from its file or written to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheFileError {
    /// The operating system refused an operation.
    #[error("can't {action} {path}: {source}", path = path.display())]
    Io {
        /// The operation, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file's length is not that of its DAG epoch.
    #[error("{path}: expected {expected} bytes, got {actual}", path = path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Expected length, bytes.
        expected: u64,
        /// Actual length, bytes.
        actual: u64,
    },
    /// The file doesn't start with the magic bytes.
    #[error("{path} is not a light cache: it doesn't start with HLLIGHTC", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file has an unknown version.
    #[error("{path}: expected version {VERSION}, got {actual}", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        actual: u32,
    },
    /// The file holds another DAG epoch than its name says.
    #[error("{path} holds another epoch: index {index}, {seed_rounds} seed rounds", path = path.display())]
    Epoch {
        /// The file.
        path: PathBuf,
        /// Index in the file.
        index: u32,
        /// Seed rounds in the file.
        seed_rounds: u32,
    },
    /// The checksum doesn't match: bytes changed since the file was written.
    #[error("{path} is damaged: its checksum doesn't match", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// The name of an epoch's file.
fn name(epoch: EthashEpoch) -> String {
    format!("light-{}-{}.cache", epoch.index(), epoch.seed_rounds())
}

/// Whether some epoch's file has this name.
fn is_name(name: &str) -> bool {
    let numbers = name.strip_prefix("light-").and_then(|name| name.strip_suffix(".cache")?.split_once('-'));
    numbers.is_some_and(|(index, rounds)| index.parse::<u32>().is_ok() && rounds.parse::<u32>().is_ok())
}

/// The header without its checksum.
fn fields(epoch: EthashEpoch) -> [u8; FIELDS] {
    let mut fields = [0; FIELDS];
    let parts: [&[u8]; 6] = [
        &MAGIC,
        &VERSION.to_le_bytes(),
        &epoch.index().to_le_bytes(),
        &epoch.seed_rounds().to_le_bytes(),
        &[0; 4],
        &epoch.cache_size().to_le_bytes(),
    ];
    for (to, from) in fields.iter_mut().zip(parts.concat()) {
        *to = from;
    }
    fields
}

fn checksum(fields: &[u8; FIELDS], cache: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(fields).chain_update(cache).finalize().into()
}

/// Reads the cache of an epoch; `None` if it has no file.
pub(crate) fn load(directory: &Path, epoch: EthashEpoch) -> Result<Option<LightCache>, CacheFileError> {
    let path = directory.join(name(epoch));
    let failed = |action| {
        let path = path.clone();
        move |source| CacheFileError::Io { action, path, source }
    };
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open")(error)),
    };
    // before memory is allocated: the file may be anything
    let actual = file.metadata().map_err(failed("read the length of"))?.len();
    let expected = epoch.cache_size().saturating_add(HEADER as u64);
    if actual != expected {
        return Err(CacheFileError::Length { path, expected, actual });
    }
    let (mut found, mut sum) = ([0; FIELDS], [0; 32]);
    file.read_exact(&mut found).map_err(failed("read"))?;
    file.read_exact(&mut sum).map_err(failed("read"))?;
    check(&path, epoch, &found)?;
    // never the fallback: no cache has more than 272 MiB
    let mut bytes = vec![0; usize::try_from(epoch.cache_size()).unwrap_or(usize::MAX)];
    file.read_exact(&mut bytes).map_err(failed("read"))?;
    if checksum(&found, &bytes) != sum {
        return Err(CacheFileError::Damaged { path });
    }
    // `prune` removes the oldest files, and this one is in use
    let _ = file.set_modified(SystemTime::now());
    LightCache::from_bytes(epoch, &bytes).map(Some).map_err(
        |WrongCacheLength { expected, actual, .. }| CacheFileError::Length { path, expected, actual },
    )
}

/// Compares a header with that of this epoch's file, and names the first field that differs.
fn check(path: &Path, epoch: EthashEpoch, found: &[u8; FIELDS]) -> Result<(), CacheFileError> {
    if *found == fields(epoch) {
        return Ok(());
    }
    let path = path.to_owned();
    let [_, _, version, index, seed_rounds, ..] = found.as_chunks::<4>().0 else {
        return Err(CacheFileError::Foreign { path });
    };
    let [version, index, seed_rounds] = [version, index, seed_rounds].map(|bytes| u32::from_le_bytes(*bytes));
    Err(if !found.starts_with(&MAGIC) {
        CacheFileError::Foreign { path }
    } else if version != VERSION {
        CacheFileError::Version { path, actual: version }
    } else if (index, seed_rounds) != (epoch.index(), epoch.seed_rounds()) {
        CacheFileError::Epoch { path, index, seed_rounds }
    } else {
        CacheFileError::Damaged { path }
    })
}

/// Writes a cache atomically: even after a power cut its file is complete or absent.
pub(crate) fn save(directory: &Path, cache: &LightCache) -> Result<(), CacheFileError> {
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| CacheFileError::Io { action, path, source }
    };
    fs::create_dir_all(directory).map_err(io("create", directory))?;
    let path = directory.join(name(cache.epoch()));
    // random, not the process id: containers that share a directory have the same process ids
    let unique = RandomState::new().build_hasher().finish();
    let temporary = directory.join(format!(".{}.{unique:016x}.tmp", name(cache.epoch())));
    let written = write(&temporary, cache)
        .map_err(io("write", &temporary))
        .and_then(|()| fs::rename(&temporary, &path).map_err(io("replace", &path)));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_directory(directory).map_err(io("sync", directory))
}

fn write(path: &Path, cache: &LightCache) -> io::Result<()> {
    let (fields, bytes) = (fields(cache.epoch()), cache.as_bytes());
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(&fields)?;
    file.write_all(&checksum(&fields, bytes))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a rename durable.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// Removes all but the `keep` most recently used files, and temporary files that dead processes
/// left behind. Other files are not touched.
pub(crate) fn prune(directory: &Path, keep: usize) -> Result<(), CacheFileError> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| CacheFileError::Io { action, path, source }
    };
    let mut caches = vec![];
    for entry in fs::read_dir(directory).map_err(failed("list", directory))? {
        let entry = entry.map_err(failed("list", directory))?;
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str() else { continue };
        // another process may have moved or removed it just now
        let Ok(modified) = entry.metadata().and_then(|metadata| metadata.modified()) else { continue };
        let temporary = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp")?.rsplit_once('.'));
        if temporary.is_some_and(|(name, _)| is_name(name)) {
            if modified.elapsed().is_ok_and(|age| age > ABANDONED) {
                let _ = fs::remove_file(path);
            }
        } else if is_name(name) {
            caches.push((modified, path));
        }
    }
    caches.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
    for (_, path) in caches.into_iter().skip(keep) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
