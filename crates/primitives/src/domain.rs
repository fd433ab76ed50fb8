//! EIP-712 domain and signatures.

use alloy_primitives::{Address, B256, Signature, U256};
use alloy_sol_types::{Eip712Domain, SolStruct};
use serde::{Deserialize, Serialize};

/// Chain and contract that a signature is bound to (EIP-712 `chainId`, `verifyingContract`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Domain {
    /// Chain id (EIP-155).
    pub chain_id: u64,
    /// The escrow for offers and jobs, the oracle for everything else.
    pub contract: Address,
}

impl Domain {
    /// The digest that is signed: `keccak256(0x1901 ‖ domainSeparator ‖ structHash)`.
    #[must_use]
    pub fn digest<T: SolStruct>(&self, value: &T) -> B256 {
        let domain = Eip712Domain {
            name: Some("Hashlease".into()),
            version: Some("1".into()),
            chain_id: Some(U256::from(self.chain_id)),
            verifying_contract: Some(self.contract),
            salt: None,
        };
        value.eip712_signing_hash(&domain)
    }
}

/// Who signed `digest` with the 65 bytes `r ‖ s ‖ v` (`v` 27 or 28). `None` for malformed
/// signatures, a high `s` (EIP-2), or a recovery that yields no address.
#[must_use]
pub fn recover_signer(digest: &B256, signature: &[u8; 65]) -> Option<Address> {
    let [.., v] = signature;
    if *v != 27 && *v != 28 {
        return None;
    }
    let signature = Signature::from_raw_array(signature).ok()?;
    if signature.normalize_s().is_some() {
        return None;
    }
    let signer = signature.recover_address_from_prehash(digest).ok()?;
    (signer != Address::ZERO).then_some(signer)
}
