//! Amounts of the chain's native currency in settings.

use alloy::primitives::{U256, utils::parse_ether};
use serde::Deserialize;
use std::str::FromStr;

/// An amount of the native currency, written in whole units: `0.05`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct NativeAmount(U256);

/// Why a text is no amount.
#[derive(Debug, thiserror::Error)]
#[error("expected an amount such as 0.05, got {0:?}")]
pub(crate) struct NoAmount(String);

impl NativeAmount {
    /// In wei.
    pub(crate) const fn wei(self) -> U256 {
        self.0
    }
}

impl FromStr for NativeAmount {
    type Err = NoAmount;

    fn from_str(text: &str) -> Result<Self, NoAmount> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let wei = if is_plain && !text.is_empty() { parse_ether(text).ok() } else { None };
        wei.map(Self).ok_or_else(|| NoAmount(text.chars().take(64).collect()))
    }
}

impl TryFrom<String> for NativeAmount {
    type Error = NoAmount;

    fn try_from(text: String) -> Result<Self, NoAmount> {
        text.parse()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_in_whole_units() {
        let wei = |text: &str| text.parse::<NativeAmount>().map(NativeAmount::wei);
        assert_eq!(wei("0.05").unwrap(), U256::from(50_000_000_000_000_000u64));
        assert_eq!(wei("2").unwrap(), U256::from(2_000_000_000_000_000_000u64));
        for wrong in ["", "-1", "0.05 ETH", "1e3", "0x5", "1.2.3"] {
            let error = wei(wrong).unwrap_err().to_string();
            assert_eq!(error, format!("expected an amount such as 0.05, got {wrong:?}"));
        }
    }
}
