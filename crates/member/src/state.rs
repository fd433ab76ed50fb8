//! A member's state and its rules: which jobs and roots it accepts, its answers, and its
//! signatures. It starts no task.

use crate::{
    fetch::FetchLimits,
    figures::{LeaseFigures, in_time, is_over, job_limit},
    root_signer::may_sign_root,
    sign_refusal::SignRefusal,
    store::{Outcome, Store, StoreError, StoredRoot},
    turns::Turns,
};
use alloy_primitives::Address;
use hashlease_check::Caches;
use hashlease_committee::{JobReceipt, RootReceipt, RootView, SignedBatch, StatementView};
use hashlease_net::HttpClient;
use hashlease_primitives::{
    EpochId, Lease, LeaseId, LocalSigner, SharedClock, SignedEpochRoot, SignedJob, Statement, Terms,
    UnixSeconds,
};
use hashlease_share::{EvidenceReason, VerifiedJob};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;
use tracing::{info, warn};
use url::Url;

/// A lease that the committee credits, with the committee's members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseView {
    /// As the escrow holds it.
    pub lease: Lease,
    /// API URLs of all members, including this one.
    pub members: Vec<Url>,
    /// Signatures that the oracle needs.
    pub threshold: usize,
    /// The provider's node keys at the ends of epochs, by epoch, as the directory held them.
    pub node_keys: BTreeMap<u32, Address>,
}

/// All leases of the committee, as read from the chain.
pub type LeaseViews = Arc<BTreeMap<LeaseId, LeaseView>>;

/// Settings of a member.
#[derive(Clone, Debug)]
pub struct MemberConfig {
    /// Where its API listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Directory of jobs, roots and keys.
    pub data_dir: PathBuf,
    /// Longest evidence file that the member fetches, bytes.
    pub max_evidence: u64,
    /// Evidence files that are checked at the same time, each on every core.
    pub checks: usize,
    /// Limits on downloads from providers' servers.
    pub fetch: FetchLimits,
}

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestRefusal {
    #[error("lease {0} is not credited by this committee, or not confirmed yet")]
    UnknownLease(LeaseId),
    #[error("{0}")]
    Job(#[from] EvidenceReason),
    #[error("job sequence {sequence} was used for another job before")]
    JobSequence { sequence: u64 },
    #[error("epoch {epoch} has {most} jobs already: expected no more")]
    TooManyJobs { epoch: u32, most: u64 },
    #[error("lease {0} is over")]
    LeaseOver(LeaseId),
    #[error("root is not signed by the lease's provider {0}, nor by the node key of the epoch's end")]
    RootSignature(Address),
    #[error("root is of {count} shares: expected at most {most}, many more than can be credited")]
    RootCount { count: u64, most: u64 },
    #[error("epoch {epoch} is not over: it ends at {end}")]
    EpochNotOver { epoch: u32, end: UnixSeconds },
    #[error("epoch {epoch} is outside the lease: it has {epochs}")]
    NoSuchEpoch { epoch: u32, epochs: u32 },
    #[error("another root of epoch {0} arrived first")]
    RootAlreadyReceived(u32),
    #[error("no root of epoch {0} has arrived")]
    NoRoot(u32),
    #[error("evidence URL: expected http or https, got {url}: {source}")]
    EvidenceUrl { url: String, source: url::ParseError },
    #[error("evidence URL: expected http or https, got {0}")]
    EvidenceScheme(String),
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Why a batch was not signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError {
    #[error("{} statements are refused", .0.len())]
    Refused(Vec<(LeaseId, SignRefusal)>),
    #[error("signing failed: {0}")]
    Key(#[from] hashlease_primitives::KeyError),
}

/// The state that a member's tasks and routes share.
pub(crate) struct State {
    pub(crate) config: MemberConfig,
    pub(crate) signer: LocalSigner,
    pub(crate) clock: SharedClock,
    pub(crate) store: Store,
    // for evidence of Ethash leases
    pub(crate) caches: Arc<Caches>,
    pub(crate) leases: watch::Receiver<LeaseViews>,
    pub(crate) figures: Mutex<BTreeMap<LeaseId, LeaseFigures>>,
    // number of accepted jobs; long polls wait for a change
    pub(crate) arrivals: watch::Sender<u64>,
    // directory of the files under check
    pub(crate) scratch: PathBuf,
    pub(crate) fetches: Turns,
    pub(crate) checks: Turns,
    // questions to other members about late roots
    pub(crate) questions: Turns,
    // connections to other members
    pub(crate) http: HttpClient,
    // connections to providers
    pub(crate) files: HttpClient,
    // closed when the member is dropped
    pub(crate) running: watch::Receiver<()>,
}

/// A root that is stored, by this request or an earlier one.
pub(crate) struct AcceptedRoot {
    pub(crate) receipt: RootReceipt,
    /// Whether it is the epoch's first root, so that its evidence has to be checked.
    pub(crate) is_new: bool,
}

impl State {
    pub(crate) fn figures(&self) -> MutexGuard<'_, BTreeMap<LeaseId, LeaseFigures>> {
        // never poisoned: nothing panics under this lock
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

    pub(crate) fn view(&self, lease: LeaseId) -> Result<LeaseView, RequestRefusal> {
        self.leases.borrow().get(&lease).cloned().ok_or(RequestRefusal::UnknownLease(lease))
    }

    /// Verifies a job and stores it. A job posted again keeps its first receipt; a second job with
    /// the same sequence is refused.
    pub(crate) fn accept_job(&self, signed: SignedJob) -> Result<JobReceipt, RequestRefusal> {
        let received = self.clock.now();
        let view = self.view(signed.job.lease())?;
        let terms = &view.lease.terms;
        if is_over(&view.lease, received) {
            return Err(RequestRefusal::LeaseOver(terms.id));
        }
        let verified = VerifiedJob::verify(terms, signed)?;
        let signed = verified.signed().clone();
        // a good job's window lies inside the lease as rented
        let epoch = terms.as_rented().epoch_of(signed.job.not_before()).unwrap_or_default();
        let mut figures = self.figures();
        let known = figures.entry(terms.id).or_default();
        let sequence = signed.job.sequence();
        if let Some((received, first)) = known.jobs.get(&sequence) {
            if *first != signed {
                return Err(RequestRefusal::JobSequence { sequence });
            }
            return Ok(JobReceipt { received: *received });
        }
        let most = job_limit(terms);
        if known.jobs_within(terms.epoch_start(epoch), terms.epoch_end(epoch)) >= most {
            return Err(RequestRefusal::TooManyJobs { epoch, most });
        }
        self.store.put_job(received, &signed)?;
        known.add_job(received, signed);
        drop(figures);
        self.arrivals.send_modify(|count| *count = count.wrapping_add(1));
        Ok(JobReceipt { received })
    }

    /// Drops a lease's jobs and keeps their due seconds.
    pub(crate) fn drop_jobs(&self, terms: &Terms) -> Result<(), StoreError> {
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

    /// Stores a root. Only the first root of an epoch counts; a different second one is refused.
    pub(crate) fn accept_root(&self, root: SignedEpochRoot) -> Result<AcceptedRoot, RequestRefusal> {
        let received = self.clock.now();
        let EpochId { lease, epoch } = root.root.id;
        let view = self.view(lease)?;
        let terms = &view.lease.terms;
        if !may_sign_root(&view, epoch, root.signer(&terms.oracle_domain())) {
            return Err(RequestRefusal::RootSignature(terms.provider));
        }
        if epoch >= terms.epochs() {
            return Err(RequestRefusal::NoSuchEpoch { epoch, epochs: terms.epochs() });
        }
        let (count, most) = (root.root.commitment.count, terms.most_shares());
        if count > most {
            return Err(RequestRefusal::RootCount { count, most });
        }
        let end = terms.epoch_end(epoch);
        if received < end.millis() {
            return Err(RequestRefusal::EpochNotOver { epoch, end });
        }
        let shown = || root.root.evidence.chars().take(128).collect();
        let url = root.root.evidence.parse::<Url>();
        let url = url.map_err(|source| RequestRefusal::EvidenceUrl { url: shown(), source })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(RequestRefusal::EvidenceScheme(shown()));
        }
        let mut figures = self.figures();
        let known = figures.entry(lease).or_default();
        if let Some(stored) = known.roots.get(&epoch) {
            let same = stored.root.root.commitment == root.root.commitment;
            if !same {
                return Err(RequestRefusal::RootAlreadyReceived(epoch));
            }
            let in_time = in_time(terms, epoch, stored.received);
            let receipt = RootReceipt { received: stored.received, in_time };
            return Ok(AcceptedRoot { receipt, is_new: false });
        }
        let outcome = Outcome::Pending;
        let stored = StoredRoot { received, root, outcome, vouched: false, fetched: 0, failed: 0 };
        self.store.put_root(EpochId::new(lease, epoch), &stored)?;
        known.roots.insert(epoch, stored);
        drop(figures);
        let in_time = in_time(terms, epoch, received);
        info!(%lease, epoch, in_time, "root received");
        Ok(AcceptedRoot { receipt: RootReceipt { received, in_time }, is_new: true })
    }

    pub(crate) fn stored(&self, id: EpochId) -> Option<StoredRoot> {
        self.figures().get(&id.lease).and_then(|found| found.roots.get(&id.epoch)).cloned()
    }

    pub(crate) fn root(&self, EpochId { lease, epoch }: EpochId) -> Result<RootView, RequestRefusal> {
        let view = self.view(lease)?;
        let figures = self.figures();
        let stored = figures.get(&lease).and_then(|found| found.roots.get(&epoch));
        let stored = stored.ok_or(RequestRefusal::NoRoot(epoch))?;
        Ok(RootView {
            received: stored.received,
            in_time: in_time(&view.lease.terms, epoch, stored.received),
            root: stored.root.clone(),
        })
    }

    pub(crate) fn statement(
        &self,
        EpochId { lease, epoch }: EpochId,
    ) -> Result<StatementView, RequestRefusal> {
        let view = self.view(lease)?;
        let epochs = view.lease.terms.epochs();
        if epoch >= epochs {
            return Err(RequestRefusal::NoSuchEpoch { epoch, epochs });
        }
        Ok(self.figures().entry(lease).or_default().statement(&view.lease, epoch, self.clock.now()))
    }

    /// Signs a batch if every statement in it can be signed.
    pub(crate) fn sign(&self, statements: &[Statement]) -> Result<SignedBatch, SignError> {
        let now = self.clock.now();
        let mut refusals = Vec::new();
        let mut domain = None;
        for statement in statements {
            let lease = statement.lease;
            let Ok(view) = self.view(lease) else {
                refusals.push((lease, SignRefusal::UnknownLease));
                continue;
            };
            domain = Some(view.lease.terms.oracle_domain());
            let checked = self.figures().entry(lease).or_default().check(&view.lease, statement, now);
            if let Err(refusal) = checked {
                warn!(%lease, code = refusal.code(), reason = %refusal, "statement not signed");
                refusals.push((lease, refusal));
            }
        }
        let (Some(domain), true) = (domain, refusals.is_empty()) else {
            return Err(SignError::Refused(refusals));
        };
        let signature = self.signer.sign(&domain.digest(&Statement::batch(statements)))?;
        info!(statements = statements.len(), "batch signed");
        Ok(SignedBatch { signer: self.signer.address(), signature: signature.to_vec().into() })
    }
}
