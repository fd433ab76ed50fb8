//! The provider's node: serves miners, checks every share, keeps the evidence, and brings the money in.
//!
//! ```text
//! chain ─▶ leases ─▶ link (jobs in, shares out) ─▶ served
//! miners ─▶ server ─▶ session ─▶ submit ─▶ book (journal + ledger) ─▶ close, settle ─▶ committee, chain
//!                                              └─▶ http (evidence)
//! ```
//! Invariants: acknowledged ⇒ durable; the ledger is a fold of the journal; restart is replay.

mod balance;
mod book;
mod clock;
mod close;
mod extranonce;
mod files;
mod http;
mod leases;
mod link;
mod served;
mod server;
mod session;
mod sessions;
mod settle;
mod settler;
mod submit;
#[cfg(test)]
mod tests;
mod work;

pub use book::BookError;

use hashlease_chain::{Chain, Committees, LeaseFilter, LeaseWatcher, Sender};
use hashlease_primitives::{LocalSigner, NodeKey};
use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use url::Url;

/// How long what is known of a committee holds.
const COMMITTEE_AGE: Duration = Duration::from_secs(60);

/// Evidence files that are served at once. Each costs a connection and little memory.
const MAX_READERS: usize = 256;

/// How a node runs.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Where miners connect; port 0 takes a free one.
    pub stratum: SocketAddr,
    /// Where the evidence is served; port 0 takes a free one.
    pub api: SocketAddr,
    /// URL under which the committee reaches `api`, if it is another.
    pub public_api: Option<Url>,
    /// Where the journal and the evidence files are kept.
    pub data_dir: PathBuf,
    /// Blocks that must stand on a lease's log before it counts.
    pub confirmations: u64,
    /// How often the chain is asked.
    pub poll: Duration,
    /// User agent towards gateways.
    pub agent: String,
}

/// Why a node can't start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// An address can't be had.
    #[error("listening on {address}: {source}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The data directory can't be used.
    #[error("data directory {}: {source}", path.display())]
    Data {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The journal can't be used.
    #[error(transparent)]
    Book(#[from] BookError),
}

/// A running node. It ends when this is dropped.
#[derive(Debug)]
pub struct Node {
    stratum: SocketAddr,
    api: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Node {
    /// Replays the journal, listens, and follows the chain.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn start(
        config: NodeConfig,
        chain: Chain,
        provider: LocalSigner,
        sender: Sender,
        node_key: NodeKey,
    ) -> Result<Self, NodeError> {
        let data = |path: PathBuf| move |source| NodeError::Data { path, source };
        std::fs::create_dir_all(&config.data_dir).map_err(data(config.data_dir.clone()))?;
        // replay first: its lock keeps a second node from touching anything
        let journal = config.data_dir.join("journal");
        let book = book::Book::open(&journal)?;
        let numbers = config.data_dir.join("sessions");
        let numbers = sessions::SessionNumbers::open(numbers.clone()).map_err(data(numbers))?;
        let (miners, stratum) = listen(config.stratum).await?;
        let (readers, api) = listen(config.api).await?;
        let evidence = config.data_dir.join("evidence");
        let files = files::EvidenceFiles::open(book.clone(), evidence.clone(), MAX_READERS);
        let files = files.map_err(data(evidence))?;
        let public = config.public_api.clone().or_else(|| format!("http://{api}/").parse().ok());
        let served = watch::Sender::new(Arc::new(served::ServedLeases::new()));
        let server = server::Server::new(book.clone(), served.subscribe(), numbers);
        let evidence_url = move |lease: u64, epoch: u32| {
            let path = format!("v1/leases/{lease}/epochs/{epoch}/evidence");
            public.as_ref().and_then(|base| base.join(&path).ok()).map(String::from).unwrap_or_default()
        };
        let committees = Committees::new(chain.clone(), COMMITTEE_AGE);
        let filter = LeaseFilter::Provider(provider.address());
        let watcher = LeaseWatcher::new(chain.clone(), filter, config.confirmations);
        let work = work::Work {
            book: book.clone(),
            chain,
            committees: committees.clone(),
            sender,
            provider,
            evidence_url: Box::new(evidence_url),
        };
        let settler = settler::Settler::new(work, config.poll);
        let tasks = vec![
            tokio::spawn(http::serve(readers, book.clone(), files, served.subscribe())),
            tokio::spawn(server::accept(miners, server)),
            tokio::spawn(leases::follow(watcher, config, node_key, book, committees, served, settler)),
        ];
        Ok(Self { stratum, api, tasks })
    }

    /// Where miners connect.
    #[must_use]
    pub const fn stratum(&self) -> SocketAddr {
        self.stratum
    }

    /// Where the evidence is served.
    #[must_use]
    pub const fn api(&self) -> SocketAddr {
        self.api
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), NodeError> {
    let error = |source| NodeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(error)?;
    let bound = listener.local_addr().map_err(error)?;
    Ok((listener, bound))
}
