//! A secp256k1 key that signs digests.

use alloy_primitives::{Address, B256};
use k256::ecdsa::SigningKey;
use std::fmt;

/// The key is not 32 bytes of hex, or not a secp256k1 secret. The text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("secp256k1 key: expected 64 hexadecimal digits of a valid secret")]
pub struct KeyError;

/// Signs in process. Its secret never shows in `Debug`.
#[derive(Clone)]
pub struct LocalSigner {
    key: SigningKey,
    address: Address,
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalSigner({})", self.address)
    }
}

impl LocalSigner {
    /// Reads a secret from 64 hexadecimal digits, with or without `0x`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let bytes = hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|_| KeyError)?;
        Self::from_bytes(&bytes)
    }

    /// Takes a secret of 32 bytes.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let key = SigningKey::from_slice(bytes).map_err(|_| KeyError)?;
        let address = Address::from_public_key(key.verifying_key());
        Ok(Self { key, address })
    }

    /// Address of the key.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// The secret, to pass it to another signer.
    #[must_use]
    pub fn secret(&self) -> B256 {
        B256::from_slice(&self.key.to_bytes())
    }

    /// Signs a digest: 65 bytes `r ‖ s ‖ v`, low-s (EIP-2), `v` 27 or 28, deterministic (RFC 6979).
    ///
    /// # Errors
    /// [`KeyError`], with a probability of about 2^-128.
    pub fn sign(&self, digest: &B256) -> Result<[u8; 65], KeyError> {
        let (signature, recovery) =
            self.key.sign_prehash_recoverable(digest.as_slice()).map_err(|_| KeyError)?;
        let mut bytes = [27; 65];
        let [rs @ .., v] = &mut bytes;
        rs.copy_from_slice(&signature.to_bytes());
        // EIP-2098 and the EVM know two parities; `r` above the group's order has a third and fourth
        *v = v.checked_add(recovery.to_byte()).filter(|v| *v <= 28).ok_or(KeyError)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recover_signer;

    #[test]
    fn a_signature_recovers_to_the_address() {
        let signer = LocalSigner::from_hex(&"11".repeat(32)).unwrap();
        let digest = B256::repeat_byte(7);
        assert_eq!(recover_signer(&digest, &signer.sign(&digest).unwrap()), Some(signer.address()));
        assert!(LocalSigner::from_hex("11").is_err());
        assert!(LocalSigner::from_bytes(&[0; 32]).is_err(), "zero is not a key");
        assert!(!format!("{signer:?}").contains("1111111111"));
    }
}
