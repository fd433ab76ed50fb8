//! The streaming builder takes the memory of one chunk and the outline, and doesn't allocate for
//! each key.
//!
//! This is the only test of its file, since it counts the allocations of the whole process.
#![allow(clippy::unwrap_used, clippy::expect_used, unsafe_code)]

#[path = "common/ascending.rs"]
mod ascending;

use ascending::ascending;
use hashlease_trie::{Builder, Outline};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Relaxed);
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The outline, the most bytes allocated at the same time while it was built, and the number of
/// allocations.
fn stream(count: u32) -> (Outline, usize, usize) {
    let (before, calls) = (LIVE.load(Relaxed), CALLS.load(Relaxed));
    PEAK.store(before, Relaxed);
    let mut builder = Builder::new();
    for key in ascending(count, 1) {
        builder.push(key).unwrap();
    }
    let outline = builder.finish();
    (outline, PEAK.load(Relaxed) - before, CALLS.load(Relaxed) - calls)
}

#[test]
fn a_stream_takes_the_memory_of_a_chunk_and_the_outline() {
    const CHUNK_BYTES: usize = 2 << 20;
    for count in [100_000, 400_000, 1_600_000] {
        let (outline, peak, calls) = stream(count);
        let keys = 32 * count as usize;
        println!("{count} keys: peak {peak} bytes, outline {} bytes, {calls} allocations", outline.size());
        assert_eq!(outline.commitment().count, u64::from(count));
        // a growing vector exists twice for a moment, and the new one has room to spare
        assert!(peak <= CHUNK_BYTES + 3 * outline.size(), "{peak} bytes for {count} keys");
        assert!(outline.size() * 10 < keys, "outline of {} bytes for {count} keys", outline.size());
        assert!(calls < 200, "{calls} allocations");
    }
}
