//! The hash function by which Ethash mixes words.

/// The multiplier of the FNV hash.
const FNV_PRIME: u32 = 0x0100_0193;

#[inline(always)]
pub(super) const fn fnv(a: u32, b: u32) -> u32 {
    a.wrapping_mul(FNV_PRIME) ^ b
}
