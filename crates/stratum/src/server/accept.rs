//! Accepts connections, up to a limit in all and for each address.

use hashlease_net::{Listener, Stream};
use std::{
    collections::HashMap,
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::pin,
    time::Duration,
};
use tokio::{
    task::{Id, JoinSet},
    time::{Instant, sleep, timeout},
};
use tracing::warn;

/// Pause after a failed accept.
const PAUSE: Duration = Duration::from_millis(200);
/// Refused connections are counted, and told at most once in this time.
const TELL: Duration = Duration::from_secs(10);

/// How connections are accepted.
#[derive(Clone, Copy, Debug)]
pub struct AcceptOptions {
    /// Who connects, for the log: `miners` or `nodes`.
    pub peers: &'static str,
    /// Largest number of connections at the same time; further ones are closed at once.
    pub max_connections: usize,
    /// Largest number of connections of one address at the same time.
    pub max_per_address: usize,
    /// How long sessions may take to end once `stop` is ready. Those that take longer are dropped.
    pub farewell: Duration,
}

/// Open connections: how many in all, and of each address.
#[derive(Default)]
struct Open {
    tasks: JoinSet<()>,
    addresses: HashMap<Id, IpAddr>,
    count: HashMap<IpAddr, usize>,
}

impl Open {
    fn add(&mut self, address: IpAddr, session: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(session).id();
        self.addresses.insert(id, address);
        let count = self.count.entry(address).or_default();
        *count = count.saturating_add(1);
    }

    /// Forgets the sessions that ended.
    fn forget_ended(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
            let Some(address) = self.addresses.remove(&id) else { continue };
            let Some(count) = self.count.get_mut(&address) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.count.remove(&address);
            }
        }
    }

    fn of(&self, address: IpAddr) -> usize {
        self.count.get(&address).copied().unwrap_or_default()
    }
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
    let AcceptOptions { peers, max_connections, max_per_address, farewell } = options;
    let mut stop = pin!(stop);
    let mut open = Open::default();
    let (mut refused, mut told) = (0u64, None::<Instant>);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        open.forget_ended();
        match accepted {
            Ok((stream, peer)) => {
                let all = open.tasks.len();
                if all < max_connections && open.of(peer.ip()) < max_per_address {
                    open.add(peer.ip(), serve(stream, peer));
                    continue;
                }
                refused = refused.saturating_add(1);
                if told.is_none_or(|told| told.elapsed() >= TELL) {
                    warn!(%peer, peers, refused, all, max_connections, max_per_address, "too many connections");
                    (refused, told) = (0, Some(Instant::now()));
                }
            }
            Err(error) => {
                // probably out of file descriptors: open connections continue
                warn!(peers, %error, "accept failed");
                sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    let all = async { while open.tasks.join_next().await.is_some() {} };
    let _ = timeout(farewell, all).await;
}
