//! Checking the evidence of one root, until there is a verdict.

use crate::{
    client::MemberClient,
    clock::unix_millis,
    figures::in_time,
    member::{Inner, LeaseView},
    store::{Outcome, StoreError, StoredRoot},
};
use futures::StreamExt as _;
use hashlease_caches::{Caches, EthashEpoch, LightCache};
use hashlease_ledger::Evidence;
use hashlease_primitives::LeaseId;
use hashlease_trie::Commitment;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use tracing::{info, warn};

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(300);

/// Trouble that may pass, or a verdict.
enum Trouble {
    Passing(String),
    Final(String),
}

/// Fetches and checks until there is a verdict, or nobody can use one any more.
pub(crate) async fn run(member: Arc<Inner>, lease: LeaseId, epoch: u32) {
    let mut pause = FIRST_PAUSE;
    loop {
        // a lease that is not known yet after a restart soon will be
        if let Ok(view) = member.view(lease)
            && let Some(mut stored) = member.stored(lease, epoch)
        {
            if unix_millis() / 1_000 > view.lease.settle_after() || view.lease.settled {
                return;
            }
            let outcome = match attempt(&member, &view, epoch, &mut stored).await {
                Ok(()) => {
                    info!(%lease, epoch, "evidence verified");
                    keep(&member, lease, epoch, stored);
                    return;
                }
                Err(Trouble::Final(reason)) => Outcome::Refused(reason),
                Err(Trouble::Passing(reason)) => {
                    warn!(%lease, epoch, reason, retry_in = ?pause, "evidence can't be checked yet");
                    sleep(pause).await;
                    pause = pause.saturating_mul(2).min(MAX_PAUSE);
                    continue;
                }
            };
            if let Outcome::Refused(reason) = &outcome {
                warn!(%lease, epoch, reason, "evidence refused: the epoch counts as empty");
            }
            stored.outcome = outcome;
            if let Err(error) = member.store.put_root(lease, epoch, &stored) {
                warn!(%lease, epoch, %error, "verdict can't be stored");
            }
            keep(&member, lease, epoch, stored);
            return;
        }
        sleep(pause).await;
    }
}

/// A late root is checked only once enough members say that they had it in time: until then it counts as empty, and
/// its keys are not counted; from then on it is one that came in time.
async fn attempt(
    member: &Inner,
    view: &LeaseView,
    epoch: u32,
    stored: &mut StoredRoot,
) -> Result<(), Trouble> {
    let terms = &view.lease.terms;
    if !stored.vouched && !in_time(terms, epoch, stored.received) {
        if !vouched(member, view, epoch, stored).await {
            return Err(Trouble::Passing("root came late, and too few members had it in time".to_owned()));
        }
        stored.vouched = true;
        let put = member.store.put_root(terms.id, epoch, stored);
        put.map_err(|error| Trouble::Passing(error.to_string()))?;
        keep(member, terms.id, epoch, stored.clone());
    }
    check(member, view, epoch, stored).await
}

fn keep(member: &Inner, lease: LeaseId, epoch: u32, stored: StoredRoot) {
    member.figures().entry(lease).or_default().roots.insert(epoch, stored);
}

/// Whether enough members had this very root in time.
async fn vouched(member: &Inner, view: &LeaseView, epoch: u32, stored: &StoredRoot) -> bool {
    let lease = view.lease.terms.id;
    let mut in_time = 0usize;
    for url in &view.members {
        if let Ok(theirs) = MemberClient::new(url.clone()).root(lease, epoch).await
            && theirs.in_time
            && theirs.root.root.root == stored.root.root.root
            && theirs.root.root.count == stored.root.root.count
        {
            in_time = in_time.saturating_add(1);
        }
    }
    let enough = in_time >= view.threshold;
    if enough {
        info!(%lease, epoch, in_time, member = %member.signer(), "late here, but enough members had the root in time");
    }
    enough
}

async fn fetch(url: &str, limit: u64) -> Result<Vec<u8>, Trouble> {
    let passing = |error: reqwest::Error| Trouble::Passing(format!("evidence: {}", error.without_url()));
    let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
    let response = client.build().map_err(passing)?.get(url).send().await.map_err(passing)?;
    if !response.status().is_success() {
        return Err(Trouble::Passing(format!("evidence: the provider answers {}", response.status())));
    }
    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(piece) = body.next().await {
        bytes.extend(piece.map_err(passing)?);
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(Trouble::Final(format!("evidence is longer than {limit} bytes")));
        }
    }
    Ok(bytes)
}

/// A light cache, built here if no thread can be had for it.
fn light_cache(caches: &Caches, epoch: EthashEpoch) -> Arc<LightCache> {
    caches.get(epoch).unwrap_or_else(|error| {
        warn!(epoch = epoch.index(), %error, "light cache is built in place");
        Arc::new(LightCache::build(epoch))
    })
}

/// The whole check: terms, claim, every signature, every proof of work, root, and no key counted elsewhere.
async fn check(member: &Inner, view: &LeaseView, epoch: u32, stored: &mut StoredRoot) -> Result<(), Trouble> {
    let claim = &stored.root.root;
    let claimed = Commitment { root: claim.root, count: claim.count };
    let bytes = fetch(&claim.evidence, member.config.max_evidence).await?;
    // a provider may serve a broken file once and the right one later; the root is what it signed
    let mut evidence = Evidence::decode(&bytes).map_err(|error| Trouble::Passing(error.to_string()))?;
    let terms = &view.lease.terms;
    if let Some(difference) = evidence.head.differs_from(terms) {
        return Err(Trouble::Final(format!("evidence is of other terms: {difference}")));
    }
    let head = &mut evidence.head;
    if (head.epoch, head.commitment) != (epoch, claimed) {
        return Err(Trouble::Final(format!(
            "evidence is of epoch {} with root {}: the provider signed epoch {epoch} with root {}",
            head.epoch, head.commitment.root, claimed.root
        )));
    }
    // the end is the chain's
    head.terms = terms.clone();
    let caches = Arc::clone(&member.caches);
    let (report, keys) =
        tokio::task::spawn_blocking(move || evidence.recheck_keys(&|epoch| light_cache(&caches, epoch)))
            .await
            .map_err(|error| Trouble::Passing(error.to_string()))?;
    if let Some(complaint) = report.complaint() {
        return Err(Trouble::Final(complaint));
    }
    stored.outcome = Outcome::Verified(report.rebuilt);
    match member.store.count(terms.id, epoch, keys.into_iter(), stored) {
        Ok(()) => Ok(()),
        Err(error @ StoreError::KeyTaken { .. }) => Err(Trouble::Final(error.to_string())),
        Err(error) => Err(Trouble::Passing(error.to_string())),
    }
}
