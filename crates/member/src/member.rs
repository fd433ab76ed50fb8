//! Starts and stops a member.

use crate::{
    evidence_check,
    fetch::Scratch,
    figures::{LeaseFigures, is_over},
    routes,
    state::{LeaseView, LeaseViews, MemberConfig, State},
    store::{Outcome, Store, StoreError},
    turns::Turns,
};
use hashlease_check::{CacheSettings, Caches};
use hashlease_net::{HttpClient, SharedNetwork};
use hashlease_primitives::{Lease, LeaseId, LocalSigner, SharedClock};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::watch, task::spawn_blocking, time::sleep};
use tracing::warn;

/// Interval of the search for leases that ended by the clock.
const DROP_INTERVAL: Duration = Duration::from_secs(60);
/// Late roots about which other members are asked at the same time.
const MAX_QUESTIONS: usize = 8;

/// Why a member can't start.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages explain the fields")]
pub enum MemberError {
    /// The address is in use or not this machine's.
    #[error("listening on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    /// The data directory can't be used.
    #[error("data directory {}: {source}", path.display())]
    Data { path: PathBuf, source: io::Error },
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A running member. Dropping it closes its connections and stops its checks. Once they have
/// stopped, another member can open the store.
pub struct Member {
    address: SocketAddr,
    // every task of the member ends once this is dropped
    _running: watch::Sender<()>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Member {
    /// Opens the store, listens, and resumes the checks of roots that have no verdict yet.
    ///
    /// # Errors
    /// [`MemberError`].
    pub async fn start(
        config: MemberConfig,
        signer: LocalSigner,
        leases: watch::Receiver<LeaseViews>,
        clock: SharedClock,
        network: SharedNetwork,
    ) -> Result<Self, MemberError> {
        std::fs::create_dir_all(&config.data_dir)
            .map_err(|source| MemberError::Data { path: config.data_dir.clone(), source })?;
        // the store first: its lock keeps a second member away from this one's files
        let store = Store::open(&config.data_dir.join("member.redb"))?;
        let (jobs, roots) = store.load()?;
        let mut figures: BTreeMap<LeaseId, LeaseFigures> = BTreeMap::new();
        let mut dropped = BTreeSet::new();
        for (lease, due) in store.due()? {
            figures.entry(lease).or_default().add_due(due);
            dropped.insert(lease);
        }
        for (received, job) in jobs {
            let lease = job.job.lease();
            let known = figures.entry(lease).or_default();
            // the member ended while it dropped this lease's jobs: their due seconds are stored
            // already
            if dropped.contains(&lease) {
                known.jobs.insert(job.job.sequence(), (received, job));
            } else {
                known.add_job(received, job);
            }
        }
        let mut unchecked = Vec::new();
        for (id, root) in roots {
            if root.outcome == Outcome::Pending {
                unchecked.push(id);
            }
            figures.entry(id.lease).or_default().roots.insert(id.epoch, root);
        }
        let scratch = config.data_dir.join("evidence");
        Scratch::empty(&scratch).map_err(|source| MemberError::Data { path: scratch.clone(), source })?;
        let listen = |source| MemberError::Listen { address: config.listen, source };
        let listener = network.listen(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (running, ends) = watch::channel(());
        let directory = Some(config.data_dir.join("light-caches"));
        let caches = Arc::new(Caches::new(CacheSettings { directory, ..CacheSettings::default() }));
        let state = Arc::new(State {
            fetches: Turns::new(config.fetch.at_once, Arc::clone(&clock)),
            checks: Turns::new(config.checks, Arc::clone(&clock)),
            questions: Turns::new(MAX_QUESTIONS, Arc::clone(&clock)),
            http: HttpClient::new(Arc::clone(&network)),
            files: HttpClient::keeping_none(network),
            scratch,
            config,
            signer,
            clock,
            store,
            caches,
            leases,
            figures: Mutex::new(figures),
            arrivals: watch::Sender::new(0),
            running: ends,
        });
        for id in unchecked {
            evidence_check::start(&state, id);
        }
        tokio::spawn(drop_jobs(Arc::clone(&state)));
        tokio::spawn(routes::serve(listener, state));
        Ok(Self { address, _running: running })
    }

    /// Where its API listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Drops the jobs of leases that are over, until the member ends.
async fn drop_jobs(member: Arc<State>) {
    let mut leases = member.leases.clone();
    loop {
        let views = leases.borrow_and_update().clone();
        let dropping = Arc::clone(&member);
        let dropped = spawn_blocking(move || {
            let now = dropping.clock.now();
            let over_now = views.values().filter(|view| is_over(&view.lease, now));
            for LeaseView { lease: Lease { terms, .. }, .. } in over_now {
                if let Err(error) = dropping.drop_jobs(terms) {
                    warn!(lease = %terms.id, %error, "dropping jobs failed");
                }
            }
        });
        if let Err(error) = dropped.await {
            warn!(%error, "dropping jobs panicked");
        }
        tokio::select! {
            // when the chain is gone, leases still end by the clock
            () = async { if leases.changed().await.is_err() { pending().await } } => {}
            () = sleep(DROP_INTERVAL) => {}
            () = member.ended() => return,
        }
    }
}
