//! Standard output that reports its errors, and standard error that has none to report.
//!
//! `println!` panics when its line can't be written: on a full disk, or into a closed pipe.

use std::{
    fmt,
    io::{self, Write},
};

/// Standard output. Its errors say so, and are told apart from those of other files and sockets.
#[derive(Debug, Default)]
pub(crate) struct Output;

/// Why standard output could not be written.
#[derive(Debug)]
struct OutputError(io::Error);

impl fmt::Display for OutputError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "standard output: {}", self.0)
    }
}

impl std::error::Error for OutputError {}

impl OutputError {
    fn of(source: io::Error) -> io::Error {
        io::Error::new(source.kind(), Self(source))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes).map_err(OutputError::of)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush().map_err(OutputError::of)
    }
}

/// Prints a text and ends its line.
pub(crate) fn print(text: impl fmt::Display) -> io::Result<()> {
    let mut out = Output;
    // at once: what remains in a buffer at the process's end is written without a check
    out.write_all(format!("{text}\n").as_bytes())?;
    out.flush()
}

/// Prints a line on standard error. If that is full or closed, nobody can be told.
pub(crate) fn complain(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether the reader of standard output has gone, as `head` does once it has its lines. That is
/// no error of ours.
pub(crate) fn reader_has_gone(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| {
        let ours = error.get_ref().is_some_and(|inner| inner.is::<OutputError>());
        ours && error.kind() == io::ErrorKind::BrokenPipe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_reader_of_standard_output_may_go() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(reader_has_gone(&anyhow::Error::new(OutputError::of(broken())).context("ready line")));
        assert!(!reader_has_gone(&anyhow::Error::new(broken()).context("gateway's link")));
        let full = OutputError::of(io::ErrorKind::StorageFull.into());
        assert!(full.to_string().starts_with("standard output: "), "{full}");
        assert!(!reader_has_gone(&full.into()));
    }
}
