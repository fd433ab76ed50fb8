//! The block lengths of the sponges.

/// Words of a block of Keccak-256.
pub(super) const RATE_256: usize = 17;
/// Words of a block of Keccak-512.
pub(super) const RATE_512: usize = 9;
