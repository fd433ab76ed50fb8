//! Mistakes in Rust code, seen by cargo tests.

use super::run::{Run, Verdict};
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The named test: `cargo test -p PACKAGE --lib TEST`, or `--test INTEGRATION` instead of `--lib`.
pub(super) struct Test {
    pub package: String,
    pub integration: Option<String>,
    pub test: String,
}

/// Brings the copy of the checkout up to date. Files that did not change keep their times, so that
/// cargo compiles only what changed since the last run.
pub(super) fn copy(root: &Path) -> Result<PathBuf> {
    let copy = root.join("target/mutants/rust");
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let listed = git.output().context("git is missing: it lists the files to copy")?;
    ensure!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).context("git ls-files: a name is not UTF-8")?;
    // a file may be deleted, but not yet from git's index
    let files = listed.split('\0').filter(|name| !name.is_empty() && root.join(name).is_file());
    sync(root, &copy, &files.map(PathBuf::from).collect())?;
    Ok(copy)
}

/// Makes `to` a copy of the named files of `from`, and writes only what differs.
fn sync(from: &Path, to: &Path, files: &BTreeSet<PathBuf>) -> Result<()> {
    for file in files {
        let (source, target) = (from.join(file), to.join(file));
        let text = fs::read(&source).with_context(|| source.display().to_string())?;
        if fs::read(&target).is_ok_and(|there| there == text) {
            continue;
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        fs::write(&target, text).with_context(|| target.display().to_string())?;
    }
    remove_others(to, Path::new(""), files)
}

fn remove_others(copy: &Path, inside: &Path, files: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(copy.join(inside)).with_context(|| inside.display().to_string())? {
        let entry = entry?;
        let name = inside.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            remove_others(copy, &name, files)?;
        } else if !files.contains(&name) {
            fs::remove_file(entry.path()).with_context(|| name.display().to_string())?;
        }
    }
    Ok(())
}

impl Test {
    pub(super) fn run(&self, root: &Path, copy: &Path) -> Result<Run> {
        let compiled = self.cargo(root, copy).arg("--no-run").output().context("starting cargo")?;
        if !compiled.status.success() {
            return Ok(Run::new(&compiled, |_, _| Verdict::DoesNotCompile));
        }
        let output = self.cargo(root, copy).args(["--", &self.test]).output().context("starting cargo")?;
        Ok(Run::new(&output, verdict))
    }

    fn cargo(&self, root: &Path, copy: &Path) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["test", "--locked", "--package", &self.package]);
        match &self.integration {
            Some(integration) => cargo.args(["--test", integration]),
            None => cargo.arg("--lib"),
        };
        cargo.current_dir(copy).env("CARGO_TARGET_DIR", root.join("target/mutants/target"));
        cargo
    }
}

fn verdict(said: &str, success: bool) -> Verdict {
    let run =
        said.lines().filter_map(|line| line.strip_prefix("running ")?.split(' ').next()?.parse::<u32>().ok());
    match success {
        _ if run.sum::<u32>() == 0 => Verdict::NotFound,
        true => Verdict::Passes,
        false => Verdict::Fails,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_from_what_cargo_prints() {
        let said = |count: u32| format!("   Compiling a\n\nrunning {count} tests\ntest a ... ok\n");
        assert_eq!(verdict(&said(1), true), Verdict::Passes);
        assert_eq!(verdict(&said(2), false), Verdict::Fails);
        assert_eq!(
            verdict(&said(0), true),
            Verdict::NotFound,
            "a filter that finds nothing passes for cargo"
        );
    }

    #[test]
    fn a_copy_follows_its_source_and_leaves_equal_files_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let write = |path: &Path, text: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(&from.join("same"), "a");
        write(&from.join("in/changed"), "b");
        write(&from.join("not-listed"), "c");
        write(&to.join("same"), "a");
        write(&to.join("in/changed"), "mistake");
        write(&to.join("in/gone"), "d");
        let before = to.join("same").metadata().unwrap().modified().unwrap();
        sync(&from, &to, &["same".into(), "in/changed".into()].into()).unwrap();
        assert_eq!(to.join("same").metadata().unwrap().modified().unwrap(), before);
        assert_eq!(fs::read_to_string(to.join("in/changed")).unwrap(), "b");
        assert!(!to.join("in/gone").exists() && !to.join("not-listed").exists());
    }
}
