//! Why an endpoint refuses a transaction. JSON-RPC has no number for it, so the words decide.

use super::fees::Floor;
use alloy::transports::{RpcError, TransportErrorKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The fee is below what the endpoint takes at all.
    Floor(Floor),
    /// The fee is too low to replace another transaction with the same nonce.
    Replacement,
    NoGasMoney,
    NonceUsed,
    /// The endpoint has this copy already.
    Known,
}

/// Words for a fee that is too low to replace another.
const REPLACEMENT: &[&str] = &[
    "replacement",
    "another transaction with same nonce",
    "replace existing",
    "could not replace",
    "feetoolowtocompete",
];
const NO_GAS_MONEY: &[&str] = &[
    "insufficient funds",
    "insufficient balance",
    "gas required exceeds allowance",
    "upfront cost exceeds",
    "exceeds account balance",
];
const NONCE_USED: &[&str] =
    &["nonce too low", "nonce is too low", "oldnonce", "already been used", "invalid nonce; got"];
const KNOWN: &[&str] =
    &["already known", "alreadyknown", "already imported", "known transaction", "already in mempool"];
/// Words for a fee that is below a floor.
const FLOOR: &[&str] = &[
    "underpriced",
    "below minimum",
    "minimum needed",
    "below configured minimum",
    "gas price minimum",
    "less than block base fee",
    "fee too low",
    "feetoolow",
    "price too low",
    "price is too low",
    "supplied is too low",
    "tip too low",
    "tip is too low",
];
/// Words before the figure of a floor.
const FIGURE: &[&str] =
    &["minimum needed", "basefee:", "base fee:", "at least", "minimum gas price", "minimum", "min"];

impl Refusal {
    pub(super) fn of(error: &RpcError<TransportErrorKind>) -> Option<Self> {
        Self::in_words(&error.as_error_resp()?.message)
    }

    fn in_words(words: &str) -> Option<Self> {
        let words = words.to_ascii_lowercase();
        let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        if says(REPLACEMENT) {
            Some(Self::Replacement)
        } else if says(NO_GAS_MONEY) {
            Some(Self::NoGasMoney)
        } else if says(NONCE_USED) {
            Some(Self::NonceUsed)
        } else if says(KNOWN) {
            Some(Self::Known)
        } else if says(FLOOR) {
            Some(Self::Floor(floor(&words)))
        } else {
            None
        }
    }
}

/// The floor that an endpoint names. A figure that isn't plain wei says no more than "more".
fn floor(words: &str) -> Floor {
    let Some(figure) = FIGURE.iter().find_map(|mark| figure_after(words, mark)) else {
        return Floor::More;
    };
    if words.contains("tip") || words.contains("priority") { Floor::Tip(figure) } else { Floor::Max(figure) }
}

/// The whole number that follows some words, at most a few signs later.
fn figure_after(words: &str, mark: &str) -> Option<u128> {
    let (_, rest) = words.split_once(mark)?;
    let rest = rest.trim_start_matches([' ', ':', '=', '(', '"']);
    let digits = rest.split(|sign: char| !sign.is_ascii_digit()).next()?;
    let after = rest.get(digits.len()..)?;
    // a fraction or a unit is no figure in wei
    let whole = !after.starts_with('.') && !after.trim_start().starts_with("gwei");
    digits.parse().ok().filter(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_nodes_are_understood() {
        let floor = Refusal::Floor;
        let cases = [
            ("transaction gas price below minimum: gas tip cap 1, minimum needed 25", floor(Floor::Tip(25))),
            ("transaction underpriced: gas tip cap 1, minimum needed 7", floor(Floor::Tip(7))),
            (
                "max fee per gas less than block base fee: address 0x1, maxFeePerGas: 1, baseFee: 9",
                floor(Floor::Max(9)),
            ),
            ("Gas price below configured minimum gas price", floor(Floor::More)),
            ("gas price too low: minimum 1.5 gwei", floor(Floor::More)),
            ("gas tip too low: minimum 30 gwei", floor(Floor::More)),
            ("transaction underpriced", floor(Floor::More)),
            ("FeeTooLow", floor(Floor::More)),
            ("replacement transaction underpriced", Refusal::Replacement),
            ("FeeTooLowToCompete", Refusal::Replacement),
            ("insufficient funds for gas * price + value", Refusal::NoGasMoney),
            ("gas required exceeds allowance (0)", Refusal::NoGasMoney),
            ("nonce too low: next nonce 8, tx nonce 7", Refusal::NonceUsed),
            ("already known", Refusal::Known),
        ];
        for (words, refusal) in cases {
            assert_eq!(Refusal::in_words(words), Some(refusal), "{words}");
        }
        assert_eq!(Refusal::in_words("internal error"), None);
    }
}
