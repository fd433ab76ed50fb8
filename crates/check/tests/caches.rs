//! Caches built once, kept, thrown out, and never taken from a file that is not right.
#![allow(clippy::unwrap_used, clippy::panic)]

use hashlease_check::{
    BuildFailed, Caches, Counts, EpochError, Epochs, EthashEpoch, FileError, LightCache, Settings, Status,
    Trouble,
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

fn settings(directory: Option<&Path>, in_memory: usize) -> Settings {
    Settings {
        directory: directory.map(Path::to_owned),
        in_memory: NonZeroUsize::new(in_memory).unwrap(),
        on_disk: NonZeroUsize::new(2).unwrap(),
    }
}

/// What the cache of epoch 0 has to be.
fn first() -> &'static LightCache {
    static FIRST: OnceLock<LightCache> = OnceLock::new();
    FIRST.get_or_init(|| LightCache::build(epoch(0)))
}

/// A directory with the file of epoch 0, as a run before left it.
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
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn many_askers_have_one_build() {
    let caches = Caches::new(settings(None, 2));
    let start = Barrier::new(16);
    let all: Vec<Arc<LightCache>> = thread::scope(|scope| {
        let askers: Vec<_> = (0..16)
            .map(|asker| {
                let (caches, start) = (&caches, &start);
                scope.spawn(move || {
                    start.wait();
                    caches.get(epoch(asker % 2)).unwrap()
                })
            })
            .collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).collect()
    });
    assert_eq!(caches.counts(), Counts { built: 2, ..Counts::default() });
    for pair in all.chunks(2) {
        assert!(Arc::ptr_eq(&pair[0], &all[0]) && Arc::ptr_eq(&pair[1], &all[1]));
    }
    assert_eq!(all[0].as_bytes(), first().as_bytes());
    assert_eq!(all[1].epoch(), epoch(1));
}

#[test]
fn asking_without_waiting() {
    let caches = Caches::new(settings(None, 1));
    assert!(caches.try_get(epoch(0)).is_none());
    assert_eq!((caches.status(epoch(0)), caches.in_memory()), (Status::Absent, 0));
    assert!(caches.prepare(epoch(0)));
    assert!(caches.try_get(epoch(0)).is_none(), "neither waits for the build");
    assert!(matches!(caches.status(epoch(0)), Status::Building(_)));
    assert!(!caches.prepare(epoch(1)), "the only place is taken by a build");
    wait_until(
        "some of it is done",
        || matches!(caches.status(epoch(0)), Status::Building(done) if done > 0.1),
    );
    wait_until("it is there", || caches.status(epoch(0)) == Status::Ready);
    assert_eq!(caches.try_get(epoch(0)).unwrap().as_bytes(), first().as_bytes());
    assert_eq!(caches.counts().built, 1);
}

#[test]
fn memory_is_bounded_and_the_longest_unused_goes() {
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
    assert_eq!(caches.counts(), Counts { built: 4, evicted: 2, ..Counts::default() });
}

#[test]
fn askers_beyond_the_bound_wait_for_a_place() {
    let caches = Caches::new(settings(None, 1));
    thread::scope(|scope| {
        let askers: Vec<_> = (0..4)
            .map(|index| {
                scope.spawn({
                    let caches = &caches;
                    move || caches.get(epoch(index)).unwrap().epoch()
                })
            })
            .collect();
        while askers.iter().any(|asker| !asker.is_finished()) {
            assert!(caches.in_memory() <= 1);
            thread::sleep(Duration::from_millis(1));
        }
        for (asker, index) in askers.into_iter().zip(0..) {
            assert_eq!(asker.join().unwrap(), epoch(index));
        }
    });
    assert_eq!(caches.counts(), Counts { built: 4, evicted: 3, ..Counts::default() });
}

#[test]
fn a_chain_has_its_epoch_and_the_next() {
    let caches = Caches::new(settings(None, 2));
    let epochs = caches.follow(Algorithm::Ethash, 29_999).unwrap();
    assert_eq!(epochs, Epochs { current: epoch(0), next: Some(epoch(1)), next_from: 30_000 });
    wait_until("both are there", || [0, 1].iter().all(|index| caches.status(epoch(*index)) == Status::Ready));
    for _ in 0..10 {
        caches.follow(Algorithm::Ethash, 29_999).unwrap();
    }
    assert_eq!(caches.counts().built, 2);
    assert!(matches!(caches.follow(Algorithm::Scrypt, 0), Err(EpochError::NoCaches(Algorithm::Scrypt))));
    assert!(matches!(caches.follow(Algorithm::Ethash, u64::MAX), Err(EpochError::OutOfRange(_))));
}

#[test]
fn what_is_only_expected_takes_no_place_of_what_is_used() {
    let caches = Caches::new(settings(None, 1));
    for _ in 0..5 {
        caches.follow(Algorithm::Ethash, 0).unwrap();
        caches.get(epoch(0)).unwrap();
    }
    assert_eq!(caches.counts(), Counts { built: 1, ..Counts::default() });
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
fn the_next_run_reads_what_this_one_wrote() {
    let (directory, path) = kept();
    let caches = Caches::new(settings(Some(directory.path()), 1));
    assert_eq!(caches.get(epoch(0)).unwrap().as_bytes(), first().as_bytes());
    assert_eq!(caches.counts(), Counts { loaded: 1, ..Counts::default() });
    assert!(caches.take_troubles().is_empty());
    let file = fs::read(path).unwrap();
    assert_eq!(file[64..], *first().as_bytes());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

/// The file is changed; the cache is right all the same; the trouble is told; the file is right again afterwards.
fn rebuilt(change: impl FnOnce(&Path, Vec<u8>)) -> FileError {
    let (directory, path) = kept();
    let good = fs::read(&path).unwrap();
    change(&path, good.clone());
    let caches = Caches::new(settings(Some(directory.path()), 1));
    assert_eq!(caches.get(epoch(0)).unwrap().as_bytes(), first().as_bytes());
    wait_until("it is written anew", || caches.counts().saved == 1);
    assert_eq!(caches.counts(), Counts { built: 1, saved: 1, ..Counts::default() });
    let mut troubles = caches.take_troubles();
    assert_eq!((troubles.len(), troubles[0].epoch), (1, epoch(0)));
    assert!(caches.take_troubles().is_empty());
    drop(caches);
    assert!(fs::read(&path).unwrap() == good);
    let error = troubles.remove(0).error;
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    error
}

/// What the system refused to do, and to which file or directory.
fn refused(trouble: &Trouble) -> (&'static str, &Path) {
    match &trouble.error {
        FileError::Io { action, path, .. } => (action, path),
        other => panic!("{other}"),
    }
}

/// Troubles of a build of epoch 0 with files here, when so many have come. The cache is there all the same.
fn troubles(directory: &Path, count: usize) -> Vec<Trouble> {
    let caches = Caches::new(settings(Some(directory), 1));
    assert_eq!(caches.get(epoch(0)).unwrap().as_bytes(), first().as_bytes());
    let mut troubles = vec![];
    wait_until("the troubles are told", || {
        troubles.extend(caches.take_troubles());
        troubles.len() >= count
    });
    assert_eq!(caches.counts(), Counts { built: 1, ..Counts::default() });
    assert!(caches.try_get(epoch(0)).is_some());
    assert_eq!(caches.status(epoch(0)), Status::Ready);
    drop(caches);
    assert_eq!(troubles.len(), count, "{troubles:?}");
    assert!(troubles.iter().all(|trouble| trouble.epoch == epoch(0)));
    troubles
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Set in a process that runs one test under conditions of its own.
const ALONE: &str = "HASHLEASE_TEST_ALONE";

/// Runs one test of this file in a process of its own, started by `prepare` and the way to this program.
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
fn a_flipped_bit_is_found_wherever_it_is() {
    let last = 64 + first().as_bytes().len() - 1;
    assert!(matches!(rebuilt(changed(64, 1)), FileError::Damaged { .. }), "in the first byte of the cache");
    assert!(
        matches!(rebuilt(changed(last, 0x80)), FileError::Damaged { .. }),
        "in the last byte of the cache"
    );
    assert!(matches!(rebuilt(changed(40, 4)), FileError::Damaged { .. }), "in the checksum");
    assert!(matches!(rebuilt(changed(20, 4)), FileError::Damaged { .. }), "in the zeroes");
    assert!(matches!(rebuilt(changed(24, 4)), FileError::Damaged { .. }), "in the length");
}

#[test]
fn a_file_of_another_length_is_refused() {
    let expected = 64 + first().as_bytes().len() as u64;
    for length in [0, 10, 64, expected - 1, expected + 1, 1 << 40] {
        let error = rebuilt(|path, _| {
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap()
        });
        assert!(
            matches!(error, FileError::Length { expected: e, actual, .. } if e == expected && actual == length)
        );
    }
}

#[test]
fn a_file_of_another_kind_version_or_epoch_is_refused() {
    assert!(matches!(rebuilt(changed(0, 1)), FileError::Foreign { .. }));
    assert!(matches!(rebuilt(changed(8, 3)), FileError::Version { actual: 2, .. }));
    assert!(matches!(rebuilt(changed(12, 1)), FileError::Epoch { index: 1, seed_rounds: 0, .. }));
    // Whole and with the right sizes, but grown from another seed: Ethash and Etchash at one index.
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
    let troubles = caches.take_troubles();
    assert!(
        matches!(troubles[0].error, FileError::Epoch { index: 195, seed_rounds: 195, .. }),
        "{troubles:?}"
    );
}

#[test]
fn a_directory_in_place_of_the_file_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("light-0-0.cache");
    fs::create_dir(&path).unwrap();
    let troubles = troubles(directory.path(), 2);
    assert!(!troubles[0].error.to_string().is_empty(), "it can't be read, in words of the system");
    assert_eq!(refused(&troubles[1]), ("rename to", path.as_path()));
    assert_eq!(names(directory.path()), ["light-0-0.cache"], "no temporary file is left");
}

#[test]
fn a_place_that_cannot_be_written_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    // A file in place of the directory, and below a file there can be none, for nobody.
    for place in [file.clone(), file.join("below")] {
        let troubles = troubles(&place, 2);
        assert_eq!(refused(&troubles[0]), ("open", place.join("light-0-0.cache").as_path()));
        assert_eq!(refused(&troubles[1]), ("create", place.as_path()));
    }
    assert_eq!((fs::read(&file).unwrap().as_slice(), names(directory.path()).len()), (&b"x"[..], 1));
    if cfg!(target_os = "linux") {
        // A file system that takes no files, not even from root.
        let place = PathBuf::from("/proc/self/caches");
        assert_eq!(refused(&troubles(&place, 1)[0]), ("create", place.as_path()));
        let trouble = &troubles(Path::new("/proc"), 1)[0];
        let (action, path) = refused(trouble);
        assert_eq!((action, path.parent()), ("write", Some(Path::new("/proc"))));
    }
}

/// A limit on the length of files is met in the midst of writing, as a full disk is.
#[cfg(unix)]
#[test]
fn a_full_disk_stops_nothing() {
    if env::var_os(ALONE).is_none() {
        return alone("a_full_disk_stops_nothing", |program| {
            let mut command = Command::new("sh");
            command.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]).arg(program);
            command
        });
    }
    let directory = tempfile::tempdir().unwrap();
    let trouble = &troubles(directory.path(), 1)[0];
    let (action, path) = refused(trouble);
    assert_eq!((action, path.parent()), ("write", Some(directory.path())));
    assert!(trouble.error.to_string().contains("File too large"), "{}", trouble.error);
    assert!(names(directory.path()).is_empty(), "neither half a file nor a temporary one is left");

    // A file that is there is as it was after what could not be written over it.
    let path = directory.path().join("light-0-0.cache");
    fs::write(&path, "short").unwrap();
    let troubles = troubles(directory.path(), 2);
    assert!(matches!(troubles[0].error, FileError::Length { actual: 5, .. }));
    assert_eq!(refused(&troubles[1]).0, "write");
    assert_eq!((fs::read(&path).unwrap().as_slice(), names(directory.path()).len()), (&b"short"[..], 1));
}

/// The system gives no thread: no stack is that large.
#[cfg(target_os = "linux")]
#[test]
fn without_a_thread_there_is_no_cache_and_nobody_waits() {
    if env::var_os(ALONE).is_none() {
        return alone("without_a_thread_there_is_no_cache_and_nobody_waits", |program| {
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
        assert_eq!((caches.status(epoch(index)), caches.in_memory()), (Status::Absent, 0));
        assert!(caches.try_get(epoch(index)).is_none());
    }
    assert_eq!(caches.counts(), Counts::default());
}

/// One that can't be removed is told, and keeps nobody from the others.
#[test]
fn what_can_not_be_removed_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let stuck = directory.path().join("light-9-9.cache");
    fs::create_dir(&stuck).unwrap();
    let caches = Caches::new(Settings { on_disk: NonZeroUsize::MIN, ..settings(Some(directory.path()), 1) });
    caches.get(epoch(0)).unwrap();
    let mut troubles = vec![];
    wait_until("the trouble is told", || {
        troubles.extend(caches.take_troubles());
        !troubles.is_empty()
    });
    assert_eq!((troubles.len(), refused(&troubles[0])), (1, ("remove", stuck.as_path())));
    assert_eq!(caches.counts(), Counts { built: 1, saved: 1, ..Counts::default() });
    assert_eq!(names(directory.path()), ["light-0-0.cache", "light-9-9.cache"]);
}

#[test]
fn only_the_latest_troubles_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    let caches = Caches::new(settings(Some(&file), 1));
    // two a build: it can be neither read nor written
    for index in 0..18 {
        caches.get(epoch(index)).unwrap();
    }
    // the last one's are told when its thread is gone
    let mut all = caches.take_troubles();
    let before = all.len();
    wait_until("the last is told", || {
        all.extend(caches.take_troubles());
        all.iter().any(|trouble| trouble.epoch == epoch(17) && refused(trouble).0 == "create")
    });
    assert!(before <= 32, "{before}");
    assert_eq!(all.iter().filter(|trouble| trouble.epoch == epoch(0)).count(), 0, "the oldest go first");
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
    // Reading counts as use, so the other one goes.
    caches.get(epoch(0)).unwrap();
    caches.get(epoch(1)).unwrap();
    drop(caches);
    assert!(!unused.exists() && !abandoned.exists());
    assert!(fresh.exists() && others.iter().all(|path| path.exists()));
    assert!(path.exists() && directory.path().join("light-1-1.cache").exists());
}

#[test]
fn dropping_calls_builds_off() {
    let directory = tempfile::tempdir().unwrap();
    let caches = Caches::new(settings(Some(directory.path()), 1));
    caches.prepare(epoch(2047));
    wait_until(
        "it is under way",
        || matches!(caches.status(epoch(2047)), Status::Building(done) if done > 0.0),
    );
    let start = Instant::now();
    drop(caches);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
