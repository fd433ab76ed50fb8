//! The gateway: owns the connection to the renter's pool, and signs every job that it hands out.
//!
//! In: the leases whose jobs this key signs, each with the renter's pool ([`Assignment`]), and that pool's jobs. Out:
//! signed jobs to the provider's node over the link and to the committee's members; back: the node's shares, checked
//! again here, those that meet the pool's target forwarded. One lease, one upstream session.
//!
//! The link is Stratum V1 with the node as client; see [`link`](crate::Gateway) for what differs from a pool.

mod clock;
mod jobs;
mod lease;
mod link;
mod members;
mod sequence;

pub use jobs::{JobError, JobMaker};
pub use lease::LeaseStatus;

use hashlease_primitives::{GatewayBox, LeaseId, LocalSigner, Terms};
use lease::Served;
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tracing::{info, warn};
use url::Url;

/// A lease whose jobs this gateway signs.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The lease's terms.
    pub terms: Terms,
    /// The renter's pool, and the token that the node shows.
    pub pool: GatewayBox,
    /// APIs of the committee's members.
    pub members: Vec<Url>,
}

/// How a gateway runs.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Where nodes connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where job sequences are kept.
    pub data_dir: PathBuf,
    /// User agent towards pools.
    pub agent: String,
}

/// Why a gateway can't start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address can't be had.
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
}

type ServedLeases = Arc<Mutex<BTreeMap<LeaseId, Arc<Served>>>>;

/// A running gateway. It ends when this is dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    leases: ServedLeases,
    tasks: Vec<JoinHandle<()>>,
}

impl Gateway {
    /// Starts to listen and to follow `assignments`.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn start(
        config: GatewayConfig,
        signer: LocalSigner,
        assignments: watch::Receiver<Vec<Assignment>>,
    ) -> Result<Self, GatewayError> {
        let data = |source| GatewayError::Data { path: config.data_dir.clone(), source };
        std::fs::create_dir_all(&config.data_dir).map_err(data)?;
        let listen = |source| GatewayError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let leases = ServedLeases::default();
        let tasks = vec![
            tokio::spawn(link::accept(listener, Arc::clone(&leases))),
            tokio::spawn(follow(config, signer, assignments, Arc::clone(&leases))),
        ];
        Ok(Self { address, leases, tasks })
    }

    /// Where nodes connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every lease that is being served.
    #[must_use]
    pub fn status(&self) -> Vec<LeaseStatus> {
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.values().map(|served| served.status()).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Starts and ends leases as the assignments change.
async fn follow(
    config: GatewayConfig,
    signer: LocalSigner,
    mut assignments: watch::Receiver<Vec<Assignment>>,
    leases: ServedLeases,
) {
    let mut running: BTreeMap<LeaseId, (Assignment, JoinHandle<()>)> = BTreeMap::new();
    loop {
        let wanted = assignments.borrow_and_update().clone();
        running.retain(|id, (assignment, task)| {
            // a new destination is a new session; a lease that is gone is over
            let keep = wanted.iter().any(|wanted| wanted == assignment) && !task.is_finished();
            if !keep {
                task.abort();
                leases.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
            }
            keep
        });
        for assignment in wanted {
            let id = assignment.terms.id;
            if running.contains_key(&id) || clock::unix_seconds() >= assignment.terms.end {
                continue;
            }
            let sequences = config.data_dir.join(format!("lease-{id}.sequence"));
            let served = match Served::new(&assignment, signer.clone(), &sequences) {
                Ok(served) => Arc::new(served),
                Err(error) => {
                    warn!(lease = %id, file = %sequences.display(), %error, "lease can't be served");
                    continue;
                }
            };
            info!(lease = %id, pool = assignment.pool.pool, "serving lease");
            leases.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&served));
            let task = tokio::spawn(lease::run(served, assignment.clone(), config.agent.clone()));
            running.insert(id, (assignment, task));
        }
        if assignments.changed().await.is_err() {
            break;
        }
    }
    for (_, task) in running.into_values() {
        task.abort();
    }
}
