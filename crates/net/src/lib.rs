//! The network as a parameter: roles listen and connect through a [`Network`], and nothing opens a
//! socket by itself. So a test or a simulation decides which host is where, and what a connection
//! does.
//!
//! In: addresses. Out: byte streams. [`Tcp`] is the machine's own network. The client for HTTP
//! (feature `http-client`) reaches committee members and evidence over a network, too. Only RPC
//! still connects by itself, because the library for the chain has its own transport; roles get
//! the chain's facts as watches, so those that send no transactions don't depend on it.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

#[cfg(feature = "http-client")]
mod guarded;
#[cfg(feature = "http-client")]
mod http_client;
#[cfg(feature = "http-client")]
mod http_connector;
#[cfg(feature = "http")]
mod http_server;
#[cfg(feature = "http")]
mod places;
#[cfg(feature = "http")]
mod served_file;
mod tcp;
#[cfg(feature = "http")]
mod unstalled;

#[cfg(feature = "http-client")]
pub use guarded::{GuardError, Guarded, is_public};
#[cfg(feature = "http-client")]
pub use http_client::{HttpAnswer, HttpClient, HttpDownload, HttpError, HttpLimits};
#[cfg(feature = "http-client")]
pub use http_connector::ConnectError;
#[cfg(feature = "http")]
pub use http_server::{ServerLimits, serve_http};
#[cfg(feature = "http")]
pub use places::{Place, PlaceLimits, Places, network_of};
#[cfg(feature = "http")]
pub use served_file::file_answer;
pub use tcp::Tcp;

use std::{fmt::Debug, future::Future, io, net::SocketAddr, pin::Pin, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};

/// A future that a network returns.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// A byte stream in both directions.
pub trait Connection: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin> Connection for T {}

/// An open connection.
pub type Stream = Box<dyn Connection>;

/// Accepts connections at one address.
pub trait Listener: Debug + Send {
    /// The next connection, and where it comes from. Dropping the future loses no connection.
    fn accept(&mut self) -> Pending<'_, (Stream, SocketAddr)>;

    /// Where it listens; with port 0, the port that was chosen.
    ///
    /// # Errors
    /// The system's error.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// Where roles listen and connect.
pub trait Network: Debug + Send + Sync {
    /// Listens at an address; port 0 takes a free port.
    fn listen(&self, address: SocketAddr) -> Pending<'_, Box<dyn Listener>>;

    /// The addresses of `host:port`. A network without names knows addresses only.
    fn resolve<'a>(&'a self, address: &'a str) -> Pending<'a, Vec<SocketAddr>> {
        Box::pin(async move {
            let address = address.parse();
            address.map(|address| vec![address]).map_err(|_| io::ErrorKind::NotFound.into())
        })
    }

    /// Connects to `host:port`.
    fn connect<'a>(&'a self, address: &'a str) -> Pending<'a, Stream>;
}

/// A network that the parts of a role share.
pub type SharedNetwork = Arc<dyn Network>;
