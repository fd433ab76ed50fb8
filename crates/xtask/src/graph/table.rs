//! Compares the table of crates in `docs/architecture.md` with cargo's metadata.

use anyhow::{Context as _, Result, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// Crates with the crates of the workspace that each uses, by their short names.
pub(crate) type Crates = BTreeMap<String, BTreeSet<String>>;

/// Line in front of the table.
const START: &str = "<!-- crates: `cargo xtask graph --write` writes this table -->";
/// Line behind it.
const END: &str = "<!-- end of crates -->";
const HEAD: &str = "| crate | uses |\n|---|---|\n";

/// The table: each crate below those that it uses, alphabetically where the order is free.
pub(crate) fn rows(crates: &Crates) -> String {
    let mut text = HEAD.to_owned();
    let mut listed: BTreeSet<&str> = BTreeSet::new();
    while listed.len() < crates.len() {
        let next: Vec<&String> = crates
            .iter()
            .filter(|(name, uses)| {
                let known = |used: &&String| crates.contains_key(*used);
                !listed.contains(name.as_str())
                    && uses.iter().filter(known).all(|used| listed.contains(used.as_str()))
            })
            .map(|(name, _)| name)
            .collect();
        // cargo allows no cycle of crates; without this check one would not end
        if next.is_empty() {
            break;
        }
        for name in next {
            listed.insert(name);
            let uses: Vec<String> =
                crates.get(name).into_iter().flatten().map(|used| format!("`{used}`")).collect();
            let uses = if uses.is_empty() { "–".to_owned() } else { uses.join(", ") };
            let _ = writeln!(text, "| `{name}` | {uses} |");
        }
    }
    text
}

/// The text before the table, the table, and the text after it.
fn split(text: &str) -> Result<(&str, &str, &str)> {
    let missing = || format!("docs/architecture.md: expected the line {START:?} and after it {END:?}");
    let (before, rest) = text.split_once(START).with_context(missing)?;
    let (table, after) = rest.split_once(END).with_context(missing)?;
    Ok((before, table, after))
}

/// The document with a correct table. A table that is already correct keeps its order.
pub(crate) fn written(text: &str, crates: &Crates) -> Result<String> {
    if differences(text, crates)?.is_empty() {
        return Ok(text.to_owned());
    }
    let (before, _, after) = split(text)?;
    Ok(format!("{before}{START}\n\n{}\n{END}{after}", rows(crates)))
}

/// Differences between the table and cargo's metadata, and rows in the wrong order.
pub(crate) fn differences(text: &str, crates: &Crates) -> Result<Vec<String>> {
    let (_, table, _) = split(text)?;
    let (mut listed, mut found) = (Vec::new(), Vec::new());
    for line in table.lines().map(str::trim).filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        ensure!(cells.len() == 2, "docs/architecture.md: expected two columns in {line:?}");
        let names = |cell: &str| -> BTreeSet<String> {
            cell.split(',')
                .map(|name| name.trim().trim_matches('`').to_owned())
                .filter(|name| name != "–")
                .collect()
        };
        let (name, uses) = (cells.concat(), names(cells.last().copied().unwrap_or_default()));
        let name = name.trim_start_matches('`').split('`').next().unwrap_or_default().to_owned();
        listed.push((name, uses));
    }
    let say = |text: String| format!("docs/architecture.md, table of crates: {text}");
    for (row, (name, uses)) in listed.iter().enumerate() {
        let Some(actual) = crates.get(name) else {
            found.push(say(format!("there is no crate {name}")));
            continue;
        };
        for used in uses.difference(actual) {
            found.push(say(format!("{name} does not use {used}")));
        }
        for used in actual.difference(uses) {
            found.push(say(format!("{name} uses {used}, which its row lacks")));
        }
        for used in actual.iter().filter(|used| listed.iter().skip(row).any(|(other, _)| other == *used)) {
            found.push(say(format!("{name} uses {used}, which must stand above it")));
        }
        if listed.iter().take(row).any(|(other, _)| other == name) {
            found.push(say(format!("{name} has two rows")));
        }
    }
    for name in crates.keys().filter(|name| !listed.iter().any(|(other, _)| other == *name)) {
        found.push(say(format!("{name} has no row")));
    }
    if !found.is_empty() {
        found.push("`cargo xtask graph --write` writes the table".to_owned());
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn crates(all: &[(&str, &[&str])]) -> Crates {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        all.iter().map(|(name, uses)| ((*name).to_owned(), owned(uses))).collect()
    }

    fn document(table: &str) -> String {
        format!("before\n\n{START}\n\n{HEAD}{table}\n{END}\n\nafter\n")
    }

    const ALL: &[(&str, &[&str])] = &[("cli", &["pow", "share"]), ("pow", &[]), ("share", &["pow"])];

    #[test]
    fn a_written_table_has_no_differences() {
        let crates = crates(ALL);
        let written = written(&document(""), &crates).unwrap();
        let expected = document("| `pow` | – |\n| `share` | `pow` |\n| `cli` | `pow`, `share` |\n");
        assert_eq!(written, expected);
        assert!(differences(&written, &crates).unwrap().is_empty());
    }

    #[test]
    fn another_valid_order_is_kept() {
        let crates = crates(&[("a", &[]), ("b", &[])]);
        let by_hand = document("| `b` | – |\n| `a` | – |\n");
        assert!(differences(&by_hand, &crates).unwrap().is_empty());
        assert_eq!(written(&by_hand, &crates).unwrap(), by_hand);
    }

    #[test]
    fn every_difference_is_reported() {
        let crates = crates(ALL);
        for (table, expected) in [
            (
                "| `pow` | – |\n| `share` | – |\n| `cli` | `pow`, `share` |",
                "share uses pow, which its row lacks",
            ),
            (
                "| `pow` | – |\n| `share` | `pow`, `cli` |\n| `cli` | `pow`, `share` |",
                "share does not use cli",
            ),
            (
                "| `pow` | – |\n| `cli` | `pow`, `share` |\n| `share` | `pow` |",
                "cli uses share, which must stand above",
            ),
            ("| `pow` | – |\n| `cli` | `pow`, `share` |", "share has no row"),
            ("| `pow` | – |\n| `gone` | `pow` |", "there is no crate gone"),
            ("| `pow` | – |\n| `pow` | – |", "pow has two rows"),
        ] {
            let found = differences(&document(table), &crates).unwrap().join("\n");
            assert!(found.contains(expected), "{table}\n{found}");
        }
    }

    #[test]
    fn a_document_without_the_marks_is_an_error() {
        assert!(differences("text", &crates(ALL)).is_err());
    }
}
