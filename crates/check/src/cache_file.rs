//! Caches on disk. Nothing that is read is trusted: what is not exactly what was written is refused.

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
/// Bytes of a header before its checksum.
const FIELDS: usize = 32;
const HEADER: usize = 64;

/// A temporary file that has not been touched for this long was left by somebody who is gone.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Why a cache was not read from its file, or not written to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system refused.
    #[error("{action} {path}: {source}", path = path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is shorter or longer than the cache of its epoch.
    #[error("{path} has {actual} bytes, not {expected}", path = path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes that it should have.
        expected: u64,
        /// Bytes that it has.
        actual: u64,
    },
    /// The file begins as no file of this kind does.
    #[error("{path} is no light cache", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is of a version that is not understood.
    #[error("{path} has version {actual}, not {VERSION}", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        actual: u32,
    },
    /// The file is of another epoch than its name.
    #[error("{path} holds another epoch, index {index} and {seed_rounds} rounds of its seed", path = path.display())]
    Epoch {
        /// The file.
        path: PathBuf,
        /// Index that it gives.
        index: u32,
        /// Rounds of the seed that it gives.
        seed_rounds: u32,
    },
    /// The checksum does not match: bits have changed since it was written.
    #[error("{path} is damaged", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// The name of an epoch's file.
fn name(epoch: EthashEpoch) -> String {
    format!("light-{}-{}.cache", epoch.index(), epoch.seed_rounds())
}

/// Whether this is the name of some epoch's file.
fn is_name(name: &str) -> bool {
    let numbers = name.strip_prefix("light-").and_then(|name| name.strip_suffix(".cache")?.split_once('-'));
    numbers.is_some_and(|(index, rounds)| index.parse::<u32>().is_ok() && rounds.parse::<u32>().is_ok())
}

/// The header but for its checksum.
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

/// Reads the cache of an epoch; none when there is no file of it.
pub(crate) fn load(directory: &Path, epoch: EthashEpoch) -> Result<Option<LightCache>, FileError> {
    let path = directory.join(name(epoch));
    let failed = |action| {
        let path = path.clone();
        move |source| FileError::Io { action, path, source }
    };
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open")(error)),
    };
    // Before memory is asked for: the file may be anything.
    let actual = file.metadata().map_err(failed("look at"))?.len();
    let expected = epoch.cache_size().saturating_add(HEADER as u64);
    if actual != expected {
        return Err(FileError::Length { path, expected, actual });
    }
    let (mut found, mut sum) = ([0; FIELDS], [0; 32]);
    file.read_exact(&mut found).map_err(failed("read"))?;
    file.read_exact(&mut sum).map_err(failed("read"))?;
    check(&path, epoch, &found)?;
    let mut bytes = vec![0; usize::try_from(epoch.cache_size()).unwrap_or(usize::MAX)];
    file.read_exact(&mut bytes).map_err(failed("read"))?;
    if checksum(&found, &bytes) != sum {
        return Err(FileError::Damaged { path });
    }
    // Files are thrown out by age, and this one is of use.
    let _ = file.set_modified(SystemTime::now());
    LightCache::from_bytes(epoch, &bytes)
        .map(Some)
        .map_err(|WrongCacheLength { expected, actual, .. }| FileError::Length { path, expected, actual })
}

/// Whether the header is the one that this epoch's file has; else what is wrong first.
fn check(path: &Path, epoch: EthashEpoch, found: &[u8; FIELDS]) -> Result<(), FileError> {
    if *found == fields(epoch) {
        return Ok(());
    }
    let path = path.to_owned();
    let mut numbers = found.as_chunks::<4>().0.iter().skip(2).map(|bytes| u32::from_le_bytes(*bytes));
    let mut number = || numbers.next().unwrap_or_default();
    let (version, index, seed_rounds) = (number(), number(), number());
    Err(if !found.starts_with(&MAGIC) {
        FileError::Foreign { path }
    } else if version != VERSION {
        FileError::Version { path, actual: version }
    } else if (index, seed_rounds) != (epoch.index(), epoch.seed_rounds()) {
        FileError::Epoch { path, index, seed_rounds }
    } else {
        FileError::Damaged { path }
    })
}

/// Writes a cache so that its file is there as a whole or not at all, also after a power cut.
pub(crate) fn save(directory: &Path, cache: &LightCache) -> Result<(), FileError> {
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| FileError::Io { action, path, source }
    };
    fs::create_dir_all(directory).map_err(io("create", directory))?;
    let path = directory.join(name(cache.epoch()));
    // By chance and not by process: containers that share a directory have the same numbers of processes.
    let unique = RandomState::new().build_hasher().finish();
    let temporary = directory.join(format!(".{}.{unique:016x}.tmp", name(cache.epoch())));
    let written = write(&temporary, cache)
        .map_err(io("write", &temporary))
        .and_then(|()| fs::rename(&temporary, &path).map_err(io("rename to", &path)));
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

/// Makes a rename last.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// Throws out all but the files used last, and what writers that are gone left behind. Touches no file of another
/// kind.
pub(crate) fn prune(directory: &Path, keep: usize) -> Result<(), FileError> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| FileError::Io { action, path, source }
    };
    let mut caches = vec![];
    for entry in fs::read_dir(directory).map_err(failed("list", directory))? {
        let entry = entry.map_err(failed("list", directory))?;
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str() else { continue };
        // What another process has just moved or removed is no trouble.
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
