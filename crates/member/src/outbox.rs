//! What the other members of a committee are to be told.

use crate::view::LeaseView;
use alloy_primitives::Address;
use hashlease_committee::{MemberClient, ShownShare};
use hashlease_net::HttpClient;
use hashlease_primitives::{EpochId, SignedJob};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::Notify, task::JoinHandle};
use url::Url;

/// Jobs that may wait for one member; the oldest are dropped first.
const JOBS: usize = 256;
/// Shares that may wait for one member; the oldest are dropped first.
const SHARES: usize = 256;
/// Roots that may wait for one member; the oldest are dropped first.
const ROOTS: usize = 16_384;

/// The other members.
#[derive(Debug)]
pub(crate) struct Peers {
    pub(crate) http: HttpClient,
    outboxes: Mutex<BTreeMap<Url, Peer>>,
}

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) tasks: [JoinHandle<()>; 3],
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// What one member is to be told.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) client: MemberClient,
    waiting: Mutex<Waiting>,
    pub(crate) more_jobs: Notify,
    pub(crate) more_shares: Notify,
    pub(crate) more_roots: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) jobs: VecDeque<SignedJob>,
    pub(crate) shares: VecDeque<ShownShare>,
    pub(crate) roots: VecDeque<EpochId>,
}

impl Outbox {
    pub(crate) fn new(client: MemberClient) -> Self {
        Self {
            client,
            waiting: Mutex::default(),
            more_jobs: Notify::new(),
            more_shares: Notify::new(),
            more_roots: Notify::new(),
        }
    }

    pub(crate) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // never poisoned: nothing panics under this lock
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a root wait again, as the last one.
    pub(crate) fn put_back(&self, id: EpochId) {
        let roots = &mut self.waiting().roots;
        if !roots.contains(&id) {
            roots.push_front(id);
        }
    }
}

impl Peers {
    pub(crate) fn new(http: HttpClient) -> Self {
        Self { http, outboxes: Mutex::default() }
    }

    pub(crate) fn outboxes(&self) -> MutexGuard<'_, BTreeMap<Url, Peer>> {
        // never poisoned: nothing panics under this lock
        self.outboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job for the other members.
    pub(crate) fn tell_job(&self, view: &LeaseView, own: Address, job: &SignedJob) {
        self.each(view, own, |outbox| {
            let jobs = &mut outbox.waiting().jobs;
            if jobs.len() >= JOBS {
                jobs.pop_front();
            }
            jobs.push_back(job.clone());
            outbox.more_jobs.notify_one();
        });
    }

    /// Queues a share for the other members.
    pub(crate) fn tell_share(&self, view: &LeaseView, own: Address, share: &ShownShare) {
        self.each(view, own, |outbox| {
            let shares = &mut outbox.waiting().shares;
            if shares.len() >= SHARES {
                shares.pop_front();
            }
            shares.push_back(share.clone());
            outbox.more_shares.notify_one();
        });
    }

    /// Queues a root for the other members.
    pub(crate) fn tell_root(&self, view: &LeaseView, own: Address, id: EpochId) {
        self.each(view, own, |outbox| {
            let roots = &mut outbox.waiting().roots;
            roots.retain(|known| *known != id);
            if roots.len() >= ROOTS {
                roots.pop_front();
            }
            roots.push_back(id);
            outbox.more_roots.notify_one();
        });
    }

    fn each(&self, view: &LeaseView, own: Address, mut tell: impl FnMut(&Outbox)) {
        let outboxes = self.outboxes();
        for (_, url) in view.peers(own) {
            // a member that has just announced its URL is told from the next change on
            if let Some(peer) = outboxes.get(url) {
                tell(&peer.outbox);
            }
        }
    }
}
