//! Files for strangers over HTTP. A reader takes one of the places until it has the whole file, and
//! may not be too slow.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header},
};
use futures::stream;
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io,
    time::{Duration, Instant},
};
use tokio::{io::AsyncReadExt as _, sync::mpsc, time::timeout};

/// Bytes of a file that are read and sent at a time.
const PIECE: u64 = 64 << 10;
/// Bytes of the checksum at the end of a file.
const CHECKSUM: usize = 32;
/// Longest time in which a reader may accept no piece.
const IDLE: Duration = Duration::from_secs(30);
/// Smallest average rate of a reader after that time, bytes per second.
const MIN_RATE: u64 = 16 << 10;

/// An answer with a file that ends with the SHA-256 of the rest. A reader that is too slow is
/// dropped. `damaged` is called if the file can't be read, or its checksum is wrong.
pub fn file_answer(
    file: File,
    length: u64,
    name: &str,
    place: impl Send + 'static,
    damaged: impl FnOnce() + Send + 'static,
) -> ([(HeaderName, HeaderValue); 3], Body) {
    let text = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, text(&format!("attachment; filename=\"{name}\""))),
        (header::CONTENT_LENGTH, HeaderValue::from(length)),
    ];
    let (pieces, coming) = mpsc::channel(2);
    tokio::spawn(async move {
        let whole = send(file, length, pieces).await;
        drop(place);
        if !whole {
            damaged();
        }
    });
    let body = stream::unfold(coming, |mut coming| async {
        coming.recv().await.map(|piece: io::Result<Vec<u8>>| (piece, coming))
    });
    (headers, Body::from_stream(body))
}

/// Sends a file piece by piece. Returns `false` if the file is damaged; a reader that goes leaves it
/// undamaged.
async fn send(file: File, length: u64, to: mpsc::Sender<io::Result<Vec<u8>>>) -> bool {
    let mut file = tokio::fs::File::from_std(file);
    let started = Instant::now();
    let mut checksum = Sha256::new();
    let (mut done, mut last) = (0u64, Vec::new());
    loop {
        let mut piece = Vec::new();
        match (&mut file).take(PIECE).read_to_end(&mut piece).await {
            Ok(0) => break,
            // a length in memory fits 64 bits
            Ok(read) => done = done.saturating_add(u64::try_from(read).unwrap_or(u64::MAX)),
            Err(error) => {
                let _ = to.send(Err(error)).await;
                return false;
            }
        }
        last.extend_from_slice(&piece);
        let known = last.len().saturating_sub(CHECKSUM);
        checksum.update(last.drain(..known).as_slice());
        let seconds = started.elapsed().saturating_sub(IDLE).as_secs();
        let too_slow = done < seconds.saturating_mul(MIN_RATE);
        if too_slow || !matches!(timeout(IDLE, to.send(Ok(piece))).await, Ok(Ok(()))) {
            return true;
        }
    }
    done == length && checksum.finalize().as_slice() == last
}
