//! Leases from the chain: their boxes are opened, their links kept, their money settled.

use crate::{
    NodeConfig,
    book::Book,
    clock::unix_seconds,
    link,
    served::{Served, ServedLeases},
    settler::Settler,
};
use hashlease_chain::{Committees, LeaseWatcher, WatchedLease};
use hashlease_primitives::{LeaseId, NodeBox, NodeKey};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::{sync::watch, task::JoinHandle, time::sleep};
use tracing::{info, warn};

struct Running {
    served: Arc<Served>,
    node_box: watch::Sender<NodeBox>,
    link: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.link.abort();
    }
}

/// Follows the provider's leases for ever.
pub(crate) async fn follow(
    mut watcher: LeaseWatcher,
    config: NodeConfig,
    node_key: NodeKey,
    book: Book,
    committees: Committees,
    published: watch::Sender<Arc<ServedLeases>>,
    mut settler: Settler,
) {
    let mut running: BTreeMap<LeaseId, Running> = BTreeMap::new();
    let mut complained: BTreeSet<LeaseId> = BTreeSet::new();
    let mut rpc_down = false;
    loop {
        match watcher.poll().await {
            Ok(leases) => {
                if rpc_down {
                    info!("chain can be read again");
                    rpc_down = false;
                }
                let leases: Vec<WatchedLease> =
                    leases.values().filter(|watched| !watched.lease.settled).cloned().collect();
                running.retain(|id, _| leases.iter().any(|watched| watched.lease.terms.id == *id));
                for watched in &leases {
                    let terms = &watched.lease.terms;
                    if let Err(error) = book.lease(terms).await {
                        warn!(lease = %terms.id, %error, "lease could not be stored");
                        continue;
                    }
                    if let Some(known) = running.get(&terms.id) {
                        known.served.refresh(watched.lease.clone());
                        if let Ok(new) = node_key.open::<NodeBox>(&watched.node_box) {
                            known.node_box.send_if_modified(|old| {
                                let changed = *old != new;
                                *old = new;
                                changed
                            });
                        }
                        continue;
                    }
                    if unix_seconds() >= terms.end {
                        continue;
                    }
                    let node_box = match node_key.open::<NodeBox>(&watched.node_box) {
                        Ok(node_box) => node_box,
                        Err(error) => {
                            if complained.insert(terms.id) {
                                warn!(lease = %terms.id, %error, "node's box can't be opened: the renter must publish a new one");
                            }
                            continue;
                        }
                    };
                    info!(lease = %terms.id, gateway = node_box.gateway, rate = %terms.rate, start = terms.start, end = terms.end, "lease found");
                    let served = Arc::new(Served::new(watched.lease.clone()));
                    let (sender, receiver) = watch::channel(node_box);
                    let link = tokio::spawn(link::keep(
                        Arc::clone(&served),
                        receiver,
                        book.clone(),
                        committees.clone(),
                        config.agent.clone(),
                    ));
                    running.insert(terms.id, Running { served, node_box: sender, link });
                }
                let served = running.iter().map(|(id, running)| (*id, Arc::clone(&running.served)));
                publish(&published, served.collect());
                settler.leases(leases.into_iter().map(|watched| watched.lease).collect());
            }
            Err(error) => {
                if !rpc_down {
                    warn!(%error, "chain can't be read: shares go on being counted, credits wait");
                    rpc_down = true;
                }
            }
        }
        sleep(config.poll).await;
    }
}

fn publish(published: &watch::Sender<Arc<ServedLeases>>, now: ServedLeases) {
    published.send_if_modified(|known| {
        let changed = !known.keys().eq(now.keys());
        if changed {
            *known = Arc::new(now);
        }
        changed
    });
}
