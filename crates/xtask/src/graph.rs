//! Checks the dependency graphs: cycles of files, the documented table of crates, and the packages
//! under evidence.
//!
//! In: `cargo metadata`, sources, `cycles.toml`, the table in `docs/architecture.md`. Out: every
//! difference.

mod files;
mod source;
mod table;

use anyhow::{Context as _, Result, ensure};
use files::Files;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use table::Crates;

/// Accepted cycles of files, each with its reason.
const CYCLES: &str = "crates/xtask/cycles.toml";
/// The document with the table of crates.
const ARCHITECTURE: &str = "docs/architecture.md";
/// Prefix of the workspace's package names; the table omits it.
const PREFIX: &str = "hashlease-";

/// Browsers run this crate, so its dependencies are restricted.
const EVIDENCE: &str = "hashlease-evidence";
/// Packages that evidence must not depend on: sockets, threads, disks and runtimes don't work in
/// WebAssembly.
const NOT_IN_EVIDENCE: [&str; 18] = [
    "alloy-provider",
    "axum",
    "crossbeam-utils",
    "hashlease-chain",
    "hashlease-check",
    "hashlease-journal",
    "hashlease-ledger",
    "hashlease-stratum",
    "hyper",
    "mio",
    "rayon",
    "rayon-core",
    "redb",
    "reqwest",
    "rustls",
    "socket2",
    "tokio",
    "tokio-util",
];

/// Output of the command besides complaints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// Nothing.
    Nothing,
    /// Prints the crates and their files as a table.
    Table,
    /// Prints them as JSON.
    Json,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None` for a normal dependency.
    kind: Option<String>,
    /// Set for packages of the workspace.
    path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct Allowed {
    #[serde(default)]
    cycle: Vec<Cycle>,
}

#[derive(Deserialize)]
struct Cycle {
    files: BTreeSet<PathBuf>,
    reason: String,
}

/// Checks the graphs and fails with every complaint. `write` updates the table first.
pub(crate) fn run(root: &Path, show: Show, write: bool) -> Result<()> {
    let metadata = metadata(root)?;
    let crates = crates(&metadata);
    let files = all_files(&metadata, root)?;
    match show {
        Show::Nothing => {}
        Show::Table => print!("{}", overview(&crates, &files)),
        Show::Json => println!("{}", serde_json::to_string_pretty(&as_json(&crates, &files))?),
    }
    let path = root.join(ARCHITECTURE);
    let text = fs::read_to_string(&path).context(ARCHITECTURE)?;
    if write {
        fs::write(&path, table::written(&text, &crates)?).context(ARCHITECTURE)?;
    }
    let text = if write { fs::read_to_string(&path).context(ARCHITECTURE)? } else { text };
    let allowed = fs::read_to_string(root.join(CYCLES)).context(CYCLES)?;
    let mut complaints = table::differences(&text, &crates)?;
    complaints.extend(unexplained(&files, &allowed)?);
    complaints.extend(evidence(root)?);
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    Ok(())
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// A successful command's standard output.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().context("starting cargo")?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("cargo's output")
}

fn metadata(root: &Path) -> Result<Metadata> {
    let text = output(cargo(root).args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    serde_json::from_str(&text).context("cargo metadata")
}

fn short(package: &str) -> String {
    package.strip_prefix(PREFIX).unwrap_or(package).to_owned()
}

fn crates(metadata: &Metadata) -> Crates {
    let uses = |package: &Package| {
        let own = package.dependencies.iter().filter(|used| used.kind.is_none() && used.path.is_some());
        own.map(|used| short(&used.name)).collect()
    };
    metadata.packages.iter().map(|package| (short(&package.name), uses(package))).collect()
}

/// The files of all crates. Tests, benches, examples and build scripts are left out.
fn all_files(metadata: &Metadata, root: &Path) -> Result<Files> {
    let mut all = Files::new();
    for target in metadata.packages.iter().flat_map(|package| &package.targets) {
        if target.kind.iter().any(|kind| matches!(kind.as_str(), "lib" | "bin" | "proc-macro")) {
            all.extend(files::files(&target.src_path, root)?);
        }
    }
    Ok(all)
}

fn overview(crates: &Crates, files: &Files) -> String {
    let mut text = table::rows(crates);
    for (file, imports) in files {
        let _ = writeln!(text, "\n{}", file.display());
        for (target, import) in imports {
            let _ = writeln!(text, "  {}  line {}: {}", target.display(), import.line, import.path);
        }
    }
    text
}

fn as_json(crates: &Crates, files: &Files) -> serde_json::Value {
    let files: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> =
        files.iter().map(|(file, imports)| (file, imports.keys().collect())).collect();
    serde_json::json!({ "crates": crates, "files": files })
}

/// Cycles of files that `cycles.toml` does not explain, and explanations of cycles that are
/// gone.
fn unexplained(files: &Files, allowed: &str) -> Result<Vec<String>> {
    let Allowed { cycle: allowed } = toml::from_str(allowed).context(CYCLES)?;
    let cycles: Vec<BTreeSet<PathBuf>> =
        files::cycles(files).into_iter().map(|cycle| cycle.into_iter().collect()).collect();
    let mut complaints = Vec::new();
    for cycle in cycles.iter().filter(|cycle| !allowed.iter().any(|known| known.files == **cycle)) {
        let mut text = format!("these files import each other, and {CYCLES} has no reason for it:");
        for (file, imports) in cycle.iter().filter_map(|file| Some((file, files.get(file)?))) {
            for (target, import) in imports.iter().filter(|(target, _)| cycle.contains(*target)) {
                let (file, target) = (file.display(), target.display());
                let _ = write!(text, "\n  {file}:{} imports {target}: {}", import.line, import.path);
            }
        }
        complaints.push(text);
    }
    for known in &allowed {
        let names: Vec<String> = known.files.iter().map(|file| file.display().to_string()).collect();
        if !cycles.contains(&known.files) {
            complaints.push(format!("{CYCLES}: this cycle is gone, remove it: {}", names.join(", ")));
        }
        if known.reason.trim().is_empty() {
            complaints.push(format!("{CYCLES}: no reason is given for {}", names.join(", ")));
        }
    }
    Ok(complaints)
}

/// Forbidden packages in the dependency tree of the evidence crate.
fn evidence(root: &Path) -> Result<Vec<String>> {
    let tree = ["tree", "--package", EVIDENCE, "--edges", "normal", "--prefix", "none", "--locked"];
    let tree = output(cargo(root).args(tree))?;
    Ok(forbidden(&tree).map(|name| format!("{EVIDENCE} must not depend on {name}")).collect())
}

fn forbidden(tree: &str) -> impl Iterator<Item = &'static str> {
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    NOT_IN_EVIDENCE.into_iter().filter(move |name| names.contains(name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use files::Import;

    /// Files that each import the next, the last one the first.
    fn ring(names: &[&str]) -> Files {
        let import = || Import { line: 7, path: "crate::A".to_owned() };
        let next = names.iter().cycle().skip(1);
        names.iter().zip(next).map(|(file, to)| (file.into(), [(to.into(), import())].into())).collect()
    }

    #[test]
    fn a_cycle_needs_a_reason_for_just_its_files() {
        let said = |files: &Files, allowed: &str| unexplained(files, allowed).unwrap().join("\n");
        let two = ring(&["a.rs", "b.rs"]);
        let found = said(&two, "");
        assert!(found.contains("a.rs:7 imports b.rs: crate::A\n  b.rs:7 imports a.rs"), "{found}");
        let reason = "[[cycle]]\nfiles = [\"b.rs\", \"a.rs\"]\nreason = \"once\"\n";
        assert_eq!(said(&two, reason), "");
        let found = said(&ring(&["a.rs", "b.rs", "c.rs"]), reason);
        assert!(found.contains("c.rs:7 imports a.rs") && found.contains("this cycle is gone"), "{found}");
        let found = said(&two, "[[cycle]]\nfiles = [\"b.rs\", \"a.rs\"]\nreason = \" \"\n");
        assert!(found.contains("no reason is given"), "{found}");
    }

    #[test]
    fn only_normal_dependencies_on_workspace_crates_count() {
        let metadata = r#"{ "packages": [
            { "name": "hashlease-a", "targets": [], "dependencies": [
                { "name": "hashlease-b", "kind": null, "path": "/b" },
                { "name": "hashlease-c", "kind": "dev", "path": "/c" },
                { "name": "serde", "kind": null }
            ] },
            { "name": "xtask", "targets": [], "dependencies": [] }
        ] }"#;
        let crates = crates(&serde_json::from_str(metadata).unwrap());
        let expected = [("a", vec!["b"]), ("xtask", vec![])];
        let found: Vec<_> = crates
            .iter()
            .map(|(name, uses)| (name.as_str(), uses.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn forbidden_packages_are_found_in_a_tree() {
        let tree = "hashlease-evidence v0.1.0 (/a)\nserde v1.0.0\ntokio v1.54.0\ntokio-macros v2.0.0\nmio v1.0.0 (*)\n";
        assert_eq!(forbidden(tree).collect::<Vec<_>>(), ["mio", "tokio"]);
    }
}
