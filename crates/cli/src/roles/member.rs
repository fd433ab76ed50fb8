//! `hashlease member`: the leases that its committee credits, from the chain to the member.

use super::{COMMITTEE_AGE, chain, print_ready, sender, wait_for_signal};
use crate::{
    keys,
    settings::{MemberSettings, RoleArgs},
};
use alloy_primitives::Address;
use anyhow::{Context as _, Result};
use hashlease_chain::{
    Chain, ChainError, Committees, LeaseFilter, LeaseWatcher, NodeKeys, RoleView, Sender, WatchedLease,
    bindings::CommitteeOracle, follow,
};
use hashlease_member::{FetchLimits, LeaseView, Member, MemberConfig};
use hashlease_net::Tcp;
use hashlease_primitives::{LeaseId, SystemClock};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use tokio::time::sleep;
use tracing::{debug, info, warn};
use url::Url;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);

pub(crate) async fn run(RoleArgs { shared, role }: RoleArgs<MemberSettings>) -> Result<()> {
    let signer = keys::signing("member", role.member_keystore.as_deref(), &shared.password)?;
    let chain = chain(&shared).await?;
    let sender = sender(&chain, &signer)?;
    let config = MemberConfig {
        listen: role.listen()?,
        data_dir: role.data_dir()?,
        max_evidence: role.max_evidence()?,
        checks: role.checks()?,
        fetch: FetchLimits::default(),
    };
    let oracle = chain.deployment().oracle;
    let address = signer.address();
    let confirmations = shared.confirmations()?;
    let watcher = LeaseWatcher::new(chain.clone(), LeaseFilter::Oracle(oracle), confirmations);
    let committees = Committees::new(chain.clone(), COMMITTEE_AGE);
    let view = MemberView { committees, node_keys: NodeKeys::new(chain.clone(), confirmations) };
    let (leases, _following) = follow(watcher, shared.pause()?, view, BTreeMap::new());
    let member = Member::start(config, signer, leases, SystemClock::shared(), Tcp::shared()).await?;
    let announcing = role.announce.then(|| {
        let url = role.public_url.map_or_else(|| format!("http://{}/", member.address()), String::from);
        tokio::spawn(announce(chain, sender, address, oracle, url))
    });
    print_ready(&json!({"role": "member", "signer": address, "api": member.address().to_string()}))?;
    wait_for_signal().await?;
    if let Some(announcing) = announcing {
        announcing.abort();
    }
    Ok(())
}

/// Reads what a member needs to know about the leases that its committee credits.
struct MemberView {
    committees: Committees,
    node_keys: NodeKeys,
}

impl RoleView for MemberView {
    type Facts = BTreeMap<LeaseId, LeaseView>;

    async fn facts(
        &mut self,
        leases: &BTreeMap<LeaseId, WatchedLease>,
    ) -> Result<BTreeMap<LeaseId, LeaseView>, ChainError> {
        let unsettled = leases.values().map(|watched| &watched.lease).filter(|lease| !lease.settled);
        let unsettled: Vec<_> = unsettled.map(|lease| &lease.terms).collect();
        if let Err(error) = self.node_keys.look(&unsettled).await {
            debug!(%error, "directory can't be read: roots by node keys that are not known yet are refused");
        }
        let mut views = BTreeMap::new();
        for (id, watched) in leases {
            let committee = self.committees.get(watched.lease.terms.oracle).await?;
            let view = LeaseView {
                lease: watched.lease.clone(),
                members: committee.urls(),
                threshold: committee.threshold,
                node_keys: self.node_keys.of(*id),
            };
            views.insert(*id, view);
        }
        Ok(views)
    }
}

/// Announces the member's URL on the chain, unless the chain has it already.
async fn announce(chain: Chain, sender: Sender, key: Address, oracle: Address, url: String) {
    let mut pause = FIRST_PAUSE;
    loop {
        match announced(&chain, &sender, key, oracle, &url).await {
            Ok(()) => return,
            Err(error) => {
                warn!(url, error = format!("{error:#}"), retry_in = ?pause, "URL could not be announced");
            }
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(MAX_PAUSE);
    }
}

async fn announced(chain: &Chain, sender: &Sender, key: Address, oracle: Address, url: &str) -> Result<()> {
    let committee = chain.committee(oracle).await?;
    let seat = committee.members.iter().find(|seat| seat.key == Some(key) || seat.owner == key);
    let Some(seat) = seat else { anyhow::bail!("{key} has no seat on the committee {oracle}") };
    let own: Url = url.parse().with_context(|| format!("own URL {url:?}"))?;
    if seat.url.as_ref() == Some(&own) {
        return Ok(());
    }
    sender.call(oracle, &CommitteeOracle::announceCall { url: url.to_owned() }).await?;
    info!(url, "URL announced");
    Ok(())
}
