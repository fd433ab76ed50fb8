//! Who may sign an epoch root.

use alloy_primitives::Address;

/// Whether an epoch root may be signed by `signer`: by the lease's `provider`, or by `node_key`,
/// the one that the directory held at the epoch's end, so that the key that owns the money can stay
/// cold.
pub(crate) fn may_sign_root(provider: Address, node_key: Option<Address>, signer: Option<Address>) -> bool {
    signer.is_some_and(|signer| signer == provider || node_key == Some(signer))
}
