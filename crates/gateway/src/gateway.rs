//! Starts and stops a gateway: the listener, the leases, the lock on the data directory.

use crate::{
    accept_nodes::accept_nodes,
    api::{serve_api, status},
    assignment::Assignment,
    lease_status::LeaseStatus,
    pool_session::{PoolService, serve_lease},
    served_lease::{ServedLease, ServedLeases, ServiceEnd, lock},
    signer::JobSigner,
};
use hashlease_check::ShareChecker;
use hashlease_net::{HttpClient, Listener, SharedNetwork};
use hashlease_primitives::{LeaseId, SharedClock};
use std::{
    collections::BTreeMap,
    fs::{File, TryLockError},
    future::Future,
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
/// How often a lease that could not be served, or whose task ended, is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// How a gateway runs.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Where nodes connect; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the API is served; port 0 takes a free one.
    pub api: SocketAddr,
    /// Where job sequences are stored: never share or restore it. A gateway that lost it goes on with
    /// larger ones.
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
    api: SocketAddr,
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
        let (listener, address) = listen(&network, config.listen).await?;
        let (api_listener, api) = listen(&network, config.api).await?;
        let leases = ServedLeases::default();
        let (stop, stopped) = watch::channel(false);
        let (alive, running) = watch::channel(true);
        let service = LeaseService { config, signer: Arc::new(signer), checker, clock, network };
        let accepting = accept_nodes(listener, Arc::clone(&leases), stopped.clone());
        let serving = serve_assignments(service, assignments, Arc::clone(&leases), stopped);
        let tasks = vec![
            tokio::spawn(while_alive(alive.clone(), accepting)),
            tokio::spawn(while_alive(alive, serving)),
            tokio::spawn(serve_api(api_listener, Arc::clone(&leases), running)),
        ];
        info!(%address, %api, "gateway listens");
        Ok(GatewayHandle { address, api, leases, stop, tasks, _lock: lock })
    }
}

impl GatewayHandle {
    /// Where nodes connect.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where the API is served.
    #[must_use]
    pub const fn api_addr(&self) -> SocketAddr {
        self.api
    }

    /// State of every served lease.
    #[must_use]
    pub fn status(&self) -> Vec<LeaseStatus> {
        status(&self.leases)
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

async fn listen(
    network: &SharedNetwork,
    address: SocketAddr,
) -> Result<(Box<dyn Listener>, SocketAddr), GatewayError> {
    let error = |source| GatewayError::Listen { address, source };
    let listener = network.listen(address).await.map_err(error)?;
    let address = listener.local_addr().map_err(error)?;
    Ok((listener, address))
}

/// Runs a part of the gateway; health says so when it ends, even by a panic.
async fn while_alive(alive: watch::Sender<bool>, part: impl Future<Output = ()>) {
    struct Ended(watch::Sender<bool>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.send_replace(false);
        }
    }
    let _ended = Ended(alive);
    part.await;
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
    /// Whether its task runs, or did so until its service ended.
    fn is_alive(&self) -> bool {
        let alive = !self.task.is_finished() || self.served.is_over();
        if !alive {
            warn!(lease = %self.served.id(), "task of a lease ended, it is started again");
        }
        alive
    }

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
    let http = HttpClient::new(Arc::clone(&network));
    let pools = PoolService { agent: config.agent, network, http };
    let data_dir = config.data_dir;
    let mut running: BTreeMap<LeaseId, LeaseTask> = BTreeMap::new();
    // true once the sender is gone: the assignments stay as they are
    let mut frozen = false;
    loop {
        let wanted = Arc::clone(&assignments.borrow_and_update());
        let mut kept = BTreeMap::new();
        for (id, lease) in std::mem::take(&mut running) {
            let current = wanted.iter().find(|wanted| wanted.terms.id == id);
            match current {
                Some(current) if lease.is_alive() && lease.served.update(current) => {
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
            let sequences = data_dir.join(format!("lease-{id}.sequence"));
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
                    let task = tokio::spawn(serve_lease(Arc::clone(&served), pools.clone()));
                    running.insert(id, LeaseTask { served, task });
                }
                Err(error) => {
                    warn!(lease = %id, file = %sequences.display(), %error, "lease can't be served, trying again");
                }
            }
        }
        tokio::select! {
            changed = assignments.changed(), if !frozen => frozen = changed.is_err(),
            _ = stopped.wait_for(|stop| *stop) => break,
            () = sleep(AGAIN) => {}
        }
    }
    for lease in running.into_values() {
        lease.retire(ServiceEnd::ShuttingDown);
    }
}
