//! The provider's leases: keeps their terms in the book and a link to each one's gateway.

use crate::{
    gateway_link::run_link,
    link_target::LinkTarget,
    mined_lease::{MinedLease, MinedLeases},
};
use hashlease_ledger::Book;
use hashlease_net::SharedNetwork;
use hashlease_primitives::{Lease, LeaseId, NodeBox, SharedClock};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tracing::{info, warn};
use url::Url;

/// Pause before leases that could not be stored are tried again.
const AGAIN: Duration = Duration::from_secs(4);

/// An unsettled lease of the provider.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeLease {
    /// The lease as the escrow holds it.
    pub lease: Lease,
    /// Where its gateway is; `None` when the box on the chain can't be opened.
    pub node_box: Option<NodeBox>,
    /// APIs of the committee's members, which serve the same jobs.
    pub members: Vec<Url>,
    /// How many of them sign a statement.
    pub threshold: usize,
}

struct LinkTask {
    served: Arc<MinedLease>,
    target: watch::Sender<LinkTarget>,
    link: JoinHandle<()>,
}

impl LinkTask {
    /// Follows a changed box or list of members. A box that can't be opened changes nothing.
    fn follow(&self, new: LinkTarget) {
        self.target.send_if_modified(|known| {
            let new = LinkTarget { node_box: new.node_box.or_else(|| known.node_box.clone()), ..new };
            let changed = *known != new;
            *known = new;
            changed
        });
    }
}

impl Drop for LinkTask {
    fn drop(&mut self) {
        self.link.abort();
    }
}

/// Serves the leases, following their changes.
pub(crate) async fn serve_leases(
    mut leases: watch::Receiver<Arc<Vec<EdgeLease>>>,
    agent: String,
    book: Book,
    published: watch::Sender<Arc<MinedLeases>>,
    clock: SharedClock,
    network: SharedNetwork,
) {
    let mut running: BTreeMap<LeaseId, LinkTask> = BTreeMap::new();
    loop {
        let now = Arc::clone(&leases.borrow_and_update());
        running.retain(|id, _| now.iter().any(|wanted| wanted.lease.terms.id == *id));
        let mut all_stored = true;
        for wanted in now.iter() {
            let terms = &wanted.lease.terms;
            if let Err(error) = book.lease(terms).await {
                warn!(lease = %terms.id, %error, "lease could not be stored");
                all_stored = false;
                continue;
            }
            let EdgeLease { node_box, members, threshold, .. } = wanted.clone();
            let target = LinkTarget { node_box, members, threshold };
            if let Some(known) = running.get(&terms.id) {
                known.served.refresh(wanted.lease.clone());
                known.follow(target);
                continue;
            }
            if clock.seconds() >= terms.end {
                continue;
            }
            let gateway = wanted.node_box.as_ref().map_or("unknown", |known| known.gateway.as_str());
            info!(lease = %terms.id, gateway, rate = %terms.rate, start = %terms.start, end = %terms.end, "lease found");
            let served = Arc::new(MinedLease::new(wanted.lease.clone(), Arc::clone(&clock)));
            let (sender, receiver) = watch::channel(target);
            let link = tokio::spawn(run_link(
                Arc::clone(&served),
                receiver,
                book.clone(),
                agent.clone(),
                Arc::clone(&network),
            ));
            running.insert(terms.id, LinkTask { served, target: sender, link });
        }
        publish(&published, &running);
        let ended = if all_stored {
            leases.changed().await.is_err()
        } else {
            matches!(timeout(AGAIN, leases.changed()).await, Ok(Err(_)))
        };
        if ended {
            // the sender is gone, so the leases stay as they are
            return std::future::pending().await;
        }
    }
}

fn publish(published: &watch::Sender<Arc<MinedLeases>>, running: &BTreeMap<LeaseId, LinkTask>) {
    published.send_if_modified(|known| {
        let changed = !known.keys().eq(running.keys());
        if changed {
            let served = running.iter().map(|(id, running)| (*id, Arc::clone(&running.served)));
            *known = Arc::new(served.collect());
        }
        changed
    });
}
