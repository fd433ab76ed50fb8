//! The place of a journal, and the size of its segments.

use std::path::{Path, PathBuf};

/// Place of a journal and size of its segments.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory, created if missing.
    pub dir: PathBuf,
    /// A segment of at least this size is followed by a new one, bytes.
    pub segment_bytes: u64,
}

impl Options {
    /// Segments of 256 MiB.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), segment_bytes: 256 << 20 }
    }
}
