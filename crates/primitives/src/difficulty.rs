//! Difficulty as pools and miners write it, without a float: it exists only at the boundaries of
//! the system.

use crate::{Algorithm, Target};
use alloy_primitives::{U256, U512};
use std::{fmt, str::FromStr};

/// Largest number of digits that is read: more than any pool writes.
const MAX_DIGITS: usize = 78;
/// Largest power of ten either way.
const MAX_EXPONENT: i64 = 60;

/// What difficulty 1 means: every coin's pools have their own convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DifficultyBase {
    /// Target `0xffff·2^208`: Bitcoin and its family, and Ethash pools that speak NiceHash's
    /// EthereumStratum/1.0.0.
    Bitcoin,
    /// Target `0xffff·2^224`, easier by 2^16: pools of Litecoin and Dogecoin.
    Scrypt,
    /// `2^256` over the target, so that it counts expected hashes: block difficulty of Ethereum
    /// (yellow paper, 4.4.4).
    Hashes,
}

impl DifficultyBase {
    /// What pools of an algorithm mean in `mining.set_difficulty`.
    #[must_use]
    pub const fn of_stratum(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256d | Algorithm::Ethash | Algorithm::Etchash => Self::Bitcoin,
            Algorithm::Scrypt => Self::Scrypt,
        }
    }

    /// Numerator of `target = one / difficulty`.
    fn one(self) -> U512 {
        match self {
            Self::Bitcoin => U512::from(0xffffu32).wrapping_shl(208),
            Self::Scrypt => U512::from(0xffffu32).wrapping_shl(224),
            Self::Hashes => U512::ONE.wrapping_shl(256),
        }
    }
}

/// A positive decimal number `digits × 10^exponent`; what it means depends on the
/// [`DifficultyBase`].
///
/// ```
/// use hashlease_primitives::{Difficulty, DifficultyBase::{Bitcoin, Hashes, Scrypt}, Target};
///
/// let half: Difficulty = "0.5".parse().unwrap();
/// assert_eq!(half.target(Bitcoin).work().hashes(), 0x8000_8000);
/// assert_eq!(half.target(Scrypt).work().hashes(), 0x8000);
/// let block: Difficulty = "17179869184".parse().unwrap();
/// // a hash equal to the target meets it, hence one less
/// assert_eq!(block.target(Hashes).work().hashes(), 17_179_869_183);
/// assert_eq!(Difficulty::of_target(half.target(Scrypt), Scrypt).to_string(), "0.5");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difficulty {
    digits: U256,
    exponent: i64,
}

/// The text is not a difficulty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("difficulty {0:?}: expected a positive decimal number")]
pub struct DifficultyError(String);

fn power(exponent: u64) -> U512 {
    U512::from(10u8).pow(U512::from(exponent))
}

impl FromStr for Difficulty {
    type Err = DifficultyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || DifficultyError(text.chars().take(48).collect());
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().map_err(|_| error())?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let fraction = fraction.trim_end_matches('0');
        let digits = [whole, fraction].concat();
        if whole.is_empty() && fraction.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error());
        }
        let significant = digits.trim_start_matches('0');
        if significant.is_empty() || significant.len() > MAX_DIGITS {
            return Err(error());
        }
        let digits = U256::from_str_radix(significant, 10).map_err(|_| error())?;
        let exponent = i64::try_from(fraction.len())
            .ok()
            .and_then(|places| exponent.checked_sub(places))
            .filter(|exponent| (-MAX_EXPONENT..=MAX_EXPONENT).contains(exponent))
            .ok_or_else(error)?;
        Ok(Self { digits, exponent })
    }
}

impl Difficulty {
    /// What a miner starts at when a pool says nothing.
    pub const ONE: Self = Self { digits: U256::ONE, exponent: 0 };

    /// The target, rounded down: at most [`Target::MAX`] and at least 1.
    #[must_use]
    pub fn target(&self, base: DifficultyBase) -> Target {
        let digits = U512::from(self.digits);
        let scale = power(self.exponent.unsigned_abs());
        let (numerator, divisor) = if self.exponent >= 0 {
            (base.one(), digits.saturating_mul(scale))
        } else {
            (base.one().saturating_mul(scale), digits)
        };
        // no digit is read as zero, so the divisor is positive
        let target = numerator.checked_div(divisor).unwrap_or(U512::MAX);
        Target(target.min(U512::from(U256::MAX)).max(U512::ONE).to::<U256>())
    }

    /// The difficulty of a target in as few digits as name it, at most 12. It is rounded down, so
    /// that its target is never harder than the one asked for; a difficulty that a pool wrote in up
    /// to 12 digits is reproduced exactly.
    #[must_use]
    pub fn of_target(target: Target, base: DifficultyBase) -> Self {
        let target = U512::from(target.0.max(U256::ONE));
        let mut exponent = 0i64;
        // scaled so that the quotient has at least 12 digits; the target is at least 1, so the
        // division has a result
        let mut quotient = base.one().checked_div(target).unwrap_or_default();
        while quotient < power(11) && exponent > -MAX_EXPONENT {
            exponent = exponent.saturating_sub(1);
            quotient = base
                .one()
                .saturating_mul(power(exponent.unsigned_abs()))
                .checked_div(target)
                .unwrap_or_default();
        }
        let ends_in_zero =
            |quotient: U512| quotient.checked_rem(U512::from(10u8)).is_some_and(|rest| rest.is_zero());
        while quotient >= power(12) || (exponent < 0 && ends_in_zero(quotient)) {
            quotient = quotient.checked_div(U512::from(10u8)).unwrap_or_default();
            exponent = exponent.saturating_add(1);
        }
        Self { digits: quotient.max(U512::ONE).to::<U256>(), exponent }
    }
}

impl Difficulty {
    /// The largest whole number that is not above it; itself when it is below one. Much firmware
    /// keeps only the whole part of a difficulty, so it works at this one, whatever it is told.
    #[must_use]
    pub fn whole(self) -> Self {
        let scale = u64::try_from(self.exponent.saturating_neg()).ok().filter(|scale| *scale > 0);
        let Some(scale) = scale else { return self };
        let whole = U512::from(self.digits).checked_div(power(scale)).unwrap_or_default();
        // no more than the digits themselves
        if whole.is_zero() { self } else { Self { digits: whole.to::<U256>(), exponent: 0 } }
    }
}

impl fmt::Display for Difficulty {
    /// As a JSON number without an exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits.to_string();
        if self.exponent >= 0 {
            // not negative, and at most MAX_EXPONENT: nothing falls back
            let zeros = usize::try_from(self.exponent).unwrap_or_default();
            return write!(f, "{digits}{}", "0".repeat(zeros));
        }
        // at most MAX_EXPONENT
        let places = usize::try_from(self.exponent.unsigned_abs()).unwrap_or_default();
        let padded = format!("{digits:0>width$}", width = places.saturating_add(1));
        let (whole, fraction) =
            // ASCII digits, so every place is a character boundary
            padded.split_at_checked(padded.len().saturating_sub(places)).unwrap_or(("0", ""));
        write!(f, "{whole}.{fraction}")
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use DifficultyBase::{Bitcoin, Hashes, Scrypt};

    fn target(text: &str) -> U256 {
        of(Bitcoin, text)
    }

    fn of(base: DifficultyBase, text: &str) -> U256 {
        text.parse::<Difficulty>().unwrap().target(base).0
    }

    fn base() -> impl Strategy<Value = DifficultyBase> {
        prop::sample::select(vec![Bitcoin, Scrypt, Hashes])
    }

    /// The hardest targets have the longest texts, with 78 digits; every written text must be
    /// readable.
    #[test]
    fn the_hardest_targets_are_written_and_read() {
        for target in [U256::ZERO, U256::ONE, U256::from(2u8)].map(Target) {
            for base in [Bitcoin, Scrypt, Hashes] {
                let text = Difficulty::of_target(target, base).to_string();
                let back: Difficulty = text.parse().unwrap();
                assert!(back.target(base) >= target, "{base:?} {text}");
            }
        }
        assert!("9".repeat(78).parse::<Difficulty>().is_err(), "above 256 bits");
    }

    #[test]
    fn conventions_of_the_coins() {
        let one = U256::from(0xffffu32) << 208usize;
        assert_eq!(of(Scrypt, "1"), one << 16usize);
        assert_eq!(of(Scrypt, "65536"), one);
        assert_eq!(of(Scrypt, "0.0000152587890625"), U256::from(0xffffu32) << 240usize, "2^-16");
        assert_eq!(of(Hashes, "1"), U256::MAX, "2^256 does not fit");
        assert_eq!(of(Hashes, "2"), U256::ONE << 255usize);
        // block 1 of Ethereum
        assert_eq!(of(Hashes, "17171480576"), U256::MAX / U256::from(17_171_480_576u64));
        assert_eq!(DifficultyBase::of_stratum(Algorithm::Scrypt), Scrypt);
        assert_eq!(DifficultyBase::of_stratum(Algorithm::Etchash), Bitcoin, "NiceHash's dialect");
    }

    #[test]
    fn known_difficulties() {
        let one = U256::from(0xffffu32) << 208usize;
        assert_eq!(target("1"), one);
        assert_eq!(target("1.000"), one);
        assert_eq!(target("0.5"), one * U256::from(2));
        assert_eq!(target("16383.75"), one * U256::from(4) / U256::from(65_535));
        assert_eq!(target("524288"), one >> 19usize);
        assert_eq!(target("1e-10"), one.saturating_mul(U256::from(10_000_000_000u64)));
        assert_eq!(target("2e-8"), one * U256::from(50_000_000));
        assert_eq!(target("1e-59"), U256::MAX, "easier than possible");
        assert_eq!(target("1e60"), (U512::from(one) / power(60)).to::<U256>().max(U256::ONE));
    }

    #[test]
    fn the_whole_part_is_never_harder() {
        let whole = |text: &str| text.parse::<Difficulty>().unwrap().whole().to_string();
        let cases = [("15.9998", "15"), ("511.99", "511"), ("1.5", "1"), ("7", "7"), ("12e3", "12000")];
        for (text, expected) in cases {
            assert_eq!(whole(text), expected);
        }
        assert_eq!(whole("0.0000002"), "0.0000002", "no whole part");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "0", "0.0", "-1", "abc", "1e", "1e999", "NaN", "inf", "0x10", ".", "1.2.3", &"9".repeat(80)]
        {
            assert!(text.parse::<Difficulty>().is_err(), "{text}");
        }
        for exponent in [i64::MIN, i64::MIN + 1, i64::MIN + 2, -61, 63, i64::MAX] {
            assert!(format!("1e{exponent}").parse::<Difficulty>().is_err(), "{exponent}");
            assert!(format!("1.01e{exponent}").parse::<Difficulty>().is_err(), "{exponent}");
        }
    }

    proptest! {
        #[test]
        fn a_difficulty_of_a_target_is_never_harder(base in base(), bytes: [u8; 32], shift in 0usize..200) {
            let target = Target((U256::from_be_bytes(bytes) >> shift).max(U256::ONE));
            let text = Difficulty::of_target(target, base).to_string();
            let back: Difficulty = text.parse().unwrap();
            prop_assert!(back.target(base) >= target, "{text}");
            // the target is no easier than twelve digits require, where the difficulty is
            // representable
            let slack = (target.0 >> 36usize).saturating_add(U256::from(2));
            prop_assert!(back.target(base).0 - target.0 <= slack, "{text}");
        }

        #[test]
        fn a_difficulty_of_up_to_twelve_digits_is_reproduced_exactly(base in base(), digits in 1u64..1_000_000_000_000, exponent in -18i32..6) {
            let written: Difficulty = format!("{digits}e{exponent}").parse().unwrap();
            // a difficulty below the smallest possible one is read as the easiest target
            if written.target(base) == Target::MAX {
                return Ok(());
            }
            let text = Difficulty::of_target(written.target(base), base).to_string();
            prop_assert_eq!(text.parse::<Difficulty>().unwrap().target(base), written.target(base));
            prop_assert!(text.trim_matches(['0', '.']).len() <= 13, "{}", text);
        }

        #[test]
        fn targets_are_exact(digits in 1u128.., exponent in 0u32..30) {
            let shifted = U512::from(0xffffu32) * (U512::ONE << 208) * U512::from(10u8).pow(U512::from(exponent));
            let exact: U512 = shifted / U512::from(digits);
            let expected = exact.min(U512::from(U256::MAX)).max(U512::ONE);
            let text = format!("{digits}E-{exponent:02}");
            prop_assert_eq!(U512::from(target(&text)), expected, "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
            if let Ok(difficulty) = text.parse::<Difficulty>() {
                prop_assert!(!difficulty.target(Hashes).0.is_zero());
            }
        }
    }
}
