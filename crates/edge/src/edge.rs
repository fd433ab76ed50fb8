//! Starts and ends the edge.

use crate::{
    accept_miners::accept_miners,
    check_places::CheckPlaces,
    lease_choice::{LeaseChoice, Shared},
    leases::{EdgeLease, serve_leases},
    log_budget::LogBudget,
    mined_lease::{MinedLease, MinedLeases},
    peers::Peers,
    refusal_log::RefusalLog,
    session_numbers::{SessionNumberError, SessionNumbers},
};
use hashlease_check::ShareChecker;
use hashlease_ledger::Book;
use hashlease_net::SharedNetwork;
use hashlease_primitives::{Algorithm, SharedClock, Terms, Work};
use std::{collections::BTreeMap, io, net::SocketAddr, path::PathBuf, sync::Arc};
use tokio::{sync::watch, task::JoinHandle};

/// How the edge runs.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Where the miners of each algorithm connect; port 0 takes a free one.
    pub listen: Vec<(Algorithm, SocketAddr)>,
    /// File that records which session numbers were given out.
    pub session_numbers: PathBuf,
    /// User agent towards gateways.
    pub agent: String,
}

/// Why the edge can't start.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The address can't be bound.
    #[error("listening for miners on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The session numbers can't be read.
    #[error("session numbers {}: {source}", path.display())]
    SessionNumbers {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SessionNumberError,
    },
}

/// A lease as the edge serves it.
#[derive(Clone, Debug)]
pub struct LeaseState {
    /// The lease's terms.
    pub terms: Terms,
    /// State of the link to the gateway, in words, without its address.
    pub gateway: String,
    /// Why miners have no job, in words; none if they have one.
    pub no_job: Option<String>,
    /// Miners that work for the lease.
    pub miners: usize,
    /// Shares refused since the start, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Shares since the start that only the pool wanted.
    pub forwarded_only: u64,
    /// Shares since the start that met only the target which the node gave.
    pub own_target: u64,
    /// Counted work beyond what its epochs can be credited with: it will not be paid.
    pub unpaid: Work,
}

/// A running edge. It ends when this is dropped.
#[derive(Debug)]
pub struct Edge {
    addresses: Vec<(Algorithm, SocketAddr)>,
    book: Book,
    served: watch::Receiver<Arc<MinedLeases>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Edge {
    /// Listens for miners and serves `leases`.
    ///
    /// # Errors
    /// [`EdgeError`].
    pub async fn start(
        config: EdgeConfig,
        book: Book,
        leases: watch::Receiver<Arc<Vec<EdgeLease>>>,
        checker: Arc<ShareChecker>,
        clock: SharedClock,
        network: SharedNetwork,
    ) -> Result<Self, EdgeError> {
        let EdgeConfig { listen, session_numbers, agent } = config;
        let numbers = SessionNumbers::open(session_numbers.clone())
            .map_err(|source| EdgeError::SessionNumbers { path: session_numbers, source })?;
        let served = watch::Sender::new(Arc::new(MinedLeases::new()));
        let watched = served.subscribe();
        let shared = Shared {
            book: book.clone(),
            leases: served.subscribe(),
            numbers,
            checker,
            clock: Arc::clone(&clock),
            peers: Peers::default(),
            refusals: RefusalLog::default(),
            lines: LogBudget::default(),
            places: CheckPlaces::default(),
        };
        let (mut addresses, mut tasks) = (Vec::new(), Vec::new());
        for (algorithm, address) in listen {
            let error = |source| EdgeError::Listen { address, source };
            let listener = network.listen(address).await.map_err(error)?;
            addresses.push((algorithm, listener.local_addr().map_err(error)?));
            let choice = LeaseChoice::new(shared.clone(), algorithm);
            tasks.push(tokio::spawn(accept_miners(listener, choice)));
        }
        tasks.push(tokio::spawn(serve_leases(leases, agent, book.clone(), served, clock, network)));
        Ok(Self { addresses, book, served: watched, tasks })
    }

    /// Where the miners of each algorithm connect.
    #[must_use]
    pub fn addresses(&self) -> &[(Algorithm, SocketAddr)] {
        &self.addresses
    }

    /// A function that returns the current state of every lease.
    pub fn states(&self) -> impl Fn() -> Vec<LeaseState> + Clone + Send + Sync + 'static {
        states_of(self.served.clone(), self.book.clone())
    }
}

/// A function that returns the current state of these leases.
pub(crate) fn states_of(
    served: watch::Receiver<Arc<MinedLeases>>,
    book: Book,
) -> impl Fn() -> Vec<LeaseState> + Clone + Send + Sync + 'static {
    move || {
        let leases = Arc::clone(&served.borrow());
        leases.values().map(|lease| state_of(lease, &book)).collect()
    }
}

fn state_of(lease: &MinedLease, book: &Book) -> LeaseState {
    LeaseState {
        terms: lease.terms(),
        gateway: lease.link_state(),
        no_job: lease.why_no_job(),
        miners: lease.counts.miners(),
        refused: lease.counts.refused(),
        forwarded_only: lease.counts.forwarded_only(),
        own_target: lease.counts.own_target(),
        // a lease without records has counted nothing
        // a lease without records has no work yet
        unpaid: book.read(lease.id(), |found| found.unpaid()).unwrap_or_default(),
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
