//! `hashlease gateway`: the leases whose jobs its key signs, from the chain to the gateway.

use super::{AGENT, COMMITTEE_AGE, chain, print_ready, wait_for_signal};
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
use hashlease_net::Tcp;
use hashlease_primitives::{GatewayBox, LeaseId, NodeKey, SystemClock};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
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
    let view = GatewayView {
        committees: Committees::new(chain.clone(), COMMITTEE_AGE),
        chain,
        key: box_key,
        known: BTreeMap::new(),
    };
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
    key: NodeKey,
    known: BTreeMap<LeaseId, Opened>,
}

impl RoleView for GatewayView {
    type Facts = Vec<Assignment>;

    async fn facts(
        &mut self,
        leases: &BTreeMap<LeaseId, WatchedLease>,
    ) -> Result<Vec<Assignment>, ChainError> {
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
