//! Caches are built once, kept, evicted, and never read from a file that has a wrong byte.
#![allow(clippy::unwrap_used, clippy::panic)]

use hashlease_check::{
    BuildFailed, CacheCounts, CacheFileError, CacheSettings, CacheStatus, Caches, EpochError, Epochs,
    EthashEpoch, FailedFile, LightCache,
};
use hashlease_primitives::Algorithm;
use std::{
    env, fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Barrier, OnceLock},
    thread,
    time::{Duration, Instant, SystemTime},
};

fn epoch(index: u64) -> EthashEpoch {
    EthashEpoch::of_ethash_block(index * 30_000).unwrap()
}

fn settings(directory: Option<&Path>, in_memory: usize) -> CacheSettings {
    CacheSettings {
        directory: directory.map(Path::to_owned),
        in_memory: NonZeroUsize::new(in_memory).unwrap(),
        on_disk: NonZeroUsize::new(2).unwrap(),
    }
}

/// The right cache of epoch 0.
fn first() -> &'static LightCache {
    static FIRST: OnceLock<LightCache> = OnceLock::new();
    FIRST.get_or_init(|| LightCache::build(epoch(0)))
}

/// A directory with the file of epoch 0, as an earlier run left it.
fn kept() -> (tempfile::TempDir, PathBuf) {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("light-0-0.cache");
    let file = FILE.get_or_init(|| {
        let caches = Caches::new(settings(Some(directory.path()), 1));
        assert_eq!(caches.get(epoch(0)).unwrap().as_bytes(), first().as_bytes());
        drop(caches);
        fs::read(&path).unwrap()
    });
    fs::write(&path, file).unwrap();
    (directory, path)
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "timed out waiting until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn many_callers_share_one_build() {
    let caches = Caches::new(settings(None, 2));
    let start = Barrier::new(16);
    let all: Vec<Arc<LightCache>> = thread::scope(|scope| {
        let callers: Vec<_> = (0..16)
            .map(|caller| {
                let (caches, start) = (&caches, &start);
                scope.spawn(move || {
                    start.wait();
                    caches.get(epoch(caller % 2)).unwrap()
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(caches.counts(), CacheCounts { built: 2, ..CacheCounts::default() });
    for pair in all.chunks(2) {
        assert!(Arc::ptr_eq(&pair[0], &all[0]) && Arc::ptr_eq(&pair[1], &all[1]));
    }
    assert_eq!(all[0].as_bytes(), first().as_bytes());
    assert_eq!(all[1].epoch(), epoch(1));
}

#[test]
fn memory_is_bounded_and_the_least_recently_used_cache_is_evicted() {
    let caches = Caches::new(settings(None, 2));
    let held = caches.get(epoch(0)).unwrap();
    caches.get(epoch(1)).unwrap();
    assert!(caches.try_get(epoch(0)).is_some());
    caches.get(epoch(2)).unwrap();
    let there = [0, 1, 2].map(|index| caches.try_get(epoch(index)).is_some());
    assert_eq!((there, caches.in_memory()), ([true, false, true], 2));
    caches.get(epoch(3)).unwrap();
    assert!(caches.try_get(epoch(0)).is_none(), "0 was asked for before 2");
    assert_eq!(held.as_bytes(), first().as_bytes());
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!(caches.counts(), CacheCounts { built: 4, evicted: 2, ..CacheCounts::default() });
}

#[test]
fn callers_beyond_the_limit_wait_for_room() {
    let caches = Caches::new(settings(None, 1));
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|index| {
                scope.spawn({
                    let caches = &caches;
                    move || caches.get(epoch(index)).unwrap().epoch()
                })
            })
            .collect();
        while callers.iter().any(|caller| !caller.is_finished()) {
            assert!(caches.in_memory() <= 1);
            thread::sleep(Duration::from_millis(1));
        }
        for (caller, index) in callers.into_iter().zip(0..) {
            assert_eq!(caller.join().unwrap(), epoch(index));
        }
    });
    assert_eq!(caches.counts(), CacheCounts { built: 4, evicted: 3, ..CacheCounts::default() });
}

#[test]
fn a_block_prepares_its_epoch_and_the_next() {
    let caches = Caches::new(settings(None, 2));
    let epochs = caches.prepare_for_block(Algorithm::Ethash, 29_999).unwrap();
    assert_eq!(epochs, Epochs { current: epoch(0), next: Some(epoch(1)), next_from: 30_000 });
    wait_until("both are there", || {
        [0, 1].iter().all(|index| caches.status(epoch(*index)) == CacheStatus::Ready)
    });
    for _ in 0..10 {
        caches.prepare_for_block(Algorithm::Ethash, 29_999).unwrap();
    }
    assert_eq!(caches.counts().built, 2);
    assert!(matches!(
        caches.prepare_for_block(Algorithm::Scrypt, 0),
        Err(EpochError::NoCaches(Algorithm::Scrypt))
    ));
    assert!(matches!(caches.prepare_for_block(Algorithm::Ethash, u64::MAX), Err(EpochError::OutOfRange(_))));
}

#[test]
fn a_cache_that_is_only_expected_evicts_none_in_use() {
    let caches = Caches::new(settings(None, 1));
    for _ in 0..5 {
        caches.prepare_for_block(Algorithm::Ethash, 0).unwrap();
        caches.get(epoch(0)).unwrap();
    }
    assert_eq!(caches.counts(), CacheCounts { built: 1, ..CacheCounts::default() });
}

#[test]
fn epochs_of_both_chains() {
    let at = |algorithm, block| Epochs::at(algorithm, block).unwrap();
    let switch = at(Algorithm::Etchash, 11_699_999);
    assert_eq!((switch.current.index(), switch.next_from), (389, 11_700_000));
    assert_eq!(switch.next.map(|next| (next.index(), next.seed_rounds())), Some((195, 390)));
    let after = at(Algorithm::Etchash, 11_700_000);
    assert_eq!((Some(after.current), after.next_from), (switch.next, 11_760_000));
    let last = at(Algorithm::Ethash, 2048 * 30_000 - 1);
    assert_eq!((last.current.index(), last.next), (2047, None));
}

#[test]
fn the_next_run_reads_the_file_of_this_one() {
    let (directory, path) = kept();
    let caches = Caches::new(settings(Some(directory.path()), 1));
    assert_eq!(caches.get(epoch(0)).unwrap().as_bytes(), first().as_bytes());
    assert_eq!(caches.counts(), CacheCounts { loaded: 1, ..CacheCounts::default() });
    assert!(caches.take_failed_files().is_empty());
    let file = fs::read(path).unwrap();
    assert_eq!(file[64..], *first().as_bytes());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

/// Changes the file of epoch 0: its cache is right anyway, the failure is reported, and the file is
/// right again afterwards. Returns the failure.
fn rebuilt(change: impl FnOnce(&Path, Vec<u8>)) -> CacheFileError {
    let (directory, path) = kept();
    let good = fs::read(&path).unwrap();
    change(&path, good.clone());
    let caches = Caches::new(settings(Some(directory.path()), 1));
    assert_eq!(caches.get(epoch(0)).unwrap().as_bytes(), first().as_bytes());
    wait_until("it is written again", || caches.counts().saved == 1);
    assert_eq!(caches.counts(), CacheCounts { built: 1, saved: 1, ..CacheCounts::default() });
    let mut failures = caches.take_failed_files();
    assert_eq!((failures.len(), failures[0].epoch), (1, epoch(0)));
    assert!(caches.take_failed_files().is_empty());
    drop(caches);
    assert!(fs::read(&path).unwrap() == good);
    let error = failures.remove(0).error;
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    error
}

/// The operation that the system refused, and its file or directory.
fn refused(failure: &FailedFile) -> (&'static str, &Path) {
    match &failure.error {
        CacheFileError::Io { action, path, .. } => (action, path),
        other => panic!("{other}"),
    }
}

/// The failures of a build of epoch 0 with files in `directory`, exactly `count`. The cache is
/// there anyway.
fn failures(directory: &Path, count: usize) -> Vec<FailedFile> {
    let caches = Caches::new(settings(Some(directory), 1));
    assert_eq!(caches.get(epoch(0)).unwrap().as_bytes(), first().as_bytes());
    let mut failures = vec![];
    wait_until("the failures are reported", || {
        failures.extend(caches.take_failed_files());
        failures.len() >= count
    });
    assert_eq!(caches.counts(), CacheCounts { built: 1, ..CacheCounts::default() });
    assert!(caches.try_get(epoch(0)).is_some());
    assert_eq!(caches.status(epoch(0)), CacheStatus::Ready);
    drop(caches);
    assert_eq!(failures.len(), count, "{failures:?}");
    assert!(failures.iter().all(|failure| failure.epoch == epoch(0)));
    failures
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Set in a child process that runs one test under special conditions.
const ALONE: &str = "HASHLEASE_TEST_ALONE";

/// Runs one test of this file in a child process. `prepare` gets the path of this program.
fn alone(test: &str, prepare: impl FnOnce(&Path) -> Command) {
    let mut command = prepare(&env::current_exe().unwrap());
    let output = command.args(["--exact", test, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}

fn changed(at: usize, by: u8) -> impl FnOnce(&Path, Vec<u8>) {
    move |path, mut file| {
        file[at] ^= by;
        fs::write(path, file).unwrap();
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let last = 64 + first().as_bytes().len() - 1;
    assert!(
        matches!(rebuilt(changed(64, 1)), CacheFileError::Damaged { .. }),
        "in the first byte of the cache"
    );
    assert!(
        matches!(rebuilt(changed(last, 0x80)), CacheFileError::Damaged { .. }),
        "in the last byte of the cache"
    );
    assert!(matches!(rebuilt(changed(40, 4)), CacheFileError::Damaged { .. }), "in the checksum");
    assert!(matches!(rebuilt(changed(20, 4)), CacheFileError::Damaged { .. }), "in the zeroes");
    assert!(matches!(rebuilt(changed(24, 4)), CacheFileError::Damaged { .. }), "in the length");
}

#[test]
fn a_file_of_another_length_is_refused() {
    let expected = 64 + first().as_bytes().len() as u64;
    for length in [0, 10, 64, expected - 1, expected + 1, 1 << 40] {
        let error = rebuilt(|path, _| {
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap()
        });
        assert!(
            matches!(error, CacheFileError::Length { expected: e, actual, .. } if e == expected && actual == length)
        );
    }
}

#[test]
fn a_file_of_another_kind_version_or_epoch_is_refused() {
    assert!(matches!(rebuilt(changed(0, 1)), CacheFileError::Foreign { .. }));
    assert!(matches!(rebuilt(changed(8, 3)), CacheFileError::Version { actual: 2, .. }));
    assert!(matches!(rebuilt(changed(12, 1)), CacheFileError::Epoch { index: 1, seed_rounds: 0, .. }));
    // intact and of the right size, but built from another seed: Ethash and Etchash at one index
    let (ethash, etchash) = (epoch(195), EthashEpoch::of_etchash_block(11_700_000).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let [of_ethash, of_etchash] =
        ["light-195-195.cache", "light-195-390.cache"].map(|name| directory.path().join(name));
    let caches = Caches::new(settings(Some(directory.path()), 1));
    caches.get(ethash).unwrap();
    drop(caches);
    fs::rename(of_ethash, &of_etchash).unwrap();
    let caches = Caches::new(settings(Some(directory.path()), 1));
    assert_eq!(caches.get(etchash).unwrap().epoch(), etchash);
    assert_eq!((caches.counts().built, caches.counts().loaded), (1, 0));
    let failures = caches.take_failed_files();
    assert!(
        matches!(failures[0].error, CacheFileError::Epoch { index: 195, seed_rounds: 195, .. }),
        "{failures:?}"
    );
}

#[test]
fn a_directory_in_place_of_the_file_costs_no_cache() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("light-0-0.cache");
    fs::create_dir(&path).unwrap();
    let failures = failures(directory.path(), 2);
    assert!(!failures[0].error.to_string().is_empty(), "the error of the system");
    assert_eq!(refused(&failures[1]), ("replace", path.as_path()));
    assert_eq!(names(directory.path()), ["light-0-0.cache"], "no temporary file is left");
}

#[test]
fn an_unwritable_directory_costs_no_cache() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    // a file in place of the directory, and a directory below a file: not even root can create it
    for place in [file.clone(), file.join("below")] {
        let failures = failures(&place, 2);
        assert_eq!(refused(&failures[0]), ("open", place.join("light-0-0.cache").as_path()));
        assert_eq!(refused(&failures[1]), ("create", place.as_path()));
    }
    assert_eq!((fs::read(&file).unwrap().as_slice(), names(directory.path()).len()), (&b"x"[..], 1));
    if cfg!(target_os = "linux") {
        // a file system that refuses files even from root
        let place = PathBuf::from("/proc/self/caches");
        assert_eq!(refused(&failures(&place, 1)[0]), ("create", place.as_path()));
        let failure = &failures(Path::new("/proc"), 1)[0];
        let (action, path) = refused(failure);
        assert_eq!((action, path.parent()), ("write", Some(Path::new("/proc"))));
    }
}

/// A write that exceeds the limit on file sizes fails halfway, as on a full disk.
#[cfg(unix)]
#[test]
fn a_full_disk_costs_no_cache() {
    if env::var_os(ALONE).is_none() {
        return alone("a_full_disk_costs_no_cache", |program| {
            let mut command = Command::new("sh");
            command.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]).arg(program);
            command
        });
    }
    let directory = tempfile::tempdir().unwrap();
    let failure = &failures(directory.path(), 1)[0];
    let (action, path) = refused(failure);
    assert_eq!((action, path.parent()), ("write", Some(directory.path())));
    assert!(failure.error.to_string().contains("File too large"), "{}", failure.error);
    assert!(names(directory.path()).is_empty(), "no partial or temporary file is left");

    // a file that could not be replaced is unchanged
    let path = directory.path().join("light-0-0.cache");
    fs::write(&path, "short").unwrap();
    let failures = failures(directory.path(), 2);
    assert!(matches!(failures[0].error, CacheFileError::Length { actual: 5, .. }));
    assert_eq!(refused(&failures[1]).0, "write");
    assert_eq!((fs::read(&path).unwrap().as_slice(), names(directory.path()).len()), (&b"short"[..], 1));
}

/// The system starts no thread: no stack is that large.
#[cfg(target_os = "linux")]
#[test]
fn without_a_thread_callers_get_an_error() {
    if env::var_os(ALONE).is_none() {
        return alone("without_a_thread_callers_get_an_error", |program| {
            let mut command = Command::new(program);
            command.env("RUST_MIN_STACK", (1_u64 << 50).to_string());
            command
        });
    }
    let caches = Caches::new(settings(None, 1));
    for index in [0, 0, 1] {
        let error = caches.get(epoch(index)).unwrap_err();
        assert!(matches!(error, BuildFailed::Thread(_)), "{error}");
        assert!(error.to_string().starts_with("no thread to build a light cache on: "), "{error}");
        assert_eq!((caches.status(epoch(index)), caches.in_memory()), (CacheStatus::Absent, 0));
        assert!(caches.try_get(epoch(index)).is_none());
    }
    assert_eq!(caches.counts(), CacheCounts::default());
}

/// The cache is saved anyway.
#[test]
fn a_file_that_cannot_be_removed_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let stuck = directory.path().join("light-9-9.cache");
    fs::create_dir(&stuck).unwrap();
    let caches =
        Caches::new(CacheSettings { on_disk: NonZeroUsize::MIN, ..settings(Some(directory.path()), 1) });
    caches.get(epoch(0)).unwrap();
    let mut failures = vec![];
    wait_until("the failure is reported", || {
        failures.extend(caches.take_failed_files());
        !failures.is_empty()
    });
    assert_eq!((failures.len(), refused(&failures[0])), (1, ("remove", stuck.as_path())));
    assert_eq!(caches.counts(), CacheCounts { built: 1, saved: 1, ..CacheCounts::default() });
    assert_eq!(names(directory.path()), ["light-0-0.cache", "light-9-9.cache"]);
}

#[test]
fn only_the_latest_failures_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    let caches = Caches::new(settings(Some(&file), 1));
    // two failures a build: its file can be neither read nor written
    for index in 0..18 {
        caches.get(epoch(index)).unwrap();
    }
    // the last ones are reported by a thread that nobody waits for
    let mut all = caches.take_failed_files();
    let before = all.len();
    wait_until("the last is reported", || {
        all.extend(caches.take_failed_files());
        all.iter().any(|failure| failure.epoch == epoch(17) && refused(failure).0 == "create")
    });
    assert!(before <= 32, "{before}");
    assert_eq!(all.iter().filter(|failure| failure.epoch == epoch(0)).count(), 0, "the oldest go first");
}

#[test]
fn two_stores_share_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let [one, other] = [(), ()].map(|()| Caches::new(settings(Some(directory.path()), 1)));
    thread::scope(|scope| {
        for caches in [&one, &other] {
            scope.spawn(|| assert_eq!(caches.get(epoch(0)).unwrap().as_bytes(), first().as_bytes()));
        }
    });
    drop([one, other]);
    let names: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["light-0-0.cache"]);
    let third = Caches::new(settings(Some(directory.path()), 1));
    third.get(epoch(0)).unwrap();
    assert_eq!(third.counts().loaded, 1);
}

#[test]
fn files_are_bounded_and_no_others_are_touched() {
    let (directory, path) = kept();
    let old = SystemTime::now() - Duration::from_secs(7200);
    let at = |name: &str, time| {
        let path = directory.path().join(name);
        fs::File::create(&path).unwrap().set_modified(time).unwrap();
        path
    };
    let unused = at("light-7-7.cache", old + Duration::from_secs(60));
    let abandoned = at(".light-7-7.cache.0123456789abcdef.tmp", old);
    let others =
        ["light-house.cache", "light-1-2.cache.bak", "notes", ".other.tmp"].map(|name| at(name, old));
    let fresh = at(".light-8-8.cache.0123456789abcdef.tmp", SystemTime::now());
    fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    let caches = Caches::new(settings(Some(directory.path()), 2));
    // reading counts as use, so the other file is removed
    caches.get(epoch(0)).unwrap();
    caches.get(epoch(1)).unwrap();
    drop(caches);
    assert!(!unused.exists() && !abandoned.exists());
    assert!(fresh.exists() && others.iter().all(|path| path.exists()));
    assert!(path.exists() && directory.path().join("light-1-1.cache").exists());
}
