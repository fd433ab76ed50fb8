//! Miners come in.

use crate::{
    balance::{self, Standing},
    book::Book,
    clock::unix_seconds,
    extranonce::Layout,
    served::{Served, ServedLeases},
    session,
    sessions::SessionNumbers,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::sleep,
};
use tracing::{info, warn};

/// Connections at the same time.
const MAX_MINERS: usize = 16_384;

/// What every session shares.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) book: Book,
    pub(crate) leases: watch::Receiver<Arc<ServedLeases>>,
    pub(crate) numbers: SessionNumbers,
}

impl Server {
    pub(crate) const fn new(
        book: Book,
        leases: watch::Receiver<Arc<ServedLeases>>,
        numbers: SessionNumbers,
    ) -> Self {
        Self { book, leases, numbers }
    }

    /// The lease that a worker should mine for now.
    pub(crate) fn choose(&self, worker: &str) -> Option<Arc<Served>> {
        let leases = Arc::clone(&self.leases.borrow());
        let now = unix_seconds();
        let known: Vec<_> = leases
            .values()
            .map(|served| (served.terms(), served.has_job(), self.book.counted(served.id())))
            .collect();
        let standings = known.iter().map(|(terms, has_job, counted)| Standing {
            terms,
            counted: *counted,
            has_job: *has_job,
        });
        let chosen = balance::choose(worker, now, standings)?;
        leases.get(&chosen).cloned()
    }

    /// Whether a lease that the worker could get is about to start, so that it is worth waiting.
    pub(crate) fn soon(&self, worker: &str) -> bool {
        let now = unix_seconds();
        let pinned = balance::pinned(worker);
        let leases = self.leases.borrow();
        leases.values().filter(|served| pinned.is_none_or(|id| id == served.id())).any(|served| {
            let terms = served.terms();
            now < terms.start && terms.start <= now.saturating_add(crate::link::CONNECT_AHEAD)
        })
    }

    /// Sizes for a new session: those of the lease that it would get. As long as its worker may come to another lease,
    /// its extranonce2 is no longer than all of them have room for, since most miners can't be told of another length.
    pub(crate) fn layout(&self, worker: Option<&str>) -> Option<Layout> {
        let layout = |served: &Arc<Served>| served.jobs().borrow().as_ref().map(|job| job.layout);
        let first = layout(&self.choose(worker.unwrap_or_default())?)?;
        if worker.and_then(balance::pinned).is_some() {
            return Some(first);
        }
        let leases = Arc::clone(&self.leases.borrow());
        let others =
            leases.values().filter_map(layout).filter(|other| other.extranonce1 == first.extranonce1);
        let shortest = others.map(|other| other.extranonce2).min();
        Some(Layout { extranonce2: shortest.unwrap_or(first.extranonce2), ..first })
    }
}

pub(crate) async fn accept(listener: TcpListener, server: Server) {
    let mut miners = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                while miners.try_join_next().is_some() {}
                if miners.len() >= MAX_MINERS {
                    warn!(%peer, limit = MAX_MINERS, "too many miners, connection refused");
                    continue;
                }
                miners.spawn(serve(stream, peer, server.clone()));
            }
            Err(error) => {
                // out of file descriptors, most likely: those who are in go on
                warn!(%error, "a miner can't be let in");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, server: Server) {
    let _ = stream.set_nodelay(true);
    let end = session::run(stream, peer, server).await;
    info!(%peer, reason = end, "miner left");
}
