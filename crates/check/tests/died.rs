//! A panic of a building thread leaves no caller waiting. It needs a test program of its own, since
//! the log subscriber that panics is global.
#![allow(clippy::unwrap_used, clippy::panic)]

use hashlease_check::{BuildFailed, CacheCounts, CacheSettings, CacheStatus, Caches, EthashEpoch};
use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use tracing::{Event, Metadata, Subscriber, span};

/// Whether building threads panic.
static DEADLY: AtomicBool = AtomicBool::new(true);

/// Panics at the first event that a building thread logs, which is after the build.
struct Deadly;

impl Subscriber for Deadly {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {
        let builds = thread::current().name().is_some_and(|name| name.starts_with("light-cache-"));
        assert!(!builds || !DEADLY.load(Ordering::Relaxed), "meant to die");
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn waiting_callers_get_an_error_and_the_next_call_builds_again() {
    tracing::subscriber::set_global_default(Deadly).unwrap();
    let epoch = EthashEpoch::of_ethash_block(0).unwrap();
    let caches = Caches::new(CacheSettings::default());
    // some wait for the same build, some may start another one later: all get the error
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                let error = caches.get(epoch).unwrap_err();
                assert!(matches!(error, BuildFailed::Died(died) if died == epoch), "{error}");
                let words = "the thread building the light cache of DAG epoch 0 ended early";
                assert_eq!(error.to_string(), words);
            });
        }
    });
    assert_eq!((caches.status(epoch), caches.in_memory()), (CacheStatus::Absent, 0));
    assert_eq!((caches.try_get(epoch).is_none(), caches.counts()), (true, CacheCounts::default()));
    DEADLY.store(false, Ordering::Relaxed);
    assert_eq!(caches.get(epoch).unwrap().epoch(), epoch);
    assert_eq!(caches.counts(), CacheCounts { built: 1, ..CacheCounts::default() });
}
