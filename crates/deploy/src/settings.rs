//! What the environment asks for: the rules of `script/Settings.sol`, in the same order and words.

use crate::{LOCAL, address, problem};
use alloy_primitives::Address;
use std::collections::BTreeMap;

/// As in `CommitteeOracle`.
const MAX_MEMBERS: usize = 32;
/// As in `Registry`.
const MAX_FEE_BPS: u64 = 300;
const MAX_BPS: u64 = 10_000;
/// Largest number of 40 bits.
const MAX_TIME: u64 = (1 << 40) - 1;
/// Most seconds of a credit window.
const MAX_WINDOW: u64 = 30 * 24 * 3_600;
const ALGORITHMS: [&str; 4] = ["sha256d", "scrypt", "ethash", "etchash"];
const ADDRESS: &str = "an address (0x and 40 hex digits, checksum right)";

/// The variables `HASHLEASE_*` of the environment.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// This process's own.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }

    /// All variables, for a program that this one starts.
    pub(crate) fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// A variable's value; empty if it is not set.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(variables.filter(|(name, _): &(String, String)| name.starts_with("HASHLEASE_")).collect())
    }
}

/// Where and when something is to be deployed.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Chain id (EIP-155).
    pub chain_id: u64,
    /// Account that sends the transactions.
    pub deployer: Address,
    /// Unix seconds.
    pub now: u64,
}

/// Everything that is wrong with the environment, a line each.
#[must_use]
pub fn problems(environment: &Environment, place: &Place) -> Vec<String> {
    let mut found = Found { environment, lines: Vec::new() };
    found.committee();
    found.registration(place);
    found.people(place);
    found.name();
    found.external_url();
    found.lines
}

struct Found<'a> {
    environment: &'a Environment,
    lines: Vec<String>,
}

impl Found<'_> {
    fn wrong(&mut self, name: &str, expected: &str, got: &str) {
        self.lines.push(problem(name, expected, got));
    }

    fn committee(&mut self) {
        let owners = self.addresses("HASHLEASE_COMMITTEE_OWNERS");
        let keys = self.addresses("HASHLEASE_COMMITTEE_KEYS");
        if owners > MAX_MEMBERS {
            self.wrong("HASHLEASE_COMMITTEE_OWNERS", "at most 32 addresses", &owners.to_string());
        }
        if keys != owners && keys != 0 && owners != 0 {
            let expected = format!("as many addresses as owners, {owners}");
            self.wrong("HASHLEASE_COMMITTEE_KEYS", &expected, &keys.to_string());
        }
        let most = if owners == 0 { MAX_MEMBERS } else { owners };
        self.number("HASHLEASE_COMMITTEE_THRESHOLD", "", 1, most as u64);
    }

    fn registration(&mut self, place: &Place) {
        let shortest = if place.chain_id == LOCAL { 10 } else { 24 * 3_600 };
        self.address("HASHLEASE_ORACLE_PAYEE");
        self.number("HASHLEASE_ORACLE_WINDOW", "172800", shortest, MAX_WINDOW);
        self.number("HASHLEASE_ORACLE_FEE_BPS", "100", 0, MAX_FEE_BPS);
        self.algorithms();
        let end = self.number("HASHLEASE_ORACLE_LATEST_END", "0", 0, MAX_TIME);
        self.number("HASHLEASE_ORACLE_MIN_BOND_BPS", "0", 0, MAX_BPS);
        if end != 0 && end <= place.now {
            self.wrong("HASHLEASE_ORACLE_LATEST_END", "0 or a time to come", &end.to_string());
        }
    }

    fn people(&mut self, place: &Place) {
        let is_local = place.chain_id == LOCAL;
        for name in ["HASHLEASE_GOVERNOR", "HASHLEASE_GUARDIAN", "HASHLEASE_TREASURY"] {
            if !is_local || !self.environment.get(name).is_empty() {
                self.address(name);
            }
        }
        let name = "HASHLEASE_GOVERNOR";
        if !is_local && address(self.environment.get(name)) == Some(place.deployer) {
            let expected = "another account than the deployer, for the timelock";
            self.wrong(name, expected, &place.deployer.to_string());
        }
    }

    fn name(&mut self) {
        let name = self.environment.get("HASHLEASE_DEPLOYMENT_NAME");
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            self.wrong("HASHLEASE_DEPLOYMENT_NAME", "letters, digits and hyphens", name);
        }
    }

    fn external_url(&mut self) {
        let name = "HASHLEASE_EXTERNAL_URL";
        let url = self.environment.get(name);
        if !url.is_empty() && !url.starts_with("https://") {
            self.wrong(name, "nothing or a URL that begins with https://", url);
        }
    }

    fn address(&mut self, name: &str) {
        let text = self.environment.get(name);
        match address(text) {
            None => self.wrong(name, ADDRESS, text),
            Some(Address::ZERO) => self.wrong(name, "an address other than zero", text),
            Some(_) => {}
        }
    }

    /// Checks a list and returns its length.
    fn addresses(&mut self, name: &str) -> usize {
        let text = self.environment.get(name);
        if text.is_empty() {
            self.wrong(name, "1 to 32 addresses separated by commas", "");
            return 0;
        }
        let mut before = Vec::new();
        for (index, entry) in text.split(',').map(str::trim).enumerate() {
            let found = address(entry);
            let wrong = match found {
                None => ADDRESS,
                Some(Address::ZERO) => "an address other than zero",
                Some(_) if before.contains(&found) => "unlike those before it",
                Some(_) => "",
            };
            if !wrong.is_empty() {
                self.wrong(name, &format!("entry {} to be {wrong}", index + 1), entry);
            }
            before.push(found);
        }
        before.len()
    }

    fn number(&mut self, name: &str, default: &str, least: u64, most: u64) -> u64 {
        let text = self.environment.get(name);
        let text = if text.is_empty() { default } else { text };
        let is_number = text.len() < 20 && text.bytes().all(|digit| digit.is_ascii_digit());
        let number = is_number.then(|| text.parse().ok()).flatten();
        match number {
            Some(number) if (least..=most).contains(&number) => number,
            _ => {
                self.wrong(name, &format!("a whole number from {least} to {most}"), text);
                least
            }
        }
    }

    fn algorithms(&mut self) {
        let name = "HASHLEASE_ORACLE_ALGORITHMS";
        let text = self.environment.get(name);
        let is_known = |one: &str| ALGORITHMS.contains(&one.trim());
        if !text.is_empty() && !text.split(',').all(is_known) {
            let expected = format!("names out of {}, separated by commas", ALGORITHMS.join(", "));
            self.wrong(name, &expected, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: u8) -> String {
        Address::repeat_byte(n).to_string()
    }

    fn sound() -> Vec<(&'static str, String)> {
        vec![
            ("HASHLEASE_COMMITTEE_OWNERS", [1, 2, 3].map(account).join(",")),
            ("HASHLEASE_COMMITTEE_KEYS", [4, 5, 6].map(account).join(", ")),
            ("HASHLEASE_COMMITTEE_THRESHOLD", "2".into()),
            ("HASHLEASE_ORACLE_PAYEE", account(7)),
            ("HASHLEASE_GOVERNOR", account(8)),
            ("HASHLEASE_GUARDIAN", account(9)),
            ("HASHLEASE_TREASURY", account(10)),
        ]
    }

    const PUBLIC: Place = Place { chain_id: 1, deployer: Address::repeat_byte(0xde), now: 1_800_000_000 };
    const HERE: Place = Place { chain_id: LOCAL, ..PUBLIC };

    /// What is said about a sound environment with other values for some variables.
    fn said(place: &Place, changes: &[(&'static str, &str)]) -> Vec<String> {
        let changes = changes.iter().map(|(name, value)| (*name, (*value).to_owned()));
        problems(&sound().into_iter().chain(changes).collect(), place)
    }

    #[test]
    fn a_sound_environment_has_no_problem() {
        assert_eq!(said(&PUBLIC, &[]), [""; 0]);
        let optional = [
            ("HASHLEASE_ORACLE_WINDOW", "86400"),
            ("HASHLEASE_ORACLE_FEE_BPS", "300"),
            ("HASHLEASE_ORACLE_ALGORITHMS", "sha256d, etchash"),
            ("HASHLEASE_ORACLE_LATEST_END", "1800000001"),
            ("HASHLEASE_ORACLE_MIN_BOND_BPS", "10000"),
            ("HASHLEASE_DEPLOYMENT_NAME", "local-2"),
        ];
        assert_eq!(said(&PUBLIC, &optional), [""; 0]);
        // people default to the deployer, and a window to seconds
        let here = [
            ("HASHLEASE_ORACLE_WINDOW", "10"),
            ("HASHLEASE_GOVERNOR", ""),
            ("HASHLEASE_GUARDIAN", " "),
            ("HASHLEASE_TREASURY", ""),
        ];
        assert_eq!(said(&HERE, &here), [""; 0]);
    }

    #[test]
    fn everything_that_is_missing_is_told_at_once() {
        let lines = problems(&Environment::default(), &PUBLIC);
        let address = "expected an address (0x and 40 hex digits, checksum right), got nothing";
        assert_eq!(
            lines,
            [
                "HASHLEASE_COMMITTEE_OWNERS: expected 1 to 32 addresses separated by commas, got nothing",
                "HASHLEASE_COMMITTEE_KEYS: expected 1 to 32 addresses separated by commas, got nothing",
                "HASHLEASE_COMMITTEE_THRESHOLD: expected a whole number from 1 to 32, got nothing",
                &format!("HASHLEASE_ORACLE_PAYEE: {address}"),
                &format!("HASHLEASE_GOVERNOR: {address}"),
                &format!("HASHLEASE_GUARDIAN: {address}"),
                &format!("HASHLEASE_TREASURY: {address}"),
            ]
        );
        assert_eq!(problems(&Environment::default(), &HERE).len(), 4);
    }

    #[test]
    fn each_senseless_value_is_named() {
        let zero = Address::ZERO.to_string();
        let deployer = PUBLIC.deployer.to_string();
        let twice = [1, 2, 1].map(account).join(",");
        let many = (1..=33).map(account).collect::<Vec<_>>().join(",");
        let wrong_checksum = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB49";
        let cases: [(&str, &str, &str); 22] = [
            ("HASHLEASE_COMMITTEE_OWNERS", "", "1 to 32 addresses separated by commas, got nothing"),
            ("HASHLEASE_COMMITTEE_OWNERS", &many, "at most 32 addresses, got 33"),
            ("HASHLEASE_COMMITTEE_OWNERS", &twice, "entry 3 to be unlike those before it, got 0x01"),
            ("HASHLEASE_COMMITTEE_OWNERS", &zero, "entry 1 to be an address other than zero, got 0x00"),
            ("HASHLEASE_COMMITTEE_KEYS", &account(1), "as many addresses as owners, 3, got 1"),
            ("HASHLEASE_COMMITTEE_THRESHOLD", "4", "a whole number from 1 to 3, got 4"),
            ("HASHLEASE_COMMITTEE_THRESHOLD", "0", "a whole number from 1 to 3, got 0"),
            ("HASHLEASE_COMMITTEE_THRESHOLD", "two", "a whole number from 1 to 3, got two"),
            ("HASHLEASE_ORACLE_PAYEE", &zero, "an address other than zero"),
            ("HASHLEASE_ORACLE_PAYEE", "0x12", "an address (0x and 40 hex digits, checksum right), got 0x12"),
            (
                "HASHLEASE_ORACLE_PAYEE",
                wrong_checksum,
                "an address (0x and 40 hex digits, checksum right), got 0xA0b8",
            ),
            ("HASHLEASE_ORACLE_WINDOW", "86399", "a whole number from 86400 to 2592000, got 86399"),
            ("HASHLEASE_ORACLE_WINDOW", "2592001", "a whole number from 86400 to 2592000, got 2592001"),
            ("HASHLEASE_ORACLE_FEE_BPS", "301", "a whole number from 0 to 300, got 301"),
            ("HASHLEASE_ORACLE_FEE_BPS", "-1", "a whole number from 0 to 300, got -1"),
            ("HASHLEASE_ORACLE_ALGORITHMS", "sha256d,x11", "names out of sha256d, scrypt"),
            ("HASHLEASE_ORACLE_LATEST_END", "1800000000", "0 or a time to come, got 1800000000"),
            ("HASHLEASE_ORACLE_MIN_BOND_BPS", "10001", "a whole number from 0 to 10000, got 10001"),
            ("HASHLEASE_GOVERNOR", &zero, "an address other than zero"),
            ("HASHLEASE_GOVERNOR", &deployer, "another account than the deployer"),
            ("HASHLEASE_DEPLOYMENT_NAME", "../1", "letters, digits and hyphens, got ../1"),
            (
                "HASHLEASE_EXTERNAL_URL",
                "http://a.test",
                "nothing or a URL that begins with https://, got http://a.test",
            ),
        ];
        for (name, value, expected) in cases {
            let lines = said(&PUBLIC, &[(name, value)]);
            let told = format!("{name}: expected {expected}");
            assert!(lines.iter().any(|line| line.starts_with(&told)), "{told}\n{lines:#?}");
        }
    }
}
