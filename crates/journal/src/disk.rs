//! What the writer asks of the disk, so that tests can put faults in between.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::Path,
};

/// The calls that can fail. The real one has no state and no cost.
pub(crate) trait Disk: Send + 'static {
    /// An empty file for writing.
    fn create(&mut self, path: &Path) -> io::Result<File> {
        OpenOptions::new().create(true).truncate(true).write(true).open(path)
    }

    /// Writes at the end.
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// `fdatasync`, which also covers the file's length.
    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Makes the names in a directory durable.
    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    /// Cuts the file to a length and goes on from there.
    fn cut(&mut self, file: &mut File, length: u64) -> io::Result<()> {
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length)).map(drop)
    }
}

/// The system's.
pub(crate) struct System;

impl Disk for System {}
