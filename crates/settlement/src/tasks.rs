//! The three tasks of each unsettled lease: one closes its epochs in time, one delivers their
//! roots, one collects its money. And the task that shows the clock the chain's blocks.

use crate::{
    close_epochs::close_in_time,
    context::Context,
    deliver_roots::{Roots, deliver},
    settle::advance_until_settled,
    supervise::Task,
};
use hashlease_chain::show_blocks;
use hashlease_primitives::{Lease, LeaseId};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Longest pause between two looks at the newest block's time.
const MAX_BLOCK_PAUSE: Duration = Duration::from_secs(15);

/// Settles a provider's leases. It ends when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the settlement"]
pub struct Settlement {
    _tasks: [Task; 2],
}

impl Settlement {
    /// Closes, credits, collects and settles the unsettled `leases`, revisiting each of them every
    /// `round`.
    pub fn start(context: Context, leases: watch::Receiver<Arc<Vec<Lease>>>, round: Duration) -> Self {
        let context = Arc::new(context);
        let shown = Arc::clone(&context);
        let pause = round.min(MAX_BLOCK_PAUSE);
        let show = move || show_blocks(shown.chain.clone(), Arc::clone(&shown.clock), pause);
        let run = move || run_tasks(Arc::clone(&context), leases.clone(), round);
        Self { _tasks: [Task::keep("block times".into(), show), Task::keep("settlement".into(), run)] }
    }
}

struct LeaseTasks {
    lease: watch::Sender<Lease>,
    _tasks: [Task; 3],
}

impl LeaseTasks {
    fn start(context: &Arc<Context>, lease: Lease, round: Duration) -> Self {
        let id = lease.terms.id;
        let (sender, receiver) = watch::channel(lease);
        let (roots, shown) = watch::channel(Roots::new());
        let roots = Arc::new(roots);
        let (of_closing, lease) = (Arc::clone(context), receiver.clone());
        let close = move || close_in_time(Arc::clone(&of_closing), lease.clone(), Arc::clone(&roots));
        let (of_delivery, lease) = (Arc::clone(context), receiver.clone());
        let deliver = move || deliver(Arc::clone(&of_delivery), lease.clone(), shown.clone());
        let (of_money, lease) = (Arc::clone(context), receiver);
        let collect = move || advance_until_settled(Arc::clone(&of_money), lease.clone(), round);
        let tasks = [
            Task::keep(format!("closing epochs of lease {id}"), close),
            Task::keep(format!("roots of lease {id}"), deliver),
            Task::keep(format!("money of lease {id}"), collect),
        ];
        Self { lease: sender, _tasks: tasks }
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
            running.insert(id, LeaseTasks::start(&context, lease, round));
        }
        if leases.changed().await.is_err() {
            // the leases can't change any more: running tasks continue
            return std::future::pending().await;
        }
    }
}
