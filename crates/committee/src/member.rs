//! One member: its state and its rules.

use crate::{
    api::{JobReceipt, Refusal, RootReceipt, RootView, SignedBatch, StatementView},
    client,
    clock::unix_millis,
    fetch::{FetchLimits, Scratch},
    figures::{Figures, in_time, most_jobs, over},
    http,
    store::{Outcome, Store, StoreError, StoredRoot},
    turns::Turns,
    verify,
};
use alloy_primitives::Address;
use hashlease_caches::{Caches, Settings};
use hashlease_primitives::{Lease, LeaseId, LocalSigner, SignedEpochRoot, SignedJob, Statement, Terms};
use hashlease_share::{Reason, VerifiedJob};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::spawn_blocking, time::sleep};
use tracing::{info, warn};
use url::Url;

/// How often leases are looked for that are over by the clock.
const LOOK_FOR_OVER: Duration = Duration::from_secs(60);
/// Late roots that other members are asked about at once.
const QUESTIONS: usize = 8;

/// A lease that the committee credits, and who else is on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseView {
    /// As the escrow holds it.
    pub lease: Lease,
    /// APIs of all members, this one included.
    pub members: Vec<Url>,
    /// Signatures that the oracle needs.
    pub threshold: usize,
}

/// All leases of the committee, as the chain has them.
pub type LeaseViews = Arc<BTreeMap<LeaseId, LeaseView>>;

/// How a member runs.
#[derive(Clone, Debug)]
pub struct MemberConfig {
    /// Where its API listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where it keeps jobs, roots and keys.
    pub data_dir: PathBuf,
    /// Longest evidence file that it fetches, bytes.
    pub max_evidence: u64,
    /// Evidence files that it checks at once, each on every core.
    pub checks: usize,
    /// What providers' servers may ask of it.
    pub fetch: FetchLimits,
}

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

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("lease {0} is not credited by this committee, or not confirmed yet")]
    UnknownLease(LeaseId),
    #[error("{0}")]
    Job(#[from] Reason),
    #[error("job is for {not_before} to {not_after}: expected within {start} to {end}, the end excluded")]
    JobOutsideLease { not_before: u64, not_after: u64, start: u64, end: u64 },
    #[error("epoch {epoch} has {most} jobs already, the most that are kept")]
    TooManyJobs { epoch: u32, most: u64 },
    #[error("lease {0} is over")]
    LeaseOver(LeaseId),
    #[error("root is not signed by the lease's provider {0}")]
    RootSignature(Address),
    #[error("root is of {count} shares: expected at most {most}, many more than can be credited")]
    RootCount { count: u64, most: u64 },
    #[error("epoch {epoch} is not over: it ends at {end}")]
    EpochNotOver { epoch: u32, end: u64 },
    #[error("epoch {epoch} is outside the lease: it has {epochs}")]
    NoSuchEpoch { epoch: u32, epochs: u32 },
    #[error("another root of epoch {0} came first")]
    RootAlreadyReceived(u32),
    #[error("no root of epoch {0} came")]
    NoRoot(u32),
    #[error("evidence URL: expected http or https, got {0}")]
    EvidenceUrl(String),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("signing failed: {0}")]
    Key(#[from] hashlease_primitives::KeyError),
}

pub(crate) struct Inner {
    pub(crate) config: MemberConfig,
    signer: LocalSigner,
    pub(crate) store: Store,
    // for evidence of Ethash leases
    pub(crate) caches: Arc<Caches>,
    pub(crate) leases: watch::Receiver<LeaseViews>,
    figures: Mutex<BTreeMap<LeaseId, Figures>>,
    // counts taken jobs, for those who wait for one
    pub(crate) arrivals: watch::Sender<u64>,
    // files that are being checked
    pub(crate) scratch: PathBuf,
    pub(crate) fetches: Turns,
    pub(crate) checks: Turns,
    // late roots that other members are being asked about
    pub(crate) questions: Turns,
    // connections to other members
    pub(crate) http: reqwest::Client,
    // closed when the member is dropped
    pub(crate) running: watch::Receiver<()>,
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
        for (lease, epoch, root) in roots {
            if root.outcome == Outcome::Pending {
                unchecked.push((lease, epoch));
            }
            figures.entry(lease).or_default().roots.insert(epoch, root);
        }
        let scratch = config.data_dir.join("evidence");
        Scratch::empty(&scratch).map_err(|source| MemberError::Data { path: scratch.clone(), source })?;
        let listen = |source| MemberError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (running, ends) = watch::channel(());
        let directory = Some(config.data_dir.join("light-caches"));
        let caches = Arc::new(Caches::new(Settings { directory, ..Settings::default() }));
        let inner = Arc::new(Inner {
            fetches: Turns::new(config.fetch.at_once),
            checks: Turns::new(config.checks),
            questions: Turns::new(QUESTIONS),
            http: client::http(),
            scratch,
            config,
            signer,
            store,
            caches,
            leases,
            figures: Mutex::new(figures),
            arrivals: watch::Sender::new(0),
            running: ends,
        });
        for (lease, epoch) in unchecked {
            inner.start_check(lease, epoch);
        }
        tokio::spawn(drop_jobs(Arc::clone(&inner)));
        tokio::spawn(http::serve(listener, inner));
        Ok(Self { address, _running: running })
    }

    /// Where its API listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Lets jobs of leases go that are over, until the member ends.
async fn drop_jobs(member: Arc<Inner>) {
    let mut leases = member.leases.clone();
    loop {
        let views = leases.borrow_and_update().clone();
        let dropping = Arc::clone(&member);
        let dropped = spawn_blocking(move || {
            let over_now = views.values().filter(|view| over(&view.lease, unix_millis()));
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

impl Inner {
    pub(crate) fn figures(&self) -> MutexGuard<'_, BTreeMap<LeaseId, Figures>> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn signer(&self) -> Address {
        self.signer.address()
    }

    /// Waits for the member to be dropped.
    pub(crate) async fn ended(&self) {
        let mut running = self.running.clone();
        while running.changed().await.is_ok() {}
    }

    fn start_check(self: &Arc<Self>, lease: LeaseId, epoch: u32) {
        let member = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = verify::run(Arc::clone(&member), lease, epoch) => {}
                () = member.ended() => {}
            }
        });
    }

    pub(crate) fn view(&self, lease: LeaseId) -> Result<LeaseView, RequestError> {
        self.leases.borrow().get(&lease).cloned().ok_or(RequestError::UnknownLease(lease))
    }

    /// Takes a job after verifying it. The first receipt counts, and of two jobs under one sequence the first one.
    pub(crate) fn take_job(&self, signed: SignedJob) -> Result<JobReceipt, RequestError> {
        let received = unix_millis();
        let view = self.view(signed.job.lease())?;
        let terms = &view.lease.terms;
        if over(&view.lease, received) {
            return Err(RequestError::LeaseOver(terms.id));
        }
        let verified = VerifiedJob::verify(terms, signed)?;
        let signed = verified.signed().clone();
        let (not_before, not_after) = (signed.job.not_before(), signed.job.not_after());
        let Some(epoch) = terms.epoch_of(not_before).ok().filter(|_| terms.is_active(not_after)) else {
            let Terms { start, end, .. } = *terms;
            return Err(RequestError::JobOutsideLease { not_before, not_after, start, end });
        };
        let mut figures = self.figures();
        let known = figures.entry(terms.id).or_default();
        let sequence = signed.job.sequence();
        if let Some((received, first)) = known.jobs.get(&sequence) {
            if *first != signed {
                return Err(Reason::JobSequence { sequence }.into());
            }
            return Ok(JobReceipt { received: *received });
        }
        let most = most_jobs(terms);
        if known.jobs_within(terms.epoch_start(epoch), terms.epoch_end(epoch)) >= most {
            return Err(RequestError::TooManyJobs { epoch, most });
        }
        self.store.put_job(received, &signed)?;
        known.add_job(received, signed);
        drop(figures);
        self.arrivals.send_modify(|count| *count = count.wrapping_add(1));
        Ok(JobReceipt { received })
    }

    /// Lets a lease's jobs go; what they made due stays.
    fn drop_jobs(&self, terms: &Terms) -> Result<(), StoreError> {
        let due = match self.figures().get(&terms.id) {
            Some(known) if !known.jobs.is_empty() => known.due_by_epoch(terms),
            _ => return Ok(()),
        };
        self.store.drop_jobs(terms.id, &due)?;
        self.figures().entry(terms.id).or_default().drop_jobs(due);
        Ok(())
    }

    pub(crate) fn jobs_after(&self, lease: LeaseId, after: u64) -> Vec<SignedJob> {
        let figures = self.figures();
        let Some(found) = figures.get(&lease) else { return Vec::new() };
        let newer = found.jobs.range(after.saturating_add(1)..);
        newer.take(256).map(|(_, (_, job))| job.clone()).collect()
    }

    /// Takes a root and starts to check its evidence. The first root of an epoch counts.
    pub(crate) fn take_root(self: &Arc<Self>, root: SignedEpochRoot) -> Result<RootReceipt, RequestError> {
        let received = unix_millis();
        let (lease, epoch) = (root.root.lease, root.root.epoch);
        let view = self.view(lease)?;
        let terms = &view.lease.terms;
        if root.signer(&terms.oracle_domain()) != Some(terms.provider) {
            return Err(RequestError::RootSignature(terms.provider));
        }
        if epoch >= terms.epochs() {
            return Err(RequestError::NoSuchEpoch { epoch, epochs: terms.epochs() });
        }
        let (count, most) = (root.root.count, terms.most_shares());
        if count > most {
            return Err(RequestError::RootCount { count, most });
        }
        let end = terms.epoch_end(epoch);
        if received < end.saturating_mul(1_000) {
            return Err(RequestError::EpochNotOver { epoch, end });
        }
        let scheme = root.root.evidence.parse::<Url>().map(|url| url.scheme().to_owned());
        if !matches!(scheme.as_deref(), Ok("http" | "https")) {
            return Err(RequestError::EvidenceUrl(root.root.evidence.chars().take(128).collect()));
        }
        let mut figures = self.figures();
        let known = figures.entry(lease).or_default();
        if let Some(stored) = known.roots.get(&epoch) {
            let same = (stored.root.root.root, stored.root.root.count) == (root.root.root, root.root.count);
            if !same {
                return Err(RequestError::RootAlreadyReceived(epoch));
            }
            let in_time = in_time(terms, epoch, stored.received);
            return Ok(RootReceipt { received: stored.received, in_time });
        }
        let outcome = Outcome::Pending;
        let stored = StoredRoot { received, root, outcome, vouched: false, fetched: 0, failed: 0 };
        self.store.put_root(lease, epoch, &stored)?;
        known.roots.insert(epoch, stored);
        drop(figures);
        let in_time = in_time(terms, epoch, received);
        info!(%lease, epoch, in_time, "root received");
        self.start_check(lease, epoch);
        Ok(RootReceipt { received, in_time })
    }

    pub(crate) fn stored(&self, lease: LeaseId, epoch: u32) -> Option<StoredRoot> {
        self.figures().get(&lease).and_then(|found| found.roots.get(&epoch)).cloned()
    }

    pub(crate) fn root(&self, lease: LeaseId, epoch: u32) -> Result<RootView, RequestError> {
        let view = self.view(lease)?;
        let figures = self.figures();
        let stored = figures.get(&lease).and_then(|found| found.roots.get(&epoch));
        let stored = stored.ok_or(RequestError::NoRoot(epoch))?;
        Ok(RootView {
            received: stored.received,
            in_time: in_time(&view.lease.terms, epoch, stored.received),
            root: stored.root.clone(),
        })
    }

    pub(crate) fn statement(&self, lease: LeaseId, epoch: u32) -> Result<StatementView, RequestError> {
        let view = self.view(lease)?;
        let epochs = view.lease.terms.epochs();
        if epoch >= epochs {
            return Err(RequestError::NoSuchEpoch { epoch, epochs });
        }
        Ok(self.figures().entry(lease).or_default().statement(&view.lease, epoch, unix_millis()))
    }

    /// Signs a batch if it can sign every statement of it.
    pub(crate) fn sign(
        &self,
        statements: &[Statement],
    ) -> Result<Result<SignedBatch, Vec<Refusal>>, RequestError> {
        let now = unix_millis();
        let mut refusals = Vec::new();
        let mut domain = None;
        for statement in statements {
            let Ok(view) = self.view(statement.lease) else {
                let message = "not credited by this committee, or not confirmed yet".to_owned();
                refusals.push(Refusal { lease: statement.lease, code: "unknown-lease".into(), message });
                continue;
            };
            domain = Some(view.lease.terms.oracle_domain());
            let mut figures = self.figures();
            if let Err(refusal) =
                figures.entry(statement.lease).or_default().check(&view.lease, statement, now)
            {
                warn!(lease = %refusal.lease, code = refusal.code, message = refusal.message, "statement not signed");
                refusals.push(refusal);
            }
        }
        let (Some(domain), true) = (domain, refusals.is_empty()) else { return Ok(Err(refusals)) };
        let signature = self.signer.sign(&domain.digest(&Statement::batch(statements)))?;
        info!(statements = statements.len(), "batch signed");
        Ok(Ok(SignedBatch { signer: self.signer.address(), signature: signature.to_vec().into() }))
    }
}
