//! A seal's mix and result.

use alloy_primitives::{B256, U256};

/// Mix and result of a seal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seal {
    /// The mix, which a header holds next to its nonce.
    pub mix: B256,
    /// The result, which must be at or below the target.
    pub result: B256,
}

impl Seal {
    /// The result as the integer that is compared with a target: big-endian, unlike Bitcoin's.
    #[must_use]
    pub const fn result_as_integer(&self) -> U256 {
        result_as_integer(&self.result)
    }
}

/// A result as the integer that is compared with a target: big-endian, unlike Bitcoin's.
#[must_use]
pub const fn result_as_integer(result: &B256) -> U256 {
    U256::from_be_bytes(result.0)
}
