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

    /// Whether a member that signs has this key.
    pub(crate) fn has_seat(&self, key: Address) -> bool {
        self.seats.iter().any(|seat| seat.key == key)
    }
}
