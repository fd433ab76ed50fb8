//! Builds that go no further than a test lets them.

#![allow(clippy::arithmetic_side_effects)]

use super::*;
use std::sync::mpsc;

fn epoch(index: u64) -> EthashEpoch {
    EthashEpoch::of_ethash_block(index * 30_000).unwrap()
}

fn one_in_memory() -> CacheSettings {
    CacheSettings { in_memory: NonZeroUsize::MIN, ..CacheSettings::default() }
}

#[test]
fn a_build_under_way_blocks_neither_try_get_nor_prepare() {
    let (progressed, progress) = mpsc::channel();
    let (go_on, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let caches = Caches::with(one_in_memory(), move |epoch, report| {
        for done in [0.0, 0.25] {
            gate.lock().unwrap().recv().unwrap();
            report(done);
            progressed.send(()).unwrap();
        }
        gate.lock().unwrap().recv().unwrap();
        LightCache::build_with(epoch, report)
    });
    // dropped before `caches`, so that a failed assertion ends the build instead of waiting for it
    let go_on = go_on;
    assert!(caches.try_get(epoch(0)).is_none());
    assert_eq!((caches.status(epoch(0)), caches.in_memory()), (CacheStatus::Absent, 0));
    assert!(caches.prepare(epoch(0)));
    for done in [0.0, 0.25] {
        go_on.send(()).unwrap();
        progress.recv().unwrap();
        assert_eq!(caches.status(epoch(0)), CacheStatus::Building(done));
        assert!(caches.try_get(epoch(0)).is_none());
        assert!(caches.prepare(epoch(0)), "its build is under way");
        assert!(!caches.prepare(epoch(1)), "the build takes the only place");
    }
    go_on.send(()).unwrap();
    let built = caches.get(epoch(0)).unwrap();
    assert_eq!(caches.status(epoch(0)), CacheStatus::Ready);
    assert!(Arc::ptr_eq(&built, &caches.try_get(epoch(0)).unwrap()));
    assert_eq!(built.as_bytes(), LightCache::build(epoch(0)).as_bytes());
    assert_eq!(caches.counts(), CacheCounts { built: 1, ..CacheCounts::default() });
}

#[test]
fn dropping_it_cancels_builds() {
    let directory = tempfile::tempdir().unwrap();
    let (started, start) = mpsc::channel();
    let settings = CacheSettings { directory: Some(directory.path().to_owned()), ..one_in_memory() };
    let caches = Caches::with(settings, move |epoch, report| {
        started.send(()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if !report(0.5) {
                return Err(BuildCancelled);
            }
            thread::yield_now();
        }
        LightCache::build_with(epoch, report)
    });
    let held = Arc::downgrade(&caches.shared);
    caches.prepare(epoch(0));
    start.recv().unwrap();
    drop(caches);
    assert_eq!(held.strong_count(), 0, "its thread has ended");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing was built");
}
