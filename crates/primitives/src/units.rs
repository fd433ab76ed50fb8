//! One unit each for work (expected hashes), speed (hashes per second) and targets (256-bit
//! integers). Difficulty exists only at the boundaries of the system, because its base differs per
//! coin.

use alloy_primitives::{U256, aliases::U96};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Id of a lease in one escrow: the token id of its NFT, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseId(pub u64);

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number does not fit the chain's `uint96`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{unit} {got}: expected below 2^96")]
#[allow(missing_docs, reason = "the message explains the fields")]
pub struct AboveUint96 {
    pub unit: &'static str,
    pub got: u128,
}

/// Work in expected hashes, a `uint96` on chain. Every constructor keeps it at most [`Work::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u128", into = "u128")]
pub struct Work(u128);

impl TryFrom<u128> for Work {
    type Error = AboveUint96;

    fn try_from(hashes: u128) -> Result<Self, AboveUint96> {
        let work = Self(hashes);
        if work <= Self::MAX { Ok(work) } else { Err(AboveUint96 { unit: "work", got: hashes }) }
    }
}

impl From<U96> for Work {
    fn from(hashes: U96) -> Self {
        Self(hashes.to::<u128>())
    }
}

impl From<Work> for u128 {
    fn from(work: Work) -> Self {
        work.0
    }
}

impl Work {
    /// No work.
    pub const ZERO: Self = Self(0);
    /// The most that fits the chain's `uint96`.
    pub const MAX: Self = Self((1 << 96) - 1);

    /// This number of hashes. Every `u64` fits.
    #[must_use]
    pub const fn new(hashes: u64) -> Self {
        Self(hashes as u128)
    }

    /// This number of hashes, at most [`Work::MAX`]. Use `try_from` where a larger number is a
    /// mistake.
    #[must_use]
    pub const fn capped(hashes: u128) -> Self {
        if hashes > Self::MAX.0 { Self::MAX } else { Self(hashes) }
    }

    /// The number of hashes.
    #[must_use]
    pub const fn hashes(self) -> u128 {
        self.0
    }

    /// Sum, capped at [`Work::MAX`]: the escrow can't credit more, and no lease commits to more.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(Self::MAX.0))
    }

    /// Difference, zero if `other` is larger.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Speed in hashes per second, a `uint96` on chain. Every constructor keeps it at most
/// [`HashRate::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u128", into = "u128")]
pub struct HashRate(u128);

impl TryFrom<u128> for HashRate {
    type Error = AboveUint96;

    fn try_from(hashes: u128) -> Result<Self, AboveUint96> {
        let rate = Self(hashes);
        if rate <= Self::MAX { Ok(rate) } else { Err(AboveUint96 { unit: "rate", got: hashes }) }
    }
}

impl From<U96> for HashRate {
    fn from(hashes: U96) -> Self {
        Self(hashes.to::<u128>())
    }
}

impl From<HashRate> for u128 {
    fn from(rate: HashRate) -> Self {
        rate.0
    }
}

impl HashRate {
    /// The most that fits the chain's `uint96`.
    pub const MAX: Self = Self(Work::MAX.0);

    /// This number of hashes per second. Every `u64` fits.
    #[must_use]
    pub const fn new(hashes: u64) -> Self {
        Self(hashes as u128)
    }

    /// This number of hashes per second, at most [`HashRate::MAX`]. Use `try_from` where a larger
    /// number is a mistake.
    #[must_use]
    pub const fn capped(hashes: u128) -> Self {
        if hashes > Self::MAX.0 { Self::MAX } else { Self(hashes) }
    }

    /// The number of hashes per second.
    #[must_use]
    pub const fn per_second(self) -> u128 {
        self.0
    }

    /// Expected hashes in a number of seconds, capped at [`Work::MAX`], as the contracts cap them.
    #[must_use]
    pub fn over(self, seconds: u64) -> Work {
        Work(self.0.saturating_mul(u128::from(seconds)).min(Work::MAX.0))
    }
}

impl fmt::Display for HashRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A hash meets a target when, read as an integer, it is not above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Target(pub U256);

impl Target {
    /// Every hash meets it.
    pub const MAX: Self = Self(U256::MAX);

    /// Expected hashes for one share at this target: `floor(2^256 / (T + 1))`, capped at
    /// [`Work::MAX`].
    #[must_use]
    pub fn work(self) -> Work {
        // 2^256 / (T+1) = (~T) / (T+1) + 1 in 256-bit arithmetic; T = 2^256 − 1 is worth one hash
        let Some(divisor) = self.0.checked_add(U256::ONE) else { return Work(1) };
        // the divisor is at least one
        let quotient = (!self.0).checked_div(divisor).unwrap_or(U256::MAX);
        Work(quotient.saturating_add(U256::ONE).saturating_to::<u128>().min(Work::MAX.0))
    }

    /// Reads Bitcoin's compact form (`nBits`). `None` when negative, zero or above 256 bits.
    #[must_use]
    pub fn from_compact(bits: u32) -> Option<Self> {
        let [size, ..] = bits.to_be_bytes();
        let mantissa = bits & 0x00ff_ffff;
        if mantissa == 0 || mantissa & 0x0080_0000 != 0 {
            return None;
        }
        let value = U256::from(mantissa);
        let shift = 8usize.checked_mul(usize::from(size.abs_diff(3)))?;
        let target = if size <= 3 { value.wrapping_shr(shift) } else { value.checked_shl(shift)? };
        (!target.is_zero()).then_some(Self(target))
    }

    /// Bitcoin's compact form (`nBits`), rounded down to its 23 bits: the target read back is never
    /// easier.
    #[must_use]
    pub fn to_compact(self) -> u32 {
        let bytes = self.0.bit_len().div_ceil(8);
        let shift = bytes.abs_diff(3).saturating_mul(8);
        let top = if bytes <= 3 { self.0.wrapping_shl(shift) } else { self.0.wrapping_shr(shift) };
        // three bytes of at most 32 are left
        let mantissa: u32 = top.saturating_to();
        // at most 32 bytes, so nothing falls back
        let size = u32::try_from(bytes).unwrap_or_default();
        // the highest bit of the mantissa is a sign
        if mantissa & 0x0080_0000 == 0 {
            size.wrapping_shl(24) | mantissa
        } else {
            size.saturating_add(1).wrapping_shl(24) | mantissa.wrapping_shr(8)
        }
    }

    /// Whether a hash (an integer) meets the target.
    #[must_use]
    pub fn is_met_by(self, hash: U256) -> bool {
        hash <= self.0
    }

    /// The easier of two targets.
    #[must_use]
    pub fn easier(self, other: Self) -> Self {
        self.max(other)
    }
}

/// The work of one counted share of a lease: a power of two, fixed by the escrow when renting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct SettlementWeight(u8);

/// The exponent is too large for a settlement weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("settlement weight 2^{0}: expected below 2^96")]
pub struct WeightTooLarge(pub u8);

impl TryFrom<u8> for SettlementWeight {
    type Error = WeightTooLarge;

    fn try_from(log2: u8) -> Result<Self, WeightTooLarge> {
        Self::from_log2(log2).ok_or(WeightTooLarge(log2))
    }
}

impl From<SettlementWeight> for u8 {
    fn from(weight: SettlementWeight) -> Self {
        weight.0
    }
}

impl SettlementWeight {
    /// A weight of `2^log2` expected hashes; `None` if that does not fit a `uint96`.
    #[must_use]
    pub const fn from_log2(log2: u8) -> Option<Self> {
        if log2 < 96 { Some(Self(log2)) } else { None }
    }

    /// `2^floor(log2(min(rate × epoch / 1,000, rate × duration / 20,000)))`; `None` below one hash,
    /// or when the lease does not fit a `uint96`.
    #[must_use]
    pub fn of_lease(rate: HashRate, epoch_length: u32, duration: u32) -> Option<Self> {
        let committed = rate.0.checked_mul(u128::from(duration))?;
        if committed > Work::MAX.0 {
            return None;
        }
        let per_epoch = rate.0.checked_mul(u128::from(epoch_length))? / 1_000;
        let smallest = per_epoch.min(committed / 20_000);
        Self::from_log2(u8::try_from(smallest.checked_ilog2()?).ok()?)
    }

    /// Exponent of the weight.
    #[must_use]
    pub const fn log2(self) -> u8 {
        self.0
    }

    /// Expected hashes of one share.
    #[must_use]
    pub fn work(self) -> Work {
        // the exponent is below 96
        Work(1u128.checked_shl(u32::from(self.0)).unwrap_or(Work::MAX.0))
    }

    /// The settlement target, `2^256/w − 1`.
    #[must_use]
    pub fn target(self) -> Target {
        Target(U256::MAX.wrapping_shr(usize::from(self.0)))
    }

    /// Work of a number of shares, capped at [`Work::MAX`]: the escrow can't credit more.
    #[must_use]
    pub fn times(self, shares: u64) -> Work {
        Work(self.work().0.saturating_mul(u128::from(shares)).min(Work::MAX.0))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use alloy_primitives::U512;
    use proptest::prelude::*;

    #[test]
    fn work_of_known_targets() {
        // difficulty 1 of Bitcoin is worth 2^32 + 2^16 + 1 hashes (rounded down)
        assert_eq!(Target::from_compact(0x1d00_ffff).unwrap().work(), Work(0x1_0001_0001));
        assert_eq!(Target::MAX.work(), Work(1));
        assert_eq!(Target(U256::MAX >> 1).work(), Work(2));
        // capped
        assert_eq!((Target(U256::ZERO).work(), Target(U256::ONE).work()), (Work::MAX, Work::MAX));
        assert_eq!(Target(U256::MAX >> 96).work(), Work::MAX);
        assert_eq!(Target(U256::MAX >> 95).work(), Work(1 << 95));
    }

    #[test]
    fn values_from_outside_fit_the_chain() {
        fn read<T: serde::de::DeserializeOwned>(number: impl fmt::Display) -> Result<T, String> {
            serde_json::from_str(&number.to_string()).map_err(|error| error.to_string())
        }
        let most = Work::MAX.0;
        assert_eq!(read(most), Ok(Work::MAX));
        assert_eq!(read(most), Ok(HashRate::MAX));
        assert_eq!(read(95), Ok(SettlementWeight(95)));
        let above = "79228162514264337593543950336: expected below 2^96";
        assert_eq!(read::<Work>(most + 1).unwrap_err(), format!("work {above}"));
        assert_eq!(read::<HashRate>(most + 1).unwrap_err(), format!("rate {above}"));
        assert!(read::<Work>(u128::MAX).is_err() && read::<HashRate>(u128::MAX).is_err());
        for log2 in 96..=u8::MAX {
            let error = read::<SettlementWeight>(log2).unwrap_err();
            assert_eq!(error, format!("settlement weight 2^{log2}: expected below 2^96"));
        }
        // serialising gives back the number that was read
        for number in [0, 1, most] {
            assert_eq!(serde_json::to_string(&Work(number)).unwrap(), number.to_string());
            assert_eq!(serde_json::to_string(&HashRate(number)).unwrap(), number.to_string());
        }
    }

    #[test]
    fn compact_form_refuses_nonsense() {
        assert_eq!(Target::from_compact(0x1d80_ffff), None, "negative");
        assert_eq!(Target::from_compact(0x1d00_0000), None, "zero");
        assert_eq!(Target::from_compact(0x0100_0001), None, "shifted to zero");
        assert_eq!(Target::from_compact(0xff12_3456), None, "overflow");
    }

    #[test]
    fn known_compact_forms() {
        for bits in
            [0x1d00_ffff, 0x1b04_04cb, 0x1703_4219, 0x207f_ffff, 0x1e0f_fff0, 0x0312_3456, 0x0201_0000]
        {
            assert_eq!(Target::from_compact(bits).unwrap().to_compact(), bits, "{bits:08x}");
        }
        assert_eq!(Target(U256::from(0x80u8)).to_compact(), 0x0200_8000);
        assert_eq!(Target::MAX.to_compact(), 0x2100_ffff);
        assert_eq!(Target(U256::ZERO).to_compact(), 0);
    }

    proptest! {
        /// `floor(2^256 / (T + 1))` in integers wide enough to hold it.
        #[test]
        fn work_is_exact(bytes: [u8; 32], shift in 0usize..256) {
            let target = U256::from_be_bytes(bytes) >> shift;
            let wide: U512 = (U512::ONE << 256usize) / (U512::from(target) + U512::ONE);
            let expected = wide.min(U512::from(Work::MAX.0)).to::<u128>();
            prop_assert_eq!(Target(target).work(), Work(expected));
        }

        #[test]
        fn compact_is_rounded_down(bytes: [u8; 32], shift in 0usize..255) {
            let target = Target((U256::from_be_bytes(bytes) >> shift).max(U256::ONE));
            let back = Target::from_compact(target.to_compact()).unwrap();
            prop_assert!(back <= target);
            prop_assert!(target.0 - back.0 <= target.0 >> 15usize, "{} {}", target.0, back.0);
            prop_assert_eq!(back.to_compact(), target.to_compact());
        }

        #[test]
        fn settlement_target_is_worth_its_weight(log2 in 0u8..96) {
            let w = SettlementWeight::from_log2(log2).unwrap();
            prop_assert_eq!(w.target().work(), w.work());
        }

        #[test]
        fn weight_gives_enough_shares(rate in 1u128..1 << 60, epoch in 10u32..86_400, epochs in 1u32..100) {
            let duration = epoch * epochs;
            let rate = HashRate(rate);
            match SettlementWeight::of_lease(rate, epoch, duration) {
                Some(w) => {
                    prop_assert!(w.work().0 * 1_000 <= rate.over(u64::from(epoch)).0);
                    prop_assert!(w.work().0 * 20_000 <= rate.over(u64::from(duration)).0);
                    prop_assert!(
                        w.work().0 * 2_000 > rate.over(u64::from(epoch)).0 - 1_000 * 2
                        || w.work().0 * 40_000 > rate.over(u64::from(duration)).0 - 20_000 * 2
                    );
                }
                None => prop_assert!(
                    rate.over(u64::from(epoch)).0 < 1_000 || rate.over(u64::from(duration)).0 < 20_000
                ),
            }
        }
    }
}
