//! Starts and stops a member.

use crate::{
    config::MemberConfig,
    evidence_check,
    fetch::Scratch,
    figures::is_over,
    lease_room::LeaseRoom,
    limits::{PerAddress, Quiet},
    outbox::Peers,
    owners::Owners,
    peers::confirm,
    routes,
    shelf::Shelf,
    state::{Rooms, State},
    store::{Store, StoreError},
    store_writer::StoreWriter,
    turns::Turns,
    view::LeaseViews,
};
use hashlease_check::{CacheSettings, Caches};
use hashlease_net::{Guarded, HttpClient, PlaceLimits, Places, SharedNetwork};
use hashlease_primitives::{EpochId, LocalSigner, SharedClock};
use std::{
    collections::BTreeMap,
    future::pending,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
    time::sleep,
};
use tracing::warn;

/// Interval of the search for leases that ended by the clock.
const DROP_INTERVAL: Duration = Duration::from_secs(60);
/// Roots about which other members are asked at the same time.
const MAX_QUESTIONS: usize = 8;
/// Files of kept evidence that are served at once: the readers are the other members.
const PLACES: PlaceLimits = PlaceLimits { in_all: 64, per_address: 4 };

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
        let data = |path: &PathBuf| {
            let path = path.clone();
            move |source| MemberError::Data { path, source }
        };
        // the store first: its lock keeps a second member away from this one's files
        let store = Arc::new(Store::open(&config.data_dir.join("member.redb"))?);
        let loaded = store.load()?;
        let writer = StoreWriter::start(Arc::clone(&store)).map_err(data(&config.data_dir))?;
        let (scratch, kept) = (config.data_dir.join("evidence"), config.data_dir.join("kept-evidence"));
        Scratch::empty(&scratch).map_err(data(&scratch))?;
        let shelf = Shelf::open(kept.clone(), config.kept_evidence).map_err(data(&kept))?;
        let listen = |source| MemberError::Listen { address: config.listen, source };
        let listener = network.listen(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (running, ends) = watch::channel(());
        let (followed, follow) = mpsc::unbounded_channel();
        let directory = Some(config.data_dir.join("light-caches"));
        let caches = Arc::new(Caches::new(CacheSettings { directory, ..CacheSettings::default() }));
        let http = HttpClient::new(Arc::clone(&network));
        let state = Arc::new(State {
            fetches: Turns::new(config.fetch.at_once, Arc::clone(&clock)),
            checks: Turns::new(config.checks, Arc::clone(&clock)),
            questions: Turns::new(MAX_QUESTIONS, Arc::clone(&clock)),
            peers: Peers::new(http.clone()),
            followed,
            http,
            public_files: HttpClient::keeping_none(Guarded::public(Arc::clone(&network))),
            local_files: HttpClient::keeping_none(Guarded::private(network)),
            scratch,
            shelf,
            places: Places::new(PLACES),
            asked: PerAddress::default(),
            refused: Quiet::default(),
            config,
            signer,
            clock,
            store,
            writer,
            caches,
            leases,
            rooms: Mutex::new(Rooms { open: BTreeMap::new(), loaded }),
            owners: Owners::default(),
            counting: Arc::default(),
            running: ends,
        });
        // what the chain shows already is ready before the first request
        open_rooms(&state).await;
        tokio::spawn(follow_roots(Arc::clone(&state), follow));
        tokio::spawn(follow_leases(Arc::clone(&state)));
        tokio::spawn(routes::serve(listener, state));
        Ok(Self { address, _running: running })
    }

    /// Where its API listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Starts what each root needs: the check of its evidence, and the other members' receipts.
async fn follow_roots(member: Arc<State>, mut roots: mpsc::UnboundedReceiver<EpochId>) {
    loop {
        let id = tokio::select! {
            id = roots.recv() => id,
            () = member.ended() => return,
        };
        let Some(id) = id else { return };
        evidence_check::start(&member, id);
        let confirming = Arc::clone(&member);
        tokio::spawn(async move {
            tokio::select! { () = confirm(&confirming, id) => {}, () = confirming.ended() => {} }
        });
    }
}

/// Follows the leases on the chain until the member ends.
async fn follow_leases(member: Arc<State>) {
    let mut leases = member.leases.clone();
    loop {
        leases.mark_unchanged();
        open_rooms(&member).await;
        drop_jobs(&member).await;
        tokio::select! {
            // when the chain is gone, leases still end by the clock
            () = async { if leases.changed().await.is_err() { pending().await } } => {}
            () = sleep(DROP_INTERVAL) => {}
            () = member.ended() => return,
        }
    }
}

/// Reads what the store has of leases that the chain shows, and goes on where the member ended.
async fn open_rooms(member: &Arc<State>) {
    member.meet_peers();
    let views = member.leases.borrow().clone();
    for view in views.values() {
        let id = view.lease.terms.id;
        let Some(loaded) = member.rooms().loaded.get_mut(&id).map(std::mem::take) else { continue };
        member.owners.restore(id, &loaded.lost, &loaded.disputed);
        let now = member.clock.seconds();
        let jobs = loaded.jobs.iter().filter_map(|taken| Some((taken.job.clone()?, taken.received)));
        let open: Vec<_> = jobs.filter(|(signed, _)| signed.job.not_after() >= now).collect();
        let of_lease = view.clone();
        // verifying every job again takes its time
        let Ok(room) = spawn_blocking(move || LeaseRoom::read(&of_lease, loaded)).await else { continue };
        let epochs: Vec<u32> = room.figures().rooted().collect();
        {
            let mut rooms = member.rooms();
            rooms.open.insert(id, Arc::new(room));
            rooms.loaded.remove(&id);
        }
        for epoch in epochs {
            member.resume_root(view, EpochId::new(id, epoch));
        }
        member.compare_open_jobs(view, open).await;
    }
}

/// Drops the jobs of leases that are over.
async fn drop_jobs(member: &State) {
    let (views, now) = (member.leases.borrow().clone(), member.clock.now());
    for view in views.values().filter(|view| is_over(&view.lease, now)) {
        let Ok(room) = member.room(view) else { continue };
        if let Err(error) = member.drop_jobs(&view.lease.terms, &room).await {
            warn!(lease = %view.lease.terms.id, %error, "dropping jobs failed");
        }
    }
}
