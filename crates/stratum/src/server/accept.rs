//! Accepts connections, up to a limit.

use hashlease_net::{Listener, Stream};
use std::{future::Future, net::SocketAddr, pin::pin, time::Duration};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::warn;

/// Pause after a failed accept.
const PAUSE: Duration = Duration::from_millis(200);

/// How connections are accepted.
#[derive(Clone, Copy, Debug)]
pub struct AcceptOptions {
    /// Who connects, for the log: `miners` or `nodes`.
    pub peers: &'static str,
    /// Largest number of connections at the same time; further ones are closed at once.
    pub max_connections: usize,
    /// How long sessions may take to end once `stop` is ready. Those that take longer are dropped.
    pub farewell: Duration,
}

/// Runs `serve` in a task of its own for every connection, until `stop` is ready.
///
/// All sessions end when the returned future is dropped.
pub async fn accept<S>(
    mut listener: Box<dyn Listener>,
    options: AcceptOptions,
    stop: impl Future<Output = ()>,
    mut serve: impl FnMut(Stream, SocketAddr) -> S,
) where
    S: Future<Output = ()> + Send + 'static,
{
    let AcceptOptions { peers, max_connections, farewell } = options;
    let mut stop = pin!(stop);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((_, peer)) if connections.len() >= max_connections => {
                warn!(%peer, peers, limit = max_connections, "too many connections, refusing one");
            }
            Ok((stream, peer)) => {
                connections.spawn(serve(stream, peer));
            }
            Err(error) => {
                // probably out of file descriptors: open connections continue
                warn!(peers, %error, "accept failed");
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(farewell, all).await;
}
