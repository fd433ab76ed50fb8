//! A peer's bytes give the same lines in any pieces, and no line is longer than allowed.
#![no_main]

use arbitrary::Arbitrary;
use hashlease_stratum::{LineError, LineLimits, LineReader};
use libfuzzer_sys::fuzz_target;
use std::{
    io,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    runtime::{Builder, Runtime},
};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().unwrap());

const LIMITS: fn() -> LineLimits = || LineLimits { length: 48, ..LineLimits::default() };

#[derive(Arbitrary, Debug)]
struct Input {
    /// The peer's bytes.
    bytes: Vec<u8>,
    /// The sizes of the pieces, used in turn; 0 makes the reader wait once.
    pieces: Vec<u8>,
}

struct Pieces<'a> {
    bytes: &'a [u8],
    pieces: std::iter::Cycle<std::slice::Iter<'a, u8>>,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = usize::from(*self.pieces.next().unwrap_or(&255));
        if piece == 0 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (now, later) = self.bytes.split_at(piece.min(self.bytes.len()).min(into.remaining()));
        into.put_slice(now);
        self.bytes = later;
        Poll::Ready(Ok(()))
    }
}

/// The lines until the end or the first error.
fn read(bytes: &[u8], pieces: &[u8]) -> (Vec<String>, Option<LineError>) {
    let mut lines = LineReader::new(Pieces { bytes, pieces: pieces.iter().cycle() }, LIMITS());
    let mut all = Vec::new();
    RUNTIME.block_on(async {
        loop {
            match lines.next().await {
                Ok(Some(line)) => all.push(line),
                Ok(None) => return (all, None),
                Err(error) => return (all, Some(error)),
            }
        }
    })
}

/// The same, written straight from the rules.
fn plain(bytes: &[u8]) -> (Vec<String>, bool) {
    let mut all = Vec::new();
    for part in bytes.split(|byte| *byte == b'\n') {
        let length = part.strip_suffix(b"\r").unwrap_or(part).len();
        match std::str::from_utf8(part) {
            Ok(line) if length <= LIMITS().length => {
                if !line.trim().is_empty() {
                    all.push(line.trim().to_owned());
                }
            }
            _ => return (all, false),
        }
    }
    (all, true)
}

fuzz_target!(|input: Input| {
    let Input { mut bytes, mut pieces } = input;
    bytes.truncate(1_024);
    // otherwise the reader would never get a byte
    pieces.truncate(16);
    if pieces.iter().all(|piece| *piece == 0) {
        pieces.clear();
    }
    let (lines, error) = read(&bytes, &pieces);
    if bytes.first() == Some(&0x16) && matches!(error, Some(LineError::Tls)) {
        return;
    }
    let (expected, good) = plain(&bytes);
    assert_eq!((lines, error.is_none()), (expected, good), "{error:?}");
});
