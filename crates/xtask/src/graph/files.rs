//! The files of one crate, and their imports of each other.
//!
//! A file imports the file that *defines* what it names: `crate::Item` leads through a re-export in
//! `lib.rs` to the module behind it. Neither a `mod` declaration nor a re-export is an import, but
//! a re-export becomes one when the same file uses the name.

use super::source::{self, Module, Use};
use anyhow::{Context as _, Result, bail};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// An import: its line and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    pub line: usize,
    pub path: String,
}

/// Files with the files that each imports.
pub(crate) type Files = BTreeMap<PathBuf, BTreeMap<PathBuf, Import>>;

/// A module of the crate, in its file.
struct Placed {
    file: PathBuf,
    module: Module,
}

/// The end of a path.
enum Target {
    Module(Vec<String>),
    File(PathBuf),
}

struct Crate {
    modules: BTreeMap<Vec<String>, Placed>,
}

/// Reads a crate from its root file. The files returned are relative to `base`.
pub(crate) fn files(root_file: &Path, base: &Path) -> Result<Files> {
    let mut read = Crate { modules: BTreeMap::new() };
    let folder = root_file.parent().context("a crate's root is in a folder")?;
    read.add_file(root_file, folder, &[])?;
    let short = |file: &Path| file.strip_prefix(base).unwrap_or(file).to_owned();
    let mut files = Files::new();
    for (name, placed) in &read.modules {
        let imports = files.entry(short(&placed.file)).or_default();
        for (target, import) in read.imports(name, &placed.module) {
            if target != placed.file {
                let kept = imports.entry(short(&target)).or_insert_with(|| import.clone());
                if import.line < kept.line {
                    *kept = import;
                }
            }
        }
    }
    Ok(files)
}

impl Crate {
    /// Adds a file and those of its modules. `folder` is where the files of its modules are.
    fn add_file(&mut self, file: &Path, folder: &Path, path: &[String]) -> Result<()> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        for module in source::read(&text) {
            let own: Vec<String> = path.iter().chain(&module.path).cloned().collect();
            let inside = module.path.iter().fold(folder.to_owned(), |folder, name| folder.join(name));
            for child in &module.files {
                let child_path: Vec<String> = own.iter().chain([&child.name]).cloned().collect();
                let (as_file, as_folder) =
                    (inside.join(format!("{}.rs", child.name)), inside.join(&child.name).join("mod.rs"));
                if let Some(elsewhere) = &child.elsewhere {
                    let child_file = file.parent().unwrap_or(folder).join(elsewhere);
                    let child_folder = child_file.parent().unwrap_or(folder).to_owned();
                    self.add_file(&child_file, &child_folder, &child_path)?;
                } else if as_file.is_file() {
                    self.add_file(&as_file, &inside.join(&child.name), &child_path)?;
                } else if as_folder.is_file() {
                    self.add_file(&as_folder, &inside.join(&child.name), &child_path)?;
                } else {
                    let (as_file, as_folder) = (as_file.display(), as_folder.display());
                    bail!(
                        "{}: mod {}: neither {as_file} nor {as_folder} is there",
                        file.display(),
                        child.name
                    );
                }
            }
            self.modules.insert(own, Placed { file: file.to_owned(), module });
        }
        Ok(())
    }

    fn is_module(&self, name: &[String]) -> bool {
        self.modules.contains_key(name)
    }

    /// The imports of the module `name`, each with the file that it leads to.
    fn imports(&self, name: &[String], module: &Module) -> Vec<(PathBuf, Import)> {
        let mut found = Vec::new();
        for one in &module.uses {
            let used = |name: &String| module.identifiers.contains(name);
            let import = |path: String| Import { line: one.path.line, path };
            let written = one.path.names.join("::");
            match &one.name {
                Some(known_as) => {
                    // a module's name alone is no import: the paths that start with it are
                    if (!one.public || used(known_as))
                        && let Some(Target::File(file)) =
                            self.find(name, &one.path.names, &mut BTreeSet::new())
                    {
                        found.push((file, import(written)));
                    }
                }
                None => {
                    for (file, what) in self.glob(name, one, &module.identifiers) {
                        found.push((file, import(format!("{written}::* ({what})"))));
                    }
                }
            }
        }
        for path in &module.paths {
            let first = path.names.first().map(String::as_str).unwrap_or_default();
            if (matches!(first, "crate" | "self" | "super") || self.leads_to_module(name, first))
                && let Some(Target::File(file)) = self.find(name, &path.names, &mut BTreeSet::new())
            {
                found.push((file, Import { line: path.line, path: path.names.join("::") }));
            }
        }
        found
    }

    /// Files that define what a module uses through one of its globs, with the name.
    fn glob<'a>(&self, name: &[String], glob: &Use, used: &'a BTreeSet<String>) -> Vec<(PathBuf, &'a str)> {
        let Some(target) = self.find(name, &glob.path.names, &mut BTreeSet::new()) else { return vec![] };
        match target {
            // the variants of an enum
            Target::File(file) => vec![(file, "variants")],
            Target::Module(module) => used
                .iter()
                .filter_map(|used| {
                    let item = self.find_in(&module, std::slice::from_ref(used), &mut BTreeSet::new(), false);
                    match item {
                        Some(Target::File(file)) => Some((file, used.as_str())),
                        _ => None,
                    }
                })
                .collect(),
        }
    }

    /// Whether `first` is a module's name in the module `name`.
    fn leads_to_module(&self, name: &[String], first: &str) -> bool {
        let target = self.find_in(name, &[first.to_owned()], &mut BTreeSet::new(), false);
        matches!(target, Some(Target::Module(_)))
    }

    /// Follows a path that is written in the module `name`. `None` when it leads out of the crate.
    fn find(
        &self,
        name: &[String],
        path: &[String],
        seen: &mut BTreeSet<(Vec<String>, String)>,
    ) -> Option<Target> {
        match path.first()?.as_str() {
            "crate" => self.find_in(&[], path.get(1..)?, seen, true),
            "self" => self.find(name, path.get(1..).filter(|rest| !rest.is_empty())?, seen),
            "super" => {
                let parent = name.split_last()?.1;
                match path.get(1..)? {
                    [] => Some(Target::Module(parent.to_owned())),
                    rest if rest.first().is_some_and(|first| first == "super") => {
                        self.find(parent, rest, seen)
                    }
                    rest => self.find_in(parent, rest, seen, true),
                }
            }
            _ => self.find_in(name, path, seen, false),
        }
    }

    /// Follows a path from inside a module. A macro may define the name; if it `must` be in this
    /// module, an unknown name is taken for an item of the module's file.
    fn find_in(
        &self,
        name: &[String],
        path: &[String],
        seen: &mut BTreeSet<(Vec<String>, String)>,
        must: bool,
    ) -> Option<Target> {
        let placed = self.modules.get(name)?;
        let Some((first, rest)) = path.split_first() else { return Some(Target::Module(name.to_owned())) };
        let child: Vec<String> = name.iter().chain([first]).cloned().collect();
        if self.is_module(&child) {
            return self.find_in(&child, rest, seen, true);
        }
        if placed.module.items.contains(first) {
            return Some(Target::File(placed.file.clone()));
        }
        if !seen.insert((name.to_owned(), first.clone())) {
            return None;
        }
        if let Some(bound) = placed.module.uses.iter().find(|one| one.name.as_ref() == Some(first)) {
            return match self.find(name, &bound.path.names, seen) {
                Some(Target::Module(module)) => self.find_in(&module, rest, seen, true),
                found => found,
            };
        }
        let globs = placed.module.uses.iter().filter(|one| one.name.is_none());
        for glob in globs {
            if let Some(Target::Module(module)) = self.find(name, &glob.path.names, seen)
                && let Some(found) = self.find_in(&module, path, seen, false)
            {
                return Some(found);
            }
        }
        must.then(|| Target::File(placed.file.clone()))
    }
}

/// Sets of files that import each other, directly or through other files.
pub(crate) fn cycles(files: &Files) -> Vec<Vec<PathBuf>> {
    let reach: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> =
        files.keys().map(|file| (file, reachable(files, file))).collect();
    let reaches = |from: &PathBuf, to: &PathBuf| reach.get(from).is_some_and(|reached| reached.contains(to));
    let mut cycles: Vec<Vec<PathBuf>> = Vec::new();
    for file in files.keys().filter(|file| reaches(file, file)) {
        if cycles.iter().any(|cycle| cycle.contains(file)) {
            continue;
        }
        cycles.push(
            files.keys().filter(|other| reaches(file, other) && reaches(other, file)).cloned().collect(),
        );
    }
    cycles
}

fn reachable<'a>(files: &'a Files, from: &PathBuf) -> BTreeSet<&'a PathBuf> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        for target in files.get(file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(target) {
                next.push(target);
            }
        }
    }
    reached
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A crate in a folder of its own: its imports as `a.rs -> b.rs`, and its cycles.
    fn drawn(sources: &[(&str, &str)]) -> (Vec<String>, Vec<Vec<String>>) {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in sources {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let files = files(&folder.path().join("lib.rs"), folder.path()).unwrap();
        let shown = |file: &PathBuf| file.display().to_string().replace('\\', "/");
        let imports = files.iter().flat_map(|(file, imports)| {
            imports.keys().map(move |target| format!("{} -> {}", shown(file), shown(target)))
        });
        let cycles = cycles(&files);
        (imports.collect(), cycles.iter().map(|cycle| cycle.iter().map(shown).collect()).collect())
    }

    #[test]
    fn re_exports_are_no_imports_and_lead_to_the_defining_file() {
        let (imports, cycles) = drawn(&[
            ("lib.rs", "mod a; mod b; pub use a::{A, make}; pub use b::B; fn f() { x.make }"),
            ("a.rs", "use crate::B; pub struct A; pub fn make() -> B {}"),
            ("b.rs", "pub struct B;"),
        ]);
        assert_eq!(imports, ["a.rs -> b.rs"]);
        assert!(cycles.is_empty());
    }

    #[test]
    fn items_of_the_root_tie_a_module_to_it() {
        let root = ("lib.rs", "mod a; pub use a::A; pub struct Config; fn run() { let _: A; }");
        let (imports, cycles) = drawn(&[root, ("a.rs", "use super::Config; pub struct A;")]);
        assert_eq!(imports, ["a.rs -> lib.rs", "lib.rs -> a.rs"]);
        assert_eq!(cycles, [["a.rs", "lib.rs"]]);
    }

    #[test]
    fn a_cycle_of_three_files_leaves_out_files_that_only_lead_to_it() {
        let (_, cycles) = drawn(&[
            ("lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
            ("a.rs", "use crate::b::{self, B}; pub struct A(B); fn a() { b::b() }"),
            ("b.rs", "pub struct B; pub(crate) fn b() { crate::c::c() }"),
            ("c.rs", "pub(crate) fn c() { let _ = super::a::A; }"),
            ("d.rs", "use crate::{c::c, e::E};"),
            ("e.rs", "pub struct E;"),
        ]);
        assert_eq!(cycles, [["a.rs", "b.rs", "c.rs"]]);
    }

    #[test]
    fn separate_cycles_are_reported_separately() {
        let (_, cycles) = drawn(&[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::b::B; use crate::c::C; pub struct A;"),
            ("b.rs", "use crate::a::A; pub struct B;"),
            ("c.rs", "use crate::d::D; pub struct C;"),
            ("d.rs", "use crate::c::C; pub struct D;"),
        ]);
        assert_eq!(cycles, [["a.rs", "b.rs"], ["c.rs", "d.rs"]]);
    }

    #[test]
    fn folders_inline_modules_and_path_attributes_are_resolved() {
        let (imports, cycles) = drawn(&[
            (
                "lib.rs",
                "mod a; mod inline { use crate::a::deep::D; pub struct I; mod file; } #[path = \"x/y.rs\"] mod z;",
            ),
            ("a/mod.rs", "pub(crate) mod deep; use self::deep::D;"),
            ("a/deep.rs", "use super::super::inline::I; pub struct D;"),
            ("inline/file.rs", "use super::I; use crate::z::Z;"),
            ("x/y.rs", "mod beside; pub(crate) use beside::Z;"),
            ("x/beside.rs", "pub struct Z;"),
        ]);
        let expected = [
            "a/deep.rs -> lib.rs",
            "a/mod.rs -> a/deep.rs",
            "inline/file.rs -> lib.rs",
            "inline/file.rs -> x/beside.rs",
            "lib.rs -> a/deep.rs",
        ];
        assert_eq!(imports, expected);
        assert_eq!(cycles, [["a/deep.rs", "lib.rs"]]);
    }

    #[test]
    fn a_glob_imports_only_the_names_that_are_used() {
        let (imports, _) = drawn(&[
            ("lib.rs", "mod a; mod b; mod c; mod d; pub use c::C;"),
            ("a.rs", "use super::*; fn a() -> C { b::f() }"),
            ("b.rs", "pub(crate) fn f() {} pub(crate) enum E { V }"),
            ("c.rs", "pub struct C; pub use crate::d::*;"),
            ("d.rs", "use crate::b::E::*; pub struct D;"),
        ]);
        assert_eq!(imports, ["a.rs -> b.rs", "a.rs -> c.rs", "d.rs -> b.rs"]);
    }

    #[test]
    fn macros_count_and_other_crates_and_tests_do_not() {
        let (imports, _) = drawn(&[
            ("lib.rs", "mod a; mod b; #[cfg(test)] mod tests; sol! { struct Made { u8 x; } }"),
            (
                "a.rs",
                "macro_rules! m { () => { $crate::b::f() } } pub(crate) use m; use std::b::C; use log::b;",
            ),
            ("b.rs", "use crate::a::m; use crate::Made; pub(crate) fn f() { x.a; }"),
            ("tests.rs", "use crate::a::m;"),
        ]);
        assert_eq!(imports, ["a.rs -> b.rs", "b.rs -> a.rs", "b.rs -> lib.rs"]);
    }

    #[test]
    fn a_module_without_a_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("lib.rs"), "mod gone;").unwrap();
        let error = files(&folder.path().join("lib.rs"), folder.path()).unwrap_err();
        assert!(error.to_string().contains("mod gone"), "{error}");
    }
}
