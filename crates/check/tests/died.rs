//! A thread that dies while it builds keeps nobody waiting. A file of its own: what is logged is the whole program's.
#![allow(clippy::unwrap_used, clippy::panic)]

use hashlease_check::{BuildFailed, Caches, Counts, EthashEpoch, Settings, Status};
use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use tracing::{Event, Metadata, Subscriber, span};

/// Whether threads that build die.
static DEADLY: AtomicBool = AtomicBool::new(true);

/// Panics at whatever a building thread says, once it has built.
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
fn whoever_waits_is_told_and_whoever_asks_next_has_it_built() {
    tracing::subscriber::set_global_default(Deadly).unwrap();
    let epoch = EthashEpoch::of_ethash_block(0).unwrap();
    let caches = Caches::new(Settings::default());
    // Some wait for one build, some come after it and start another: all are told.
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                let error = caches.get(epoch).unwrap_err();
                assert!(matches!(error, BuildFailed::Died(died) if died == epoch), "{error}");
                let words = "the thread that built the light cache of epoch 0 ended before its time";
                assert_eq!(error.to_string(), words);
            });
        }
    });
    assert_eq!((caches.status(epoch), caches.in_memory()), (Status::Absent, 0));
    assert_eq!((caches.try_get(epoch).is_none(), caches.counts()), (true, Counts::default()));
    DEADLY.store(false, Ordering::Relaxed);
    assert_eq!(caches.get(epoch).unwrap().epoch(), epoch);
    assert_eq!(caches.counts(), Counts { built: 1, ..Counts::default() });
}
