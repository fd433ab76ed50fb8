//! The machine's own network: what one end writes, the other reads.
#![allow(clippy::unwrap_used, missing_docs)]

use hashlease_net::{Network as _, Tcp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn bytes_arrive_and_an_end_is_seen() {
    let mut listener = Tcp.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    assert_ne!(address.port(), 0, "the port that was taken");
    let mut client = Tcp.connect(&address.to_string()).await.unwrap();
    let (mut server, peer) = listener.accept().await.unwrap();
    assert!(peer.ip().is_loopback());
    client.write_all(b"share").await.unwrap();
    drop(client);
    let mut read = Vec::new();
    server.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"share");
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let listener = Tcp.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let taken = listener.local_addr().unwrap();
    assert!(Tcp.listen(taken).await.is_err());
}
