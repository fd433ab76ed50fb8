//! The machine's own network.

use crate::{Listener, Network, Pending, SharedNetwork, Stream};
use std::{io, net::SocketAddr, sync::Arc};
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};

/// Connections that may wait to be accepted: a farm comes back at once after a restart.
const BACKLOG: u32 = 4_096;

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

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // else a restart would wait until the connections of the last run are forgotten
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Network for Tcp {
    fn listen(&self, address: SocketAddr) -> Pending<'_, Box<dyn Listener>> {
        Box::pin(async move {
            let listener: Box<dyn Listener> = Box::new(listen(address)?);
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
