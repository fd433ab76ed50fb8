//! The two tasks of each unsettled lease: one closes its epochs in time, one collects its money.

use crate::{close_epochs::close_in_time, context::Context, settle::advance_until_settled};
use hashlease_primitives::{Lease, LeaseId};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle};

/// Settles a provider's leases. It ends when this is dropped.
#[derive(Debug)]
pub struct Settlement(JoinHandle<()>);

impl Drop for Settlement {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Settlement {
    /// Closes, credits, collects and settles the unsettled `leases`, revisiting each of them every
    /// `round`.
    #[must_use]
    pub fn start(context: Context, leases: watch::Receiver<Arc<Vec<Lease>>>, round: Duration) -> Self {
        Self(tokio::spawn(run_tasks(Arc::new(context), leases, round)))
    }
}

struct LeaseTasks {
    lease: watch::Sender<Lease>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for LeaseTasks {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn run_tasks(context: Arc<Context>, mut leases: watch::Receiver<Arc<Vec<Lease>>>, round: Duration) {
    let mut running: BTreeMap<LeaseId, LeaseTasks> = BTreeMap::new();
    loop {
        let now = Arc::clone(&leases.borrow_and_update());
        running.retain(|id, _| now.iter().any(|lease| lease.terms.id == *id));
        for lease in now.iter().cloned() {
            let id = lease.terms.id;
            if let Some(running) = running.get(&id) {
                running.lease.send_replace(lease);
                continue;
            }
            let (sender, receiver) = watch::channel(lease);
            let tasks = [
                tokio::spawn(close_in_time(Arc::clone(&context), receiver.clone())),
                tokio::spawn(advance_until_settled(Arc::clone(&context), receiver, round)),
            ];
            running.insert(id, LeaseTasks { lease: sender, tasks });
        }
        if leases.changed().await.is_err() {
            // the leases can't change any more: running tasks continue
            return std::future::pending().await;
        }
    }
}
