//! Turns the chain into facts that roles receive: one task polls, a role's own map says what it needs of the leases,
//! and the role sees a [`watch::Receiver`]. So no role asks the chain for its leases by itself.

use crate::{ChainError, LeaseWatcher, WatchedLease};
use hashlease_primitives::LeaseId;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle, time::sleep};
use tracing::{info, warn};

/// What a role needs to know of the leases that a watcher follows.
pub trait RoleView: Send + 'static {
    /// The facts, compared to tell whether something changed.
    type Facts: PartialEq + Send + Sync + 'static;

    /// The facts now. On an error the role keeps those that it has.
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

/// Polls the chain each `pause` and publishes what `view` makes of it, starting with `initial`. An endpoint that is
/// down changes nothing: it is logged once, and once more when it is back.
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
                    info!("chain can be read again");
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
                warn!(%error, "chain can't be read: known leases go on, credits wait");
                rpc_down = true;
            }
            Err(_) => {}
        }
        sleep(pause).await;
    }
}
