//! Starts and ends a member.

use crate::{
    evidence_check,
    fetch::Scratch,
    figures::{Figures, over},
    routes,
    state::{LeaseView, LeaseViews, MemberConfig, State},
    store::{Outcome, Store, StoreError},
    turns::Turns,
};
use hashlease_check::{CacheSettings, Caches};
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
use tokio::{net::TcpListener, sync::watch, task::spawn_blocking, time::sleep};
use tracing::warn;

/// How often leases are looked for that are over by the clock.
const LOOK_FOR_OVER: Duration = Duration::from_secs(60);
/// Late roots that other members are asked about at once.
const QUESTIONS: usize = 8;

/// Why a member can't start or go on.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
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
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A running member. It ends when this is dropped: connections are closed, checks stop where they are, and the store
/// is free for another as soon as they have.
pub struct Member {
    address: SocketAddr,
    // every task of the member waits for it to be gone
    _running: watch::Sender<()>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Member {
    /// Opens the store, listens, and goes on checking what was left unchecked.
    ///
    /// # Errors
    /// [`MemberError`].
    pub async fn start(
        config: MemberConfig,
        signer: LocalSigner,
        leases: watch::Receiver<LeaseViews>,
        clock: SharedClock,
    ) -> Result<Self, MemberError> {
        std::fs::create_dir_all(&config.data_dir)
            .map_err(|source| MemberError::Data { path: config.data_dir.clone(), source })?;
        // the store first: its lock keeps a second member from the files of this one
        let store = Store::open(&config.data_dir.join("member.redb"))?;
        let (jobs, roots) = store.load()?;
        let mut figures: BTreeMap<LeaseId, Figures> = BTreeMap::new();
        let mut dropped = BTreeSet::new();
        for (lease, due) in store.due()? {
            figures.entry(lease).or_default().add_due(due);
            dropped.insert(lease);
        }
        for (received, job) in jobs {
            let lease = job.job.lease();
            let known = figures.entry(lease).or_default();
            // dropping them broke off: what they made due is known
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
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (running, ends) = watch::channel(());
        let directory = Some(config.data_dir.join("light-caches"));
        let caches = Arc::new(Caches::new(CacheSettings { directory, ..CacheSettings::default() }));
        let state = Arc::new(State {
            fetches: Turns::new(config.fetch.at_once, Arc::clone(&clock)),
            checks: Turns::new(config.checks, Arc::clone(&clock)),
            questions: Turns::new(QUESTIONS, Arc::clone(&clock)),
            http: hashlease_committee::http_client(),
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

/// Lets jobs of leases go that are over, until the member ends.
async fn drop_jobs(member: Arc<State>) {
    let mut leases = member.leases.clone();
    loop {
        let views = leases.borrow_and_update().clone();
        let dropping = Arc::clone(&member);
        let dropped = spawn_blocking(move || {
            let now = dropping.clock.now();
            let over_now = views.values().filter(|view| over(&view.lease, now));
            for LeaseView { lease: Lease { terms, .. }, .. } in over_now {
                if let Err(error) = dropping.drop_jobs(terms) {
                    warn!(lease = %terms.id, %error, "jobs of a lease that is over can't be dropped yet");
                }
            }
        });
        if let Err(error) = dropped.await {
            warn!(%error, "dropping jobs ended early");
        }
        tokio::select! {
            // a chain that can't be read any more changes nothing, but time goes on
            () = async { if leases.changed().await.is_err() { pending().await } } => {}
            () = sleep(LOOK_FOR_OVER) => {}
            () = member.ended() => return,
        }
    }
}
