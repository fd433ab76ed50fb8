//! Roots: which ones a member takes, what other members show of them, and its signed word for each.

use crate::{
    fetch::may_fetch,
    lease_room::LeaseRoom,
    request_refusal::RequestRefusal,
    standing::{in_time, is_confirmed, shown_until},
    state::State,
    store::{Entry, Outcome, StoreError, StoredRoot},
    turns::Claim,
    view::LeaseView,
};
use hashlease_committee::{RootReceipt, RootView};
use hashlease_primitives::{EpochId, SignedEpochRoot, Terms, root_receipt_digest};
use std::{collections::BTreeMap, sync::Arc};
use tracing::{info, warn};
use url::Url;

/// Places of its evidence that a root may come with, one after the other.
const MOST_PLACES: usize = 4;
/// Longest evidence URL, bytes.
const MOST_URL: usize = 1_024;

/// What another member shows of a root.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    receipts: Vec<RootReceipt>,
    roots: Vec<SignedEpochRoot>,
}

impl Shown {
    pub(crate) fn receipt(receipt: RootReceipt) -> Self {
        Self { receipts: vec![receipt], roots: Vec::new() }
    }

    pub(crate) fn view(view: RootView) -> Self {
        let RootView { root, rival, receipts, .. } = view;
        Self { receipts, roots: [Some(root), rival].into_iter().flatten().collect() }
    }
}

impl State {
    /// Takes a root, and signs for it. The first one of an epoch counts. The same one with another
    /// place of its evidence corrects that; a different one makes the epoch count as empty.
    pub(crate) async fn accept_root(
        self: &Arc<Self>,
        signed: SignedEpochRoot,
    ) -> Result<RootReceipt, RequestRefusal> {
        let EpochId { lease, epoch } = signed.root.id;
        let (view, room) = self.lease(lease)?;
        self.check_root(&view, &signed)?;
        let terms = &view.lease.terms;
        let posted = signed.root.commitment;
        let changed = self.place_root(&view, &room, signed).await?;
        let stored = room.figures().root(epoch).cloned().ok_or(RequestRefusal::NoRoot(epoch))?;
        let id = EpochId::new(lease, epoch);
        match changed {
            Placed::Known => {}
            Placed::New => {
                let in_time = in_time(terms, epoch, stored.received);
                info!(%lease, epoch, in_time, "root received");
                self.follow(id);
                self.peers.tell_root(&view, self.signer(), id);
            }
            Placed::Corrected => {
                info!(%lease, epoch, "root received with another place of its evidence");
                self.peers.tell_root(&view, self.signer(), id);
            }
            Placed::Rival => {
                warn!(%lease, epoch, "the provider signed two roots: the epoch counts as empty");
                self.peers.tell_root(&view, self.signer(), id);
                return Err(RequestRefusal::TwoRoots { epoch, first: stored.commitment(), second: posted });
            }
            Placed::KnownRival => {
                return Err(RequestRefusal::TwoRoots { epoch, first: stored.commitment(), second: posted });
            }
            Placed::TooLate => return Err(RequestRefusal::RootAlreadyReceived(epoch)),
        }
        self.receipt(terms, &stored)
    }

    /// From now on its evidence is checked, and the other members' receipts are sought.
    fn follow(&self, id: EpochId) {
        // nobody follows roots any more if the member is stopping
        let _ = self.followed.send(id);
    }

    /// Goes on with a root after a restart.
    pub(crate) fn resume_root(&self, view: &LeaseView, id: EpochId) {
        self.follow(id);
        if self.clock.seconds() <= shown_until(&view.lease, id.epoch) {
            self.peers.tell_root(view, self.signer(), id);
        }
    }

    fn check_root(&self, view: &LeaseView, signed: &SignedEpochRoot) -> Result<(), RequestRefusal> {
        let (terms, epoch) = (&view.lease.terms, signed.root.id.epoch);
        let signer = signed.signer(&terms.oracle_domain());
        if !signer.is_some_and(|signer| view.may_sign_root(epoch, signer)) {
            return Err(RequestRefusal::RootSignature);
        }
        if epoch >= terms.epochs() {
            return Err(RequestRefusal::NoSuchEpoch { epoch, epochs: terms.epochs() });
        }
        let (count, most) = (signed.root.commitment.count, terms.most_shares());
        if count > most {
            return Err(RequestRefusal::RootCount { count, most });
        }
        let end = terms.epoch_end(epoch);
        if self.clock.now() < end.millis() {
            return Err(RequestRefusal::EpochNotOver { epoch, end });
        }
        let text = &signed.root.evidence;
        if text.len() > MOST_URL {
            return Err(RequestRefusal::EvidenceLength { length: text.len(), most: MOST_URL });
        }
        let shown = || text.chars().take(128).collect();
        let url = text.parse::<Url>();
        let url = url.map_err(|source| RequestRefusal::EvidenceUrl { url: shown(), source })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(RequestRefusal::EvidenceScheme(shown()));
        }
        if !may_fetch(&self.config, terms, &url) {
            return Err(RequestRefusal::EvidencePrivate(shown()));
        }
        Ok(())
    }

    /// Stores a root that keeps to the rules, if it is news.
    async fn place_root(
        &self,
        view: &LeaseView,
        room: &LeaseRoom,
        signed: SignedEpochRoot,
    ) -> Result<Placed, RequestRefusal> {
        let epoch = signed.root.id.epoch;
        let _rooting = room.rooting.lock().await;
        let received = self.clock.now();
        let Some(mut stored) = room.figures().root(epoch).cloned() else {
            self.put_root(room, signed.root.id, StoredRoot::new(received, signed), Vec::new()).await?;
            return Ok(Placed::New);
        };
        let in_window = received.seconds() <= shown_until(&view.lease, epoch);
        if stored.commitment() != signed.root.commitment {
            if stored.rival.is_some() {
                return Ok(Placed::KnownRival);
            }
            if !in_window {
                return Ok(Placed::TooLate);
            }
            let id = signed.root.id;
            stored.rival = Some(signed);
            self.put_root(room, id, stored, Vec::new()).await?;
            return Ok(Placed::Rival);
        }
        if stored.signed.iter().any(|known| known.root.evidence == signed.root.evidence) {
            return Ok(Placed::Known);
        }
        if stored.signed.len() >= MOST_PLACES || !in_window {
            return Err(RequestRefusal::EvidencePlaces { epoch, most: MOST_PLACES });
        }
        let id = signed.root.id;
        stored.signed.push(signed);
        if matches!(stored.outcome, Outcome::Unfetched(_)) {
            // a new place gets attempts of its own
            (stored.outcome, stored.fetched, stored.failed) = (Outcome::Pending, 0, 0);
        }
        self.put_root(room, id, stored, Vec::new()).await?;
        Ok(Placed::Corrected)
    }

    /// Changes a root, durably.
    pub(crate) async fn change_root(
        &self,
        room: &LeaseRoom,
        id: EpochId,
        besides: Vec<Entry>,
        change: impl FnOnce(&mut StoredRoot),
    ) -> Result<(), Arc<StoreError>> {
        let _rooting = room.rooting.lock().await;
        let Some(mut stored) = room.figures().root(id.epoch).cloned() else { return Ok(()) };
        change(&mut stored);
        self.put_root(room, id, stored, besides).await
    }

    async fn put_root(
        &self,
        room: &LeaseRoom,
        id: EpochId,
        root: StoredRoot,
        mut entries: Vec<Entry>,
    ) -> Result<(), Arc<StoreError>> {
        entries.push(root.entry(id)?);
        self.write(entries).await?;
        room.figures().set_root(id.epoch, root);
        room.roots.send_modify(|changes| *changes = changes.wrapping_add(1));
        Ok(())
    }

    /// Takes what another member shows of a root: receipts of members that had it in time, the
    /// provider's second root, or another place of the evidence. It proves all of it.
    pub(crate) async fn show(self: &Arc<Self>, id: EpochId, shown: Shown) {
        let Ok((view, room)) = self.lease(id.lease) else { return };
        for root in shown.roots.into_iter().filter(|root| root.root.id == id) {
            // what is known or wrong changes nothing
            let _ = Box::pin(self.accept_root(root)).await;
        }
        if self.clock.seconds() > shown_until(&view.lease, id.epoch) {
            return;
        }
        let Some(stored) = room.figures().root(id.epoch).cloned() else { return };
        let new = self.new_receipts(&view, id, &stored, shown.receipts);
        if new.is_empty() {
            return;
        }
        let before = is_confirmed(&view, id.epoch, &stored);
        let added = self.change_root(&room, id, Vec::new(), |stored| stored.receipts.extend(new)).await;
        if let Err(error) = added {
            warn!(%id, %error, "storing receipts of a root failed");
        }
        let after = room.figures().root(id.epoch).is_some_and(|stored| is_confirmed(&view, id.epoch, stored));
        if after && !before {
            info!(%id, member = %self.signer(), "enough members had the root in time");
        }
    }

    /// Receipts of other seats that had this root in time and were not known.
    fn new_receipts(
        &self,
        view: &LeaseView,
        id: EpochId,
        stored: &StoredRoot,
        receipts: Vec<RootReceipt>,
    ) -> BTreeMap<alloy_primitives::Address, RootReceipt> {
        let terms = &view.lease.terms;
        let Some(signed) = stored.signed.first() else { return BTreeMap::new() };
        let in_time = receipts.into_iter().filter(|receipt| in_time(terms, id.epoch, receipt.received));
        // a member has one receipt; more than seats are no receipts
        let signed = in_time
            .take(view.seats.len())
            .filter_map(|receipt| Some((receipt.signer(terms, &signed.root)?, receipt)));
        let of_seats = signed.filter(|(key, _)| *key != self.signer() && view.has_seat(*key));
        of_seats.filter(|(key, _)| !stored.receipts.contains_key(key)).collect()
    }

    /// This member's word for a root.
    fn receipt(&self, terms: &Terms, stored: &StoredRoot) -> Result<RootReceipt, RequestRefusal> {
        let StoredRoot { received, .. } = *stored;
        let signed = stored.signed.first().ok_or(RequestRefusal::Ends)?;
        let signature = self.signer.sign(&root_receipt_digest(terms, &signed.root, received))?;
        Ok(RootReceipt { received, in_time: in_time(terms, signed.root.id.epoch, received), signature })
    }

    pub(crate) fn root(&self, EpochId { lease, epoch }: EpochId) -> Result<RootView, RequestRefusal> {
        let (view, room) = self.lease(lease)?;
        let stored = room.figures().root(epoch).cloned().ok_or(RequestRefusal::NoRoot(epoch))?;
        let root = stored.signed.last().cloned().ok_or(RequestRefusal::NoRoot(epoch))?;
        let own = self.receipt(&view.lease.terms, &stored)?;
        let own = own.in_time.then_some(own);
        Ok(RootView {
            received: stored.received,
            in_time: in_time(&view.lease.terms, epoch, stored.received),
            root,
            receipts: own.into_iter().chain(stored.receipts.into_values()).collect(),
            rival: stored.rival,
        })
    }

    /// A request for a turn, by the urgency of a root.
    pub(crate) fn claim(&self, view: &LeaseView, failed: u32) -> Claim {
        let lease = &view.lease;
        // afterwards an epoch without a verdict counts as empty
        let deadline = lease.roots_due().plus(lease.half_window());
        Claim { provider: lease.terms.provider, failed, deadline }
    }
}

/// What became of a root that was posted.
enum Placed {
    New,
    Known,
    Corrected,
    Rival,
    KnownRival,
    /// A different root, so late that it changes nothing.
    TooLate,
}
