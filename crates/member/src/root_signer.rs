//! Who may sign an epoch root.

use crate::state::LeaseView;
use alloy_primitives::Address;

/// Whether a root of the lease's epoch may be signed by `signer`: by the provider, or by the node
/// key that the directory held at the epoch's end, so that the key that owns the money can stay
/// cold.
pub(crate) fn may_sign_root(view: &LeaseView, epoch: u32, signer: Option<Address>) -> bool {
    signer.is_some_and(|signer| {
        signer == view.lease.terms.provider || view.node_keys.get(&epoch) == Some(&signer)
    })
}
