//! SIMULATOR of peers that misbehave, each bounded in what it sends and how long it stays.

use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

/// Sends lines of rubbish until it is dropped or `lines` are sent. Returns how many went out.
///
/// # Errors
/// When there is no connection.
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

/// Sends one line that never ends, `rate` bytes at a time, until it is dropped or `bytes` are sent. Returns how many
/// went out, and after how long.
///
/// # Errors
/// When there is no connection.
pub async fn endless_line(server: SocketAddr, bytes: usize, rate: usize) -> io::Result<(usize, Duration)> {
    let mut stream = TcpStream::connect(server).await?;
    let begun = Instant::now();
    let mut sent = 0;
    let mut answer = [0; 256];
    while sent < bytes {
        if stream.write_all(&vec![b'{'; rate]).await.is_err() {
            break;
        }
        sent += rate;
        // a server that drops us ends the read
        if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_millis(10), stream.read(&mut answer)).await {
            break;
        }
    }
    Ok((sent, begun.elapsed()))
}
