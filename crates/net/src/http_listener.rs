//! A listener of any network, for axum.

use crate::{Listener, Stream};
use std::{io, net::SocketAddr, time::Duration};
use tokio::time::sleep;
use tracing::warn;

/// Pause after a failed accept.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves HTTP on a listener.
#[derive(Debug)]
pub struct HttpListener(pub Box<dyn Listener>);

impl axum::serve::Listener for HttpListener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok(accepted) => return accepted,
                Err(error) => {
                    // probably out of file descriptors: open connections continue
                    warn!(%error, "accept failed");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
