//! Makes named mistakes in the code that decides on money, each in a copy: a named test must fail.
//!
//! In: `tests/mutations.toml`. Out: a line per mistake, and an error if a test did not see one.

mod run;
mod rust;
mod solidity;

use anyhow::{Context as _, Result, bail, ensure};
use hashlease_toolchain::Toolchain;
use run::{Run, Verdict};
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

const LIST: &str = "tests/mutations.toml";

#[derive(Deserialize)]
struct Mutations {
    mutation: Vec<Entry>,
}

/// An entry as it is written. [`Entry::read`] determines its kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    /// What would be lost.
    why: String,
    file: PathBuf,
    find: String,
    replace: String,
    test: String,
    /// Solidity: file of the test.
    path: Option<String>,
    /// Rust: package of the test.
    package: Option<String>,
    /// Rust: name of an integration test; without it the unit tests are run.
    integration: Option<String>,
}

struct Mutation {
    name: String,
    why: String,
    file: PathBuf,
    find: String,
    replace: String,
    test: Test,
}

enum Test {
    Solidity(solidity::Test),
    Rust(rust::Test),
}

impl Test {
    const fn language(&self) -> &'static str {
        match self {
            Self::Solidity(_) => "solidity",
            Self::Rust(_) => "rust",
        }
    }
}

impl Entry {
    fn read(self) -> Result<Mutation> {
        let Self { name, why, file, find, replace, test, path, package, integration } = self;
        let test = match (path, package) {
            (Some(path), None) if integration.is_none() => Test::Solidity(solidity::Test { path, test }),
            (None, Some(package)) => Test::Rust(rust::Test { package, integration, test }),
            _ => bail!(
                "{LIST}: {name}: expected `path` (Solidity) or `package` and perhaps `integration` (Rust)"
            ),
        };
        Ok(Mutation { name, why, file, find, replace, test })
    }
}

fn read(text: &str) -> Result<Vec<Mutation>> {
    let Mutations { mutation } = toml::from_str(text).context(LIST)?;
    mutation.into_iter().map(Entry::read).collect()
}

impl Mutation {
    /// Whether the command asks for it: by a part of its name, or by its language.
    fn is_wanted(&self, only: Option<&str>) -> bool {
        only.is_none_or(|only| self.name.contains(only) || self.test.language() == only)
    }

    /// The text of its file with the mistake.
    fn applied(&self, sound: &str) -> Result<String> {
        let found = sound.matches(&self.find).count();
        let file = self.file.display();
        ensure!(
            found == 1,
            "{}: expected the text to replace once in {file}, found it {found} times",
            self.name
        );
        Ok(sound.replace(&self.find, &self.replace))
    }

    /// Runs the test without the mistake and with it. Returns whether the test sees it.
    fn is_seen(&self, copy: &Path, run: impl Fn() -> Result<Run>) -> Result<bool> {
        let file = copy.join(&self.file);
        let sound = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let broken = self.applied(&sound)?;
        let before = run()?;
        ensure!(
            before.verdict == Verdict::Passes,
            "{}: without the mistake the test must pass, but: {:?}\n{}",
            self.name,
            before.verdict,
            before.said
        );
        fs::write(&file, broken)?;
        let after = run();
        fs::write(&file, sound)?;
        let after = after?;
        match after.verdict {
            Verdict::Passes => Ok(false),
            Verdict::Fails => Ok(true),
            Verdict::NotFound | Verdict::DoesNotCompile => {
                bail!("{}: with the mistake: {:?}\n{}", self.name, after.verdict, after.said)
            }
        }
    }
}

/// Makes the mistakes that `only` names by a part of their name or by their language, or all.
pub(crate) fn run(tools: &Toolchain, only: Option<&str>) -> Result<()> {
    let root = tools.root();
    let all = read(&fs::read_to_string(root.join(LIST)).context(LIST)?)?;
    let wanted: Vec<&Mutation> = all.iter().filter(|mutation| mutation.is_wanted(only)).collect();
    ensure!(!wanted.is_empty(), "{LIST}: no mistake of the name or language {:?}", only.unwrap_or_default());
    let has = |language: &str| wanted.iter().any(|mutation| mutation.test.language() == language);
    let solidity = has("solidity").then(|| solidity::copy(root)).transpose()?;
    let rust = has("rust").then(|| rust::copy(root)).transpose()?;
    let mut unseen = Vec::new();
    for mutation in wanted {
        let seen = match (&mutation.test, &solidity, &rust) {
            (Test::Solidity(test), Some(copy), _) => mutation.is_seen(copy, || test.run(tools, copy)),
            (Test::Rust(test), _, Some(copy)) => mutation.is_seen(copy, || test.run(root, copy)),
            _ => bail!("{}: no copy was made", mutation.name),
        };
        // one entry that proves nothing must not hide what the others show
        let verdict = match seen {
            Ok(true) => "seen",
            Ok(false) => "NOT SEEN",
            Err(error) => {
                eprintln!("{error:#}");
                "UNCLEAR"
            }
        };
        println!("{verdict:<9} {} ({})", mutation.name, mutation.why);
        if verdict != "seen" {
            unseen.push(mutation.name.as_str());
        }
    }
    ensure!(unseen.is_empty(), "no test sees: {}", unseen.join(", "));
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const COMMON: &str = "[[mutation]]\nname = \"a b\"\nwhy = \"w\"\nfile = \"f\"\nfind = \"x\"\nreplace = \"y\"\n\
                          test = \"t\"\n";

    fn one(more: &str) -> Result<Mutation> {
        Ok(read(&format!("{COMMON}{more}"))?.remove(0))
    }

    #[test]
    fn an_entry_is_for_one_language() {
        assert_eq!(one("path = \"p\"").unwrap().test.language(), "solidity");
        assert_eq!(one("package = \"p\"").unwrap().test.language(), "rust");
        assert_eq!(one("package = \"p\"\nintegration = \"i\"").unwrap().test.language(), "rust");
        for wrong in ["", "path = \"p\"\npackage = \"q\"", "path = \"p\"\nintegration = \"i\"", "pth = \"p\""]
        {
            assert!(one(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn mistakes_are_chosen_by_name_or_language() {
        let rust = one("package = \"p\"").unwrap();
        for (only, wanted) in
            [(None, true), (Some("b"), true), (Some("rust"), true), (Some("solidity"), false)]
        {
            assert_eq!(rust.is_wanted(only), wanted, "{only:?}");
        }
    }

    #[test]
    fn the_text_must_be_there_once() {
        let mutation = one("path = \"p\"").unwrap();
        assert_eq!(mutation.applied("axb").unwrap(), "ayb");
        assert!(mutation.applied("ab").is_err() && mutation.applied("xax").is_err());
    }

    #[test]
    fn a_mistake_is_made_and_undone() {
        let mutation = one("path = \"p\"").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, "axb").unwrap();
        let seen_by = |verdict: fn(&str) -> Verdict| {
            let run = || {
                let text = fs::read_to_string(&file).unwrap();
                Ok(Run { verdict: verdict(&text), said: text })
            };
            let seen = mutation.is_seen(folder.path(), run);
            assert_eq!(fs::read_to_string(&file).unwrap(), "axb");
            seen
        };
        assert!(seen_by(|text| if text == "axb" { Verdict::Passes } else { Verdict::Fails }).unwrap());
        assert!(!seen_by(|_| Verdict::Passes).unwrap());
        assert!(seen_by(|_| Verdict::Fails).is_err(), "it must pass without the mistake");
        assert!(seen_by(|_| Verdict::NotFound).is_err());
        let breaks = |text: &str| if text == "axb" { Verdict::Passes } else { Verdict::DoesNotCompile };
        assert!(seen_by(breaks).is_err(), "code that doesn't compile proves nothing");
    }
}
