//! The key that signs jobs.

use alloy_primitives::{Address, B256};
use hashlease_primitives::{KeyError, LocalSigner};
use std::fmt;

/// The key of a job signer, wherever it is kept. It is called off the async threads and may take
/// its time.
pub trait JobSigner: fmt::Debug + Send + Sync {
    /// Address of the key: the `jobSigner` of the leases that it serves.
    fn address(&self) -> Address;

    /// Signs a digest: 65 bytes `r ‖ s ‖ v`, low-s, `v` 27 or 28.
    ///
    /// # Errors
    /// [`KeyError`] when the key can't sign; no job is handed out then.
    fn sign(&self, digest: &B256) -> Result<[u8; 65], KeyError>;
}

impl JobSigner for LocalSigner {
    fn address(&self) -> Address {
        self.address()
    }

    fn sign(&self, digest: &B256) -> Result<[u8; 65], KeyError> {
        self.sign(digest)
    }
}
