//! The disk operations of the writer, behind a trait so that tests can inject faults.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::Path,
};

/// The operations that can fail. The real implementation has no state and no cost.
pub(crate) trait Disk: Send + 'static {
    /// Creates an empty file, or empties an existing one.
    fn create(&mut self, path: &Path) -> io::Result<File> {
        OpenOptions::new().create(true).truncate(true).write(true).open(path)
    }

    /// Writes at the current position, the end of the file.
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

    /// Truncates the file and moves the position to its end.
    fn cut(&mut self, file: &mut File, length: u64) -> io::Result<()> {
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length)).map(drop)
    }
}

/// The operating system's file system.
pub(crate) struct System;

impl Disk for System {}
