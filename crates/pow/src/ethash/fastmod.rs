//! Remainders by a constant divisor: two multiplications, which take less time than a division.

/// A prepared divisor.
///
/// D. Lemire, O. Kaser, N. Kurz, "Faster remainder by direct computation" (2019): exact for all
/// dividends and divisors of 32 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct FastMod {
    divisor: u32,
    /// `ceil(2^64 / divisor)`.
    inverse: u64,
}

impl FastMod {
    /// For a divisor of at least 2.
    pub(super) const fn new(divisor: u32) -> Self {
        Self { divisor, inverse: u64::MAX / divisor as u64 + 1 }
    }

    /// `value % divisor`.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // the quotient of the fraction is below the divisor
    pub(super) const fn of(self, value: u32) -> u32 {
        let fraction = self.inverse.wrapping_mul(value as u64);
        ((fraction as u128 * self.divisor as u128) >> 64) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::FastMod;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_the_remainder(divisor in 2_u32.., value: u32) {
            let modulo = FastMod::new(divisor);
            prop_assert_eq!(modulo.of(value), value % divisor);
            for near in [value - value % divisor, (value - value % divisor).wrapping_sub(1), u32::MAX, 0] {
                prop_assert_eq!(modulo.of(near), near % divisor);
            }
        }
    }
}
