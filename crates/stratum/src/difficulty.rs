//! Difficulty as pools and miners write it, without a float.

use alloy_primitives::{U256, U512};
use hashlease_primitives::Target;
use std::{fmt, str::FromStr};

/// Digits that are read at most: more than any pool writes.
const MAX_DIGITS: usize = 77;
/// Largest power of ten either way.
const MAX_EXPONENT: i64 = 60;

/// A positive decimal number `digits × 10^exponent`, relative to Bitcoin's difficulty 1 (target `0xffff·2^208`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difficulty {
    digits: U256,
    exponent: i64,
}

/// A difficulty that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("difficulty {0:?}: expected a positive decimal number")]
pub struct DifficultyError(String);

fn one() -> U512 {
    U512::from(0xffffu32) << 208
}

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
            .filter(|exponent| exponent.abs() <= MAX_EXPONENT)
            .ok_or_else(error)?;
        Ok(Self { digits, exponent })
    }
}

impl Difficulty {
    /// `floor(0xffff·2^208 / difficulty)`, at most [`Target::MAX`] and at least 1.
    #[must_use]
    pub fn target(&self) -> Target {
        let digits = U512::from(self.digits);
        let scale = power(self.exponent.unsigned_abs());
        let (numerator, divisor) = if self.exponent >= 0 {
            (one(), digits.saturating_mul(scale))
        } else {
            (one().saturating_mul(scale), digits)
        };
        let target = numerator.checked_div(divisor).unwrap_or(U512::MAX);
        Target(target.min(U512::from(U256::MAX)).max(U512::ONE).to::<U256>())
    }

    /// The difficulty of a target in as few digits as name it, at most 12. It is rounded down, so that its target is
    /// never harder than the one asked for; what a pool wrote in up to 12 digits comes back as it was.
    #[must_use]
    pub fn of_target(target: Target) -> Self {
        let target = U512::from(target.0.max(U256::ONE));
        let mut exponent = 0i64;
        // scaled so that the quotient has at least 12 digits
        let mut quotient = one().checked_div(target).unwrap_or_default();
        while quotient < power(11) && exponent > -MAX_EXPONENT {
            exponent = exponent.saturating_sub(1);
            quotient =
                one().saturating_mul(power(exponent.unsigned_abs())).checked_div(target).unwrap_or_default();
        }
        while quotient >= power(12) || (exponent < 0 && (quotient % U512::from(10u8)).is_zero()) {
            quotient = quotient.checked_div(U512::from(10u8)).unwrap_or_default();
            exponent = exponent.saturating_add(1);
        }
        Self { digits: quotient.max(U512::ONE).to::<U256>(), exponent }
    }
}

impl fmt::Display for Difficulty {
    /// As a JSON number without an exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits.to_string();
        if self.exponent >= 0 {
            let zeros = usize::try_from(self.exponent).unwrap_or_default();
            return write!(f, "{digits}{}", "0".repeat(zeros));
        }
        let places = usize::try_from(self.exponent.unsigned_abs()).unwrap_or_default();
        let padded = format!("{digits:0>width$}", width = places.saturating_add(1));
        let (whole, fraction) =
            padded.split_at_checked(padded.len().saturating_sub(places)).unwrap_or(("0", ""));
        write!(f, "{whole}.{fraction}")
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(text: &str) -> U256 {
        text.parse::<Difficulty>().unwrap().target().0
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
    fn nonsense_is_refused() {
        for text in
            ["", "0", "0.0", "-1", "abc", "1e", "1e999", "NaN", "inf", "0x10", ".", "1.2.3", &"9".repeat(80)]
        {
            assert!(text.parse::<Difficulty>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_difficulty_of_a_target_is_never_harder(bytes: [u8; 32], shift in 0usize..200) {
            let target = Target((U256::from_be_bytes(bytes) >> shift).max(U256::ONE));
            let text = Difficulty::of_target(target).to_string();
            let back: Difficulty = text.parse().unwrap();
            prop_assert!(back.target() >= target, "{text}");
            // and not easier by more than the twelve digits allow, where difficulty is representable
            let slack = (target.0 >> 36usize).saturating_add(U256::from(2));
            prop_assert!(back.target().0 - target.0 <= slack, "{text}");
        }

        #[test]
        fn what_a_pool_wrote_comes_back_as_it_was(digits in 1u64..1_000_000_000_000, exponent in -18i32..6) {
            let written: Difficulty = format!("{digits}e{exponent}").parse().unwrap();
            prop_assume!(written.target() < Target::MAX);
            let text = Difficulty::of_target(written.target()).to_string();
            prop_assert_eq!(text.parse::<Difficulty>().unwrap().target(), written.target());
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
                prop_assert!(!difficulty.target().0.is_zero());
            }
        }
    }
}
