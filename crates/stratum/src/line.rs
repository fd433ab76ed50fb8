//! One line of a peer at a time, bounded in length and in time.

use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::{Instant, timeout},
};

/// Bounds on what a peer may send, and how slowly.
#[derive(Clone, Copy, Debug)]
pub struct LineLimits {
    /// Longest line without its end (`\n` or `\r\n`), bytes.
    pub length: usize,
    /// Longest silence between lines.
    pub idle: Duration,
    /// Longest time from the first byte of a line to its end.
    pub line: Duration,
}

impl Default for LineLimits {
    fn default() -> Self {
        Self { length: 16 * 1_024, idle: Duration::from_secs(600), line: Duration::from_secs(10) }
    }
}

/// Why no further line is read from a peer.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The line is longer than allowed.
    #[error("line longer than {0} bytes")]
    TooLong(usize),
    /// The peer was silent for too long.
    #[error("no message for {0:?}")]
    Idle(Duration),
    /// A line started and did not end in time.
    #[error("line not ended within {0:?}")]
    Unfinished(Duration),
    /// The peer wants TLS on a plain port.
    #[error("peer opens TLS on a plain port")]
    Tls,
    /// The line is not text.
    #[error("line is not UTF-8")]
    NotUtf8,
    /// The connection broke.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
}

impl LineError {
    /// A stable kebab-case name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "line-too-long",
            Self::Idle(_) => "idle",
            Self::Unfinished(_) => "line-unfinished",
            Self::Tls => "tls",
            Self::NotUtf8 => "not-utf8",
            Self::Io(_) => "connection-lost",
        }
    }
}

/// Splits a byte stream into lines. Cancel-safe: bytes that were read stay in the buffer.
#[derive(Debug)]
pub struct LineReader<R> {
    inner: R,
    limits: LineLimits,
    buffer: Vec<u8>,
    scanned: usize,
    begun: Option<Instant>,
    last: Instant,
    first: bool,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Reads from `inner`.
    pub fn new(inner: R, limits: LineLimits) -> Self {
        Self { inner, limits, buffer: Vec::new(), scanned: 0, begun: None, last: Instant::now(), first: true }
    }

    /// Sets the longest silence between lines from now on.
    pub const fn set_idle(&mut self, idle: Duration) {
        self.limits.idle = idle;
    }

    /// The next line that is not empty, without its end. `None` at the end of the stream; the last
    /// line needs no end.
    ///
    /// # Errors
    /// [`LineError`]; the peer should be dropped.
    pub async fn next(&mut self) -> Result<Option<String>, LineError> {
        loop {
            while let Some(line) = self.take_line() {
                if self.is_too_long(line.strip_suffix(b"\n").unwrap_or(&line)) {
                    return Err(LineError::TooLong(self.limits.length));
                }
                let text = String::from_utf8(line).map_err(|_| LineError::NotUtf8)?;
                let text = text.trim();
                if !text.is_empty() {
                    self.last = Instant::now();
                    return Ok(Some(text.to_owned()));
                }
            }
            if self.is_too_long(&self.buffer) {
                return Err(LineError::TooLong(self.limits.length));
            }
            let (since, allowed, late) = match self.begun {
                Some(begun) => (begun, self.limits.line, LineError::Unfinished(self.limits.line)),
                None => (self.last, self.limits.idle, LineError::Idle(self.limits.idle)),
            };
            let rest = allowed.saturating_sub(since.elapsed());
            let Ok(read) = timeout(rest, self.inner.read_buf(&mut self.buffer)).await else {
                return Err(late);
            };
            if read? == 0 {
                let rest = std::mem::take(&mut self.buffer);
                self.scanned = 0;
                let text = String::from_utf8(rest).map_err(|_| LineError::NotUtf8)?;
                let text = text.trim();
                return Ok((!text.is_empty()).then(|| text.to_owned()));
            }
            if self.first {
                self.first = false;
                // a handshake record: content type 22, version 3.x
                if let [0x16, 0x03, ..] | [0x16] = self.buffer.as_slice() {
                    return Err(LineError::Tls);
                }
            }
            self.begun.get_or_insert_with(Instant::now);
        }
    }

    /// The same for a whole line and for a part of it, so that the pieces it arrives in don't
    /// matter.
    fn is_too_long(&self, line: &[u8]) -> bool {
        line.strip_suffix(b"\r").unwrap_or(line).len() > self.limits.length
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let unseen = self.buffer.get(self.scanned..)?;
        let Some(end) = unseen.iter().position(|byte| *byte == b'\n') else {
            self.scanned = self.buffer.len();
            return None;
        };
        let end = self.scanned.saturating_add(end).saturating_add(1);
        let rest = self.buffer.split_off(end);
        let line = std::mem::replace(&mut self.buffer, rest);
        self.scanned = 0;
        // the time of the next line starts now at the earliest
        self.begun = (!self.buffer.is_empty()).then(Instant::now);
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    fn limits() -> LineLimits {
        LineLimits { length: 64, idle: Duration::from_millis(200), line: Duration::from_millis(100) }
    }

    #[tokio::test]
    async fn several_lines_in_one_packet_and_one_line_over_many() {
        let (mut peer, here) = tokio::io::duplex(1_024);
        let mut lines = LineReader::new(here, limits());
        peer.write_all(b"one\r\n\n two \nthr").await.unwrap();
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("one"));
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("two"));
        let (_, third) = tokio::join!(
            async {
                for byte in b"ee\nlast" {
                    peer.write_all(&[*byte]).await.unwrap();
                }
                drop(peer);
            },
            async { lines.next().await.unwrap() }
        );
        assert_eq!(third.as_deref(), Some("three"));
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("last"), "no end needed");
        assert_eq!(lines.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_that_never_ends_is_refused() {
        let (mut peer, here) = tokio::io::duplex(1_024);
        let mut lines = LineReader::new(here, limits());
        peer.write_all(&[b'x'; 100]).await.unwrap();
        assert!(matches!(lines.next().await, Err(LineError::TooLong(64))));
        let (mut peer, here) = tokio::io::duplex(1_024);
        let mut lines = LineReader::new(here, limits());
        peer.write_all(b"slow").await.unwrap();
        assert!(matches!(lines.next().await, Err(LineError::Unfinished(_))));
    }

    #[tokio::test]
    async fn a_line_is_bounded_even_when_its_end_arrives_with_it() {
        let (mut peer, here) = tokio::io::duplex(1_024);
        let mut lines = LineReader::new(here, limits());
        let exact = "y".repeat(64);
        peer.write_all(format!("{exact}\r\n").as_bytes()).await.unwrap();
        assert_eq!(lines.next().await.unwrap(), Some(exact), "as long as allowed, the end not counted");
        peer.write_all(format!("{}\n", "x".repeat(65)).as_bytes()).await.unwrap();
        assert!(matches!(lines.next().await, Err(LineError::TooLong(64))));
    }

    #[tokio::test]
    async fn a_line_may_be_as_long_in_pieces_as_in_one() {
        let (mut peer, here) = tokio::io::duplex(1_024);
        let mut lines = LineReader::new(here, LineLimits { length: 64, ..LineLimits::default() });
        let exact = "y".repeat(64);
        peer.write_all(format!("{exact}\r").as_bytes()).await.unwrap();
        assert!(futures::poll!(std::pin::pin!(lines.next())).is_pending(), "its end may be under way");
        peer.write_all(b"\n").await.unwrap();
        assert_eq!(lines.next().await.unwrap(), Some(exact.clone()));
        peer.write_all(format!("{exact}\r\r").as_bytes()).await.unwrap();
        assert!(matches!(lines.next().await, Err(LineError::TooLong(64))));
    }

    #[tokio::test]
    async fn a_cancelled_read_loses_nothing() {
        let (mut peer, here) = tokio::io::duplex(1_024);
        let mut lines = LineReader::new(here, LineLimits { length: 64, ..LineLimits::default() });
        peer.write_all(b"half").await.unwrap();
        {
            // polled once, then dropped, as a lost branch of `select!` is
            let mut reading = std::pin::pin!(lines.next());
            assert!(futures::poll!(reading.as_mut()).is_pending());
        }
        peer.write_all(b" and half\n").await.unwrap();
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("half and half"));
    }

    #[tokio::test]
    async fn silence_tls_and_other_bytes_are_told_apart() {
        let (peer, here) = tokio::io::duplex(1_024);
        assert!(matches!(LineReader::new(here, limits()).next().await, Err(LineError::Idle(_))));
        drop(peer);
        let (peer, here) = tokio::io::duplex(1_024);
        let mut patient = LineReader::new(here, LineLimits { idle: Duration::from_secs(600), ..limits() });
        patient.set_idle(Duration::from_millis(10));
        assert!(matches!(patient.next().await, Err(LineError::Idle(_))));
        drop(peer);
        let (mut peer, here) = tokio::io::duplex(1_024);
        peer.write_all(&[0x16, 0x03, 0x01, 0x02]).await.unwrap();
        assert!(matches!(LineReader::new(here, limits()).next().await, Err(LineError::Tls)));
        let (mut peer, here) = tokio::io::duplex(1_024);
        peer.write_all(b"\xff\xfe\n").await.unwrap();
        assert!(matches!(LineReader::new(here, limits()).next().await, Err(LineError::NotUtf8)));
    }
}
