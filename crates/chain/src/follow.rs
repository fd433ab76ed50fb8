//! Turns the chain into facts for a role: a task polls the leases, the role's [`RoleView`] selects
//! the facts that it needs, and the role gets a [`watch::Receiver`] of them. No role reads its
//! leases from the chain itself.

use crate::{ChainError, LeaseWatcher, WatchedLease};
use hashlease_primitives::LeaseId;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle, time::sleep};
use tracing::{info, warn};

/// The facts that a role needs of the leases that a watcher follows.
pub trait RoleView: Send + 'static {
    /// The facts. The role is notified when they differ from the last ones.
    type Facts: PartialEq + Send + Sync + 'static;

    /// The current facts. On an error the role keeps its last ones.
    ///
    /// # Errors
    /// [`ChainError`].
    fn facts(
        &mut self,
        leases: &BTreeMap<LeaseId, WatchedLease>,
    ) -> impl Future<Output = Result<Self::Facts, ChainError>> + Send;
}

/// The task that polls. It ends when this is dropped.
#[derive(Debug)]
pub struct Following(JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Polls the chain every `pause` and publishes the facts that `view` selects, starting with
/// `initial`. While the endpoint is down, the last facts stay in place; the log reports the outage
/// once, and once more the recovery.
pub fn follow<V: RoleView>(
    watcher: LeaseWatcher,
    pause: Duration,
    view: V,
    initial: V::Facts,
) -> (watch::Receiver<Arc<V::Facts>>, Following) {
    let (sender, receiver) = watch::channel(Arc::new(initial));
    (receiver, Following(tokio::spawn(poll(watcher, pause, view, sender))))
}

async fn poll<V: RoleView>(
    mut watcher: LeaseWatcher,
    pause: Duration,
    mut view: V,
    facts: watch::Sender<Arc<V::Facts>>,
) {
    let mut rpc_down = false;
    loop {
        let polled = match watcher.poll().await {
            Ok(leases) => view.facts(leases).await,
            Err(error) => Err(error),
        };
        match polled {
            Ok(now) => {
                if std::mem::take(&mut rpc_down) {
                    info!("chain is readable again");
                }
                facts.send_if_modified(|known| {
                    let changed = **known != now;
                    if changed {
                        *known = Arc::new(now);
                    }
                    changed
                });
            }
            Err(error) if !rpc_down => {
                warn!(%error, "chain can't be read: known leases continue, credits wait");
                rpc_down = true;
            }
            Err(_) => {}
        }
        sleep(pause).await;
    }
}
