//! Starts and stops a gateway: the listener, the leases, the lock on the data directory.

use crate::{
    accept_nodes::accept_nodes,
    assignment::Assignment,
    lease_status::LeaseStatus,
    pool_session::serve_lease,
    served_lease::{ServedLease, ServedLeases, ServiceEnd, lock},
    signer::JobSigner,
};
use hashlease_check::ShareChecker;
use hashlease_net::SharedNetwork;
use hashlease_primitives::{LeaseId, SharedClock};
use std::{
    collections::BTreeMap,
    fs::{File, TryLockError},
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{info, warn};

/// How long tasks may take to say goodbye to nodes.
const FAREWELL: Duration = Duration::from_secs(3);
/// Pause before a lease that could not be served is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// How a gateway runs.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Where nodes connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where job sequences are stored. Without it sequences start again: never share, restore or
    /// delete it.
    pub data_dir: PathBuf,
    /// User agent towards pools.
    pub agent: String,
}

/// Why a gateway can't start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address can't be bound.
    #[error("listening on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The data directory can't be used.
    #[error("data directory {}: {source}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another gateway uses the data directory.
    #[error("data directory {}: another gateway holds it", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
}

/// Starts gateways.
#[derive(Clone, Copy, Debug)]
pub struct Gateway;

/// A running gateway. It ends when this is dropped; [`shutdown`](Self::shutdown) lets nodes know.
#[derive(Debug)]
pub struct GatewayHandle {
    address: SocketAddr,
    leases: ServedLeases,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    /// Held as long as sequences may be reserved.
    _lock: File,
}

impl Gateway {
    /// Listens, and serves the leases in `assignments`, following their changes. Leases with
    /// another job signer than `signer` are not served.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn start(
        config: GatewayConfig,
        signer: impl JobSigner + 'static,
        assignments: watch::Receiver<Arc<Vec<Assignment>>>,
        checker: Arc<ShareChecker>,
        clock: SharedClock,
        network: SharedNetwork,
    ) -> Result<GatewayHandle, GatewayError> {
        let data = |source| GatewayError::Data { path: config.data_dir.clone(), source };
        std::fs::create_dir_all(&config.data_dir).map_err(data)?;
        let lock = File::create(config.data_dir.join("gateway.lock")).map_err(data)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => GatewayError::Locked { path: config.data_dir.clone() },
            TryLockError::Error(source) => data(source),
        })?;
        let listen = |source| GatewayError::Listen { address: config.listen, source };
        let listener = network.listen(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let leases = ServedLeases::default();
        let (stop, stopped) = watch::channel(false);
        let service = LeaseService { config, signer: Arc::new(signer), checker, clock, network };
        let tasks = vec![
            tokio::spawn(accept_nodes(listener, Arc::clone(&leases), stopped.clone())),
            tokio::spawn(serve_assignments(service, assignments, Arc::clone(&leases), stopped)),
        ];
        info!(%address, "gateway listens");
        Ok(GatewayHandle { address, leases, stop, tasks, _lock: lock })
    }
}

impl GatewayHandle {
    /// Where nodes connect.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// State of every served lease.
    #[must_use]
    pub fn status(&self) -> Vec<LeaseStatus> {
        let leases = lock(&self.leases);
        leases.values().map(|served| served.status()).collect()
    }

    /// Ends every session and tells the nodes.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        for task in std::mem::take(&mut self.tasks) {
            let abort = task.abort_handle();
            if timeout(FAREWELL, task).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for GatewayHandle {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The task of a lease; it ends when this is dropped.
struct LeaseTask {
    served: Arc<ServedLease>,
    task: JoinHandle<()>,
}

impl Drop for LeaseTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LeaseTask {
    fn retire(self, end: ServiceEnd) {
        self.served.close(end);
    }
}

/// The parts that all served leases share.
struct LeaseService {
    config: GatewayConfig,
    signer: Arc<dyn JobSigner>,
    checker: Arc<ShareChecker>,
    clock: SharedClock,
    network: SharedNetwork,
}

/// Starts, changes and ends leases as the assignments change.
async fn serve_assignments(
    service: LeaseService,
    mut assignments: watch::Receiver<Arc<Vec<Assignment>>>,
    leases: ServedLeases,
    mut stopped: watch::Receiver<bool>,
) {
    let LeaseService { config, signer, checker, clock, network } = service;
    let mut running: BTreeMap<LeaseId, LeaseTask> = BTreeMap::new();
    // true once the sender is gone: the assignments stay as they are
    let mut frozen = false;
    loop {
        let wanted = Arc::clone(&assignments.borrow_and_update());
        let mut again = false;
        let mut kept = BTreeMap::new();
        for (id, lease) in std::mem::take(&mut running) {
            let current = wanted.iter().find(|wanted| wanted.terms.id == id);
            match current {
                Some(current) if lease.served.update(current) => {
                    kept.insert(id, lease);
                }
                _ => {
                    lock(&leases).remove(&id);
                    lease.retire(ServiceEnd::NotAssigned);
                }
            }
        }
        running = kept;
        for assignment in wanted.iter().cloned() {
            let id = assignment.terms.id;
            if running.contains_key(&id) || clock.seconds() >= assignment.terms.end {
                continue;
            }
            if assignment.terms.job_signer != signer.address() {
                let (expected, actual) = (assignment.terms.job_signer, signer.address());
                warn!(lease = %id, %expected, %actual, "lease names another job signer, it is not served");
                continue;
            }
            let sequences = config.data_dir.join(format!("lease-{id}.sequence"));
            match ServedLease::new(
                assignment,
                Arc::clone(&signer),
                &sequences,
                Arc::clone(&checker),
                Arc::clone(&clock),
            ) {
                Ok(served) => {
                    let served = Arc::new(served);
                    info!(lease = %id, "serving lease");
                    lock(&leases).insert(id, Arc::clone(&served));
                    let task = tokio::spawn(serve_lease(
                        Arc::clone(&served),
                        config.agent.clone(),
                        Arc::clone(&network),
                    ));
                    running.insert(id, LeaseTask { served, task });
                }
                Err(error) => {
                    warn!(lease = %id, file = %sequences.display(), %error, "lease can't be served, trying again");
                    again = true;
                }
            }
        }
        tokio::select! {
            changed = assignments.changed(), if !frozen => frozen = changed.is_err(),
            _ = stopped.wait_for(|stop| *stop) => break,
            () = sleep(AGAIN), if again => {}
        }
    }
    for lease in running.into_values() {
        lease.retire(ServiceEnd::ShuttingDown);
    }
}
