//! What a member knows of a lease from the chain.

use alloy_primitives::Address;
use hashlease_primitives::{Lease, LeaseId};
use std::{collections::BTreeMap, sync::Arc};
use url::Url;

/// A seat of the committee whose member signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatView {
    /// The key that it signs with.
    pub key: Address,
    /// Its API, once it has announced it.
    pub url: Option<Url>,
}

/// A lease that the committee credits, with the committee's seats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseView {
    /// As the escrow holds it.
    pub lease: Lease,
    /// Every seat that signs, this member's own included.
    pub seats: Vec<SeatView>,
    /// Signatures that the oracle needs.
    pub threshold: usize,
    /// The provider's node keys at the ends of epochs, by epoch, as the directory held them.
    pub node_keys: BTreeMap<u32, Address>,
}

/// All leases of the committee, as read from the chain.
pub type LeaseViews = Arc<BTreeMap<LeaseId, LeaseView>>;

impl LeaseView {
    /// The other members that can be reached, by their keys.
    pub(crate) fn peers(&self, own: Address) -> impl Iterator<Item = (Address, &Url)> {
        self.seats.iter().filter(move |seat| seat.key != own).filter_map(|seat| {
            let url = seat.url.as_ref()?;
            Some((seat.key, url))
        })
    }

    /// Whether `signer` may sign the root of an epoch: the provider may, and so may the node key that
    /// the directory held at the epoch's end, so that the key that owns the money can stay cold.
    pub(crate) fn may_sign_root(&self, epoch: u32, signer: Address) -> bool {
        signer == self.lease.terms.provider || self.node_keys.get(&epoch) == Some(&signer)
    }

    /// Whether a member that signs has this key.
    pub(crate) fn has_seat(&self, key: Address) -> bool {
        self.seats.iter().any(|seat| seat.key == key)
    }
}
