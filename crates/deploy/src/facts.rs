//! What `script/chains` knows of a chain, compared with the chain itself.

use crate::{Endpoint, FACTORY, LOCAL, address, problem};
use alloy_primitives::Address;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::path::Path;

/// A file of `script/chains`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Name of the chain.
    pub name: String,
    wrapped_native: Option<String>,
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    symbol: String,
    address: Option<String>,
    exposure_cap: String,
    least_payment: String,
}

impl Facts {
    /// Reads the file of a chain.
    ///
    /// # Errors
    /// If there is none, or it has other fields.
    pub fn read(root: &Path, chain_id: u64) -> Result<Self> {
        let file = format!("script/chains/{chain_id}.toml");
        let text = std::fs::read_to_string(root.join(&file))
            .with_context(|| format!("{file} is missing: it has the facts about this chain"))?;
        toml::from_str(&text).with_context(|| file)
    }

    /// What is wrong with the file itself.
    #[must_use]
    pub fn problems(&self, chain_id: u64) -> Vec<String> {
        let mut lines = Vec::new();
        let is_local = chain_id == LOCAL;
        for (name, text) in self.addresses() {
            if address(text).is_none_or(|address| address == Address::ZERO) {
                lines.push(problem(name, "an address with a right checksum", text));
            }
        }
        for token in &self.tokens {
            if token.address.is_none() && !is_local {
                lines.push(problem(&token.symbol, "an address", ""));
            }
            let amounts = (token.exposure_cap.parse::<u128>(), token.least_payment.parse::<u128>());
            if !matches!(amounts, (Ok(cap), Ok(least)) if 0 < least && least <= cap) {
                let got = format!("{} and {}", token.exposure_cap, token.least_payment);
                lines.push(problem(&token.symbol, "a cap, and a least payment from 1 to the cap", &got));
            }
        }
        lines
    }

    /// Addresses with their names, in the file's order.
    fn addresses(&self) -> impl Iterator<Item = (&str, &str)> {
        let native = self.wrapped_native.iter().map(|address| ("wrapped_native", address.as_str()));
        let tokens = self.tokens.iter();
        native.chain(tokens.filter_map(|token| Some((token.symbol.as_str(), token.address.as_deref()?))))
    }
}

/// What a chain lacks for a deployment by `deployer`, who sends transactions if `sends`.
///
/// # Errors
/// If the endpoint fails.
pub fn chain_problems(
    endpoint: &Endpoint<'_>,
    facts: &Facts,
    deployer: Address,
    sends: bool,
) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    if sends && endpoint.is_poor(deployer)? {
        lines.push(problem(&format!("deployer {deployer}"), "native currency for gas", ""));
    }
    for (name, at) in std::iter::once(("CREATE2 factory", FACTORY)).chain(facts.addresses()) {
        if !endpoint.has_code(at)? {
            lines.push(problem(name, &format!("a contract at {at}"), "no code"));
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
    }

    #[test]
    fn every_chains_file_is_sound() {
        let mut count = 0;
        for entry in std::fs::read_dir(root().join("script/chains")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(id) = name.strip_suffix(".toml") else { continue };
            let id = id.parse().unwrap();
            assert_eq!(Facts::read(root(), id).unwrap().problems(id), [""; 0], "{name}");
            count += 1;
        }
        assert!(count >= 11, "{count} files");
        let unknown = Facts::read(root(), 5).unwrap_err().to_string();
        assert!(unknown.contains("script/chains/5.toml is missing"), "{unknown}");
    }

    #[test]
    fn senseless_facts_are_told() {
        let read = |text: &str| toml::from_str::<Facts>(text).unwrap();
        let wrong = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB49";
        let facts = read(&format!(
            "name = \"x\"\nwrapped_native = \"{wrong}\"\n[[tokens]]\nsymbol = \"A\"\nexposure_cap = \"5\"\n\
             least_payment = \"6\"\n"
        ));
        assert_eq!(
            facts.problems(1),
            [
                format!("wrapped_native: expected an address with a right checksum, got {wrong}"),
                "A: expected an address, got nothing".into(),
                "A: expected a cap, and a least payment from 1 to the cap, got 5 and 6".into(),
            ]
        );
        // the local chain gets its token from the deployment
        assert_eq!(facts.problems(LOCAL).len(), 2);
        let misspelt = toml::from_str::<Facts>("name = \"x\"\ntokens = []\nwraped_native = \"\"\n");
        assert!(misspelt.unwrap_err().to_string().contains("wraped_native"));
    }
}
