//! Foundry's binaries from npm, installed into the checkout when they are missing.
//!
//! The platform binaries are called directly: npm's launchers exit 0 whatever happens.

use anyhow::{Context as _, Result, bail, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A checkout with its pinned tools.
#[derive(Clone, Debug)]
pub struct Toolchain {
    root: PathBuf,
}

fn platform() -> Result<String> {
    let os = match std::env::consts::OS {
        "linux" => "linux",
        "macos" => "darwin",
        "windows" => "win32",
        other => bail!("Foundry is not published for {other}: use Linux, macOS or Windows"),
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("Foundry is not published for {other}: use x86-64 or arm64"),
    };
    Ok(format!("{os}-{arch}"))
}

/// Names and versions in the `dependencies` of a `package.json` as npm formats it, to print them.
fn dependencies(package: &str) -> Vec<String> {
    let lines = package.lines().map(str::trim).skip_while(|line| !line.starts_with("\"dependencies\""));
    let lines = lines.skip(1).take_while(|line| !line.starts_with('}'));
    let entries = lines.filter_map(|line| line.trim_end_matches(',').split_once("\": \""));
    entries.map(|(name, version)| [name, version].map(|text| text.trim_matches('"')).join(" ")).collect()
}

/// The checkout that holds `here`, else `built_from` if that still is one: a copied checkout works
/// on itself, not on its original.
fn checkout<'a>(here: &'a Path, built_from: &'a Path) -> Option<&'a Path> {
    let is_checkout =
        |dir: &&Path| dir.join("foundry.toml").is_file() && dir.join("script/Deploy.s.sol").is_file();
    here.ancestors().chain([built_from]).find(is_checkout)
}

impl Toolchain {
    /// Finds the checkout around the working directory, or else the one from which this was built,
    /// and installs missing packages.
    ///
    /// # Errors
    /// When Node is missing or too old, npm fails, or no checkout is found.
    pub fn find() -> Result<Self> {
        let here = std::env::current_dir().context("working directory")?;
        let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = checkout(&here, &built_from);
        let root = root.context("no checkout of Hashlease here: run this inside the cloned repository")?;
        let root = root.canonicalize().context("checkout")?;
        let found = Self { root };
        found.install()?;
        Ok(found)
    }

    fn install(&self) -> Result<()> {
        let node = Command::new("node").arg("--version").output();
        let node = node.context("Node is missing: install Node 20 or newer from https://nodejs.org")?;
        let version = String::from_utf8_lossy(&node.stdout).trim().to_owned();
        let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
        ensure!(major.is_some_and(|major: u32| major >= 20), "Node 20 or newer is needed, found {version}");
        let forge = self.tool("forge")?;
        self.install_packages("contracts", forge.is_file())?;
        ensure!(forge.is_file(), "npm did not install {}", forge.display());
        Ok(())
    }

    /// Installs the packages pinned by a folder's `package-lock.json`. Does nothing if they are
    /// `there` and no older than that file.
    ///
    /// # Errors
    /// When npm is missing or fails.
    pub fn install_packages(&self, folder: &str, there: bool) -> Result<()> {
        let path = self.root.join(folder);
        // npm writes this file last, so an interrupted install is repeated
        let (done, wanted) = (path.join("node_modules/.package-lock.json"), path.join("package-lock.json"));
        let age = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
        if there && age(&done) >= age(&wanted) {
            return Ok(());
        }
        let package = std::fs::read_to_string(path.join("package.json"));
        let package = package.with_context(|| path.join("package.json").display().to_string())?;
        eprintln!("installing from npm into {folder}/node_modules: {}", dependencies(&package).join(", "));
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        let done = Command::new(npm)
            // a line per download: npm's own progress is drawn on terminals only
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "http"])
            .current_dir(&path)
            // standard output may be read by machines
            .stdout(std::io::stderr())
            .status()
            .context("npm is missing: it comes with Node")?;
        ensure!(done.success(), "npm ci in {} failed: {done}", path.display());
        Ok(())
    }

    /// Root of the checkout.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A Foundry binary: `forge`, `anvil` or `cast`.
    ///
    /// # Errors
    /// On a platform that Foundry is not published for.
    pub fn tool(&self, name: &str) -> Result<PathBuf> {
        let package = format!("{name}-{}", platform()?);
        let binary = if cfg!(windows) { format!("{name}.exe") } else { name.to_owned() };
        Ok(self.root.join("contracts/node_modules/@foundry-rs").join(package).join("bin").join(binary))
    }
}

#[cfg(test)]
mod tests {
    use super::{checkout, dependencies};
    use std::path::Path;

    #[test]
    fn the_checkout_around_the_working_directory_comes_before_the_one_built_from() {
        let dir = tempfile::tempdir().unwrap();
        let [copy, original, elsewhere] = ["copy", "original", "elsewhere"].map(|name| dir.path().join(name));
        for made in [&copy, &original] {
            std::fs::create_dir_all(made.join("script")).unwrap();
            std::fs::write(made.join("foundry.toml"), "").unwrap();
            std::fs::write(made.join("script/Deploy.s.sol"), "").unwrap();
        }
        std::fs::create_dir_all(copy.join("crates/demo")).unwrap();
        // a Foundry project of somebody else's is no checkout
        std::fs::create_dir_all(&elsewhere).unwrap();
        std::fs::write(elsewhere.join("foundry.toml"), "").unwrap();
        let found = |here: &Path, built: &Path| checkout(here, built).map(Path::to_owned);
        assert_eq!(found(&copy, &original), Some(copy.clone()));
        assert_eq!(found(&copy.join("crates/demo"), &original), Some(copy.clone()));
        assert_eq!(found(&elsewhere, &original), Some(original));
        assert_eq!(found(&elsewhere, &elsewhere), None);
    }

    #[test]
    fn dependencies_are_listed_with_their_versions() {
        let package = include_str!("../../../contracts/package.json");
        let listed = dependencies(package);
        for expected in ["@foundry-rs/forge 1.7.1", "solc 0.8.30"] {
            assert!(listed.iter().any(|entry| entry == expected), "{expected} is missing: {listed:?}");
        }
        let of_others = r#"{ "scripts": { "a": "b" },
            "dependencies": {
                "one": "1.0.0",
                "@two/three": "2.0.0"
            },
            "devDependencies": {
                "four": "4.0.0"
            } }"#;
        assert_eq!(dependencies(of_others), ["one 1.0.0", "@two/three 2.0.0"]);
        assert!(dependencies("{}").is_empty());
    }
}
