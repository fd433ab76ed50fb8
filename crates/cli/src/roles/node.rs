//! `hashlease node`: a provider's leases, from the chain to the edge, the API and the settlement.

use super::{AGENT, COMMITTEE_AGE, chain, print_ready, sender, wait_for_signal};
use crate::{
    data_dir::Owner,
    keys,
    settings::{NodeSettings, RoleArgs},
};
use anyhow::{Context as _, Result};
use hashlease_api::{EvidenceFiles, LeaseStatus, NodeApi};
use hashlease_chain::{ChainError, Committees, LeaseFilter, LeaseWatcher, RoleView, WatchedLease, follow};
use hashlease_check::ShareChecker;
use hashlease_edge::{Edge, EdgeConfig, EdgeLease, LeaseState};
use hashlease_ledger::Book;
use hashlease_net::{HttpClient, Tcp};
use hashlease_primitives::{AgreedClock, Algorithm, Lease, LeaseId, NodeBox, NodeKey, SystemClock};
use hashlease_settlement::{Context, EvidenceBase, Settlement};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};
use tokio::sync::watch;
use tracing::{debug, warn};

/// Evidence files served at once. Each takes a connection and little memory.
const MAX_READERS: usize = 256;

pub(crate) async fn run(RoleArgs { shared, role }: RoleArgs<NodeSettings>) -> Result<()> {
    let provider = keys::signing("provider", role.provider_keystore.as_deref(), &shared.password)?;
    let node_key = keys::boxes(role.node_keystore.as_deref(), &shared.password)?;
    let chain = chain(&shared).await?;
    let clock = SystemClock::shared();
    let network = Tcp::shared();
    let data_dir = role.data_dir()?;
    Owner::new("node", chain.deployment(), provider.address()).claim(&data_dir)?;
    let sender = sender(&chain, &provider, &shared, &data_dir)?;
    // first, because the journal's lock stops a second node before it changes anything
    let book = Book::open(&data_dir.join("journal"), Arc::clone(&clock))?;

    let listen = role.api()?;
    let readers = network.listen(listen).await.with_context(|| format!("listening on {listen}"))?;
    let api = readers.local_addr().with_context(|| format!("listening on {listen}"))?;
    let public = match &role.public_api {
        Some(public) => public.clone(),
        None => format!("http://{api}/").parse().context("URL of the API")?,
    };
    let evidence = EvidenceBase::new(public.clone())
        .with_context(|| format!("--public-api {public}: expected an http or https URL"))?;
    let files_dir = data_dir.join("evidence");
    let files = EvidenceFiles::open(book.clone(), files_dir.clone(), MAX_READERS)
        .with_context(|| format!("data directory {}", files_dir.display()))?;

    let committees = Committees::new(chain.clone(), COMMITTEE_AGE);
    let filter = LeaseFilter::Provider(provider.address());
    let watcher = LeaseWatcher::new(chain.clone(), filter, shared.confirmations()?);
    let (unsettled, leases_to_settle) = watch::channel(Arc::default());
    let view = NodeView { committees: committees.clone(), node_key, refused: BTreeSet::new(), unsettled };
    let (leases, _following) = follow(watcher, shared.pause()?, view, Vec::new());

    let config = EdgeConfig {
        listen: stratum_addresses(&role)?,
        session_numbers: data_dir.join("sessions"),
        agent: AGENT.to_owned(),
    };
    let checker = Arc::new(ShareChecker::on_all_cores());
    let address = provider.address();
    let http = HttpClient::new(Arc::clone(&network));
    let edge = Edge::start(config, book.clone(), leases, checker, Arc::clone(&clock), network).await?;
    let states = edge.states();
    let on_chain = leases_to_settle.clone();
    let status = move || {
        let leases = Arc::clone(&on_chain.borrow());
        states().into_iter().map(|state| status(state, &leases)).collect()
    };
    let routes = NodeApi { book: book.clone(), files, leases: Arc::new(status) };
    let mut serving = tokio::spawn(hashlease_api::serve(readers, routes));
    let clock = Arc::new(AgreedClock::new(clock));
    let context = Context { book, chain, committees, http, sender, provider, evidence, clock };
    let _settlement = Settlement::start(context, leases_to_settle, shared.pause()?);
    let stratum = |wanted| edge.addresses().iter().find(|(algorithm, _)| *algorithm == wanted);
    let stratum = |wanted| stratum(wanted).map(|(_, address)| address.to_string());
    print_ready(&json!({
        "role": "node",
        "provider": address,
        "stratum": stratum(Algorithm::Sha256d),
        "stratumScrypt": stratum(Algorithm::Scrypt),
        "api": api.to_string(),
    }))?;
    tokio::select! {
        signal = wait_for_signal() => signal?,
        // without it the committee can't fetch evidence: a supervisor must notice
        ended = &mut serving => return ended.context("the API ended"),
    }
    serving.abort();
    Ok(())
}

/// Where the miners of each algorithm connect. Without a setting, those for scrypt connect two ports
/// after those for SHA-256d (a gateway may have the one between), or at any free port if those do.
fn stratum_addresses(role: &NodeSettings) -> Result<Vec<(Algorithm, SocketAddr)>> {
    let sha256d = role.stratum()?;
    let scrypt = role.stratum_scrypt.unwrap_or_else(|| {
        let port = if sha256d.port() == 0 { 0 } else { sha256d.port().wrapping_add(2) };
        SocketAddr::new(sha256d.ip(), port)
    });
    Ok(vec![(Algorithm::Sha256d, sha256d), (Algorithm::Scrypt, scrypt)])
}

fn status(state: LeaseState, on_chain: &[Lease]) -> LeaseStatus {
    let lease = on_chain.iter().find(|lease| lease.terms.id == state.terms.id);
    LeaseStatus {
        signer_dictated: lease.map(|lease| lease.signer_dictated),
        terms: state.terms,
        gateway: state.gateway,
        no_job: state.no_job,
        miners: state.miners,
        refused: state.refused,
        forwarded_only: state.forwarded_only,
        own_target: state.own_target,
        unpaid: state.unpaid,
    }
}

/// Reads what edge and settlement need to know about a provider's leases.
struct NodeView {
    committees: Committees,
    node_key: NodeKey,
    /// Leases whose box could not be opened; each is logged once.
    refused: BTreeSet<LeaseId>,
    unsettled: watch::Sender<Arc<Vec<Lease>>>,
}

impl RoleView for NodeView {
    type Facts = Vec<EdgeLease>;

    async fn facts(
        &mut self,
        leases: &BTreeMap<LeaseId, WatchedLease>,
    ) -> Result<Vec<EdgeLease>, ChainError> {
        let unsettled = leases.values().filter(|watched| !watched.lease.settled);
        let mut found = Vec::new();
        for watched in unsettled {
            let terms = &watched.lease.terms;
            let node_box = match self.node_key.open::<NodeBox>(&watched.node_box) {
                Ok(node_box) => Some(node_box),
                Err(error) => {
                    if self.refused.insert(terms.id) {
                        warn!(lease = %terms.id, %error, "node's box can't be opened: the renter must publish a new one");
                    }
                    None
                }
            };
            let (members, threshold) = match self.committees.get(terms.oracle).await {
                Ok(committee) => (committee.urls(), committee.threshold),
                Err(error) => {
                    debug!(lease = %terms.id, %error, "committee can't be read: jobs come from the gateway only");
                    (Vec::new(), 1)
                }
            };
            found.push(EdgeLease { lease: watched.lease.clone(), node_box, members, threshold });
        }
        let leases: Vec<Lease> = found.iter().map(|found| found.lease.clone()).collect();
        self.unsettled.send_if_modified(|known| {
            let changed = **known != leases;
            if changed {
                *known = Arc::new(leases);
            }
            changed
        });
        Ok(found)
    }
}
