//! SIMULATOR of misbehaving peers. Each limits what it sends and how long it stays.

use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

/// Sends up to `lines` malformed lines, until the server disconnects. Returns how many it sent.
///
/// # Errors
/// If it can't connect.
pub async fn garbage(server: SocketAddr, lines: usize) -> io::Result<usize> {
    let mut stream = TcpStream::connect(server).await?;
    for sent in 0..lines {
        if stream.write_all(b"\x01\x02{not json\n").await.is_err() {
            return Ok(sent);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(lines)
}

/// Sends one endless line, `rate` bytes at a time, until the server disconnects or `bytes` are
/// sent. Returns how many bytes it sent, and how long that took.
///
/// # Errors
/// If it can't connect.
pub async fn endless_line(server: SocketAddr, bytes: usize, rate: usize) -> io::Result<(usize, Duration)> {
    let mut stream = TcpStream::connect(server).await?;
    let started = Instant::now();
    let mut sent = 0;
    let mut answer = [0; 256];
    while sent < bytes {
        if stream.write_all(&vec![b'{'; rate]).await.is_err() {
            break;
        }
        sent += rate;
        // the read ends when the server disconnects
        if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_millis(10), stream.read(&mut answer)).await {
            break;
        }
    }
    Ok((sent, started.elapsed()))
}
