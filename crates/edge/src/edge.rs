//! Starts and ends the edge.

use crate::{
    accept_miners::accept_miners,
    lease_choice::LeaseChoice,
    leases::{EdgeLease, serve_leases},
    mined_lease::{MinedLease, MinedLeases},
    session_numbers::{SessionNumberError, SessionNumbers},
};
use hashlease_check::ShareChecker;
use hashlease_ledger::Book;
use hashlease_net::SharedNetwork;
use hashlease_primitives::{SharedClock, Terms};
use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};
use tokio::{sync::watch, task::JoinHandle};

/// How the edge runs.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Where miners connect; port 0 takes a free one.
    pub listen: SocketAddr,
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
    /// State of the link to the gateway, in words.
    pub gateway: String,
    /// Whether there is a job whose window is open.
    pub has_job: bool,
}

/// A running edge. It ends when this is dropped.
#[derive(Debug)]
pub struct Edge {
    address: SocketAddr,
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
        let error = |source| EdgeError::Listen { address: listen, source };
        let listener = network.listen(listen).await.map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        let served = watch::Sender::new(Arc::new(MinedLeases::new()));
        let (watched, sessions) = (served.subscribe(), served.subscribe());
        let choice = LeaseChoice::new(book.clone(), sessions, numbers, checker, Arc::clone(&clock));
        let tasks = vec![
            tokio::spawn(accept_miners(listener, choice)),
            tokio::spawn(serve_leases(leases, agent, book, served, clock, network)),
        ];
        Ok(Self { address, served: watched, tasks })
    }

    /// Where miners connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A function that returns the current state of every lease.
    pub fn states(&self) -> impl Fn() -> Vec<LeaseState> + Clone + Send + Sync + 'static {
        states_of(self.served.clone())
    }
}

/// A function that returns the current state of these leases.
pub(crate) fn states_of(
    served: watch::Receiver<Arc<MinedLeases>>,
) -> impl Fn() -> Vec<LeaseState> + Clone + Send + Sync + 'static {
    move || {
        let leases = Arc::clone(&served.borrow());
        let state = |lease: &Arc<MinedLease>| LeaseState {
            terms: lease.terms(),
            gateway: lease.link_state(),
            has_job: lease.has_job(),
        };
        leases.values().map(state).collect()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
