//! The two tasks of each unsettled lease: one closes its epochs in time, one brings in its money.

use crate::{close, settle, work::Work};
use hashlease_primitives::{Lease, LeaseId};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle};

/// Settles a provider's leases. Its tasks end when this is dropped.
pub(crate) struct Settler {
    work: Arc<Work>,
    round: Duration,
    running: BTreeMap<LeaseId, Running>,
}

struct Running {
    lease: watch::Sender<Lease>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Settler {
    /// Looks at every lease each `round`.
    pub(crate) fn new(work: Work, round: Duration) -> Self {
        Self { work: Arc::new(work), round, running: BTreeMap::new() }
    }

    /// The unsettled leases as the chain has them now.
    pub(crate) fn leases(&mut self, leases: Vec<Lease>) {
        self.running.retain(|id, _| leases.iter().any(|lease| lease.terms.id == *id));
        for lease in leases {
            if let Some(running) = self.running.get(&lease.terms.id) {
                running.lease.send_replace(lease);
                continue;
            }
            let id = lease.terms.id;
            let (sender, receiver) = watch::channel(lease);
            let tasks = [
                tokio::spawn(close::keep(Arc::clone(&self.work), receiver.clone())),
                tokio::spawn(settle::keep(Arc::clone(&self.work), receiver, self.round)),
            ];
            self.running.insert(id, Running { lease: sender, tasks });
        }
    }
}
