//! The state that a member's tasks and routes share.

use crate::{
    config::MemberConfig,
    lease_room::LeaseRoom,
    limits::{PerAddress, Quiet},
    outbox::Peers,
    owners::Owners,
    request_refusal::RequestRefusal,
    shelf::Shelf,
    store::{Entry, Loaded, Store, StoreError},
    store_writer::StoreWriter,
    turns::Turns,
    view::{LeaseView, LeaseViews},
};
use alloy_primitives::Address;
use hashlease_check::Caches;
use hashlease_net::{HttpClient, Places};
use hashlease_primitives::{EpochId, LeaseId, LocalSigner, SharedClock};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{mpsc, watch};

/// A member.
pub(crate) struct State {
    pub(crate) config: MemberConfig,
    pub(crate) signer: LocalSigner,
    pub(crate) clock: SharedClock,
    pub(crate) store: Arc<Store>,
    pub(crate) writer: StoreWriter,
    // for evidence of Ethash leases
    pub(crate) caches: Arc<Caches>,
    pub(crate) leases: watch::Receiver<LeaseViews>,
    pub(crate) rooms: Mutex<Rooms>,
    pub(crate) owners: Owners,
    // one epoch's keys are counted at a time
    pub(crate) counting: Arc<tokio::sync::Mutex<()>>,
    // directory of the files under check
    pub(crate) scratch: PathBuf,
    // verified evidence for other members
    pub(crate) shelf: Shelf,
    pub(crate) fetches: Turns,
    pub(crate) checks: Turns,
    // questions to other members about roots
    pub(crate) questions: Turns,
    // what other members are to be told
    pub(crate) peers: Peers,
    // roots whose evidence and receipts are to be sought from now on
    pub(crate) followed: mpsc::UnboundedSender<EpochId>,
    // connections to other members
    pub(crate) http: HttpClient,
    // connections to providers, at public addresses only
    pub(crate) public_files: HttpClient,
    // connections to providers wherever they are
    pub(crate) local_files: HttpClient,
    // refusals to sign, as they are logged
    pub(crate) refused: Quiet,
    // requests of strangers
    pub(crate) asked: PerAddress,
    // readers of kept evidence
    pub(crate) places: Places,
    // closed when the member is dropped
    pub(crate) running: watch::Receiver<()>,
}

/// The leases' rooms, and what the store has of leases that the chain has not shown yet.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    pub(crate) open: BTreeMap<LeaseId, Arc<LeaseRoom>>,
    pub(crate) loaded: BTreeMap<LeaseId, Loaded>,
}

impl State {
    pub(crate) fn rooms(&self) -> MutexGuard<'_, Rooms> {
        // never poisoned: nothing panics under this lock
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn signer(&self) -> Address {
        self.signer.address()
    }

    /// Waits for the member to be dropped.
    pub(crate) async fn ended(&self) {
        let mut running = self.running.clone();
        while running.changed().await.is_ok() {}
    }

    pub(crate) fn view(&self, lease: LeaseId) -> Result<LeaseView, RequestRefusal> {
        self.leases.borrow().get(&lease).cloned().ok_or(RequestRefusal::UnknownLease(lease))
    }

    /// The room of a lease that the chain shows.
    pub(crate) fn room(&self, view: &LeaseView) -> Result<Arc<LeaseRoom>, RequestRefusal> {
        let id = view.lease.terms.id;
        let mut rooms = self.rooms();
        if rooms.loaded.contains_key(&id) {
            return Err(RequestRefusal::Starting(id));
        }
        let room = rooms.open.entry(id).or_insert_with(|| Arc::new(LeaseRoom::new(&view.lease.terms)));
        Ok(Arc::clone(room))
    }

    /// View and room of a lease.
    pub(crate) fn lease(&self, id: LeaseId) -> Result<(LeaseView, Arc<LeaseRoom>), RequestRefusal> {
        let view = self.view(id)?;
        let room = self.room(&view)?;
        Ok((view, room))
    }

    pub(crate) async fn write(&self, entries: Vec<Entry>) -> Result<(), Arc<StoreError>> {
        self.writer.write(entries).await
    }
}
