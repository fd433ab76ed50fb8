//! `hashlease gateway`: the leases whose jobs its key signs, from the chain to the gateway.

use super::{AGENT, COMMITTEE_AGE, KEEPING_PAUSE, chain, print_ready, sender, wait_for_signal};
use crate::{
    data_dir::Owner,
    keys,
    settings::{GatewaySettings, RoleArgs},
};
use alloy_primitives::Address;
use anyhow::Result;
use hashlease_chain::{
    Chain, ChainError, Committees, LeaseFilter, LeaseWatcher, RoleView, WatchedLease, follow,
};
use hashlease_check::ShareChecker;
use hashlease_gateway::{Assignment, Gateway, GatewayConfig};
use hashlease_keeper::{Keeper, Role};
use hashlease_net::{HttpClient, Tcp};
use hashlease_primitives::{GatewayBox, Lease, LeaseId, NodeKey, SystemClock};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;
use tracing::warn;

pub(crate) async fn run(RoleArgs { shared, role }: RoleArgs<GatewaySettings>) -> Result<()> {
    let signer = keys::signing("job", role.job_keystore.as_deref(), &shared.password)?;
    let box_key = keys::boxes(role.node_keystore.as_deref(), &shared.password)?;
    let chain = chain(&shared).await?;
    let data_dir = role.data_dir()?;
    Owner::new("gateway", chain.deployment(), signer.address()).claim(&data_dir)?;
    let config =
        GatewayConfig { listen: role.listen()?, api: role.api()?, data_dir, agent: AGENT.to_owned() };
    let filter = LeaseFilter::JobSigner(signer.address());
    let watcher = LeaseWatcher::new(chain.clone(), filter, shared.confirmations()?);
    let ready_line =
        json!({"role": "gateway", "jobSigner": signer.address(), "boxKey": hex::encode(box_key.public())});
    let committees = Committees::new(chain.clone(), COMMITTEE_AGE);
    let (open, kept) = watch::channel(Vec::new());
    match keys::optional("keeper", role.keeper_keystore.as_deref(), &shared.password)? {
        Some(key) => {
            let http = HttpClient::new(Tcp::shared());
            let keeper = Keeper::new(
                chain.clone(),
                committees.clone(),
                http,
                sender(&chain, &key, &shared, &config.data_dir)?,
            );
            // it ends with the process
            tokio::spawn(keeper.run(
                Role::Gateway,
                move || kept.borrow().clone(),
                shared.pause()?.saturating_mul(4).min(KEEPING_PAUSE),
            ));
        }
        None => warn!(
            "no keeper key: if a provider vanishes, others must bring the statement that compensates the renter"
        ),
    }
    let view = GatewayView { committees, chain, open, key: box_key, known: BTreeMap::new() };
    let (assignments, _following) = follow(watcher, shared.pause()?, view, Vec::new());
    let checker = Arc::new(ShareChecker::on_all_cores());
    let gateway =
        Gateway::start(config, signer, assignments, checker, SystemClock::shared(), Tcp::shared()).await?;
    let mut line = ready_line;
    if let Some(fields) = line.as_object_mut() {
        fields.insert("link".into(), json!(gateway.local_addr().to_string()));
        fields.insert("api".into(), json!(gateway.api_addr().to_string()));
    }
    print_ready(&line)?;
    wait_for_signal().await?;
    gateway.shutdown().await;
    Ok(())
}

/// A sealed box from the chain, and its content if our key opens it.
struct Opened {
    sealed: Vec<u8>,
    content: Option<GatewayBox>,
}

/// Reads what a gateway needs to know about the leases whose jobs it signs.
struct GatewayView {
    committees: Committees,
    chain: Chain,
    /// Leases that are not settled.
    open: watch::Sender<Vec<Lease>>,
    key: NodeKey,
    known: BTreeMap<LeaseId, Opened>,
}

impl RoleView for GatewayView {
    type Facts = Vec<Assignment>;

    async fn facts(
        &mut self,
        leases: &BTreeMap<LeaseId, WatchedLease>,
    ) -> Result<Vec<Assignment>, ChainError> {
        let open = leases.values().map(|watched| &watched.lease).filter(|lease| !lease.settled);
        self.open.send_replace(open.cloned().collect());
        let mut found = Vec::new();
        for watched in leases.values().filter(|watched| !watched.lease.settled) {
            found.extend(self.assignment(watched).await);
        }
        Ok(found)
    }
}

impl GatewayView {
    async fn assignment(&mut self, watched: &WatchedLease) -> Option<Assignment> {
        let terms = &watched.lease.terms;
        let known = self.known.get(&terms.id).is_some_and(|known| known.sealed == watched.gateway_box);
        if !known {
            let content = self.key.open::<GatewayBox>(&watched.gateway_box);
            if let Err(error) = &content {
                warn!(lease = %terms.id, %error, "gateway's box can't be opened: the renter must publish a new one");
            }
            let opened = Opened { sealed: watched.gateway_box.to_vec(), content: content.ok() };
            self.known.insert(terms.id, opened);
        }
        let pool = self.known.get(&terms.id)?.content.clone()?;
        let controller = self.controller(terms.id, pool.stop_unseen).await;
        let committee = match self.committees.get(terms.oracle).await {
            Ok(committee) => committee,
            Err(error) => {
                warn!(lease = %terms.id, %error, "committee can't be read: jobs go to the node only");
                return Some(Assignment { terms: terms.clone(), pool, members: Vec::new(), controller });
            }
        };
        Some(Assignment { terms: terms.clone(), pool, members: committee.urls(), controller })
    }

    /// Who may have jobs signed again; it is asked for only where jobs may be held back.
    async fn controller(&self, lease: LeaseId, stops: bool) -> Option<Address> {
        if !stops {
            return None;
        }
        match self.chain.controller_of(lease).await {
            Ok(controller) => Some(controller),
            Err(error) => {
                warn!(%lease, %error, "controller of a lease can't be read");
                None
            }
        }
    }
}
