//! The machine's own network.

use crate::{Listener, Network, Pending, SharedNetwork, Stream};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::net::{TcpListener, TcpStream, lookup_host};

/// TCP over the machine's own network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Tcp {
    /// The machine's network, to be passed to a role.
    #[must_use]
    pub fn shared() -> SharedNetwork {
        Arc::new(Self)
    }
}

/// Turns Nagle's algorithm off, so that no share or job waits. A socket that refuses is slower, not
/// wrong.
fn without_delay(stream: TcpStream) -> Stream {
    let _ = stream.set_nodelay(true);
    Box::new(stream)
}

impl Network for Tcp {
    fn listen(&self, address: SocketAddr) -> Pending<'_, Box<dyn Listener>> {
        Box::pin(async move {
            let listener: Box<dyn Listener> = Box::new(TcpListener::bind(address).await?);
            Ok(listener)
        })
    }

    fn resolve<'a>(&'a self, address: &'a str) -> Pending<'a, Vec<SocketAddr>> {
        Box::pin(async move { Ok(lookup_host(address).await?.collect()) })
    }

    fn connect<'a>(&'a self, address: &'a str) -> Pending<'a, Stream> {
        Box::pin(async move { TcpStream::connect(address).await.map(without_delay) })
    }
}

impl Listener for TcpListener {
    fn accept(&mut self) -> Pending<'_, (Stream, SocketAddr)> {
        Box::pin(async {
            let (stream, peer) = Self::accept(self).await?;
            Ok((without_delay(stream), peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Self::local_addr(self)
    }
}
