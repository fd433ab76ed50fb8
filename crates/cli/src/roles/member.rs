//! `hashlease member`: the leases that its committee credits, from the chain to the member.

use super::{chain, ended, ready, sender};
use crate::{keys, settings::MemberArgs};
use alloy_primitives::Address;
use anyhow::Result;
use hashlease_chain::{
    Chain, ChainError, Committees, LeaseFilter, LeaseWatcher, Sender, bindings::CommitteeOracle,
};
use hashlease_committee::{FetchLimits, LeaseView, LeaseViews, Member, MemberConfig};
use serde_json::json;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, time::sleep};
use tracing::{info, warn};
use url::Url;

/// How long what is known of the committee holds.
const COMMITTEE_AGE: Duration = Duration::from_secs(60);
/// Longest evidence file that is fetched when nothing else is said, bytes.
const MAX_EVIDENCE: u64 = 1 << 30;
/// Evidence files that are checked at once when nothing else is said.
const CHECKS: usize = 2;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);

pub(crate) async fn run(settings: MemberArgs) -> Result<()> {
    let signer = keys::signing("member", settings.member_keystore.as_deref(), &settings.password)?;
    let chain = chain(&settings.chain).await?;
    let sender = sender(&chain, &signer)?;
    let config = MemberConfig {
        listen: settings.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 8646))),
        data_dir: settings.data_dir.unwrap_or_else(|| "hashlease-member".into()),
        max_evidence: settings.max_evidence.unwrap_or(MAX_EVIDENCE),
        checks: settings.checks.unwrap_or(CHECKS),
        fetch: FetchLimits::default(),
    };
    let oracle = chain.deployment().oracle;
    let address = signer.address();
    let watcher = LeaseWatcher::new(chain.clone(), LeaseFilter::Oracle(oracle), settings.chain.depth());
    let (views, leases) = watch::channel(LeaseViews::default());
    let member = Member::start(config, signer, leases).await?;
    let committees = Committees::new(chain.clone(), COMMITTEE_AGE);
    let following = tokio::spawn(follow(watcher, committees, views, settings.chain.pause()));
    let announcing = settings.announce.then(|| {
        let url = settings.public_url.map_or_else(|| format!("http://{}/", member.address()), String::from);
        tokio::spawn(announce(chain, sender, address, oracle, url))
    });
    ready(&json!({"role": "member", "signer": address, "api": member.address().to_string()}))?;
    ended().await?;
    following.abort();
    if let Some(announcing) = announcing {
        announcing.abort();
    }
    Ok(())
}

async fn follow(
    mut watcher: LeaseWatcher,
    committees: Committees,
    views: watch::Sender<LeaseViews>,
    pause: Duration,
) {
    let mut rpc_down = false;
    loop {
        match look(&mut watcher, &committees).await {
            Ok(now) => {
                if std::mem::take(&mut rpc_down) {
                    info!("chain can be read again");
                }
                views.send_if_modified(|known| {
                    let changed = **known != now;
                    *known = Arc::new(now);
                    changed
                });
            }
            Err(error) if !rpc_down => {
                warn!(%error, "chain can't be read: leases that are known go on");
                rpc_down = true;
            }
            Err(_) => {}
        }
        sleep(pause).await;
    }
}

async fn look(
    watcher: &mut LeaseWatcher,
    committees: &Committees,
) -> Result<BTreeMap<hashlease_primitives::LeaseId, LeaseView>, ChainError> {
    let leases = watcher.poll().await?.clone();
    let mut views = BTreeMap::new();
    for (id, watched) in leases {
        let committee = committees.get(watched.lease.terms.oracle).await?;
        let view =
            LeaseView { lease: watched.lease, members: committee.urls(), threshold: committee.threshold };
        views.insert(id, view);
    }
    Ok(views)
}

/// Puts the member's URL on the chain unless it stands there already.
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
    let seat = committee.members.iter().find(|seat| seat.key == key || seat.owner == key);
    let Some(seat) = seat else { anyhow::bail!("{key} has no seat on the committee {oracle}") };
    if seat.url.as_ref() == url.parse::<Url>().ok().as_ref() {
        return Ok(());
    }
    sender.call(oracle, &CommitteeOracle::announceCall { url: url.to_owned() }).await?;
    info!(url, "URL announced");
    Ok(())
}
