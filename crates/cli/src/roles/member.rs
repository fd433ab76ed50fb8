//! `hashlease member`: the leases that its committee credits, from the chain to the member.

use super::{COMMITTEE_AGE, KEEPING_PAUSE, chain, print_ready, sender, wait_for_signal};
use crate::{
    data_dir::Owner,
    keys,
    settings::{MemberSettings, RoleArgs},
};
use alloy_primitives::Address;
use anyhow::{Context as _, Result};
use hashlease_chain::{
    Chain, ChainError, Committee, Committees, LeaseFilter, LeaseWatcher, NodeKeys, RoleView, Sender,
    WatchedLease, bindings::CommitteeOracle, follow, show_blocks,
};
use hashlease_keeper::{Keeper, Role};
use hashlease_member::{FetchLimits, LeaseView, Member, MemberConfig, SeatView};
use hashlease_net::{HttpClient, Tcp};
use hashlease_primitives::{AgreedClock, LeaseId, SystemClock};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::sleep;
use tracing::{debug, info, warn};
use url::Url;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Longest pause between two looks at the newest block's time.
const MAX_BLOCK_PAUSE: Duration = Duration::from_secs(15);

pub(crate) async fn run(RoleArgs { shared, role }: RoleArgs<MemberSettings>) -> Result<()> {
    let signer = keys::signing("member", role.member_keystore.as_deref(), &shared.password)?;
    let chain = chain(&shared).await?;
    let data_dir = role.data_dir()?;
    Owner::new("member", chain.deployment(), signer.address()).claim(&data_dir)?;
    let sender = sender(&chain, &signer, &shared, &data_dir)?;
    let config = MemberConfig {
        listen: role.listen()?,
        data_dir,
        max_evidence: role.max_evidence()?,
        kept_evidence: role.kept_evidence()?,
        checks: role.checks()?,
        fetch: FetchLimits::default(),
        private_evidence: role.private_evidence,
    };
    let oracle = chain.deployment().oracle;
    let address = signer.address();
    let confirmations = shared.confirmations()?;
    let watcher = LeaseWatcher::new(chain.clone(), LeaseFilter::Oracle(oracle), confirmations);
    let committees = Committees::new(chain.clone(), COMMITTEE_AGE);
    let view = MemberView { committees, node_keys: NodeKeys::new(chain.clone(), confirmations) };
    let (leases, _following) = follow(watcher, shared.pause()?, view, BTreeMap::new());
    if !role.no_keeping {
        let committees = Committees::new(chain.clone(), COMMITTEE_AGE);
        let http = HttpClient::new(Tcp::shared());
        let keeper = Keeper::new(chain.clone(), committees, http, sender.clone());
        let kept = leases.clone();
        let open = move || kept.borrow().values().map(|view| view.lease.clone()).collect();
        // it ends with the process
        tokio::spawn(keeper.run(
            Role::Member(address),
            open,
            shared.pause()?.saturating_mul(4).min(KEEPING_PAUSE),
        ));
    }
    let clock = Arc::new(AgreedClock::new(SystemClock::shared()));
    // it ends with the process
    tokio::spawn(show_blocks(chain.clone(), Arc::clone(&clock), shared.pause()?.min(MAX_BLOCK_PAUSE)));
    let member = Member::start(config, signer, leases, clock, Tcp::shared()).await?;
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
                seats: seats(&committee),
                threshold: committee.threshold,
                node_keys: self.node_keys.of(*id),
            };
            views.insert(*id, view);
        }
        Ok(views)
    }
}

/// The seats that sign.
fn seats(committee: &Committee) -> Vec<SeatView> {
    let signing = committee.members.iter();
    signing.filter_map(|seat| Some(SeatView { key: seat.key?, url: seat.url.clone() })).collect()
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
