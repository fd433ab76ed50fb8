//! A small world around members: leases with cheap shares, keys for every role, a provider's web
//! server.

mod http;
mod mining;

pub use hashlease_fixtures::{job_signer, sign, sign_with, until_some};
pub use http::{Files, Peer, Served};
pub use mining::{evidence, job, job_in, recommit, same_job_for};

use alloy_primitives::{Address, B256};
use hashlease_committee::{ClientError, EpochState, MemberClient, Seat, StatementView};
use hashlease_evidence::Evidence;
use hashlease_fixtures::{key, terms, weight};
use hashlease_member::{FetchLimits, LeaseView, LeaseViews, Member, MemberConfig};
use hashlease_net::{HttpAnswer, HttpClient, HttpLimits, Tcp};
use hashlease_primitives::{
    Commitment, EpochId, EpochRoot, Lease, LeaseId, LocalSigner, SignedEpochRoot, Statement, SystemClock,
    Terms,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::sync::watch;
use url::Url;

/// Seconds of an epoch: roots are in time until 900 s after its end.
pub const EPOCH: u32 = 3_600;
/// Longest evidence that the members fetch.
pub const MAX_EVIDENCE: u64 = 1 << 20;

/// Limits on the tests' own requests.
const LIMITS: HttpLimits = HttpLimits { time: Duration::from_secs(10), body: 1 << 20 };

/// Unix seconds.
pub fn now() -> u64 {
    hashlease_fixtures::now().get()
}

pub fn provider() -> LocalSigner {
    provider_of(0)
}

/// One of several providers; [`provider`] is the first one.
pub fn provider_of(index: u8) -> LocalSigner {
    key(3 + index)
}

pub fn member_signer(index: usize) -> LocalSigner {
    key(0x20 + u8::try_from(index).unwrap())
}

/// A lease of `total` epochs. The first `past` of them are over, the newest since `ago` seconds. A
/// share is worth 8 hashes.
pub fn lease(id: u64, past: u32, total: u32, ago: u64) -> Lease {
    let start = now() - ago - u64::from(past * EPOCH);
    let terms = Terms {
        id: LeaseId(id),
        provider: provider().address(),
        weight: weight(3),
        ..terms(start, total * EPOCH, EPOCH)
    };
    Lease { window: 172_800, payment: 1_000_000, bond: 200_000, ..hashlease_fixtures::lease(terms) }
}

/// The provider's signed root of an epoch.
pub fn root(terms: &Terms, epoch: u32, commitment: Commitment, evidence: &str) -> SignedEpochRoot {
    let id = EpochId::new(terms.id, epoch);
    let root = EpochRoot { id, commitment, evidence: evidence.to_owned() };
    let provider = (0..3).map(provider_of).find(|signer| signer.address() == terms.provider).unwrap();
    let signature = provider.sign(&root.digest(&terms.oracle_domain())).unwrap();
    SignedEpochRoot { root, signature }
}

/// The statement's evidence hash over these commitments, from epoch 0 on.
pub fn chain(commitments: &[Commitment]) -> B256 {
    commitments.iter().fold(B256::ZERO, |link, commitment| commitment.chain(&link))
}

pub const EMPTY: Commitment = Commitment { root: B256::ZERO, count: 0 };

/// A member, with everything needed to restart it.
struct Seated {
    config: MemberConfig,
    signer: LocalSigner,
    member: Option<Member>,
    client: MemberClient,
}

impl Seated {
    async fn start(&mut self, leases: &watch::Receiver<LeaseViews>) {
        // a dropped member releases its store once its last task has ended
        let member = until_some("the store to be free", async || {
            Member::start(
                self.config.clone(),
                self.signer.clone(),
                leases.clone(),
                SystemClock::shared(),
                Tcp::shared(),
            )
            .await
            .ok()
        });
        let member = member.await;
        self.client = client(&format!("http://{}/", member.address()));
        self.member = Some(member);
    }
}

pub struct World {
    members: Vec<Seated>,
    views: watch::Sender<LeaseViews>,
    leases: watch::Receiver<LeaseViews>,
    threshold: usize,
    /// Node keys of every lease that is shown, by epoch.
    pub node_keys: BTreeMap<u32, Address>,
    /// The provider's web server.
    pub files: Files,
    _dir: TempDir,
}

impl World {
    /// A committee of `count` members, `threshold` of which must sign.
    pub async fn start(count: usize, threshold: usize) -> Self {
        Self::with_limits(count, threshold, 2, FetchLimits::default()).await
    }

    /// [`World::start`] with limits on the members' concurrent checks, and on their fetching.
    pub async fn with_limits(count: usize, threshold: usize, checks: usize, fetch: FetchLimits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (views, leases) = watch::channel(LeaseViews::default());
        let mut members = Vec::new();
        for index in 0..count {
            let config = MemberConfig {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                data_dir: dir.path().join(format!("member-{index}")),
                max_evidence: MAX_EVIDENCE,
                checks,
                fetch,
            };
            let client = client("http://127.0.0.1:1/");
            let mut seated = Seated { config, signer: member_signer(index), member: None, client };
            seated.start(&leases).await;
            members.push(seated);
        }
        let node_keys = BTreeMap::new();
        Self { members, views, leases, threshold, node_keys, files: Files::start().await, _dir: dir }
    }

    /// Shows a lease on the chain, or its new state.
    pub fn show(&self, lease: &Lease) {
        let members = self.members.iter().map(|seated| seated.client.url().clone()).collect();
        self.show_among(lease, members, self.threshold);
    }

    /// Shows a lease whose committee is reached at `members`.
    pub fn show_among(&self, lease: &Lease, members: Vec<Url>, threshold: usize) {
        let view = LeaseView { lease: lease.clone(), members, threshold, node_keys: self.node_keys.clone() };
        self.views.send_modify(|views| {
            let mut all: BTreeMap<_, _> = (**views).clone();
            all.insert(lease.terms.id, view);
            *views = Arc::new(all);
        });
    }

    /// Hides the lease from the members.
    pub fn forget(&self, lease: LeaseId) {
        self.views.send_modify(|views| {
            let mut all: BTreeMap<_, _> = (**views).clone();
            all.remove(&lease);
            *views = Arc::new(all);
        });
    }

    pub fn client(&self, index: usize) -> &MemberClient {
        &self.members[index].client
    }

    pub fn kill(&mut self, index: usize) {
        self.members[index].member = None;
    }

    /// Drops a member and starts it again on its data directory.
    pub async fn restart(&mut self, index: usize) {
        self.kill(index);
        self.members[index].start(&self.leases).await;
    }

    pub fn seats(&self) -> Vec<Seat> {
        let seats = self.members.iter().enumerate();
        seats
            .map(|(index, seated)| Seat {
                index,
                key: seated.signer.address(),
                client: seated.client.clone(),
            })
            .collect()
    }

    /// Serves a file for its lease and epoch, and posts its root to every living member.
    pub async fn deliver(&self, terms: &Terms, evidence: &Evidence) {
        let name = format!("{}-{}", terms.id, evidence.head.epoch);
        self.files.serve(&name, Served::Bytes(evidence.encode().unwrap()));
        let signed = root(terms, evidence.head.epoch, evidence.head.commitment, &self.files.url(&name));
        for seated in self.members.iter().filter(|seated| seated.member.is_some()) {
            let receipt = seated.client.post_root(&signed).await.unwrap();
            assert!(receipt.in_time, "{receipt:?}");
        }
    }

    pub fn data_dir(&self, index: usize) -> &Path {
        &self.members[index].config.data_dir
    }

    /// Number of evidence files in a member's directory.
    pub fn scratch(&self, index: usize) -> usize {
        std::fs::read_dir(self.members[index].config.data_dir.join("evidence")).unwrap().count()
    }

    pub async fn view(&self, index: usize, lease: LeaseId, epoch: u32) -> StatementView {
        self.client(index).statement(EpochId::new(lease, epoch)).await.unwrap()
    }

    pub async fn state(&self, index: usize, lease: LeaseId, epoch: u32) -> EpochState {
        self.view(index, lease, epoch).await.epochs.pop().unwrap().state
    }

    /// The figures of a member, once it has a verdict on `epoch`.
    pub async fn judged(&self, index: usize, lease: LeaseId, epoch: u32) -> StatementView {
        let ask = async || {
            let view = self.view(index, lease, epoch).await;
            let state = &view.epochs.last().unwrap().state;
            matches!(state, EpochState::Verified | EpochState::Refused { .. }).then_some(view)
        };
        until_some(&format!("a verdict on epoch {epoch} of lease {lease}"), ask).await
    }

    /// [`World::judged`], for a good verdict.
    pub async fn verified(&self, index: usize, lease: LeaseId, epoch: u32) -> StatementView {
        let view = self.judged(index, lease, epoch).await;
        assert_eq!(view.epochs.last().unwrap().state, EpochState::Verified);
        view
    }

    /// [`World::judged`], for a bad verdict: the reason, with its code in brackets.
    pub async fn refused(&self, index: usize, lease: LeaseId, epoch: u32) -> String {
        match self.judged(index, lease, epoch).await.epochs.pop().unwrap().state {
            EpochState::Refused { code, reason } => format!("{reason} ({code})"),
            state => panic!("expected a refusal, got {state:?}"),
        }
    }

    /// The code and the message with which a member refuses to sign.
    pub async fn not_signed(&self, index: usize, statement: Statement) -> (String, String) {
        match self.client(index).sign(&[statement]).await {
            Err(ClientError::NotSigned { refusals, .. }) => {
                assert_eq!((refusals.len(), refusals[0].lease), (1, statement.lease));
                (refusals[0].code.clone(), refusals[0].message.clone())
            }
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    /// The status and the JSON of the answer at a path.
    pub async fn raw_get(&self, path: &str) -> (u16, Value) {
        let url = self.client(0).url().join(path).unwrap();
        as_json(HttpClient::new(Tcp::shared()).get(&url, LIMITS).await.unwrap())
    }

    /// Posts a body unchanged; the status and the JSON of the answer.
    pub async fn raw_post(&self, path: &str, body: impl Into<Vec<u8>>) -> (u16, Value) {
        let url = self.client(0).url().join(path).unwrap();
        as_json(HttpClient::new(Tcp::shared()).post_json(&url, body.into(), LIMITS).await.unwrap())
    }

    /// Posts `body`, which must be refused; the status and the code.
    pub async fn post_refused(&self, path: &str, body: &impl serde::Serialize) -> (u16, String) {
        let (status, answer) = self.raw_post(path, serde_json::to_vec(body).unwrap()).await;
        assert!(answer["message"].is_string(), "{answer}");
        (status, answer["code"].as_str().unwrap().to_owned())
    }
}

/// A client of the member at `url`.
pub fn client(url: &str) -> MemberClient {
    MemberClient::new(url.parse().unwrap(), HttpClient::new(Tcp::shared()))
}

fn as_json(HttpAnswer { status, body }: HttpAnswer) -> (u16, Value) {
    let read = serde_json::from_slice(&body);
    (status, read.unwrap_or_else(|_| panic!("{status} without JSON: {}", String::from_utf8_lossy(&body))))
}

/// The code of an error of the API.
pub fn code<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> String {
    match answer {
        Err(ClientError::Refused { code, .. }) => code,
        other => panic!("expected a refusal with its code, got {other:?}"),
    }
}
