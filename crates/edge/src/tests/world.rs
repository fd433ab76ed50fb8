//! A node without a chain: a book in a directory, leases with signed jobs, and a server on
//! loopback.

use super::miner::{Found, Mined, Miner};
use crate::{
    accept_miners::accept_miners,
    edge::{LeaseState, states_of},
    job_form::JobForm,
    lease_choice::LeaseChoice,
    mined_lease::{MineableJob, MinedLease, MinedLeases},
    session_numbers::SessionNumbers,
};
use alloy_primitives::{B256, Bytes};
use hashlease_api::{EvidenceFiles, LeaseStatus, NodeApi};
pub(super) use hashlease_fixtures::{PATIENCE, job_signer, lease, now, patiently, sign, until};
use hashlease_fixtures::{header_job, weight};
use hashlease_journal::Record;
use hashlease_ledger::Book;
use hashlease_net::{HttpAnswer, HttpClient, HttpLimits, Tcp};
use hashlease_primitives::{HashRate, HeaderJob, LeaseId, SystemClock, Target, Terms};
use hashlease_share::VerifiedJob;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// The answer of a node's API at a path.
pub(super) async fn http_get(api: SocketAddr, path: &str) -> HttpAnswer {
    let url = format!("http://{api}/{path}").parse().unwrap();
    let limits = HttpLimits { time: PATIENCE, body: 1 << 24 };
    HttpClient::new(Tcp::shared()).get(&url, limits).await.unwrap()
}

/// A running lease in its first epoch; a share is worth 64 hashes.
pub(super) fn terms(id: u64) -> Terms {
    Terms {
        id: LeaseId(id),
        weight: weight(6),
        rate: HashRate::new(1_000_000),
        ..hashlease_fixtures::terms((now() - 100).get(), 7_200, 3_600)
    }
}

/// A job with a free extranonce of 8 bytes and a window that ends later than the clock allows. It
/// begins with the lease at the earliest.
pub(super) fn job(terms: &Terms, sequence: u64) -> HeaderJob {
    let now = now().get();
    HeaderJob {
        prev_hash: B256::repeat_byte(0x5a),
        coinbase_prefix: Bytes::from([vec![1, 0, 0, 0, 1], vec![0xaa; 40]].concat()),
        tail_length: 8,
        coinbase_suffix: Bytes::from(vec![0xbb; 70]),
        branch: vec![B256::repeat_byte(7), B256::repeat_byte(8)],
        ..header_job(terms, sequence, terms.start.get().max(now - 60)..=now + 420)
    }
}

/// The same job with a free extranonce of `tail_length` bytes.
pub(super) fn with_tail(job: HeaderJob, tail_length: u8) -> HeaderJob {
    HeaderJob { tail_length, ..job }
}

/// The target at which a share is worth `2^log2` hashes.
pub(super) fn target(log2: u8) -> Target {
    weight(log2).target()
}

pub(super) struct World {
    pub(super) book: Book,
    pub(super) address: SocketAddr,
    dir: PathBuf,
    leases: watch::Sender<Arc<MinedLeases>>,
    accepting: JoinHandle<()>,
}

impl World {
    pub(super) async fn start(dir: &Path, terms: impl IntoIterator<Item = Terms>) -> Self {
        let journal = dir.join("journal");
        let mut opened = Book::open(&journal, SystemClock::shared());
        // the last writes of an earlier world may still be under way
        until("the journal can be opened", || {
            if opened.is_err() {
                opened = Book::open(&journal, SystemClock::shared());
            }
            opened.is_ok()
        })
        .await;
        let book = opened.unwrap();
        let mut served = MinedLeases::new();
        for terms in terms {
            book.lease(&terms).await.unwrap();
            served.insert(terms.id, Arc::new(MinedLease::new(lease(terms), SystemClock::shared())));
        }
        let leases = watch::Sender::new(Arc::new(served));
        let numbers = SessionNumbers::open(dir.join("sessions")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let checker = Arc::new(hashlease_check::ShareChecker::new(1));
        let choice =
            LeaseChoice::new(book.clone(), leases.subscribe(), numbers, checker, SystemClock::shared());
        let accepting = tokio::spawn(accept_miners(Box::new(listener), choice));
        Self { book, address, dir: dir.to_owned(), leases, accepting }
    }

    /// One lease, number 1, with one job.
    pub(super) async fn with_job(dir: &Path) -> Self {
        let world = Self::start(dir, [terms(1)]).await;
        world.offer(job(&world.terms(1), 1)).await;
        world
    }

    pub(super) async fn stop(self) {
        self.accepting.abort();
        let _ = self.accepting.await;
    }

    pub(super) fn served(&self, lease: u64) -> Arc<MinedLease> {
        Arc::clone(self.leases.borrow().get(&LeaseId(lease)).unwrap())
    }

    pub(super) fn terms(&self, lease: u64) -> Terms {
        self.served(lease).terms()
    }

    /// Adds a lease that appears later.
    pub(super) async fn add(&self, terms: Terms) {
        self.book.lease(&terms).await.unwrap();
        self.leases.send_modify(|leases| {
            let mut more = MinedLeases::clone(leases);
            more.insert(terms.id, Arc::new(MinedLease::new(lease(terms), SystemClock::shared())));
            *leases = Arc::new(more);
        });
    }

    /// Ends a lease now, as a cancellation would.
    pub(super) fn end(&self, id: u64) {
        let terms = self.terms(id);
        self.served(id).refresh(lease(Terms { end: now(), ..terms }));
    }

    /// Offers a job on the same block as before, without a pool's target.
    pub(super) async fn offer(&self, job: HeaderJob) {
        self.offer_as(job, None, false).await;
    }

    pub(super) async fn offer_as(&self, job: HeaderJob, pool_target: Option<Target>, clean: bool) {
        let live = self.live(job, pool_target, clean).await;
        self.served(live.verified.job().lease().0).add_job(live);
    }

    /// Journals a job, but does not hand it out yet.
    pub(super) async fn live(&self, job: HeaderJob, pool_target: Option<Target>, clean: bool) -> MineableJob {
        let terms = self.terms(job.lease.0);
        let verified = VerifiedJob::verify(&terms, sign(&terms, job)).unwrap();
        self.book.job(verified.signed()).await.unwrap();
        let form = JobForm::of(verified.job()).unwrap();
        MineableJob::new(verified, form, pool_target, clean)
    }

    /// Shares counted so far.
    pub(super) fn counted(&self, lease: u64) -> u128 {
        self.book.counted(LeaseId(lease)).hashes() / self.terms(lease).weight.work().hashes()
    }

    pub(super) async fn miner(&self, worker: &str) -> Miner {
        Miner::start(self.address, worker).await
    }

    /// A miner of lease 1 and its first job.
    pub(super) async fn working(&self) -> (Miner, Mined) {
        let mut miner = self.miner("1.rig").await;
        let job = miner.job().await;
        (miner, job)
    }

    /// Checks that this share is refused with this number and code and is not counted, and that the
    /// next good share is counted.
    pub(super) async fn refuses(
        &self,
        miner: &mut Miner,
        job: &Mined,
        share: &Found,
        number: i64,
        code: &str,
    ) {
        let before = self.counted(1);
        let answer = miner.submit(share).await;
        assert_eq!(super::miner::refusal(&answer), (number, code.to_owned()), "{share:?}");
        assert_eq!(self.counted(1), before, "{code} was counted");
        self.counts(miner, job).await;
    }

    /// Checks that a fresh share of this job is answered `true` and counted for lease 1.
    pub(super) async fn counts(&self, miner: &mut Miner, job: &Mined) {
        let before = self.counted(1);
        let answer = miner.submit(&job.mine()).await;
        assert_eq!(answer["result"], true, "{answer}");
        assert_eq!(self.counted(1), before + 1);
    }

    /// Serves the API until the test ends; returns its address and the directory of its evidence
    /// files.
    pub(super) async fn api(&self, readers: usize) -> (SocketAddr, PathBuf) {
        let dir = self.dir.join("evidence");
        let files = EvidenceFiles::open(self.book.clone(), dir.clone(), readers).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let states = states_of(self.leases.subscribe());
        let status = |LeaseState { terms, gateway, has_job }| LeaseStatus {
            terms,
            signer_dictated: None,
            gateway,
            has_job,
        };
        let leases = move || states().into_iter().map(status).collect();
        let api = NodeApi { book: self.book.clone(), files, leases: Arc::new(leases) };
        tokio::spawn(hashlease_api::serve(Box::new(listener), api));
        (address, dir)
    }

    /// The journal's records on disk.
    pub(super) fn journal(&self) -> Vec<Record> {
        hashlease_journal::read(&self.dir.join("journal")).map(Result::unwrap).collect()
    }
}
