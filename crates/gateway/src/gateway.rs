//! Starts and ends: the listener, the leases, the lock on the data directory.

use crate::{JobSigner, LeaseStatus, link, served::Served, upstream};
use hashlease_check::ShareChecker;
use hashlease_primitives::{GatewayBox, LeaseId, SharedClock, Terms};
use std::{
    collections::BTreeMap,
    fs::{File, TryLockError},
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{info, warn};
use url::Url;

/// How long nodes have to be told of the end.
const FAREWELL: Duration = Duration::from_secs(3);
/// How soon a lease that could not be served is tried again.
const AGAIN: Duration = Duration::from_secs(5);

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
    /// Where job sequences are kept. Losing it means that sequences start again: never share or restore it.
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
    /// Another gateway runs on the data directory.
    #[error("data directory {}: another gateway holds it", path.display())]
    Locked {
        /// Which directory.
        path: PathBuf,
    },
}

pub(crate) type ServedLeases = Arc<Mutex<BTreeMap<LeaseId, Arc<Served>>>>;

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
    /// Held as long as sequences may be taken.
    _lock: File,
}

impl Gateway {
    /// Starts to listen and to follow `assignments`: leases come, change their end or destination, and go, with them.
    /// Those of another job signer than `signer` are not served.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn start(
        config: GatewayConfig,
        signer: impl JobSigner + 'static,
        assignments: watch::Receiver<Arc<Vec<Assignment>>>,
        checker: Arc<ShareChecker>,
        clock: SharedClock,
    ) -> Result<GatewayHandle, GatewayError> {
        let data = |source| GatewayError::Data { path: config.data_dir.clone(), source };
        std::fs::create_dir_all(&config.data_dir).map_err(data)?;
        let lock = File::create(config.data_dir.join("gateway.lock")).map_err(data)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => GatewayError::Locked { path: config.data_dir.clone() },
            TryLockError::Error(source) => data(source),
        })?;
        let listen = |source| GatewayError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let leases = ServedLeases::default();
        let (stop, stopped) = watch::channel(false);
        let tasks = vec![
            tokio::spawn(link::accept(listener, Arc::clone(&leases), stopped.clone())),
            tokio::spawn(follow(
                config,
                Arc::new(signer),
                assignments,
                Arc::clone(&leases),
                stopped,
                checker,
                clock,
            )),
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

    /// Every lease that is being served.
    #[must_use]
    pub fn status(&self) -> Vec<LeaseStatus> {
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.values().map(|served| served.status()).collect()
    }

    /// Ends every session, and tells the nodes.
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

/// A lease's task; it ends with this.
struct Running {
    served: Arc<Served>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    fn retire(self, reason: &'static str) {
        self.served.close(reason);
    }
}

/// Starts, changes and ends leases as the assignments do.
async fn follow(
    config: GatewayConfig,
    signer: Arc<dyn JobSigner>,
    mut assignments: watch::Receiver<Arc<Vec<Assignment>>>,
    leases: ServedLeases,
    mut stopped: watch::Receiver<bool>,
    checker: Arc<ShareChecker>,
    clock: SharedClock,
) {
    let mut running: BTreeMap<LeaseId, Running> = BTreeMap::new();
    // once nobody can change the assignments any more, what runs goes on
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
                    leases.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                    lease.retire("lease is no longer served here");
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
            match Served::new(
                assignment,
                Arc::clone(&signer),
                &sequences,
                Arc::clone(&checker),
                Arc::clone(&clock),
            ) {
                Ok(served) => {
                    let served = Arc::new(served);
                    info!(lease = %id, "serving lease");
                    leases.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&served));
                    let task = tokio::spawn(upstream::run(Arc::clone(&served), config.agent.clone()));
                    running.insert(id, Running { served, task });
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
        lease.retire("gateway shuts down");
    }
}
